//! `cdc checkpoint`: shows and changes where a pipeline goes on, and only while no engine does.

use bson::{Document, doc};

use super::{Answer, ask, pause, rfc3339};
use crate::{
    resume::forgetful,
    support::{Scenario, first_copies, token_of},
};

impl Scenario {
    /// Delivers the numbers of `range` by an engine that then stops.
    async fn deliver_range(&self, range: std::ops::Range<i32>) {
        let engine = self.start().await;
        self.insert_numbers(range.clone()).await;
        self.take_until_number(range.end - 1).await;
        let finished = engine.stop().await;
        assert_eq!(finished.code, Some(0), "{}", finished.log);
    }

    /// What the next engine delivers, up to `last`.
    async fn delivers_up_to(&self, last: i32) -> Vec<i32> {
        let engine = self.start().await;
        let numbers = first_copies(&self.take_until_number(last).await);
        assert_eq!(engine.stop().await.code, Some(0));
        numbers
    }

    async fn set_checkpoint_by_hand(&self, way: &[&str]) -> Answer {
        let arguments = [&["checkpoint", "set", "--yes"], way].concat();
        ask(self, &arguments).await
    }
}

fn without_stamps(mut checkpoint: Document) -> Document {
    for name in ["revision", "saved_at", "writer"] {
        checkpoint.remove(name);
    }
    checkpoint
}

#[tokio::test]
async fn a_checkpoint_is_shown_set_undone_and_cleared() {
    let mut scenario = Scenario::new("checkpoint_set").await;
    scenario.set("CDC_COLLECTIONS", "numbers");
    scenario.deliver_range(0..10).await;
    pause(&scenario).await;
    let begin = scenario.now().await;
    scenario.deliver_range(10..20).await;
    let before = scenario.checkpoint().await.unwrap();
    let change = doc! { "$set": { "scope": { "database": "d" } } };
    let id = doc! { "_id": &scenario.name };
    scenario.checkpoints().update_one(id, change).await.unwrap();

    let shown = ask(&scenario, &["checkpoint", "show", "--json"])
        .await
        .json();
    assert_eq!(shown["checkpoint"]["resume_token"], token_of(&before));
    assert_eq!(shown["checkpoint"]["scope"]["database"], "d");
    let shown = ask(&scenario, &["checkpoint", "show"]).await;
    assert!(
        shown.output.contains("position    after 20"),
        "{}",
        shown.output
    );

    let set = scenario
        .set_checkpoint_by_hand(&["--at", &rfc3339(begin)])
        .await;
    set.check(0, &["what happened in between is published again"]);
    let after = scenario.checkpoint().await.unwrap();
    assert_eq!(
        after.get_document("scope").unwrap(),
        &doc! { "database": "d" }
    );
    assert_eq!(
        after.get_i64("revision").unwrap(),
        before.get_i64("revision").unwrap() + 1
    );
    assert_eq!(
        scenario.delivers_up_to(19).await,
        (10..20).collect::<Vec<_>>()
    );

    ask(&scenario, &["checkpoint", "undo", "--yes"])
        .await
        .check(0, &[]);
    let undone = scenario.checkpoint().await.unwrap();
    assert_eq!(token_of(&undone), token_of(&before));

    ask(&scenario, &["checkpoint", "clear", "--yes"])
        .await
        .check(0, &["CDC_START"]);
    assert_eq!(scenario.checkpoint().await, None);
    ask(&scenario, &["checkpoint", "clear", "--yes"])
        .await
        .check(1, &["has no checkpoint", "hint: "]);
    ask(&scenario, &["checkpoint", "undo", "--yes"])
        .await
        .check(0, &[]);
    assert_eq!(
        without_stamps(scenario.checkpoint().await.unwrap()),
        without_stamps(undone)
    );
}

