//! The engine ends at each step of its loop: the next start loses nothing and replays no more than it must.

use crate::support::{Scenario, Signal, amqp_uri, eventually, first_copies, token_of};

/// Events in the window of these tests.
const WINDOW: usize = 64;
/// Events that wait for the engine.
const BACKLOG: i32 = 5_000;

/// Lets the engine crash at `point`, starts it again, and gives the number of messages that came twice.
async fn crash(label: &str, point: &str) -> usize {
    let mut scenario = Scenario::new(label).await;
    crash_in(&mut scenario, point).await
}

/// The same in a place of its own.
pub(crate) async fn crash_in(scenario: &mut Scenario, point: &str) -> usize {
    scenario
        .set("CDC_WINDOW_EVENTS", WINDOW.to_string())
        .set("CDC_CHECKPOINT_INTERVAL_MS", "50");
    // A pipeline that has a checkpoint already, and a backlog, so that every point is passed under load.
    scenario.start().await.stop().await;
    scenario.insert_numbers(0..BACKLOG).await;
    scenario.set("CDC_TEST_CRASH_AT", point);
    let engine = scenario.spawn();
    if point.starts_with("during-drain") {
        // In the midst of the backlog.
        eventually("messages are confirmed", async || {
            scenario.ready().await > 0
        })
        .await;
        engine.signal(Signal::TERM);
    }
    let finished = engine.finish().await;
    assert_eq!(
        finished.code, None,
        "it crashes at {point}:\n{}",
        finished.log
    );
    scenario.unset("CDC_TEST_CRASH_AT");
    let engine = scenario.start().await;
    let deliveries = scenario.take_until_number(BACKLOG - 1).await;
    assert_eq!(
        first_copies(&deliveries),
        (0..BACKLOG).collect::<Vec<_>>(),
        "{point}"
    );
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    deliveries.len() - usize::try_from(BACKLOG).unwrap()
}

#[tokio::test]
async fn after_the_lock_nothing_is_replayed() {
    assert_eq!(crash("crash_lock", "after-lock:1").await, 0);
}

#[tokio::test]
async fn after_the_claim_nothing_is_replayed() {
    assert_eq!(crash("crash_claim", "after-claim:1").await, 0);
}

#[tokio::test]
async fn between_publish_and_confirm() {
    let replayed = crash("crash_publish", "after-publish:300").await;
    assert!(replayed <= 300, "{replayed} replayed");
}

#[tokio::test]
async fn between_confirm_and_checkpoint() {
    let replayed = crash("crash_confirm", "after-confirm:300").await;
    assert!(
        (1..=300 + WINDOW).contains(&replayed),
        "{replayed} replayed"
    );
}

#[tokio::test]
async fn during_the_write_of_the_checkpoint() {
    let replayed = crash("crash_save", "during-save:2").await;
    assert!(replayed < 2_500, "{replayed} replayed");
}

#[tokio::test]
async fn during_the_drain() {
    let replayed = crash("crash_drain", "during-drain:1").await;
    assert!(replayed < 2_500, "{replayed} replayed");
}

/// Whether the checkpoint is after an event, and not an idle position: a token has its kind after cluster time and version.
fn is_of_an_event(checkpoint: &bson::Document) -> bool {
    token_of(checkpoint).get(22..28) == Some("2C0100")
}

/// The defect that the fault driver's checker has to catch does what it is meant to do.
#[tokio::test]
async fn a_checkpoint_that_is_one_event_early_loses_that_event() {
    let mut scenario = Scenario::new("crash_early").await;
    let proxy = scenario.behind_a_proxy("").await;
    scenario
        .set("CDC_CHECKPOINT_INTERVAL_MS", "50")
        .set("CDC_TEST_BREAK", "early-checkpoint");
    scenario.declare_own().await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    scenario.take_numbers(10).await;
    scenario.resting_checkpoint().await;
    proxy.stall();
    let before = scenario.now().await;
    scenario.insert_numbers(10..20).await;
    engine.metric_reaches("cdc_messages_in_flight", 10.0).await;
    // An idle position between the messages before and these may be saved first.
    eventually("the first message is passed", async || {
        let is_later = before < scenario.checkpoint_time().await;
        is_later && is_of_an_event(&scenario.checkpoint().await.unwrap())
    })
    .await;
    engine.kill().await;
    proxy.down();
    scenario
        .unset("CDC_TEST_BREAK")
        .set("RABBITMQ_URI", amqp_uri());
    let _engine = scenario.start().await;
    let deliveries = scenario.take_until_number(19).await;
    assert_eq!(first_copies(&deliveries), (11..20).collect::<Vec<_>>());
}
