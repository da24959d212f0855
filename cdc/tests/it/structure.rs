//! Renames, `$out` and the like: which messages tell of what happens to whole collections.

use bson::{Document, doc};
use futures_util::TryStreamExt as _;

use crate::support::{Delivery, Scenario};

const ALL: &str = "insert,update,replace,delete,drop,rename";

/// What happens to collections of one database.
struct Shelf<'a>(&'a Scenario);

impl Shelf<'_> {
    async fn insert(&self, collection: &str, id: i32) {
        let collection = self.0.collection(collection);
        collection.insert_one(doc! { "_id": id }).await.unwrap();
    }

    async fn rename(&self, from: &str, to: &str) {
        let (from, to) = [from, to]
            .map(|name| format!("{}.{name}", self.0.name))
            .into();
        let command = doc! { "renameCollection": from, "to": to };
        let admin = self.0.mongo.database("admin");
        admin.run_command(command).await.unwrap();
    }

    async fn aggregate(&self, collection: &str, stage: Document) {
        let found = self.0.collection(collection).aggregate([stage]).await;
        found.unwrap().try_collect::<Vec<_>>().await.unwrap();
    }

    async fn run(&self, command: Document) {
        let database = self.0.mongo.database(&self.0.name);
        database.run_command(command).await.unwrap();
    }
}

/// Each message up to that of the document `id`, as `operation collection body`, without the random parts of names.
async fn told_until(scenario: &Scenario, id: &str) -> Vec<String> {
    let mut is_last = |deliveries: &[Delivery]| {
        let last = deliveries.last();
        last.is_some_and(|delivery| delivery.json()["entry_id"] == id)
    };
    let deliveries = scenario.take_until(&scenario.name, &mut is_last).await;
    let lines = deliveries.iter().map(|delivery| {
        let namespace = delivery.header("cdc-namespace");
        let collection = namespace.split_once('.').map_or("", |(_, name)| name);
        let is_temporary = collection.starts_with("tmp");
        let collection = if is_temporary {
            "(temporary)"
        } else {
            collection
        };
        let mut body = delivery.json();
        let body = body.as_object_mut().unwrap();
        body.remove("type");
        let body = serde_json::to_string(&body)
            .unwrap()
            .replace(&scenario.name, "db");
        format!("{} {collection} {body}", delivery.header("cdc-operation"))
    });
    lines.collect()
}

#[tokio::test]
async fn a_rename_is_told_where_either_name_is_watched_and_so_is_out() {
    let mut scenario = Scenario::new("structure").await;
    scenario
        .set("CDC_COLLECTIONS", "games")
        .set("CDC_OPERATIONS", ALL);
    let engine = scenario.start().await;
    let shelf = Shelf(&scenario);
    shelf.insert("drafts", 1).await;
    shelf.rename("drafts", "games").await;
    shelf.insert("games", 2).await;
    shelf.aggregate("games", doc! { "$out": "copies" }).await;
    shelf.insert("copies", 3).await;
    shelf.aggregate("copies", doc! { "$out": "games" }).await;
    shelf.insert("copies", 4).await;
    shelf.aggregate("copies", doc! { "$merge": "games" }).await;
    shelf
        .run(doc! { "convertToCapped": "games", "size": 4096 })
        .await;
    shelf.rename("games", "old").await;
    shelf.insert("old", 5).await;
    shelf.insert("games", 6).await;
    shelf.run(doc! { "drop": "games" }).await;
    shelf.insert("games", 7).await;
    let wanted = [
        r#"rename drafts {"entry_id":null,"to":{"coll":"games","db":"db"}}"#,
        r#"insert games {"entry_id":"2"}"#,
        r#"rename (temporary) {"entry_id":null,"to":{"coll":"games","db":"db"}}"#,
        r#"insert games {"entry_id":"4"}"#,
        r#"rename (temporary) {"entry_id":null,"to":{"coll":"games","db":"db"}}"#,
        r#"rename games {"entry_id":null,"to":{"coll":"old","db":"db"}}"#,
        r#"insert games {"entry_id":"6"}"#,
        r#"drop games {"entry_id":null}"#,
        r#"insert games {"entry_id":"7"}"#,
    ];
    assert_eq!(told_until(&scenario, "7").await, wanted);
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_temporary_collection_of_the_servers_own_is_nobodys_content() {
    let mut scenario = Scenario::new("temporary").await;
    scenario.set("CDC_OPERATIONS", ALL);
    let engine = scenario.start().await;
    let shelf = Shelf(&scenario);
    shelf.insert("games", 1).await;
    shelf.aggregate("games", doc! { "$out": "copies" }).await;
    shelf
        .run(doc! { "convertToCapped": "copies", "size": 4096 })
        .await;
    shelf.insert("games", 2).await;
    let wanted = [
        r#"insert games {"entry_id":"1"}"#,
        r#"rename (temporary) {"entry_id":null,"to":{"coll":"copies","db":"db"}}"#,
        r#"rename (temporary) {"entry_id":null,"to":{"coll":"copies","db":"db"}}"#,
        r#"insert games {"entry_id":"2"}"#,
    ];
    assert_eq!(told_until(&scenario, "2").await, wanted);
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_rename_within_what_is_watched_is_told_once() {
    let mut scenario = Scenario::new("within").await;
    scenario
        .set("CDC_COLLECTIONS", "games*")
        .set("CDC_OPERATIONS", ALL);
    let engine = scenario.start().await;
    let shelf = Shelf(&scenario);
    shelf.insert("games", 1).await;
    shelf.insert("games_old", 2).await;
    shelf.run(doc! { "drop": "games_old" }).await;
    shelf.rename("games", "games_old").await;
    shelf.insert("games_old", 3).await;
    let wanted = [
        r#"insert games {"entry_id":"1"}"#,
        r#"insert games_old {"entry_id":"2"}"#,
        r#"drop games_old {"entry_id":null}"#,
        r#"rename games {"entry_id":null,"to":{"coll":"games_old","db":"db"}}"#,
        r#"insert games_old {"entry_id":"3"}"#,
    ];
    assert_eq!(told_until(&scenario, "3").await, wanted);
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_collection_that_is_created_and_dropped_in_a_loop_is_told_each_time() {
    const ROUNDS: i32 = 30;
    let mut scenario = Scenario::new("loop").await;
    scenario
        .set("CDC_COLLECTIONS", "games")
        .set("CDC_OPERATIONS", "all");
    let engine = scenario.start().await;
    let shelf = Shelf(&scenario);
    let mut wanted = Vec::new();
    for id in 0..ROUNDS {
        shelf.run(doc! { "create": "games" }).await;
        shelf.insert("games", id).await;
        shelf.run(doc! { "drop": "games" }).await;
        wanted.extend(["create", "insert", "drop"]);
    }
    shelf.insert("games", ROUNDS).await;
    wanted.extend(["create", "insert"]);
    let told = told_until(&scenario, &ROUNDS.to_string()).await;
    let operations = told.iter().map(|line| line.split_once(' ').unwrap().0);
    assert_eq!(operations.collect::<Vec<_>>(), wanted);
    let ids = told.iter().filter(|line| line.starts_with("insert"));
    for (id, line) in ids.enumerate() {
        assert_eq!(*line, format!(r#"insert games {{"entry_id":"{id}"}}"#));
    }
    assert_eq!(engine.stop().await.code, Some(0));
}
