//! Snapshots: the documents that exist, each once and in its place among the changes, whatever happens meanwhile.

mod catalog;
mod copy;
mod faults;
mod follows;
mod ids;
mod messages;
mod privileges;
mod requests;

use bson::{Document, doc, oid::ObjectId};

use self::copy::Copy;
use crate::{
    operate::ask,
    support::{Delivery, Scenario, check, eventually},
};

/// A scenario whose engines begin with a snapshot.
async fn beginning(label: &str) -> Scenario {
    let mut scenario = Scenario::new(label).await;
    scenario.begins_with_a_snapshot().await;
    scenario
}

impl Scenario {
    /// Settings with which the messages can make a copy.
    async fn copies(&mut self) {
        self.set("CDC_FORMAT", "bson")
            .set("CDC_OPERATIONS", "insert,update,replace,delete,drop,rename")
            .set("CDC_CHECKPOINT_INTERVAL_MS", "50");
        self.declare_own().await;
    }

    async fn begins_with_a_snapshot(&mut self) {
        self.copies().await;
        self.set("CDC_SNAPSHOT", "initial");
    }

    /// Inserts `{_id: n}` documents of `size` bytes into a collection.
    async fn fill(&self, collection: &str, numbers: std::ops::Range<i32>, size: usize) {
        let documents = |number| doc! { "_id": number, "n": number, "pad": "x".repeat(size) };
        let documents: Vec<Document> = numbers.map(documents).collect();
        for chunk in documents.chunks(10_000) {
            self.collection(collection)
                .insert_many(chunk)
                .await
                .unwrap();
        }
    }

    /// What the checkpoint has of snapshots.
    async fn saved(&self) -> Document {
        let checkpoint = self.checkpoint().await.unwrap_or_default();
        checkpoint
            .get_document("snapshot")
            .cloned()
            .unwrap_or_default()
    }

    /// Waits until so many documents of a run under way are saved.
    async fn run_has_read(&self, documents: i64) {
        eventually("a part of the snapshot is saved", async || {
            let saved = self.saved().await;
            let run = saved.get_document("run");
            run.is_ok_and(|run| documents <= run.get_i64("documents").unwrap())
        })
        .await;
    }

    /// Waits until the last run is over, and gives what the checkpoint has of it.
    async fn run_ends(&self, name: &str) -> Document {
        let mut ended = Document::new();
        eventually("the snapshot is over", async || {
            let saved = self.saved().await;
            ended = saved.get_document("ended").cloned().unwrap_or_default();
            ended.get_str("name").is_ok_and(|ended| ended == name)
        })
        .await;
        ended
    }

    /// All messages up to a change that is made now in the collection `end`.
    async fn take_all(&self) -> Vec<Delivery> {
        let id = ObjectId::new();
        let end = self.collection("end");
        end.insert_one(doc! { "_id": id }).await.unwrap();
        let mut is_end = |deliveries: &[Delivery]| {
            deliveries.last().is_some_and(|last| {
                let key = last.try_header("cdc-document-key").unwrap_or_default();
                last.header("cdc-operation") == "insert" && key.contains(&id.to_hex())
            })
        };
        self.take_until(&self.name, &mut is_end).await
    }

    async fn run_command(&self, command: Document) {
        let database = self.mongo.database(&self.name);
        database.run_command(command).await.unwrap();
    }

    /// Renames a collection of the watched database.
    async fn rename(&self, from: &str, to: &str) {
        let name = |collection| format!("{}.{collection}", self.name);
        let command = doc! { "renameCollection": name(from), "to": name(to) };
        self.mongo
            .database("admin")
            .run_command(command)
            .await
            .unwrap();
    }
}

/// Those that a snapshot read.
fn reads(deliveries: &[Delivery]) -> Vec<&Delivery> {
    let is_read = |delivery: &&Delivery| delivery.header("cdc-operation") == "read";
    deliveries.iter().filter(is_read).collect()
}

fn marks(delivery: &Delivery) -> String {
    delivery.try_header("cdc-snapshot-mark").unwrap_or_default()
}

