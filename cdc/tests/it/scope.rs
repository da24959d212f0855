//! What a pipeline watches: names and patterns of collections, what is not there, and what the checkpoint knows of it.

use std::collections::BTreeSet;

use bson::{Bson, Document, doc};
use cdc::{
    event::Namespace,
    source::{Collections, Databases},
};
use proptest::{
    prelude::{Strategy as _, prop},
    strategy::ValueTree as _,
    test_runner::TestRunner,
};

use crate::support::{Engine, MongoServer, Scenario, amqp_uri, check, eventually, mongo_uri};

/// Creates the collections and inserts a document into each.
async fn insert_into(scenario: &Scenario, collections: &[&str]) {
    for name in collections {
        let document = doc! { "in": *name };
        scenario
            .collection(name)
            .insert_one(document)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn names_and_patterns_choose_the_collections() {
    let mut scenario = Scenario::new("patterns").await;
    let chosen = format!("{0}.games,a.b,{0}.mo*,or?ers_*", scenario.name);
    scenario.set("CDC_COLLECTIONS", chosen);
    let engine = scenario.start().await;
    let others = ["game", "games2", "b", "amoves", "orers_1", "orders"];
    let watched = ["games", "a.b", "mo", "moves.old", "orüers_", "orders_(1)"];
    insert_into(&scenario, &others).await;
    insert_into(&scenario, &watched).await;
    let deliveries = scenario.take(watched.len()).await;
    let names = deliveries
        .iter()
        .map(|one| one.json()["in"].as_str().unwrap().to_owned());
    assert_eq!(names.collect::<Vec<_>>(), watched);
    assert_eq!(engine.stop().await.code, Some(0));
}

/// The server has the last word on what a regular expression matches.
#[tokio::test]
async fn patterns_match_what_the_servers_expressions_match() {
    let client = mongodb::Client::with_uri_str(mongo_uri()).await.unwrap();
    let database = client.database("patterns");
    let one = Databases::One("patterns".to_owned());
    let mut runner = TestRunner::default();
    let mut draw = |strategy: &str| {
        let tree = prop::string::string_regex(strategy)
            .unwrap()
            .new_tree(&mut runner);
        tree.unwrap().current()
    };
    let names: BTreeSet<String> = (0..400).map(|_| draw(r"[ab.\\(+ü\n-]{1,6}")).collect();
    let (mut rounds, mut matched) = (0, 0);
    while rounds < 100 {
        let patterns = [draw(r"[ab.\\(+ü\n*?-]{1,6}"), draw("[ab*?]{1,3}[*?]")];
        let patterns = patterns.iter().map(String::as_str);
        let Ok(collections) = Collections::parse(&one, patterns) else {
            continue;
        };
        rounds += 1;
        let documents = names.iter().map(|name| doc! { "ns": { "coll": name } });
        let stages = [
            doc! { "$documents": documents.collect::<Vec<_>>() },
            doc! { "$match": { "$or": collections.conditions("ns") } },
        ];
        let mut found = database.aggregate(stages).await.unwrap();
        let mut server = BTreeSet::new();
        while found.advance().await.unwrap() {
            let found = found.current().get_document("ns").unwrap();
            server.insert(found.get_str("coll").unwrap().to_owned());
        }
        let is_ours = |name: &&String| {
            collections.matches(Namespace {
                database: "patterns",
                collection: Some(name),
            })
        };
        let ours = names.iter().filter(is_ours);
        assert_eq!(
            ours.cloned().collect::<BTreeSet<_>>(),
            server,
            "{collections:?}"
        );
        matched += server.len();
    }
    assert!(matched > 100, "{matched}");
}

#[tokio::test]
async fn what_is_watched_and_not_there_is_warned_of_with_the_nearest_name() {
    let mut scenario = Scenario::new("absent").await;
    insert_into(&scenario, &["games", "moves"]).await;
    let database = scenario.mongo.database(&scenario.name);
    let view = doc! { "create": "totals", "viewOn": "games", "pipeline": [] };
    database.run_command(view).await.unwrap();
    check(&scenario.start().await.stop().await, 0, &[]);
    scenario.set("CDC_COLLECTIONS", "moves,gmaes,totals,x*,mo*");
    let finished = scenario.start().await.stop().await;
    check(&finished, 0, &[]);
    let warnings = finished
        .log
        .lines()
        .filter(|line| line.contains("watched name"));
    let warnings: Vec<&str> = warnings.collect();
    assert_eq!(warnings.len(), 3, "{}", finished.log);
    for parts in [
        ["matches no collection", "name=\"gmaes\" nearest=\"games\""],
        ["is not a collection's", "name=\"totals\" kind=\"view\""],
        ["matches no collection", "name=\"x*\""],
    ] {
        let has = |line: &&&str| parts.iter().all(|part| line.contains(part));
        assert!(
            warnings.iter().any(|line| has(&line)),
            "{parts:?} in {}",
            finished.log
        );
    }
}

/// A role that may read the change stream and nothing else there.
#[tokio::test]
async fn the_list_of_collections_asks_for_no_permission_of_its_own() {
    let server = MongoServer::guarded("lists").await;
    server.create_user("root", "hunter2secret", "root").await;
    let root = mongodb::Client::with_uri_str(server.uri_of("root", "hunter2secret"));
    let admin = root.await.unwrap().database("admin");
    let mut scenario = Scenario::at(
        "lists",
        &server.uri_of("root", "hunter2secret"),
        &amqp_uri(),
    )
    .await;
    let reads = doc! { "resource": { "db": &scenario.name, "collection": "" }, "actions": ["changeStream", "find"] };
    let role = doc! { "createRole": "reader", "privileges": [reads], "roles": [{ "role": "readWrite", "db": "cdc_test" }] };
    admin.run_command(role).await.unwrap();
    server.create_user("cdc", "hunter2secret", "reader").await;
    scenario
        .set("MONGO_DATABASE_HOST", server.uri_of("cdc", "hunter2secret"))
        .set("CDC_COLLECTIONS", "gmaes");
    insert_into(&scenario, &["games"]).await;
    let finished = scenario.start().await.stop().await;
    check(&finished, 0, &["name=\"gmaes\" nearest=\"games\""]);
}

async fn stored_scope(scenario: &Scenario) -> Document {
    let checkpoint = scenario.checkpoint().await.unwrap();
    checkpoint.get_document("scope").unwrap().clone()
}

async fn run_once(scenario: &Scenario) -> String {
    let finished = scenario.start().await.stop().await;
    check(&finished, 0, &[]);
    finished.log
}

#[tokio::test]
async fn a_changed_scope_is_told_once_with_what_it_means() {
    let mut scenario = Scenario::new("scope_changed").await;
    scenario
        .declare_exchange(&format!("{}.changes", scenario.name))
        .await;
    scenario.set("CDC_COLLECTIONS", "games");
    insert_into(&scenario, &["games", "moves"]).await;
    assert!(!run_once(&scenario).await.contains("WARN"));
    let queue = doc! { "queue": &scenario.name };
    let expected = doc! {
        "database": &scenario.name, "collections": ["games"], "operations": ["insert"], "target": queue,
    };
    assert_eq!(stored_scope(&scenario).await, expected);

    let exchange = format!("{}.changes", scenario.name);
    scenario
        .set("CDC_COLLECTIONS", "games,moves")
        .set("CDC_OPERATIONS", "insert,delete")
        .set("RABBITMQ_EXCHANGE", &exchange)
        .set("RABBITMQ_ROUTING_KEY", "{collection}");
    let log = run_once(&scenario).await;
    for part in [
        "what=\"collections\" was=\"games\" now=\"games,moves\" meaning=\"changes of the new collections before",
        "what=\"operations\" was=\"insert\" now=\"delete,insert\" meaning=\"changes of the new operations before",
        "what=\"target\" was=\"queue ",
    ] {
        assert!(log.contains(part), "no `{part}` in\n{log}");
    }
    let target = doc! { "exchange": &exchange, "routing_key": "{collection}" };
    assert_eq!(
        stored_scope(&scenario).await.get("target"),
        Some(&Bson::from(target))
    );
    assert!(!run_once(&scenario).await.contains("WARN"));
    scenario.delete_exchange(&exchange).await;
}

#[tokio::test]
async fn the_checkpoint_of_another_database_is_refused_and_stays() {
    let mut scenario = Scenario::new("scope_database").await;
    run_once(&scenario).await;
    let before = scenario.checkpoint().await;
    scenario.set("MONGO_DATABASE_NAME", "another_database");
    let finished = scenario.spawn().finish().await;
    let text = format!(
        "is of the database `{}`, this engine watches `another_database`",
        scenario.name
    );
    check(
        &finished,
        1,
        &[&text, "hint: give this engine a CDC_PIPELINE of its own"],
    );
    assert_eq!(scenario.checkpoint().await, before);
}

/// As an earlier release left it.
#[tokio::test]
async fn a_checkpoint_that_knows_no_scope_is_gone_on_from_in_silence() {
    let scenario = Scenario::new("scope_unknown").await;
    run_once(&scenario).await;
    let pipeline = doc! { "_id": &scenario.name };
    let forget = doc! { "$unset": { "scope": "" } };
    scenario
        .checkpoints()
        .update_one(pipeline, forget)
        .await
        .unwrap();
    scenario.insert_numbers(0..10).await;
    let engine = scenario.start().await;
    scenario.take_numbers(10).await;
    let finished = engine.stop().await;
    assert!(!finished.log.contains("WARN"), "{}", finished.log);
    assert_eq!(
        stored_scope(&scenario).await.get_str("database").unwrap(),
        scenario.name
    );
}

async fn notice(standby: &Engine) -> serde_json::Value {
    standby.get("/ready").await.json()["notice"].clone()
}

#[tokio::test]
async fn a_standby_of_another_scope_says_so() {
    let mut scenario = Scenario::new("scope_standby").await;
    let leader = scenario.start().await;
    let same = scenario.spawn();
    scenario
        .set("MONGO_DATABASE_NAME", "another_database")
        .set("CDC_OPERATIONS", "delete");
    let other = scenario.spawn();
    other.stands_by().await;
    let part = format!(
        "database `{}` there, `another_database` here",
        scenario.name
    );
    eventually("the standby tells of its scope", async || {
        notice(&other)
            .await
            .as_str()
            .is_some_and(|notice| notice.contains(&part))
    })
    .await;
    let report = other.get("/ready").await;
    assert_eq!(report.status, 200, "it would take over");
    let finished = other.stop().await;
    check(
        &finished,
        0,
        &[&part, "operations `insert` there, `delete` here"],
    );
    assert_eq!(
        finished.log.matches("under the same pipeline name").count(),
        1
    );
    assert_eq!(notice(&same).await, serde_json::Value::Null);
    drop(leader);
}