#[tokio::test]
async fn a_token_and_a_cluster_time_are_positions_to_go_on_from() {
    let scenario = Scenario::new("checkpoint_token").await;
    scenario.deliver_range(0..10).await;
    let token = token_of(&scenario.checkpoint().await.unwrap());
    scenario.deliver_range(10..20).await;
    let set = scenario
        .set_checkpoint_by_hand(&["--token", &token.to_lowercase(), "--json"])
        .await;
    assert_eq!(set.json()["checkpoint"]["resume_token"], token);
    assert_eq!(
        scenario.delivers_up_to(19).await,
        (10..20).collect::<Vec<_>>()
    );

    let now = scenario.now().await;
    let time = format!("{}:{}", now.time, now.increment);
    scenario
        .set_checkpoint_by_hand(&["--cluster-time", &time])
        .await
        .check(0, &[]);
    assert_eq!(scenario.checkpoint_time().await, now);
    scenario
        .set_checkpoint_by_hand(&["--now"])
        .await
        .check(0, &[]);
    assert!(now < scenario.checkpoint_time().await);
    for (way, code, text) in [
        (["--token", "82zz"], 64, "--token: a resume token is"),
        (
            ["--token", "826B04E20500006A722B"],
            1,
            "mongodb does not read on from after cluster time",
        ),
        (
            ["--cluster-time", "7"],
            64,
            "a cluster time is SECONDS:INCREMENT",
        ),
        (["--at", "2091-01-01T00:00:00Z"], 1, "is in the future"),
    ] {
        let before = scenario.checkpoint().await;
        scenario
            .set_checkpoint_by_hand(&way)
            .await
            .check(code, &[text]);
        assert_eq!(scenario.checkpoint().await, before, "{way:?}");
    }
}

#[tokio::test]
async fn nothing_is_changed_while_an_engine_runs_or_where_nobody_agreed() {
    let scenario = Scenario::new("checkpoint_running").await;
    let engine = scenario.start().await;
    let set = scenario.set_checkpoint_by_hand(&["--now"]).await;
    set.check(
        1,
        &[
            "an engine of the pipeline `",
            "holds the lock",
            "hint: stop the engine",
        ],
    );
    ask(&scenario, &["checkpoint", "show"]).await.check(0, &[]);
    assert_eq!(engine.stop().await.code, Some(0));
    let before = scenario.checkpoint().await;
    let asked = ask(&scenario, &["checkpoint", "set", "--now"]).await;
    asked.check(64, &["asks before it writes", "--yes"]);
    ask(&scenario, &["checkpoint", "undo", "--yes"])
        .await
        .check(1, &["to be undone"]);
    ask(&scenario, &["checkpoint", "set", "--yes"])
        .await
        .check(64, &["required"]);
    assert_eq!(scenario.checkpoint().await, before);
}

#[tokio::test]
async fn another_pipeline_goes_on_from_a_copy() {
    let mut scenario = Scenario::new("checkpoint_copy").await;
    scenario.deliver_range(0..10).await;
    scenario.insert_numbers(10..20).await;
    let other = format!("{}_2", scenario.name);
    ask(&scenario, &["checkpoint", "copy", &other, "--yes"])
        .await
        .check(0, &[&other]);
    let own = scenario.name.clone();
    ask(&scenario, &["checkpoint", "copy", &own, "--yes"])
        .await
        .check(64, &["another pipeline"]);
    scenario.set("CDC_PIPELINE", other);
    assert_eq!(
        scenario.delivers_up_to(19).await,
        (10..20).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_place_that_the_oplog_no_longer_has_is_refused_and_its_begin_is_taken() {
    let (_server, scenario) = forgetful("checkpoint_lost").await;
    let begin = pause(&scenario).await;
    scenario.forget("foreign", "writes").await;
    let set = scenario
        .set_checkpoint_by_hand(&["--at", &rfc3339(begin)])
        .await;
    set.check(
        1,
        &[
            "does not reach back to",
            "it begins at 20",
            "hint: name a later time",
        ],
    );
    assert_eq!(scenario.checkpoint().await, None);
    scenario
        .set_checkpoint_by_hand(&["--earliest"])
        .await
        .check(0, &[]);
    assert!(begin < scenario.checkpoint_time().await);
}
