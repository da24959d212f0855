//! Every operation in every format, from a real server to a real broker: the exact bodies, as they were reviewed
//! (`formats/snapshots`), and what others make of them.

mod normal;
mod sdk;

use bson::{Bson, DateTime, Document, Regex, Timestamp, doc, oid::ObjectId, raw::cstr};
use serde_json::Value;

use crate::support::{Delivery, Engine, MongoServer, Scenario, amqp_uri, mongo_uri};

const DOCUMENTS: &str = "insert,update,replace,delete";
const ALL: &str = "all";
const MODES: [&str; 2] = ["relaxed", "canonical"];

/// A document with a value of every type that a server stores.
fn every_type() -> Document {
    let binary = |subtype, bytes: &[u8]| bson::Binary {
        subtype,
        bytes: bytes.to_vec(),
    };
    let scoped = bson::JavaScriptCodeWithScope {
        code: "g()".to_owned(),
        scope: doc! { "x": 1 },
    };
    let regex = Regex {
        pattern: cstr!("^a\"b").to_owned(),
        options: cstr!("im").to_owned(),
    };
    doc! {
        "_id": ObjectId::from_bytes([0x11; 12]),
        "word": "a \"quoted\"\n\\ ☆",
        "double": 1.5,
        "nan": f64::NAN,
        "nested": { "a": { "b": [1, [], {}] } },
        "tags": ["a", "b", "c", "d"],
        "binary": binary(bson::spec::BinarySubtype::Generic, b"\x00\xff"),
        "uuid": binary(bson::spec::BinarySubtype::Uuid, &[7; 16]),
        "undefined": Bson::Undefined,
        "yes": true,
        "date": DateTime::from_millis(1_700_000_000_123),
        "null": null,
        "regex": regex,
        "code": Bson::JavaScriptCode("f()".to_owned()),
        "symbol": Bson::Symbol("s".to_owned()),
        "scoped": Bson::JavaScriptCodeWithScope(scoped),
        "int": 7,
        "timestamp": Timestamp { time: 1, increment: 2 },
        "long": 1_i64 << 60,
        "decimal": "1.50".parse::<bson::Decimal128>().unwrap(),
        "least": Bson::MinKey,
        "greatest": Bson::MaxKey,
    }
}

/// An engine that publishes in one format, and one message for each operation.
struct Story {
    scenario: Scenario,
    engine: Engine,
    deliveries: Vec<Delivery>,
}

impl Story {
    async fn start(mongo: &str, format: &str, settings: &[(&str, &str)]) -> Self {
        let mut scenario = Scenario::at(format, mongo, &amqp_uri()).await;
        scenario
            .set("CDC_FORMAT", format)
            .set("CDC_OPERATIONS", DOCUMENTS);
        for (variable, value) in settings {
            scenario.set(variable, *value);
        }
        Self {
            engine: scenario.start().await,
            scenario,
            deliveries: Vec::new(),
        }
    }

    /// Takes the message of what was just done: before the next one, so that an update's document is as of the update.
    async fn take(&mut self) {
        self.deliveries.extend(self.scenario.take(1).await);
    }

    async fn documents_change(&mut self) {
        let words = self.scenario.collection("words");
        let document = every_type();
        let id = doc! { "_id": document.get_object_id("_id").unwrap() };
        words.insert_one(document).await.unwrap();
        self.take().await;
        let short = doc! { "word": "b", "nested.a": 2, "tags": { "$slice": ["$tags", 2] } };
        let update = [doc! { "$set": short }, doc! { "$unset": "yes" }];
        words.update_one(id.clone(), update.to_vec()).await.unwrap();
        self.take().await;
        let replacement = doc! { "word": "c" };
        words.replace_one(id.clone(), replacement).await.unwrap();
        self.take().await;
        words.delete_one(id).await.unwrap();
        self.take().await;
        let mut session = self.scenario.mongo.start_session().await.unwrap();
        session.start_transaction().await.unwrap();
        let insert = words.insert_one(doc! { "_id": "key", "n": 1 });
        insert.session(&mut session).await.unwrap();
        session.commit_transaction().await.unwrap();
        self.take().await;
    }

    async fn run(&mut self, database: &str, command: Document) {
        let database = self.scenario.mongo.database(database);
        database.run_command(command).await.unwrap();
        self.take().await;
    }

