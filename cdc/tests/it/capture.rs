//! What is captured: operations, databases and collections, documents, stages of the user's own, transactions.

use bson::{Document, doc};
use mongodb::{Collection, Database};

use crate::support::{Delivery, Scenario, check};

/// A second database of `scenario`.
fn beside(scenario: &Scenario) -> Database {
    scenario.mongo.database(&format!("{}_b", scenario.name))
}

async fn insert(collection: Collection<Document>, id: i32) {
    collection
        .insert_one(doc! { "_id": id, "n": id })
        .await
        .unwrap();
}

/// `operation namespace` of each, where `db` stands for the scenario's name.
fn told(scenario: &Scenario, deliveries: &[Delivery]) -> Vec<String> {
    let lines = deliveries.iter().map(|delivery| {
        let namespace = delivery.header("cdc-namespace");
        let namespace = namespace.replace(&scenario.name, "db");
        format!("{} {namespace}", delivery.header("cdc-operation"))
    });
    lines.collect()
}

#[tokio::test]
async fn every_operation_that_the_server_tells_is_delivered_with_all() {
    let mut scenario = Scenario::new("all").await;
    scenario
        .set("CDC_OPERATIONS", "all")
        .set("CDC_FORMAT", "event");
    let engine = scenario.start().await;
    let database = scenario.mongo.database(&scenario.name);
    let index = doc! { "key": { "n": 1 }, "name": "n_1" };
    for command in [
        doc! { "create": "games" },
        doc! { "insert": "games", "documents": [{ "_id": 1, "n": 1 }] },
        doc! { "createIndexes": "games", "indexes": [index] },
        doc! { "collMod": "games", "index": { "name": "n_1", "hidden": true } },
        doc! { "dropIndexes": "games", "index": "n_1" },
        doc! { "update": "games", "updates": [{ "q": { "_id": 1 }, "u": { "$set": { "n": 2 } } }] },
        doc! { "update": "games", "updates": [{ "q": { "_id": 1 }, "u": { "n": 3 } }] },
        doc! { "delete": "games", "deletes": [{ "q": { "_id": 1 }, "limit": 1 }] },
        doc! { "drop": "games" },
        doc! { "dropDatabase": 1 },
    ] {
        database.run_command(command).await.unwrap();
    }
    let deliveries = scenario.take(11).await;
    let wanted = [
        "create db.games",
        "insert db.games",
        "createIndexes db.games",
        "modify db.games",
        "dropIndexes db.games",
        "update db.games",
        "replace db.games",
        "delete db.games",
        "drop db.games",
        "dropDatabase db",
        "invalidate ",
    ];
    assert_eq!(told(&scenario, &deliveries), wanted);
    let indexes = &deliveries[2].json()["operationDescription"]["indexes"];
    assert_eq!(indexes[0]["name"], "n_1");
    // The stream goes on after its end.
    insert(scenario.collection("games"), 2).await;
    let wanted = ["create db.games", "insert db.games"];
    assert_eq!(told(&scenario, &scenario.take(2).await), wanted);
    check(&engine.stop().await, 0, &[]);
}

#[tokio::test]
async fn several_databases_are_watched_and_no_other() {
    let mut scenario = Scenario::new("databases").await;
    let (one, two) = (scenario.name.clone(), format!("{}_b", scenario.name));
    scenario
        .set("MONGO_DATABASE_NAME", format!("{one}, {two}"))
        .set("CDC_COLLECTIONS", format!("games,{one}_?.mo*"))
        .set("CDC_OPERATIONS", "insert,drop,dropDatabase");
    let engine = scenario.start().await;
    let third = scenario.mongo.database(&format!("{one}_c"));
    insert(third.collection("games"), 1).await;
    insert(scenario.collection("games"), 2).await;
    insert(scenario.collection("moves"), 3).await;
    insert(beside(&scenario).collection("moves"), 4).await;
    insert(beside(&scenario).collection("games"), 5).await;
    third.drop().await.unwrap();
    beside(&scenario).drop().await.unwrap();
    let deliveries = scenario.take(6).await;
    let mut drops = told(&scenario, &deliveries[3..5]);
    drops.sort();
    assert_eq!(drops, ["drop db_b.games", "drop db_b.moves"]);
    let others = [&deliveries[..3], &deliveries[5..]].map(|some| told(&scenario, some));
    let inserts = ["insert db.games", "insert db_b.moves", "insert db_b.games"];
    assert_eq!(others[0], inserts);
    assert_eq!(others[1], ["dropDatabase db_b"]);
    check(&engine.stop().await, 0, &[]);
}

