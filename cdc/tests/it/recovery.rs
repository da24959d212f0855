//! Lost connections, nacks and unroutable messages: nothing is lost, the order is kept, nothing is passed over.

use std::time::Duration;

use bson::doc;
use lapin::types::{AMQPValue, FieldTable};

use crate::support::{
    Delivery, Engine, Proxy, Scenario, Signal, Writer, eventually, first_copies, proxy_to,
};

/// A scenario whose engine reaches the broker through a proxy.
async fn behind_a_proxy(label: &str) -> (Scenario, Proxy, Engine) {
    let mut scenario = Scenario::new(label).await;
    let proxy = scenario.behind_a_proxy("").await;
    scenario
        .set("CDC_CONFIRM_TIMEOUT_MS", "1500")
        .set("CDC_SHUTDOWN_GRACE_MS", "1500");
    scenario.declare_own().await;
    let engine = scenario.start().await;
    (scenario, proxy, engine)
}

#[tokio::test]
async fn cut_connections_to_the_broker_lose_nothing_and_keep_the_order() {
    let (scenario, proxy, engine) = behind_a_proxy("cuts").await;
    let writer = Writer::start(scenario.collection("numbers"));
    for _ in 0..5 {
        engine.delivers().await;
        proxy.cut();
    }
    engine.delivers().await;
    let count = writer.stop().await;
    let deliveries = scenario.take_numbers(usize::try_from(count).unwrap()).await;
    assert_eq!(first_copies(&deliveries), (0..count).collect::<Vec<_>>());
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    assert!(
        finished.log.contains("rabbitmq connected again"),
        "{}",
        finished.log
    );
}

#[tokio::test]
async fn a_connection_lost_while_idle_is_noticed_at_once() {
    let (scenario, proxy, engine) = behind_a_proxy("idle_cut").await;
    proxy.cut();
    engine.wait_for("rabbitmq connected again").await;
    scenario.insert_numbers(0..1).await;
    assert_eq!(scenario.take(1).await[0].number(), 0);
}

