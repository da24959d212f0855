//! Snapshots that follow from changes: a collection that gets a watched name, and history that is lost.

use bson::doc;

use super::{Copy, reads};
use crate::{
    resume::forgetful,
    support::{Engine, Scenario, check, eventually},
};

/// An engine that watches `games`, with 500 documents in `drafts`.
async fn watching(label: &str, on_rename_in: &str) -> (Scenario, Engine) {
    let mut scenario = Scenario::new(label).await;
    scenario.copies().await;
    scenario
        .set("CDC_COLLECTIONS", "games,end")
        .set("CDC_ON_RENAME_IN", on_rename_in);
    scenario.fill("drafts", 0..500, 10).await;
    let engine = scenario.start().await;
    (scenario, engine)
}

/// Waits until a run that the engine made by itself is over; its name.
async fn own_run_ends(scenario: &Scenario, kind: &str) -> String {
    own_run_ends_after("", scenario, kind).await
}

/// The same, where `before` is the name of the run before it.
async fn own_run_ends_after(before: &str, scenario: &Scenario, kind: &str) -> String {
    let mut name = String::new();
    eventually("a run of the engine's own is over", async || {
        let saved = scenario.saved().await;
        let ended = saved
            .get_document("ended")
            .and_then(|ended| ended.get_str("name"));
        ended.unwrap_or_default().clone_into(&mut name);
        name.starts_with(kind) && name != before
    })
    .await;
    name
}

#[tokio::test]
async fn a_collection_that_gets_a_watched_name_is_read_at_the_place_of_its_rename() {
    let (scenario, engine) = watching("rename_in", "snapshot").await;
    scenario.rename("drafts", "games").await;
    scenario.fill("games", 500..510, 10).await;
    let name = own_run_ends(&scenario, "rename-").await;
    let deliveries = scenario.take_all().await;
    assert_eq!(deliveries[0].header("cdc-operation"), "rename");
    assert!(
        reads(&deliveries)
            .iter()
            .all(|read| read.header("cdc-snapshot") == name)
    );
    let copy = Copy::of(&deliveries);
    assert_eq!(copy.is_exact(&scenario, "games").await, 510);
    check(&engine.stop().await, 0, &[]);
}

#[tokio::test]
async fn what_out_writes_into_a_watched_collection_is_read() {
    let (scenario, engine) = watching("out_in", "snapshot").await;
    scenario.fill("games", 1_000..1_100, 10).await;
    let out = doc! { "$out": { "db": &scenario.name, "coll": "games" } };
    let mut run = String::new();
    for _ in 0..2 {
        let drafts = scenario.collection("drafts");
        let mut none = drafts.aggregate([out.clone()]).await.unwrap();
        assert!(!none.advance().await.unwrap());
        run = own_run_ends_after(&run, &scenario, "rename-").await;
    }
    let copy = Copy::of(&scenario.take_all().await);
    assert_eq!(copy.is_exact(&scenario, "games").await, 500);
    check(&engine.stop().await, 0, &[]);
}

#[tokio::test]
async fn a_rename_is_but_an_event_where_nothing_else_was_chosen() {
    let (scenario, engine) = watching("rename_event", "event").await;
    scenario.rename("drafts", "games").await;
    let deliveries = scenario.take_all().await;
    assert_eq!(deliveries.len(), 2);
    assert_eq!(deliveries[0].header("cdc-operation"), "rename");
    assert!(scenario.saved().await.is_empty());
    check(&engine.stop().await, 0, &[]);
}

#[tokio::test]
async fn everything_is_read_after_history_that_is_lost_where_that_was_chosen() {
    let (_server, mut scenario) = forgetful("lost_snapshot").await;
    scenario.copies().await;
    scenario.set("CDC_ON_HISTORY_LOST", "snapshot");
    let engine = scenario.start().await;
    scenario.fill("games", 0..300, 10).await;
    let before = scenario.take_all().await;
    check(&engine.stop().await, 0, &[]);
    scenario.fill("games", 300..600, 10).await;
    let games = scenario.collection("games");
    let change = doc! { "$set": { "changed": true } };
    games
        .update_many(doc! { "_id": { "$lt": 10 } }, change)
        .await
        .unwrap();
    scenario.forget("foreign", "writes").await;
    let engine = scenario.start().await;
    engine.wait_for("CHANGES LOST").await;
    own_run_ends(&scenario, "recovery-").await;
    scenario.fill("games", 600..610, 10).await;
    let after = scenario.take_all().await;
    assert!(601 <= reads(&after).len(), "`end` is read too");
    let all = [before, after].concat();
    let copy = Copy::of(&all);
    assert_eq!(copy.is_exact(&scenario, "games").await, 610);
    check(&engine.stop().await, 0, &["recovery-"]);
}