#[tokio::test]
async fn the_whole_deployment_is_watched_but_for_the_checkpoint_and_what_is_excluded() {
    let mut scenario = Scenario::new("deployment").await;
    let name = scenario.name.clone();
    scenario
        .set("MONGO_DATABASE_NAME", "*")
        .set("CDC_COLLECTIONS", format!("{name}*.*,cdc_t*.check*"))
        .set("CDC_COLLECTIONS_EXCLUDE", "moves,*.tmp_*")
        .set("CDC_OPERATIONS", "insert,replace,update");
    check(
        &scenario.spawn().finish().await,
        1,
        &["`cdc_t*.check*` matches no collection"],
    );
    scenario.set("CDC_COLLECTIONS", format!("{name}*.*"));
    insert(scenario.collection("old"), 0).await;
    let engine = scenario.start().await;
    for (collection, id) in [("games", 1), ("moves", 2), ("tmp_1", 3), ("later", 4)] {
        insert(scenario.collection(collection), id).await;
        insert(beside(&scenario).collection(collection), id).await;
    }
    let wanted = [
        "insert db.games",
        "insert db_b.games",
        "insert db.later",
        "insert db_b.later",
    ];
    assert_eq!(told(&scenario, &scenario.take(4).await), wanted);
    check(&engine.stop().await, 0, &["database=\"*\""]);
    scenario.is_empty().await;
    // Nobody can watch the checkpoint's own database.
    scenario.set("CDC_COLLECTIONS", "cdc_test.checkpoints");
    let parts = ["CDC_COLLECTIONS", "is not among the watched ones"];
    check(&scenario.spawn().finish().await, 64, &parts);
    beside(&scenario).drop().await.unwrap();
}

#[tokio::test]
async fn a_pattern_that_matches_nothing_is_refused_before_there_is_a_checkpoint() {
    let mut scenario = Scenario::new("pattern").await;
    insert(scenario.collection("games"), 1).await;
    scenario.set("CDC_COLLECTIONS", "games,gmaes_*");
    let parts = [
        "the pattern `gmaes_*` matches no collection",
        "hint: correct CDC_COLLECTIONS",
    ];
    check(&scenario.spawn().finish().await, 1, &parts);
    scenario.set("CDC_COLLECTIONS", "games");
    check(&scenario.start().await.stop().await, 0, &[]);
    // Later it may be right: the collections that it matched may have been dropped.
    scenario.set("CDC_COLLECTIONS", "games,gmaes_*");
    check(
        &scenario.start().await.stop().await,
        0,
        &["matches no collection"],
    );
}

#[tokio::test]
async fn stages_of_the_users_own_filter_and_change_events() {
    let mut scenario = Scenario::new("stages").await;
    let stages = r#"[{"$match": {"fullDocument.n": {"$gt": {"$numberInt": "1"}}}}, {"$unset": "fullDocument.secret"}]"#;
    scenario
        .set("CDC_AGGREGATION", stages)
        .set("CDC_OPERATIONS", "insert,dropDatabase,invalidate");
    let engine = scenario.start().await;
    let games = scenario.collection("games");
    for n in [1, 2] {
        let game = doc! { "_id": n, "n": n, "secret": "x" };
        games.insert_one(game).await.unwrap();
    }
    scenario
        .mongo
        .database(&scenario.name)
        .drop()
        .await
        .unwrap();
    insert(scenario.collection("games"), 3).await;
    let deliveries = scenario.take(3).await;
    let wanted = ["insert db.games", "invalidate ", "insert db.games"];
    assert_eq!(told(&scenario, &deliveries), wanted);
    let body = deliveries[0].json();
    assert_eq!(body["n"], 2);
    assert!(body.get("secret").is_none(), "{body}");
    check(&engine.stop().await, 0, &[]);
}