#[tokio::test]
async fn a_stalled_broker_counts_as_lost_after_the_confirm_timeout() {
    let (scenario, proxy, engine) = behind_a_proxy("stall").await;
    scenario.insert_numbers(0..10).await;
    scenario.take_numbers(10).await;
    engine.has_confirmed(10).await;
    proxy.stall();
    scenario.insert_numbers(10..20).await;
    engine
        .wait_for("no answer to a publish within 1500 ms")
        .await;
    proxy.cut();
    proxy.pass();
    let deliveries = scenario.take_numbers(10).await;
    assert_eq!(first_copies(&deliveries), (10..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_drain_that_the_broker_does_not_allow_ends_after_the_grace_period_and_loses_nothing() {
    let (scenario, proxy, engine) = behind_a_proxy("grace").await;
    proxy.stall();
    scenario.insert_numbers(0..10).await;
    engine.has_in_flight(10).await;
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(1), "{}", finished.log);
    assert!(
        finished
            .log
            .contains("not drained within 1500 ms: 10 messages unconfirmed"),
        "{}",
        finished.log
    );
    proxy.pass();
    scenario.start().await;
    let engine = scenario.start().await;
    let deliveries = scenario.take_numbers(10).await;
    assert_eq!(first_copies(&deliveries), (0..10).collect::<Vec<_>>());
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_second_signal_leaves_at_once() {
    let (mut scenario, proxy, engine) = behind_a_proxy("second_signal").await;
    engine.kill().await;
    scenario
        .set("CDC_SHUTDOWN_GRACE_MS", "60000")
        .set("CDC_CONFIRM_TIMEOUT_MS", "60000");
    let engine = scenario.start().await;
    proxy.stall();
    scenario.insert_numbers(0..10).await;
    engine.has_in_flight(10).await;
    engine.signal(Signal::INT);
    engine.wait_for("draining").await;
    let second = std::time::Instant::now();
    engine.signal(Signal::TERM);
    let finished = engine.finish().await;
    assert_eq!(finished.code, Some(1), "{}", finished.log);
    assert!(second.elapsed() < Duration::from_secs(3));
    assert!(finished.log.contains("second signal"), "{}", finished.log);
}

#[tokio::test]
async fn a_nacked_message_is_published_again_until_it_is_taken_and_nothing_passes_it() {
    let mut scenario = Scenario::new("nack").await;
    let (exchange, queue) = (
        format!("{}_exchange", scenario.name),
        format!("{}_full", scenario.name),
    );
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(200));
    arguments.insert(
        "x-overflow".into(),
        AMQPValue::LongString("reject-publish".into()),
    );
    scenario.declare_exchange(&exchange).await;
    scenario.declare(&queue, arguments).await;
    scenario.bind(&queue, &exchange, "#").await;
    scenario
        .set("RABBITMQ_EXCHANGE", &exchange)
        .set("RABBITMQ_ROUTING_KEY", "all");
    let engine = scenario.start().await;
    scenario.insert_numbers(0..1_000).await;
    engine.wait_for("rabbitmq refused a message").await;
    let mut deliveries = scenario.take_numbers_from(&queue, 1_000).await;
    // Some come again after that.
    eventually("all are confirmed and taken", async || {
        let confirmed = engine.metric("cdc_messages_confirmed_total").await;
        let ready = scenario.try_ready(&queue).await.unwrap();
        deliveries.extend(scenario.take_from(&queue, ready as usize).await);
        confirmed >= 1_000.0 && ready == 0
    })
    .await;
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    // The last copies are in order: a message that the broker took before an earlier one was nacked comes again.
    let mut seen = std::collections::HashSet::new();
    let mut last_copies: Vec<i32> = deliveries
        .iter()
        .rev()
        .filter(|delivery| seen.insert(delivery.message_id()))
        .map(Delivery::number)
        .collect();
    last_copies.reverse();
    let late = last_copies
        .windows(2)
        .filter(|pair| pair[0] > pair[1])
        .count();
    assert_eq!(late, 0, "the last copies are in order");
    assert_eq!(last_copies.len(), 1_000);
}

#[tokio::test]
async fn an_unroutable_message_stops_the_engine_and_the_checkpoint_stays_before_it() {
    let mut scenario = Scenario::new("unroutable").await;
    let (exchange, queue) = (
        format!("{}_exchange", scenario.name),
        format!("{}_queue", scenario.name),
    );
    scenario.declare_exchange(&exchange).await;
    scenario.declare(&queue, FieldTable::default()).await;
    scenario.bind(&queue, &exchange, "numbers").await;
    scenario
        .set("RABBITMQ_EXCHANGE", &exchange)
        .set("RABBITMQ_ROUTING_KEY", "{collection}");
    let engine = scenario.start().await;
    scenario.insert_numbers(0..500).await;
    scenario
        .collection("strays")
        .insert_one(doc! { "_id": 500, "n": 500 })
        .await
        .unwrap();
    scenario.insert_numbers(501..1_000).await;
    let finished = engine.finish().await;
    assert_eq!(finished.code, Some(1), "{}", finished.log);
    let stray = format!("change of `{}.strays`", scenario.name);
    for part in [
        "matched no queue (312 NO_ROUTE)",
        stray.as_str(),
        "hint: the checkpoint is before this message",
    ] {
        assert!(
            finished.log.contains(part),
            "no `{part}` in:\n{}",
            finished.log
        );
    }
    assert!(
        !finished.log.contains("lapin") && !finished.log.contains("xxxx"),
        "no document in the log"
    );
    // The same message stops the next engine too: it was not passed over.
    let again = scenario.spawn().finish().await;
    assert_eq!(again.code, Some(1), "{}", again.log);
    scenario.purge(&queue).await;
    scenario.bind(&queue, &exchange, "strays").await;
    let _engine = scenario.start().await;
    let last = |deliveries: &[Delivery]| deliveries.last().map(Delivery::number) == Some(999);
    let deliveries = scenario.take_until(&queue, &mut { last }).await;
    let first = first_copies(&deliveries);
    assert!(
        first.ends_with(&(500..1_000).collect::<Vec<_>>()),
        "{first:?}"
    );
}

#[tokio::test]
async fn a_queue_deleted_while_running_stops_the_engine_and_loses_nothing() {
    let scenario = Scenario::new("deleted").await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    scenario.take_numbers(10).await;
    scenario.delete_queue(&scenario.name).await;
    scenario.insert_numbers(10..20).await;
    let finished = engine.finish().await;
    assert_eq!(finished.code, Some(1), "{}", finished.log);
    assert!(
        finished.log.contains("matched no queue"),
        "{}",
        finished.log
    );
    let _engine = scenario.start().await;
    let deliveries = scenario.take_until_number(19).await;
    assert_eq!(
        first_copies(&deliveries)[..],
        (0..20).collect::<Vec<_>>()[20 - first_copies(&deliveries).len()..]
    );
}

#[tokio::test]
async fn mongodb_behind_a_cut_connection_is_read_on_from_where_it_was() {
    let mut scenario = Scenario::new("mongo_cut").await;
    let primary = scenario.primary().await;
    let proxy = proxy_to(primary).await;
    scenario.set(
        "MONGO_DATABASE_HOST",
        format!("mongodb://{}/?directConnection=true", proxy.address),
    );
    let engine = scenario.start().await;
    let mut deliveries = Vec::new();
    for round in 0..5 {
        scenario
            .insert_numbers(round * 400..round * 400 + 200)
            .await;
        proxy.down();
        scenario
            .insert_numbers(round * 400 + 200..(round + 1) * 400)
            .await;
        // Cut in the middle of a read, and, every other time, still away when the driver tries again.
        if round % 2 == 0 {
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        proxy.pass();
        deliveries.extend(scenario.take_until_number((round + 1) * 400 - 1).await);
    }
    assert_eq!(first_copies(&deliveries), (0..2_000).collect::<Vec<_>>());
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
}

#[tokio::test]
async fn a_broker_that_accepts_connections_and_says_nothing_collects_no_threads() {
    let (scenario, proxy, engine) = behind_a_proxy("silent").await;
    proxy.stall();
    scenario.insert_numbers(0..10).await;
    engine.wait_for("no answer to a publish").await;
    engine.wait_for("rabbitmq is not back yet").await;
    let before = engine.threads();
    let attempts = || {
        let log = engine.log();
        let (_, tried) = log.rsplit_once(" tried=").unwrap();
        let count = tried.split_whitespace().next().unwrap();
        count.parse::<u32>().unwrap()
    };
    eventually("it has tried three times more", async || attempts() >= 4).await;
    assert!(
        engine.threads() <= before,
        "{} threads, then {}",
        before,
        engine.threads()
    );
    proxy.cut();
    proxy.pass();
    let deliveries = scenario.take_numbers(10).await;
    assert_eq!(first_copies(&deliveries), (0..10).collect::<Vec<_>>());
}