    async fn a_collection_begins(&mut self) {
        let name = self.scenario.name.clone();
        let index = doc! { "key": { "n": 1 }, "name": "n_1", "partialFilterExpression": { "n": { "$gt": 1 } } };
        for command in [
            doc! { "create": "words" },
            doc! { "createIndexes": "words", "indexes": [index] },
            doc! { "collMod": "words", "index": { "name": "n_1", "hidden": true } },
            doc! { "dropIndexes": "words", "index": "n_1" },
        ] {
            self.run(&name, command).await;
        }
    }

    async fn everything_ends(&mut self) {
        let name = self.scenario.name.clone();
        let [from, to] = ["words", "old"].map(|collection| format!("{name}.{collection}"));
        let rename = doc! { "renameCollection": from, "to": to };
        self.run("admin", rename).await;
        self.run(&name, doc! { "drop": "old" }).await;
        self.run(&name, doc! { "dropDatabase": 1 }).await;
        // The end of the stream.
        self.take().await;
    }

    async fn end(self) -> Vec<Delivery> {
        self.scenario.is_empty().await;
        assert_eq!(self.engine.stop().await.code, Some(0));
        self.deliveries
    }
}

/// What arrives in `format` from the server at `mongo`, with the name of its database.
async fn told(mongo: &str, format: &str, settings: &[(&str, &str)]) -> (String, Vec<Delivery>) {
    let mut story = Story::start(mongo, format, settings).await;
    let is_all = settings.contains(&("CDC_OPERATIONS", ALL));
    if is_all {
        story.a_collection_begins().await;
    }
    story.documents_change().await;
    if is_all {
        story.everything_ends().await;
    }
    let name = story.scenario.name.clone();
    (name, story.end().await)
}

/// Compares what arrives in `format`, in both modes, with what was reviewed under `name`.
async fn check(name: &str, format: &str, settings: &[(&str, &str)]) -> Vec<Delivery> {
    check_at(&mongo_uri(), name, format, settings).await
}

/// The same, from the server at `mongo`.
async fn check_at(
    mongo: &str,
    name: &str,
    format: &str,
    settings: &[(&str, &str)],
) -> Vec<Delivery> {
    let (mut text, mut all) = (String::new(), Vec::new());
    for mode in MODES {
        let settings = [&[("CDC_JSON_MODE", mode)], settings].concat();
        let (database, deliveries) = told(mongo, format, &settings).await;
        for delivery in &deliveries {
            text += &[mode, " ", &normal::shown(delivery, &database), "\n"].concat();
        }
        all.extend(deliveries);
    }
    let mut snapshots = insta::Settings::clone_current();
    snapshots.set_snapshot_path("formats/snapshots");
    snapshots.set_prepend_module_to_snapshot(false);
    snapshots.set_omit_expression(true);
    snapshots.bind(|| insta::assert_snapshot!(name, text));
    all
}

#[tokio::test]
async fn document() {
    check("document", "document", &[("CDC_OPERATIONS", ALL)]).await;
}

#[tokio::test]
async fn event() {
    check("event", "event", &[("CDC_OPERATIONS", ALL)]).await;
}

#[tokio::test]
async fn bson() {
    let deliveries = check("bson", "bson", &[("CDC_OPERATIONS", ALL)]).await;
    let is_insert = |one: &&Delivery| one.header("cdc-operation") == "insert";
    let first = deliveries.iter().find(is_insert).unwrap();
    let first = bson::RawDocumentBuf::from_bytes(first.body.clone()).unwrap();
    let stored = bson::RawDocumentBuf::try_from(&every_type()).unwrap();
    let document = first.get_document("fullDocument").unwrap();
    assert_eq!(
        document.as_bytes(),
        stored.as_bytes(),
        "bit for bit as it was stored"
    );
}

/// Names of the envelope's fields, in order: <https://debezium.io/documentation/reference/stable/connectors/mongodb.html>.
const ENVELOPE: [&str; 7] = [
    "before",
    "after",
    "updateDescription",
    "source",
    "op",
    "ts_ms",
    "transaction",
];
/// Those of its source block.
const SOURCE: [&str; 14] = [
    "version",
    "connector",
    "name",
    "ts_ms",
    "snapshot",
    "db",
    "sequence",
    "ts_us",
    "ts_ns",
    "collection",
    "ord",
    "lsid",
    "txnNumber",
    "wallTime",
];

