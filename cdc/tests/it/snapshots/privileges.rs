//! A snapshot takes no privilege beyond those of the change stream, and writes nothing to what is watched.

use bson::{Document, doc};

use super::Copy;
use crate::{
    mongo_privileges::Guarded,
    support::{Scenario, check},
};

impl Guarded {
    /// With the documented role, which has `find` and `changeStream` on the watched database and nothing else there.
    async fn beginning(label: &str) -> Self {
        let mut guarded = Self::start(label).await;
        guarded.scenario.begins_with_a_snapshot().await;
        guarded
    }
}

impl Scenario {
    /// What the checkpoint in the database `cdc` has of the run that is over.
    async fn ended_in_cdc(&self) -> Document {
        let checkpoints = self
            .mongo
            .database("cdc")
            .collection::<Document>("checkpoints");
        let mut ended = Document::new();
        crate::support::eventually("the snapshot is over", async || {
            let checkpoint = checkpoints
                .find_one(doc! {})
                .await
                .unwrap()
                .unwrap_or_default();
            let saved = checkpoint
                .get_document("snapshot")
                .cloned()
                .unwrap_or_default();
            ended = saved.get_document("ended").cloned().unwrap_or_default();
            !ended.is_empty()
        })
        .await;
        ended
    }
}

#[tokio::test]
async fn a_snapshot_reads_with_the_documented_role_and_writes_nothing_to_the_watched_database() {
    let guarded = Guarded::beginning("snapshot_role").await;
    let scenario = &guarded.scenario;
    scenario.fill("games", 0..3_000, 10).await;
    scenario.run_command(doc! { "profile": 2 }).await;
    let engine = scenario.start().await;
    scenario.ended_in_cdc().await;
    scenario.run_command(doc! { "profile": 0 }).await;
    let profile = scenario.collection("system.profile");
    let mut entries = profile
        .find(doc! { "user": { "$regex": "^cdc@" } })
        .await
        .unwrap();
    let mut finds = 0;
    while entries.advance().await.unwrap() {
        let entry = entries.deserialize_current().unwrap();
        let command = entry.get_document("command").cloned().unwrap_or_default();
        let name = command.keys().next().cloned().unwrap_or_default();
        finds += u32::from(name == "find");
        let is_read =
            ["find", "getMore", "aggregate", "count", "listCollections"].contains(&name.as_str());
        assert!(is_read && !command.to_string().contains("$out"), "{entry}");
    }
    assert!(0 < finds, "the profiler has seen it");
    let copy = Copy::of(&scenario.take_all().await);
    assert_eq!(copy.is_exact(scenario, "games").await, 3_000);
    check(&engine.stop().await, 0, &[]);
}

#[tokio::test]
async fn a_collection_that_may_not_be_read_is_left_out_with_the_reason_and_the_rest_goes_on() {
    let mut guarded = Guarded::beginning("snapshot_denied").await;
    guarded.scenario.set("CDC_COLLECTIONS", "games,end");
    let scenario = &guarded.scenario;
    let name = scenario.name.as_str();
    for collection in ["games", "moves"] {
        scenario.fill(collection, 0..100, 10).await;
    }
    // The stream of a database takes both actions on all of it, so a role that may not read one may not stream.
    let all = doc! { "db": name, "collection": "" };
    let find = doc! { "resource": &all, "actions": ["find"] };
    let revoke = doc! { "revokePrivilegesFromRole": "cdc", "privileges": [find] };
    guarded.run("admin", revoke).await;
    let finished = scenario.spawn().finish().await;
    let error = format!("is not authorized for find on every collection of `{name}`");
    check(&finished, 1, &[&error]);
    let grant = doc! { "resource": &all, "actions": ["find"] };
    let grant = doc! { "grantPrivilegesToRole": "cdc", "privileges": [grant] };
    guarded.run("admin", grant).await;
    let engine = scenario.start().await;
    let ended = scenario.ended_in_cdc().await;
    assert_eq!(ended.get_i64("documents").unwrap(), 100);
    check(&engine.stop().await, 0, &[]);
}
