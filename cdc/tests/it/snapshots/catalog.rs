//! A collection that is not what it was while it is read: nothing is lost, nothing waits for ever.

use bson::doc;

use super::{Copy, beginning};
use crate::support::{Engine, Scenario, check};

/// Documents a second: a run of 1,200 takes some seconds.
const RATE: &str = "400";

/// An engine in the middle of reading `games`, and `moves` is read next.
async fn in_the_middle(label: &str) -> (Scenario, Engine) {
    in_the_middle_of(label, "games,moves,taken,end").await
}

async fn in_the_middle_of(label: &str, collections: &str) -> (Scenario, Engine) {
    let mut scenario = beginning(label).await;
    scenario
        .set("CDC_SNAPSHOT_RATE", RATE)
        .set("CDC_COLLECTIONS", collections);
    scenario.fill("games", 0..1_200, 10).await;
    scenario.fill("moves", 0..300, 10).await;
    let engine = scenario.start().await;
    scenario.run_has_read(100).await;
    (scenario, engine)
}

/// The run ends, with no collection left out, and the copy is exact.
async fn ends(scenario: &Scenario, engine: Engine, collections: &[&str]) -> Copy {
    let ended = scenario.run_ends("initial").await;
    assert!(ended.get_array("skipped").unwrap().is_empty(), "{ended}");
    scenario.fill("games", 5_000..5_010, 10).await;
    let copy = Copy::of(&scenario.take_all().await);
    for collection in collections {
        copy.is_exact(scenario, collection).await;
    }
    check(&engine.stop().await, 0, &[]);
    copy
}

#[tokio::test]
async fn a_collection_that_is_dropped_while_it_is_read_ends_there() {
    let (scenario, engine) = in_the_middle("dropped").await;
    scenario.collection("games").drop().await.unwrap();
    let copy = ends(&scenario, engine, &["games", "moves"]).await;
    assert_eq!(copy.count(&scenario, "moves"), 300);
}

#[tokio::test]
async fn a_collection_that_gets_another_watched_name_is_read_on_under_that_name() {
    let (scenario, engine) = in_the_middle("renamed").await;
    scenario.rename("games", "taken").await;
    let copy = ends(&scenario, engine, &["games", "moves", "taken"]).await;
    assert_eq!(copy.count(&scenario, "taken"), 1_200);
    // At most one chunk of it is read again.
    assert!(copy.reads < 1_500 + 410, "{}", copy.reads);
}

#[tokio::test]
async fn a_collection_that_waits_and_gets_another_watched_name_is_read_under_that_name() {
    let (scenario, engine) = in_the_middle("renamed_next").await;
    scenario.rename("moves", "taken").await;
    let copy = ends(&scenario, engine, &["games", "moves", "taken"]).await;
    assert_eq!(copy.count(&scenario, "taken"), 300);
}

#[tokio::test]
async fn a_collection_that_is_no_longer_watched_is_read_no_further() {
    let (scenario, engine) = in_the_middle("renamed_out").await;
    scenario.rename("games", "elsewhere").await;
    let copy = ends(&scenario, engine, &["games", "moves"]).await;
    // The `rename` takes along what was read.
    assert!(copy.count(&scenario, "elsewhere") < 1_200);
    assert!(copy.reads < 1_300, "{}", copy.reads);
}

/// The operations that are published have nothing to do with it.
#[tokio::test]
async fn renames_are_followed_where_none_is_published() {
    let mut scenario = beginning("renamed_unseen").await;
    scenario
        .set("CDC_SNAPSHOT_RATE", RATE)
        .set("CDC_OPERATIONS", "insert");
    scenario.fill("games", 0..800, 10).await;
    let engine = scenario.start().await;
    scenario.run_has_read(100).await;
    scenario.rename("games", "taken").await;
    scenario.run_ends("initial").await;
    let copy = Copy::of(&scenario.take_all().await);
    let both = copy.count(&scenario, "games") + copy.count(&scenario, "taken");
    assert!((800..800 + 410).contains(&both), "{both}");
    check(&engine.stop().await, 0, &[]);
}

#[tokio::test]
async fn a_collection_that_is_emptied_while_it_is_read_ends_there() {
    let (scenario, engine) = in_the_middle("emptied").await;
    let games = scenario.collection("games");
    games.delete_many(doc! {}).await.unwrap();
    let copy = ends(&scenario, engine, &["games", "moves"]).await;
    assert!(copy.reads < 1_300, "{}", copy.reads);
}

#[tokio::test]
async fn a_collection_that_is_replaced_while_it_is_read_is_not_waited_for() {
    let (scenario, engine) = in_the_middle("replaced").await;
    let out = doc! { "$out": { "db": &scenario.name, "coll": "games" } };
    scenario.fill("source", 0..50, 10).await;
    let source = scenario.collection("source");
    let mut none = source.aggregate([out]).await.unwrap();
    assert!(!none.advance().await.unwrap());
    // What `$out` writes is in no change, unless CDC_ON_RENAME_IN has it read.
    let copy = ends(&scenario, engine, &["moves"]).await;
    assert!(10 <= copy.count(&scenario, "games"));
}

#[tokio::test]
async fn a_collection_that_is_dropped_and_made_again_loses_nothing() {
    let (scenario, engine) = in_the_middle("made_again").await;
    scenario.collection("games").drop().await.unwrap();
    scenario.fill("games", 600..2_000, 10).await;
    let copy = ends(&scenario, engine, &["games", "moves"]).await;
    assert_eq!(copy.count(&scenario, "games"), 1_410);
}

/// The server refuses to read a collection as it was before its index: "pending collection catalog changes".
#[tokio::test]
async fn indexes_that_come_and_go_while_it_is_read_only_delay_it() {
    let (scenario, engine) = in_the_middle("indexed").await;
    for round in 0..10 {
        let name = format!("n_{round}");
        let index = doc! { "key": { "n": 1, &name: 1 }, "name": &name };
        scenario
            .run_command(doc! { "createIndexes": "games", "indexes": [index] })
            .await;
        if round % 2 == 0 {
            scenario
                .run_command(doc! { "dropIndexes": "games", "index": &name })
                .await;
        }
    }
    let copy = ends(&scenario, engine, &["games", "moves"]).await;
    assert_eq!(copy.count(&scenario, "games"), 1_210);
}
