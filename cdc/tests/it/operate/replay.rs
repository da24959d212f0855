//! `cdc replay`: what happened between two times once more, beside the running engine.

use super::{ask, pause, rfc3339};
use crate::{
    resume::forgetful,
    support::{Delivery, Scenario, first_copies},
};

#[tokio::test]
async fn a_stretch_of_history_comes_again_beside_the_engine_and_nothing_else() {
    let mut scenario = Scenario::new("replay").await;
    scenario.set("CDC_COLLECTIONS", "numbers");
    let queue = format!("{}.again", scenario.name);
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    pause(&scenario).await;
    let from = rfc3339(scenario.now().await);
    scenario.insert_numbers(10..500).await;
    pause(&scenario).await;
    let to = rfc3339(scenario.now().await);
    scenario.insert_numbers(500..510).await;
    let first: Vec<Delivery> = scenario.take_until_number(509).await;
    let before = scenario.resting_checkpoint().await;

    let arguments = [
        "replay", "--from", &from, "--to", &to, "--queue", &queue, "--json",
    ];
    let summary = ask(&scenario, &arguments).await.json();
    assert_eq!(summary["messages"], 490);
    let again = scenario.take_from(&queue, 490).await;
    assert_eq!(first_copies(&again), (10..500).collect::<Vec<_>>());
    let ids = |deliveries: &[Delivery]| -> Vec<String> {
        deliveries.iter().map(Delivery::message_id).collect()
    };
    assert_eq!(ids(&again), ids(&first[10..500]), "the same changes");
    assert!(again.iter().all(|one| one.header("cdc-replay") == "true"));
    assert!(!engine.log().contains("superseded"), "{}", engine.log());
    let after = scenario.resting_checkpoint().await;
    assert_eq!(before.get("writer"), after.get("writer"));
    assert_eq!(engine.stop().await.code, Some(0));
    scenario.delete_queue(&queue).await;
}

#[tokio::test]
async fn without_an_end_it_is_now_and_the_header_is_on_replays_alone() {
    let scenario = Scenario::new("replay_now").await;
    let queue = format!("{}.again", scenario.name);
    let from = rfc3339(scenario.now().await);
    scenario.insert_numbers(0..10).await;
    let answer = ask(&scenario, &["replay", "--from", &from, "--queue", &queue]).await;
    answer.check(0, &[]);
    assert!(
        answer.output.contains("replayed 10 messages, "),
        "{}",
        answer.output
    );
    assert_eq!(scenario.checkpoint().await, None);
    assert_eq!(
        scenario.try_ready(&scenario.name).await,
        None,
        "the engine's queue"
    );
    let again = scenario.take_from(&queue, 10).await;
    assert_eq!(first_copies(&again), (0..10).collect::<Vec<_>>());
    scenario.delete_queue(&queue).await;
}

#[tokio::test]
async fn what_cannot_be_replayed_is_refused_with_the_reason_and_declares_nothing() {
    let (_server, scenario) = forgetful("replay_refused").await;
    let queue = format!("{}.again", scenario.name);
    let lost = rfc3339(pause(&scenario).await);
    scenario.forget("foreign", "writes").await;
    let now = rfc3339(scenario.now().await);
    let own = scenario.name.clone();
    let cases: [(&str, &str, &str, i32, &str); 5] = [
        (
            &lost,
            &now,
            &queue,
            1,
            "mongodb's oplog does not reach back to",
        ),
        (
            &now,
            "2091-01-01T00:00:00Z",
            &queue,
            1,
            "2091-01-01T00:00:00Z is in the future",
        ),
        (&now, &now, &queue, 64, "--to: is not later than --from"),
        (&now, "noon", &queue, 64, "--to: `noon` is not a time"),
        (&lost, &now, &own, 64, "--queue: is the engine's own"),
    ];
    for (from, to, queue, code, text) in cases {
        let arguments = ["replay", "--from", from, "--to", to, "--queue", queue];
        ask(&scenario, &arguments).await.check(code, &[text]);
        assert_eq!(scenario.try_ready(queue).await, None, "{text}");
    }
}

#[tokio::test]
async fn a_replay_of_a_partitioned_pipeline_is_one_queue_in_order() {
    let mut scenario = Scenario::new("replay_partitions").await;
    scenario.set("CDC_PARTITIONS", "3");
    let engine = scenario.start().await;
    let from = rfc3339(scenario.now().await);
    scenario.insert_numbers(0..50).await;
    let queue = format!("{}.again", scenario.name);
    let answer = ask(&scenario, &["replay", "--from", &from, "--queue", &queue]).await;
    answer.check(0, &[]);
    let again = scenario.take_from(&queue, 50).await;
    assert_eq!(first_copies(&again), (0..50).collect::<Vec<_>>());
    let taken = format!("{}.1", scenario.name);
    let answer = ask(&scenario, &["replay", "--from", &from, "--queue", &taken]).await;
    answer.check(64, &["is the engine's own"]);
    assert_eq!(engine.stop().await.code, Some(0));
    scenario.delete_queue(&queue).await;
}
