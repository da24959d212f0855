//! Runs that somebody asks for, while changes flow.

use std::time::{Duration, Instant};

use bson::doc;

use super::{Copy, marks, reads};
use crate::{
    operate::ask,
    support::{Engine, Scenario, Writer, check, eventually},
};

/// Longest time until a command has its effect, with the program that tells of it started meanwhile.
const SOON: Duration = Duration::from_secs(5);

async fn working(label: &str) -> (Scenario, Engine) {
    let mut scenario = Scenario::new(label).await;
    scenario.copies().await;
    scenario.fill("games", 0..1_000, 10).await;
    scenario.fill("moves", 0..100, 10).await;
    let engine = scenario.start().await;
    (scenario, engine)
}

async fn does(scenario: &Scenario, arguments: &[&str]) {
    let snapshot = [&["snapshot"], arguments].concat();
    ask(scenario, &snapshot).await.check(0, &[]);
}

/// Waits until the status says so of a run, and not longer than [`SOON`].
async fn soon(scenario: &Scenario, run: &str, state: &str) {
    let begin = Instant::now();
    let line = format!("{run}  {state}");
    eventually(&line, async || {
        let status = ask(scenario, &["snapshot", "status"]).await.output;
        status
            .lines()
            .any(|one| one.split_whitespace().take(2).eq([run, state]))
    })
    .await;
    let waited = begin.elapsed();
    assert!(waited < SOON, "{waited:?} until {line}");
}

#[tokio::test]
async fn exactly_the_documents_that_match_are_read_while_changes_flow() {
    let (scenario, engine) = working("requested").await;
    let writer = Writer::start(scenario.collection("numbers"));
    engine.delivers().await;
    let filter = r#"{"n": {"$mod": [3, 0]}, "pad": {"$exists": true}}"#;
    let start = ["start", "--name", "thirds", "--collections", "ga*"];
    does(
        &scenario,
        &[&start[..], &["--filter", filter, "--rate", "1000"]].concat(),
    )
    .await;
    let ended = scenario.run_ends("thirds").await;
    assert_eq!(ended.get_i64("documents").unwrap(), 334);
    let count = writer.stop().await;
    let deliveries = scenario.take_all().await;
    let read = reads(&deliveries);
    assert!(
        read.iter()
            .all(|read| read.header("cdc-snapshot") == "thirds")
    );
    let copy = Copy::of(&deliveries);
    assert_eq!(copy.count(&scenario, "games"), 334);
    assert_eq!(copy.count(&scenario, "moves"), 0);
    assert_eq!(
        copy.is_exact(&scenario, "numbers").await,
        usize::try_from(count).unwrap()
    );
    assert!(marks(read.last().unwrap()).ends_with("run-last"));
    soon(&scenario, "thirds", "done").await;
    check(&engine.stop().await, 0, &[]);
}

#[tokio::test]
async fn a_run_pauses_goes_on_and_ends_as_soon_as_somebody_asks() {
    let (scenario, engine) = working("wanted").await;
    does(&scenario, &["start", "--name", "slow", "--rate", "100"]).await;
    soon(&scenario, "slow", "running").await;
    scenario.run_has_read(50).await;
    does(&scenario, &["pause"]).await;
    soon(&scenario, "slow", "paused").await;
    let documents = async || engine.metric("cdc_snapshot_documents_total").await;
    let paused = documents().await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!((documents().await - paused).abs() < 0.5);
    does(&scenario, &["resume"]).await;
    soon(&scenario, "slow", "running").await;
    engine
        .metric_reaches("cdc_snapshot_documents_total", paused + 50.0)
        .await;
    does(&scenario, &["cancel"]).await;
    soon(&scenario, "slow", "cancelled").await;
    assert!(documents().await < 1_000.0);
    let ended = scenario.run_ends("slow").await;
    assert!(ended.get_bool("cancelled").unwrap());
    check(&engine.stop().await, 0, &[]);
}

#[tokio::test]
async fn a_pause_outlives_the_engine() {
    let (scenario, engine) = working("paused").await;
    does(&scenario, &["start", "--name", "slow", "--rate", "200"]).await;
    scenario.run_has_read(50).await;
    does(&scenario, &["pause"]).await;
    soon(&scenario, "slow", "paused").await;
    engine.kill().await;
    let engine = scenario.start().await;
    soon(&scenario, "slow", "paused").await;
    let before = engine.metric("cdc_snapshot_documents_total").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = engine.metric("cdc_snapshot_documents_total").await;
    assert!((after - before).abs() < 0.5, "{before} {after}");
    does(&scenario, &["resume"]).await;
    scenario.run_ends("slow").await;
    let copy = Copy::of(&scenario.take_all().await);
    assert_eq!(copy.is_exact(&scenario, "games").await, 1_000);
    assert!(copy.reads <= 1_100 + 2 + 200, "{}", copy.reads);
    check(&engine.stop().await, 0, &[]);
}

#[tokio::test]
async fn runs_are_done_one_after_the_other_at_their_rates() {
    let (scenario, engine) = working("two_runs").await;
    does(&scenario, &["start", "--name", "first", "--rate", "200"]).await;
    let begin = Instant::now();
    does(
        &scenario,
        &["start", "--name", "second", "--collections", "moves"],
    )
    .await;
    soon(&scenario, "second", "waiting").await;
    scenario.run_ends("first").await;
    let seconds = begin.elapsed().as_secs_f64();
    let rate = 1_100.0 / seconds;
    assert!(
        (100.0..240.0).contains(&rate),
        "{rate} a second, in {seconds} s"
    );
    scenario.run_ends("second").await;
    let deliveries = scenario.take_all().await;
    let runs: Vec<String> = reads(&deliveries)
        .into_iter()
        .map(|read| read.header("cdc-snapshot"))
        .collect();
    assert!(runs.is_sorted(), "`first` before `second`");
    let count = |name: &str| runs.iter().filter(|run| *run == name).count();
    assert!((1_100..1_103).contains(&count("first")));
    assert!((100..103).contains(&count("second")));
    soon(&scenario, "second", "done").await;
    check(&engine.stop().await, 0, &[]);
}

/// Nothing of it is lost with an engine that ends before it has begun.
#[tokio::test]
async fn a_run_that_was_asked_for_while_no_engine_ran_is_made_by_the_next_one() {
    let (scenario, engine) = working("asked_before").await;
    check(&engine.stop().await, 0, &[]);
    does(&scenario, &["start", "--name", "later"]).await;
    scenario
        .collection("moves")
        .delete_many(doc! {})
        .await
        .unwrap();
    let engine = scenario.start().await;
    scenario.run_ends("later").await;
    let copy = Copy::of(&scenario.take_all().await);
    assert_eq!(copy.is_exact(&scenario, "games").await, 1_000);
    assert_eq!(copy.is_exact(&scenario, "moves").await, 0);
    soon(&scenario, "later", "done").await;
    check(&engine.stop().await, 0, &[]);
}
