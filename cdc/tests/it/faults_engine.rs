//! The engine paused, and the network between it and its servers gone silent: noticed, mended, nothing lost.

use std::time::{Duration, Instant};

use crate::support::{
    Engine, Finished, Proxy, Scenario, Signal, Writer, amqp_uri, eventually, first_copies, proxy_to,
};

/// A heartbeat a second: a silent connection is given up after two or three.
const HEARTBEAT: &str = "/%2f?heartbeat=1";

/// A scenario whose engine reaches the broker through a proxy.
async fn behind_a_proxy(label: &str) -> (Scenario, Proxy) {
    let mut scenario = Scenario::new(label).await;
    let proxy = scenario.behind_a_proxy(HEARTBEAT).await;
    (scenario, proxy)
}

/// Everything arrived, the first copies in order, and the engine ends well.
async fn check(scenario: &Scenario, engine: Engine, count: i32) -> Finished {
    let deliveries = scenario.take_numbers(usize::try_from(count).unwrap()).await;
    assert_eq!(first_copies(&deliveries), (0..count).collect::<Vec<_>>());
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    finished
}

#[tokio::test]
async fn an_engine_that_slept_through_every_timeout_loses_nothing() {
    let mut scenario = Scenario::new("paused").await;
    scenario
        .set("RABBITMQ_URI", format!("{}{HEARTBEAT}", amqp_uri()))
        .set("CDC_CONFIRM_TIMEOUT_MS", "1000");
    let engine = scenario.start().await;
    scenario.insert_numbers(0..2_000).await;
    engine.signal(Signal::STOP);
    scenario.insert_numbers(2_000..4_000).await;
    eventually("the broker has given the connection up", async || {
        !scenario.is_locked().await
    })
    .await;
    engine.signal(Signal::CONT);
    scenario.insert_numbers(4_000..5_000).await;
    let finished = check(&scenario, engine, 5_000).await;
    assert!(finished.log.contains("rabbitmq lost"), "{}", finished.log);
}

#[tokio::test]
async fn a_broker_that_has_gone_silent_is_noticed_by_its_heartbeat_while_nothing_is_in_flight() {
    let (scenario, proxy) = behind_a_proxy("silent_idle").await;
    scenario.declare_own().await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    scenario.take_numbers(10).await;
    proxy.strand();
    engine.wait_for("rabbitmq lost").await;
    scenario.insert_numbers(10..20).await;
    let deliveries = scenario.take_numbers(10).await;
    assert_eq!(first_copies(&deliveries), (10..20).collect::<Vec<_>>());
    assert_eq!(engine.stop().await.code, Some(0));
}

/// The connection to the broker goes silent while messages are in flight.
async fn end_silently(label: &str, end: fn(&Proxy)) {
    let (mut scenario, proxy) = behind_a_proxy(label).await;
    scenario.set("CDC_CONFIRM_TIMEOUT_MS", "1500");
    let engine = scenario.start().await;
    let writer = Writer::start(scenario.collection("numbers"));
    engine.delivers().await;
    end(&proxy);
    engine.wait_for("rabbitmq lost").await;
    engine.delivers().await;
    let count = writer.stop().await;
    check(&scenario, engine, count).await;
}

#[tokio::test]
async fn a_broker_that_has_gone_silent_under_load_loses_nothing() {
    end_silently("silent_busy", Proxy::strand).await;
}

#[tokio::test]
async fn a_half_open_connection_to_the_broker_under_load_loses_nothing() {
    end_silently("half_open", Proxy::half_open).await;
}

#[tokio::test]
async fn a_broker_behind_a_stalled_network_is_given_up_and_used_again_when_it_moves() {
    let (mut scenario, proxy) = behind_a_proxy("stalled").await;
    scenario.set("CDC_CONFIRM_TIMEOUT_MS", "1000");
    let engine = scenario.start().await;
    for round in 0..2 {
        scenario
            .insert_numbers(round * 1_000..(round + 1) * 1_000)
            .await;
        proxy.stall();
        engine.is_held_up_by("rabbitmq").await;
        proxy.pass();
        engine.is_ready().await;
    }
    check(&scenario, engine, 2_000).await;
}

/// Strands the engine's connections to MongoDB, new ones pass; says how long it took until changes arrived again.
async fn strand_mongodb(label: &str, options: &str) -> (Duration, Finished) {
    let mut scenario = Scenario::new(label).await;
    let proxy = proxy_to(scenario.primary().await).await;
    let uri = format!(
        "mongodb://{}/?directConnection=true{options}",
        proxy.address
    );
    scenario.set("MONGO_DATABASE_HOST", uri);
    let engine = scenario.start().await;
    scenario.insert_numbers(0..100).await;
    scenario.take_numbers(100).await;
    proxy.strand();
    let stranded = Instant::now();
    scenario.insert_numbers(100..200).await;
    let deliveries = scenario.take_numbers(100).await;
    assert_eq!(first_copies(&deliveries), (100..200).collect::<Vec<_>>());
    let took = stranded.elapsed();
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    (took, finished)
}

#[tokio::test]
async fn a_silent_mongodb_is_noticed_by_the_drivers_heartbeat() {
    let (took, finished) = strand_mongodb("silent_mongo", "").await;
    assert!(took < Duration::from_secs(25), "{took:?}\n{}", finished.log);
}

/// The connection that waits for a reply is silent, and the server answers on others.
#[tokio::test]
async fn a_silent_mongodb_is_read_on_another_connection_where_no_heartbeat_tells() {
    let (took, finished) = strand_mongodb("deaf_mongo", "&heartbeatFrequencyMS=300000").await;
    assert!(took < Duration::from_secs(25), "{took:?}\n{}", finished.log);
}

#[tokio::test]
async fn mongodb_behind_a_stalled_network_is_given_up_and_read_on_when_it_moves() {
    let mut scenario = Scenario::new("stalled_mongo").await;
    let proxy = proxy_to(scenario.primary().await).await;
    let uri = format!("mongodb://{}/?directConnection=true", proxy.address);
    scenario.set("MONGO_DATABASE_HOST", uri);
    let engine = scenario.start().await;
    scenario.insert_numbers(0..500).await;
    proxy.stall();
    scenario.insert_numbers(500..1_000).await;
    engine.wait_for("change stream lost").await;
    proxy.pass();
    scenario.insert_numbers(1_000..1_500).await;
    check(&scenario, engine, 1_500).await;
}
