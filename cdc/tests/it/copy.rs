//! The example of a consumer that keeps a copy: its table is the collections, whoever is killed.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bson::{Bson, DateTime, Decimal128, Document, Timestamp, doc, oid::ObjectId};
use harness::{Output, Process};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::support::{Engine, Scenario, Signal, amqp_uri, comes_true, mongo_uri, required};

/// Kills of each side.
const KILLS: usize = 5;
/// Time between two kills.
const PAUSE: Duration = Duration::from_millis(700);
/// The one keeps post-images, of the other an update tells what it did to the fields.
const COLLECTIONS: [&str; 2] = ["games", "moves"];

/// Compares the table with the collections: each document byte for byte as BSON, and no row too many.
const COMPARE: &str = r#"
import sqlite3, sys
import bson, pymongo
from bson import json_util
from bson.codec_options import DatetimeConversion
from bson.raw_bson import RawBSONDocument

uri, name, path, *collections = sys.argv[1:]
options = json_util.CANONICAL_JSON_OPTIONS.with_options(datetime_conversion=DatetimeConversion.DATETIME_MS)
rows, documents = {}, {}
for namespace, text in sqlite3.connect(path).execute("SELECT namespace, document FROM documents WHERE document NOT NULL"):
    rows.setdefault(namespace, set()).add(bson.encode(json_util.loads(text, json_options=options)))
database = pymongo.MongoClient(uri, document_class=RawBSONDocument)[name]
for collection in collections:
    documents[f"{name}.{collection}"] = {document.raw for document in database[collection].find()}
documents = {namespace: found for namespace, found in documents.items() if found}
print(f"{sum(map(len, documents.values()))} documents")
for namespace in rows.keys() | documents.keys():
    there, here = documents.get(namespace, set()), rows.get(namespace, set())
    for what, raw in [("not in the copy", raw) for raw in there - here] + [("only in the copy", raw) for raw in here - there]:
        print(namespace, what, bson.decode(raw))
sys.exit(rows != documents)
"#;

/// Leaves a document in the copy that was deleted before the engine began, as changes that were missed do.
const FILL: &str = r#"
import sqlite3, sys
import sqlite_copy

path, *collections = sys.argv[1:]
with sqlite3.connect(path) as db:
    db.executescript(sqlite_copy.TABLES)
    for namespace in collections:
        row = namespace, '"gone"', '{"_id": "gone"}', "0000000001:0000000001:0000000000"
        db.execute("INSERT INTO documents VALUES (?, ?, ?, ?)", row)
"#;

/// The example, and the file that has its table.
struct Copier {
    process: Process,
    file: PathBuf,
    queue: String,
}

impl Copier {
    fn start(queue: &str, folder: &Path) -> Self {
        let file = folder.join("copy.db");
        let namespaces = COLLECTIONS.map(|collection| format!("{queue}.{collection}"));
        let mut filling = python();
        filling.args(["-c", FILL]).arg(&file).args(namespaces);
        assert!(filling.status().unwrap().success());
        Self {
            process: Self::spawn(queue, &file),
            file,
            queue: queue.to_owned(),
        }
    }

    fn spawn(queue: &str, file: &Path) -> Process {
        let mut command = python();
        let example = ["-m", "sqlite_copy"];
        command.args(example).args([&amqp_uri(), queue]).arg(file);
        Process::start(&mut command, Output::Stderr).unwrap()
    }

    async fn kill_and_start(&mut self) {
        self.process.check_alive().unwrap();
        self.process.signal(Signal::KILL);
        self.process.ended(PAUSE).await.unwrap();
        self.process = Self::spawn(&self.queue, &self.file);
    }

    /// Waits until the table is what the collections are now.
    async fn becomes_equal(&mut self, name: &str) {
        let mut difference = String::new();
        let equal = comes_true(async || {
            self.process.check_alive().unwrap();
            let mut command = python();
            command.args(["-c", COMPARE, &mongo_uri(), name]);
            let output = command.arg(&self.file).args(COLLECTIONS).output().unwrap();
            difference = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into();
            output.status.success()
        });
        assert!(equal.await, "{difference}");
    }
}