#[tokio::test]
async fn a_stage_that_is_wrong_is_refused_at_the_start_and_never_taken_for_lost_history() {
    let mut scenario = Scenario::new("wrong_stage").await;
    scenario.set("CDC_ON_HISTORY_LOST", "skip");
    check(&scenario.start().await.stop().await, 0, &[]);
    let before = scenario.checkpoint().await;
    for (stages, code, parts) in [
        (
            r#"[{"$group": {}}]"#,
            64,
            [
                "CDC_AGGREGATION: `$group` is not one of the stages",
                "$unset",
            ],
        ),
        (
            r#"{"$match": {}}"#,
            64,
            ["CDC_AGGREGATION: not a JSON array", "stages"],
        ),
        (
            r#"[{"$match": {"$nor": 1}}]"#,
            1,
            ["the server does not take the options and stages", "hint: "],
        ),
    ] {
        scenario.set("CDC_AGGREGATION", stages);
        check(&scenario.spawn().finish().await, code, &parts);
    }
    assert_eq!(scenario.checkpoint().await, before);
}

/// A collection that keeps the documents before and after a change.
async fn keeping(scenario: &Scenario, collection: &str) -> Collection<Document> {
    let create = doc! { "create": collection, "changeStreamPreAndPostImages": { "enabled": true } };
    let database = scenario.mongo.database(&scenario.name);
    database.run_command(create).await.unwrap();
    scenario.collection(collection)
}

/// Two updates and a deletion of one document, while no engine runs.
async fn change_twice(collection: &Collection<Document>) {
    insert(collection.clone(), 1).await;
    for n in [2, 3] {
        let (which, change) = (doc! { "_id": 1 }, doc! { "$set": { "n": n } });
        collection.update_one(which, change).await.unwrap();
    }
    collection.delete_one(doc! { "_id": 1 }).await.unwrap();
}

/// What `event` bodies tell of `n` before and after each change, and of how true the document is.
fn images(deliveries: &[Delivery]) -> Vec<String> {
    let lines = deliveries.iter().map(|delivery| {
        let event = delivery.json();
        let n = |field: &str| event[field]["n"].to_string();
        let (before, after) = (n("fullDocumentBeforeChange"), n("fullDocument"));
        let state = delivery.try_header("cdc-document").unwrap_or_default();
        let operation = delivery.header("cdc-operation");
        format!("{operation} {before} {after} {state}")
            .trim_end()
            .to_owned()
    });
    lines.collect()
}

#[tokio::test]
async fn documents_come_as_they_were_before_and_after_a_change_where_they_are_kept() {
    for (after, before, wanted) in [
        (
            "required",
            "required",
            [
                "insert null 1",
                "update 1 2 as_of_change",
                "update 2 3 as_of_change",
                "delete 3 null",
            ],
        ),
        (
            "when_available",
            "off",
            [
                "insert null 1",
                "update null 2 as_of_change",
                "update null 3 as_of_change",
                "delete null null",
            ],
        ),
        (
            "off",
            "when_available",
            [
                "insert null 1",
                "update 1 null",
                "update 2 null",
                "delete 3 null",
            ],
        ),
        // Looked up when it is gone already.
        (
            "lookup",
            "off",
            [
                "insert null 1",
                "update null null",
                "update null null",
                "delete null null",
            ],
        ),
    ] {
        let mut scenario = Scenario::new("images").await;
        scenario
            .set("CDC_OPERATIONS", "insert,update,delete")
            .set("CDC_FORMAT", "event")
            .set("CDC_FULL_DOCUMENT", after)
            .set("CDC_FULL_DOCUMENT_BEFORE", before);
        let games = keeping(&scenario, "games").await;
        check(&scenario.start().await.stop().await, 0, &[]);
        change_twice(&games).await;
        let engine = scenario.start().await;
        assert_eq!(images(&scenario.take(4).await), wanted, "{after} {before}");
        check(&engine.stop().await, 0, &[]);
    }
}