#[tokio::test]
async fn debezium() {
    let settings = [("CDC_DEBEZIUM_NAME", "shop")];
    let deliveries = check("debezium", "debezium", &settings).await;
    let codes = ["c", "u", "u", "d", "c"].into_iter().cycle();
    for (delivery, code) in deliveries.iter().zip(codes) {
        let body = delivery.json();
        assert_eq!(body["op"], code);
        holds(&body, &ENVELOPE);
        holds(&body["source"], &SOURCE);
        for name in ["before", "after"] {
            let Some(text) = body[name].as_str() else {
                continue;
            };
            let document: Value = serde_json::from_str(text).unwrap();
            assert!(document["_id"].is_object() || document["_id"] == "key");
        }
    }
    let (_, wrapped) = told(&mongo_uri(), "debezium", &[("CDC_DEBEZIUM_SCHEMA", "on")]).await;
    for delivery in wrapped {
        let body = delivery.json();
        holds(&body, &["schema", "payload"]);
        holds(&body["payload"], &ENVELOPE);
        let fields = body["schema"]["fields"].as_array().unwrap();
        let names: Vec<&str> = fields
            .iter()
            .map(|field| field["field"].as_str().unwrap())
            .collect();
        assert_eq!(names, ENVELOPE);
    }
}

/// Whether these are the fields of `object`.
#[track_caller]
fn holds(object: &Value, names: &[&str]) {
    let mut found: Vec<&String> = object.as_object().unwrap().keys().collect();
    let mut names = names.to_vec();
    found.sort_unstable();
    names.sort_unstable();
    assert_eq!(found, names);
}

#[tokio::test]
async fn cloudevents_structured() {
    let deliveries = check("cloudevents", "cloudevents", &[("CDC_OPERATIONS", ALL)]).await;
    let read = sdk::read(&deliveries);
    for (delivery, event) in deliveries.iter().zip(read) {
        assert_eq!(event, delivery.json(), "the SDK reads what is there");
        assert_eq!(event["id"], delivery.message_id());
    }
}

#[tokio::test]
async fn cloudevents_binary() {
    for prefix in ["cloudEvents:", "cloudEvents_", "ce-"] {
        let settings = [
            ("CDC_OPERATIONS", ALL),
            ("CDC_CLOUDEVENTS_MODE", "binary"),
            ("CDC_CLOUDEVENTS_PREFIX", prefix),
            ("CDC_CLOUDEVENTS_SOURCE", "https://shop.example/words"),
        ];
        let name = format!(
            "cloudevents_binary_{}",
            &prefix.replace([':', '_', '-'], "")
        );
        let deliveries = if prefix == "cloudEvents_" {
            told(&mongo_uri(), "cloudevents", &settings).await.1
        } else {
            check(&name, "cloudevents", &settings).await
        };
        let read = sdk::read(&deliveries);
        for (delivery, event) in deliveries.iter().zip(read) {
            assert_eq!(event["data"], delivery.json());
            assert_eq!(event["id"], delivery.message_id());
            assert_eq!(event["source"], "https://shop.example/words");
            assert_eq!(event["operation"], delivery.header("cdc-operation"));
            assert_eq!(event["clustertime"], delivery.header("cdc-cluster-time"));
            let kind = format!("mongodb.change.{}.v1", delivery.header("cdc-operation"));
            assert_eq!(event["type"], kind);
        }
    }
}

/// The latest release of 6.0, where the other tests have an early one.
#[tokio::test]
async fn another_release_of_the_server_tells_the_same() {
    let server = MongoServer::start_program("CDC_TEST_MONGOD_SPLIT", &["--replSet", "late"]).await;
    server.initiate("late").await;
    let uri = server.uri("replicaSet=late");
    for format in ["document", "event", "cloudevents"] {
        check_at(&uri, format, format, &[("CDC_OPERATIONS", ALL)]).await;
    }
    let settings = [("CDC_DEBEZIUM_NAME", "shop")];
    check_at(&uri, "debezium", "debezium", &settings).await;
}

#[tokio::test]
async fn an_operation_without_a_body_is_refused_at_the_start() {
    let mut scenario = Scenario::new("debezium_all").await;
    scenario
        .set("CDC_FORMAT", "debezium")
        .set("CDC_OPERATIONS", ALL);
    let finished = scenario.spawn().finish().await;
    let part =
        "CDC_OPERATIONS: the format that CDC_FORMAT chooses has no body for create, drop, rename";
    crate::support::check(&finished, 64, &[part]);
}