fn python() -> Command {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let packages = required("CDC_TEST_PYTHONPATH");
    let mut command = Command::new("python3");
    command
        .env("PYTHONPATH", format!("{packages}:{}", examples.display()))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Documents whose `_id`s are of every type that one may have.
fn documents(count: i32) -> impl Iterator<Item = Document> {
    (0..count).map(|number| {
        let text = format!("é \"{number}\"");
        let id: Bson = match number % 10 {
            0 => number.into(),
            1 => i64::from(number).into(),
            2 => (f64::from(number) + 0.5).into(),
            3 => text.clone().into(),
            4 => ObjectId::new().into(),
            5 => DateTime::from_millis(i64::from(number) * 1_000_000_007).into(),
            6 => doc! { "a": number, "b": [1, null] }.into(),
            7 => format!("{number}.25").parse::<Decimal128>().unwrap().into(),
            8 => Bson::Binary(bson::Binary {
                subtype: bson::spec::BinarySubtype::Generic,
                bytes: number.to_be_bytes().into(),
            }),
            _ => Bson::Timestamp(Timestamp {
                time: 1,
                increment: number.unsigned_abs(),
            }),
        };
        doc! { "_id": id, "n": number, "text": text, "list": [1, { "deep": number }, 3], "in": { "a": 1 } }
    })
}

/// Changes the documents in every way, until it is told to stop.
async fn write(scenario: &Scenario, stop: &AtomicBool) {
    let mut rng = StdRng::seed_from_u64(20);
    let mut ids: Vec<Vec<Bson>> = Vec::new();
    for name in COLLECTIONS {
        let collection = scenario.collection(name);
        ids.push(collection.distinct("_id", doc! {}).await.unwrap());
    }
    while !stop.load(Ordering::Relaxed) {
        let chosen = rng.random_range(0..COLLECTIONS.len());
        let collection = scenario.collection(COLLECTIONS[chosen]);
        let place = rng.random_range(0..ids[chosen].len());
        let filter = doc! { "_id": &ids[chosen][place] };
        let number = rng.random_range(0..1_000_000);
        let mut session = scenario.mongo.start_session().await.unwrap();
        session.start_transaction().await.unwrap();
        // One, or several that happen at the same cluster time.
        for _ in 0..rng.random_range(1..4) {
            match rng.random_range(0..10) {
                0..6 => {
                    let update = update(number, &mut rng);
                    let updating = collection.update_one(filter.clone(), update);
                    updating.session(&mut session).await.unwrap();
                }
                6..8 => {
                    let document = doc! { "list": [number], "replaced": true, "in": {} };
                    let replacing = collection.replace_one(filter.clone(), document);
                    replacing.upsert(true).session(&mut session).await.unwrap();
                }
                _ => {
                    let deleting = collection.delete_one(filter.clone());
                    deleting.session(&mut session).await.unwrap();
                }
            }
        }
        session.commit_transaction().await.unwrap();
    }
}

fn update(number: i32, rng: &mut StdRng) -> Document {
    match rng.random_range(0..5) {
        0 => doc! { "$set": { "n": number, "in.b": { "c": number } } },
        1 => doc! { "$push": { "list": { "deep": number } } },
        2 => {
            doc! { "$push": { "list": { "$each": [number], "$slice": -2 } }, "$unset": { "in.b": "" } }
        }
        3 => doc! { "$unset": { "n": "", "text": "" } },
        _ => doc! { "$set": { "list.0": number, "text": format!("{number}\n") } },
    }
}

/// In turn, and each is started again; returns the last engine.
async fn kill_both(scenario: &Scenario, mut engine: Engine, copier: &mut Copier) -> Engine {
    for _ in 0..KILLS {
        // In the midst of the snapshot too.
        engine.delivers().await;
        copier.kill_and_start().await;
        tokio::time::sleep(PAUSE).await;
        engine.kill().await;
        engine = scenario.start().await;
    }
    engine
}

#[tokio::test]
async fn the_sqlite_table_of_the_example_stays_equal_whoever_is_killed() {
    let mut scenario = Scenario::new("copy").await;
    scenario
        .set("CDC_FORMAT", "event")
        .set("CDC_JSON_MODE", "canonical")
        .set("CDC_OPERATIONS", "insert,update,replace,delete,drop,rename")
        .set("CDC_FULL_DOCUMENT", "when_available")
        .set("CDC_SNAPSHOT", "initial");
    scenario.declare_own().await;
    let create = doc! { "create": "games", "changeStreamPreAndPostImages": { "enabled": true } };
    let database = scenario.mongo.database(&scenario.name);
    database.run_command(create).await.unwrap();
    for name in COLLECTIONS {
        let collection = scenario.collection(name);
        collection.insert_many(documents(2_000)).await.unwrap();
    }
    let engine = scenario.start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut copier = Copier::start(&scenario.name, folder.path());
    let stop = AtomicBool::new(false);
    let kills = async {
        let engine = kill_both(&scenario, engine, &mut copier).await;
        stop.store(true, Ordering::Relaxed);
        engine
    };
    let ((), engine) = tokio::join!(write(&scenario, &stop), kills);
    copier.becomes_equal(&scenario.name).await;

    // A collection that is dropped, and one that takes its place.
    scenario.collection("games").drop().await.unwrap();
    let (from, to) = ("moves", "games");
    let name = |collection| format!("{}.{collection}", scenario.name);
    let rename = doc! { "renameCollection": name(from), "to": name(to) };
    let admin = scenario.mongo.database("admin");
    admin.run_command(rename).await.unwrap();
    let moves = scenario.collection("moves");
    moves.insert_many(documents(20)).await.unwrap();
    copier.becomes_equal(&scenario.name).await;
    engine.kill().await;
    let engine = scenario.start().await;
    copier.becomes_equal(&scenario.name).await;
    assert_eq!(engine.stop().await.code, Some(0));
}
