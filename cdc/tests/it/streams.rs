//! Streams by RabbitMQ's own protocol: each message is stored once, whatever crashes.

mod messages;
mod places;

use std::time::Duration;

pub(crate) use self::places::write_as;
use crate::{
    crash::crash_in,
    support::{
        Broker, Delivery, Engine, Scenario, Signal, amqp_uri, check, first_copies, mongo_uri,
        stream_address,
    },
};

/// A scenario whose engines publish by the stream protocol; nothing where the broker is older than that.
pub(crate) async fn native(label: &str) -> Option<Scenario> {
    let address = stream_address()?;
    let mut scenario = Scenario::new(label).await;
    to_streams(&mut scenario, &address);
    Some(scenario)
}

fn to_streams(scenario: &mut Scenario, address: &str) {
    let (_, port) = address.rsplit_once(':').unwrap();
    scenario
        .set("CDC_QUEUE_TYPE", "stream")
        .set("CDC_STREAM_PROTOCOL", "native")
        .set("RABBITMQ_STREAM_PORT", port)
        .set("CDC_CHECKPOINT_INTERVAL_MS", "50");
}

impl Scenario {
    /// All numbers up to `last`, as often as the stream has them.
    async fn numbers(&self, last: i32) -> Vec<i32> {
        let deliveries = self.take_until_number(last).await;
        deliveries.iter().map(Delivery::number).collect()
    }

    /// The stream has each number below `end` once, in order.
    async fn has_each_once(&self, end: i32) {
        assert_eq!(
            self.numbers(end - 1).await,
            (0..end).collect::<Vec<_>>(),
            "each once and in order"
        );
    }

    /// Publishes up to `end`, and ends the engine between a confirm and the checkpoint.
    async fn crash_late(&mut self, end: u32) {
        self.set("CDC_CHECKPOINT_INTERVAL_MS", "60000");
        let engine = self.start().await;
        self.insert_numbers(0..end.cast_signed()).await;
        engine.has_confirmed(end).await;
        engine.kill().await;
        self.set("CDC_CHECKPOINT_INTERVAL_MS", "50");
    }
}

#[tokio::test]
async fn a_crash_at_any_step_repeats_nothing() {
    for (label, point) in [
        ("stream_lock", "after-lock:1"),
        ("stream_claim", "after-claim:1"),
        ("stream_publish", "after-publish:300"),
        ("stream_confirm", "after-confirm:300"),
        ("stream_save", "during-save:2"),
    ] {
        let Some(mut scenario) = native(label).await else {
            return;
        };
        assert_eq!(crash_in(&mut scenario, point).await, 0, "{point}");
    }
}

#[tokio::test]
async fn a_lost_connection_repeats_nothing() {
    let Some(mut scenario) = native("stream_cut").await else {
        return;
    };
    let proxy = scenario.behind_a_proxy("?heartbeat=1").await;
    let engine = scenario.start().await;
    for round in 0..5 {
        scenario
            .insert_numbers(round * 2_000..(round + 1) * 2_000)
            .await;
        proxy.down();
        engine.is_held_up_by("rabbitmq").await;
        proxy.pass();
        engine.is_ready().await;
    }
    scenario.has_each_once(10_000).await;
}

#[tokio::test]
async fn a_broker_that_is_killed_has_everything_once() {
    if stream_address().is_none() {
        return;
    }
    let mut broker = Broker::exclusive().await;
    let mut scenario =
        Scenario::at("stream_broker", &mongo_uri(), &broker.uri("?heartbeat=1")).await;
    to_streams(&mut scenario, &broker.stream_address().unwrap());
    let engine = scenario.start().await;
    // A stream that was declared a moment before a kill stays away for good (RabbitMQ 4.0.5).
    tokio::time::sleep(Duration::from_secs(5)).await;
    scenario.insert_numbers(0..2_000).await;
    broker.kill();
    scenario.insert_numbers(2_000..4_000).await;
    broker.start().await;
    engine.is_ready().await;
    scenario.insert_numbers(4_000..6_000).await;
    scenario.reconnect(&broker.uri("")).await;
    scenario.has_each_once(6_000).await;
}

/// A scenario with a leader and a standby.
async fn two(label: &str) -> Option<(Scenario, Engine, Engine)> {
    let mut scenario = native(label).await?;
    scenario.set("RABBITMQ_URI", format!("{}?heartbeat=1", amqp_uri()));
    let leader = scenario.start().await;
    let standby = scenario.spawn();
    standby.stands_by().await;
    Some((scenario, leader, standby))
}