#[tokio::test]
async fn a_document_that_was_looked_up_is_told_from_one_as_of_the_change() {
    let mut scenario = Scenario::new("looked_up").await;
    scenario.set("CDC_OPERATIONS", "insert,update,replace");
    let engine = scenario.start().await;
    let games = scenario.collection("games");
    insert(games.clone(), 1).await;
    let (which, change) = (doc! { "_id": 1 }, doc! { "$set": { "n": 2 } });
    games.update_one(which.clone(), change).await.unwrap();
    games.replace_one(which, doc! { "n": 3 }).await.unwrap();
    let deliveries = scenario.take(3).await;
    let states = deliveries.iter().map(|one| one.try_header("cdc-document"));
    let states: Vec<_> = states.collect();
    assert_eq!(states, [None, Some("looked_up".to_owned()), None]);
    check(&engine.stop().await, 0, &[]);
}

#[tokio::test]
async fn required_documents_that_are_not_kept_are_refused_with_the_command_that_keeps_them() {
    let mut scenario = Scenario::new("not_kept").await;
    insert(scenario.collection("games"), 1).await;
    scenario
        .set("CDC_OPERATIONS", "insert,update")
        .set("CDC_FULL_DOCUMENT_BEFORE", "when_available");
    let warns = [
        "WARN",
        "does not keep the documents before and after a change",
    ];
    check(&scenario.start().await.stop().await, 0, &warns);
    scenario.set("CDC_FULL_DOCUMENT_BEFORE", "required");
    let finished = scenario.spawn().finish().await;
    let parts = [".games` does not keep the documents", "hint: in mongosh"];
    check(&finished, 1, &parts);
    let (_, command) = finished.log.split_once("runCommand(").unwrap();
    let (command, _) = command.split_once(')').unwrap();
    assert_eq!(
        command,
        r#"{ collMod: "games", changeStreamPreAndPostImages: { enabled: true } }"#
    );
    let command = doc! { "collMod": "games", "changeStreamPreAndPostImages": { "enabled": true } };
    let database = scenario.mongo.database(&scenario.name);
    database.run_command(command).await.unwrap();
    let engine = scenario.start().await;
    // A collection that comes later and keeps none ends the engine, and nothing is passed over.
    insert(scenario.collection("later"), 1).await;
    let (which, change) = (doc! { "_id": 1 }, doc! { "$set": { "n": 2 } });
    let later = scenario.collection("later");
    later.update_one(which, change).await.unwrap();
    let finished = engine.finish().await;
    let parts = [
        "comes without a document that is required",
        "CDC_FULL_DOCUMENT",
    ];
    check(&finished, 1, &parts);
}

#[tokio::test]
async fn the_changes_of_a_transaction_are_told_by_it_and_numbered() {
    let scenario = Scenario::new("transaction").await;
    for collection in ["games", "moves"] {
        let database = scenario.mongo.database(&scenario.name);
        database.create_collection(collection).await.unwrap();
    }
    let engine = scenario.start().await;
    let mut session = scenario.mongo.start_session().await.unwrap();
    let mut names = Vec::new();
    for round in 0..2 {
        session.start_transaction().await.unwrap();
        for (collection, id) in [("games", 1), ("moves", 2), ("games", 3)] {
            let collection = scenario.collection(collection);
            let document = doc! { "_id": 10 * round + id };
            let inserted = collection.insert_one(document).session(&mut session);
            inserted.await.unwrap();
        }
        session.commit_transaction().await.unwrap();
        let deliveries = scenario.take(3).await;
        let indexes = deliveries
            .iter()
            .map(|one| one.header("cdc-transaction-index"));
        assert_eq!(indexes.collect::<Vec<_>>(), ["0", "1", "2"]);
        let mut all: Vec<String> = deliveries
            .iter()
            .map(|one| one.header("cdc-transaction"))
            .collect();
        all.dedup();
        assert_eq!(all.len(), 1);
        names.append(&mut all);
    }
    let [(one, first), (two, second)] =
        [0, 1].map(|place: usize| names[place].split_once(':').unwrap());
    assert_eq!(one, two, "one session");
    let number = |text: &str| text.parse::<i64>().unwrap();
    assert_eq!(number(first) + 1, number(second));
    insert(scenario.collection("games"), 100).await;
    let alone = scenario.take(1).await;
    assert_eq!(alone[0].try_header("cdc-transaction"), None);
    check(&engine.stop().await, 0, &[]);
}