#[tokio::test]
async fn a_pipeline_begins_with_every_document_that_exists_once_and_then_the_changes() {
    let mut scenario = beginning("initial").await;
    scenario
        .set("CDC_COLLECTIONS", "games,moves_*,end")
        .set("CDC_COLLECTIONS_EXCLUDE", "moves_tmp");
    for (collection, numbers) in [
        ("games", 0..300),
        ("moves_1", 0..200),
        ("moves_tmp", 0..10),
        ("others", 0..10),
    ] {
        scenario.fill(collection, numbers, 10).await;
    }
    let database = scenario.mongo.database(&scenario.name);
    let pipeline = [doc! { "$match": { "n": 1 } }];
    let view = database.create_collection("moves_view").view_on("games");
    view.pipeline(pipeline).await.unwrap();
    let engine = scenario.start().await;
    let ended = scenario.run_ends("initial").await;
    assert_eq!(ended.get_i64("documents").unwrap(), 500);
    scenario.fill("games", 300..310, 10).await;
    let deliveries = scenario.take_all().await;
    let read = reads(&deliveries);
    assert!(
        read.iter()
            .all(|read| read.header("cdc-snapshot") == "initial"),
        "each names the run"
    );
    let ids: std::collections::HashSet<_> = read.iter().map(|read| read.message_id()).collect();
    assert!(
        read.len() == 500 || read.len() == 501,
        "but for one that is read again to be marked"
    );
    assert_eq!(ids.len(), read.len());
    assert_eq!(marks(read[0]), "run-first,collection-first,range-first");
    assert_eq!(read[0].header("cdc-snapshot-range"), "1/2");
    let last = marks(read.last().unwrap());
    assert!(last.ends_with("collection-last,run-last"), "{last}");
    assert_eq!(deliveries.len(), read.len() + 11, "then the changes");
    let copy = Copy::of(&deliveries);
    assert_eq!(copy.is_exact(&scenario, "games").await, 310);
    assert_eq!(copy.is_exact(&scenario, "moves_1").await, 200);
    assert_eq!(
        copy.count(&scenario, "moves_tmp") + copy.count(&scenario, "others"),
        0
    );

    // The engine tells what became of a run within seconds.
    let status = ask(&scenario, &["snapshot", "status", "--watch"]).await;
    assert!(status.output.contains("initial"), "{}", status.output);
    let status = ask(&scenario, &["snapshot", "status"]).await.output;
    assert!(status.contains("initial  done"), "{status}");
    check(
        &engine.stop().await,
        0,
        &["left out of the snapshot", "it is a view"],
    );
    let engine = scenario.start().await;
    let again = scenario.take_all().await;
    assert_eq!(again.len(), 1, "nothing is read again");
    check(&engine.stop().await, 0, &[]);
}

#[tokio::test]
async fn what_no_snapshot_can_read_is_left_out_with_a_warning() {
    let scenario = beginning("left_out").await;
    scenario.create_all_kinds().await;
    let engine = scenario.start().await;
    let ended = scenario.run_ends("initial").await;
    let skipped = ended.get_array("skipped").unwrap();
    for (collection, reason) in [
        ("gains", "it is a view"),
        ("ticks", "it is a timeseries"),
        ("log", "capped"),
    ] {
        let named = |one: &&bson::Bson| {
            one.to_string()
                .contains(&format!("{}.{collection}", scenario.name))
        };
        let one = skipped.iter().find(named).unwrap().to_string();
        assert!(one.contains(reason), "{one}");
    }
    let deliveries = scenario.take_all().await;
    // Once more where it has to be marked.
    assert!((1..=2).contains(&reads(&deliveries).len()));
    check(
        &engine.stop().await,
        0,
        &["WARN", "left out of the snapshot"],
    );
}

#[tokio::test]
async fn a_checkpoint_with_a_run_under_way_is_none_of_an_older_release() {
    let mut scenario = beginning("version").await;
    scenario.set("CDC_SNAPSHOT_RATE", "200");
    scenario.fill("games", 0..600, 10).await;
    let engine = scenario.start().await;
    let version = async || {
        scenario
            .checkpoint()
            .await
            .unwrap()
            .get_i32("version")
            .unwrap()
    };
    scenario.run_has_read(1).await;
    assert_eq!(version().await, 2);
    scenario.run_ends("initial").await;
    assert_eq!(version().await, 1);
    check(&engine.stop().await, 0, &[]);
}

#[tokio::test]
async fn metrics_tell_how_far_a_run_is_and_what_it_waits_for() {
    let mut scenario = beginning("snapshot_metrics").await;
    scenario.set("CDC_SNAPSHOT_RATE", "200");
    scenario.fill("games", 0..600, 100).await;
    let engine = scenario.start().await;
    engine.metric_reaches("cdc_snapshot_running", 1.0).await;
    engine
        .metric_reaches("cdc_snapshot_run_documents_estimated", 600.0)
        .await;
    engine
        .metric_reaches("cdc_snapshot_run_documents", 1.0)
        .await;
    ask(&scenario, &["snapshot", "pause", "initial"])
        .await
        .check(0, &[]);
    let paused = format!(
        "cdc_snapshot_waiting{{pipeline=\"{}\",for=\"paused\"}} 1",
        scenario.name
    );
    eventually("the pause shows", async || {
        engine.get("/metrics").await.body.contains(&paused)
    })
    .await;
    ask(&scenario, &["snapshot", "resume", "initial"])
        .await
        .check(0, &[]);
    scenario.run_ends("initial").await;
    engine
        .metric_reaches("cdc_snapshot_documents_total", 600.0)
        .await;
    engine
        .metric_reaches("cdc_snapshot_bytes_total", 60_000.0)
        .await;
    engine
        .metric_reaches("cdc_snapshot_chunks_total", 4.0)
        .await;
    assert!(engine.metric("cdc_snapshot_running").await < 0.5);
    assert!(!engine.get("/metrics").await.body.contains(&paused));
    check(&engine.stop().await, 0, &[]);
}