#[tokio::test]
async fn a_standby_goes_on_where_the_stream_ends() {
    let Some((scenario, leader, mut standby)) = two("stream_takeover").await else {
        return;
    };
    scenario.insert_numbers(0..3_000).await;
    leader.delivers().await;
    leader.kill().await;
    standby.leads().await;
    scenario.insert_numbers(3_000..4_000).await;
    scenario.has_each_once(4_000).await;
}

#[tokio::test]
async fn a_leader_that_wakes_up_changes_nothing() {
    let Some((scenario, mut leader, mut standby)) = two("stream_pause").await else {
        return;
    };
    for round in 0..3 {
        scenario
            .insert_numbers(round * 2_000..round * 2_000 + 1_000)
            .await;
        leader.signal(Signal::STOP);
        standby.leads().await;
        scenario
            .insert_numbers(round * 2_000 + 1_000..(round + 1) * 2_000)
            .await;
        leader.signal(Signal::CONT);
        leader.stands_by().await;
        std::mem::swap(&mut leader, &mut standby);
    }
    scenario.has_each_once(6_000).await;
}

#[tokio::test]
async fn partitions_are_a_super_stream() {
    let Some(mut scenario) = native("stream_super").await else {
        return;
    };
    scenario.set("CDC_PARTITIONS", "3");
    let engine = scenario.start().await;
    scenario.insert_numbers(0..300).await;
    engine.has_confirmed(300).await;
    let (connection, _events) = places::connection(&scenario).await;
    let streams: Vec<String> = (0..3).map(|n| format!("{}.{n}", scenario.name)).collect();
    let found = connection.partitions(&scenario.name).await.unwrap();
    assert_eq!(found, streams);
    drop(engine.stop().await);
    scenario.start().await;

    // An exchange of that name that is something else.
    let mut other = native("stream_other").await.unwrap();
    other.declare_exchange(&other.name).await;
    other.set("CDC_PARTITIONS", "3");
    let engine = other.start().await;
    engine.wait_for("but not as one super stream").await;
    other.insert_numbers(0..300).await;
    engine.has_confirmed(300).await;
}

#[tokio::test]
async fn without_the_protocol_a_stream_is_written_by_amqp_and_that_is_said() {
    let Some(mut scenario) = native("stream_auto").await else {
        return;
    };
    scenario
        .set("RABBITMQ_STREAM_PORT", "1")
        .set("CDC_STREAM_PROTOCOL", "auto");
    let engine = scenario.start().await;
    scenario.insert_numbers(0..100).await;
    scenario.has_each_once(100).await;
    engine.wait_for("publishing to the stream by AMQP").await;
    drop(engine.stop().await);

    scenario
        .set("CDC_STREAM_PROTOCOL", "native")
        .set("CDC_STARTUP_TIMEOUT_MS", "3000");
    let finished = scenario.spawn().finish().await;
    let parts = [
        "rabbitmq's stream protocol at",
        "connection refused",
        "rabbitmq_stream",
    ];
    check(&finished, 1, &parts);
}

#[tokio::test]
async fn a_test_build_that_forgets_the_place_repeats_messages() {
    let Some(mut scenario) = native("stream_forget").await else {
        return;
    };
    scenario.set("CDC_TEST_BREAK", "forget-place");
    scenario.crash_late(1_000).await;
    let _engine = scenario.start().await;
    scenario.insert_numbers(1_000..1_001).await;
    let numbers = scenario.numbers(1_000).await;
    assert!(1_001 < numbers.len(), "{}", numbers.len());
}

#[tokio::test]
async fn a_test_build_that_goes_on_after_a_frame_that_failed_loses_messages() {
    let Some(mut scenario) = native("stream_lose").await else {
        return;
    };
    scenario
        .set("CDC_TEST_BREAK", "lose-frame")
        .set("CDC_CONFIRM_TIMEOUT_MS", "2000");
    let engine = scenario.start().await;
    scenario.insert_numbers(0..1_000).await;
    engine.wait_for("rabbitmq lost").await;
    engine.is_ready().await;
    scenario.insert_numbers(1_000..1_001).await;
    let numbers = first_copies(&scenario.take_until_number(1_000).await);
    assert!(numbers.len() < 1_001, "{}", numbers.len());
}
