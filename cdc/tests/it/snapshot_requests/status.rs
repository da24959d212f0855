//! What becomes of a run, and how far it is.

use std::time::Duration;

use bson::{DateTime, doc};
use cdc::snapshot::requests::{Request, State};

use super::report;
use crate::{operate::ask, support::Scenario};

#[tokio::test]
async fn a_run_is_paused_resumed_and_cancelled_by_its_name_or_as_the_only_one() {
    let scenario = Scenario::new("requests_wanted").await;
    scenario.create_all_kinds().await;
    let none = ask(&scenario, &["snapshot", "pause"]).await;
    none.check(
        1,
        &["no snapshot of the pipeline", "waits or runs", "hint: "],
    );
    let start = ["snapshot", "start", "--name", "one"];
    ask(&scenario, &start).await.check(0, &[]);
    let again = ask(&scenario, &start).await;
    again.check(
        1,
        &[
            "there is a snapshot `one` already, which is waiting",
            "--name",
        ],
    );
    let wanted = async || {
        let stored = scenario.stored_requests().await;
        stored[0].get_str("wanted").unwrap().to_owned()
    };
    for (command, expected) in [("pause", "pause"), ("resume", "run"), ("pause", "pause")] {
        ask(&scenario, &["snapshot", command]).await.check(0, &[]);
        assert_eq!(wanted().await, expected);
    }
    ask(&scenario, &["snapshot", "start", "--name", "two"])
        .await
        .check(0, &[]);
    let both = ask(&scenario, &["snapshot", "cancel"]).await;
    both.check(1, &["2 snapshots wait or run: one, two", "hint: name one"]);
    let cancelled = ask(&scenario, &["snapshot", "cancel", "one", "--json"]).await;
    assert_eq!(cancelled.json()["wanted"], "cancel");
    let resumed = ask(&scenario, &["snapshot", "resume", "one"]).await;
    resumed.check(1, &["the snapshot `one` is being cancelled"]);
    let status = ask(&scenario, &["snapshot", "status"]).await;
    assert!(
        status.output.contains("one  waiting, to be cancelled  0\n"),
        "{}",
        status.output
    );
    assert!(status.output.contains("two  waiting"), "{}", status.output);

    let requests = scenario.requests().await;
    assert!(
        requests
            .report("one", &report(State::Cancelled))
            .await
            .unwrap()
    );
    let over = ask(&scenario, &["snapshot", "pause", "one"]).await;
    over.check(1, &["the snapshot `one` is over: it is cancelled"]);
    ask(&scenario, &["snapshot", "pause"]).await.check(0, &[]);
    let absent = ask(&scenario, &["snapshot", "pause", "three"]).await;
    absent.check(1, &["there is no snapshot `three`"]);
    ask(&scenario, &["snapshot", "pause", "a/b"])
        .await
        .check(64, &["RUN: `a/b` is not a name"]);
}

#[tokio::test]
async fn the_status_tells_how_far_a_run_is_and_watching_it_ends_with_the_run() {
    let scenario = Scenario::new("requests_status").await;
    let none = ask(&scenario, &["snapshot", "status", "--watch"]).await;
    none.check(0, &[]);
    assert!(none.output.contains("has no snapshot"), "{}", none.output);
    let requests = scenario.requests().await;
    requests.submit(&Request::new("a")).await.unwrap();
    requests.report("a", &report(State::Running)).await.unwrap();
    let begin = i64::from(scenario.now().await.time) - 10;
    let run = doc! {
        "name": "a", "origin": "request", "filter": null, "started_at": DateTime::from_millis(begin * 1_000),
        "documents": 500_i64, "bytes": 5_000_i64, "total": 2_000_i64, "done": 1_i64,
        "todo": [{ "db": "d", "coll": "c" }], "current": { "db": "d", "coll": "b" },
    };
    let checkpoint = doc! { "_id": &scenario.name, "snapshot": { "run": run } };
    scenario.checkpoints().insert_one(checkpoint).await.unwrap();

    let status = ask(&scenario, &["snapshot", "status", "a"]).await.output;
    for part in [
        "running",
        "500 of 2000 (25 %)",
        "d.b (2 of 3)",
        "left out: `d.log`: it is capped",
    ] {
        assert!(status.contains(part), "no `{part}` in:\n{status}");
    }
    let json = ask(&scenario, &["snapshot", "status", "--json"])
        .await
        .json();
    let progress = &json["runs"][0]["progress"];
    assert_eq!(
        (&progress["documents_total"], &progress["share"]),
        (&2_000.into(), &0.25.into())
    );
    assert_eq!(
        (&progress["collection"], &progress["collections_left"]),
        (&"d.b".into(), &2.into())
    );
    assert!(progress["seconds_left"].as_u64() > Some(0), "{json}");

    let watch = ask(&scenario, &["snapshot", "status", "--watch"]);
    let end = async {
        // Time for the program to look at it once.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let mut failed = report(State::Failed);
        failed.reason = Some("for a reason".to_owned());
        requests.report("a", &failed).await.unwrap();
    };
    let (watched, ()) = tokio::join!(watch, end);
    watched.check(1, &["the snapshot `a` failed: for a reason"]);
    let lines: Vec<&str> = watched.output.lines().collect();
    assert!(
        lines[0].starts_with("[#####---------------] a: running, 500 of 2000 (25 %), "),
        "{lines:?}"
    );
    assert!(
        lines.iter().any(|line| line.starts_with("a    failed")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_run_of_the_engines_own_is_watched_until_the_checkpoint_has_it_no_more() {
    let scenario = Scenario::new("requests_own").await;
    let checkpoint = doc! { "_id": &scenario.name, "snapshot": { "initial": true } };
    let checkpoints = scenario.checkpoints();
    checkpoints.insert_one(checkpoint).await.unwrap();
    for watch in [
        &["snapshot", "status", "--watch"][..],
        &["snapshot", "status", "initial", "--watch"],
    ] {
        let set = async |run: bson::Bson| {
            let change = doc! { "$set": { "snapshot.run": run } };
            let id = doc! { "_id": &scenario.name };
            checkpoints.update_one(id, change).await.unwrap();
        };
        set(doc! { "name": "initial", "documents": 5_i64 }.into()).await;
        let end = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            set(bson::Bson::Null).await;
        };
        let (watched, ()) = tokio::join!(ask(&scenario, watch), end);
        watched.check(0, &[]);
        let expected = "initial: running, 5, ";
        assert!(watched.output.starts_with(expected), "{}", watched.output);
        assert!(
            watched.output.ends_with("over: `initial`\n"),
            "{}",
            watched.output
        );
    }
}
