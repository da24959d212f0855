//! Streams that end: what ends them is delivered where it was asked for, and reading goes on after it.

use bson::{Bson, Document, doc};

use super::numbers;
use crate::support::{Delivery, Scenario, first_copies};

impl Scenario {
    /// Renames, drops and drops the database, with inserts between them all.
    async fn upheaval(&self) {
        let insert = async |collection: &str, number: i32| {
            let document = doc! { "_id": number, "n": number };
            self.collection(collection)
                .insert_one(document)
                .await
                .unwrap();
        };
        insert("first", 0).await;
        let (from, to) = (
            format!("{}.first", self.name),
            format!("{}.second", self.name),
        );
        let rename = doc! { "renameCollection": from, "to": to };
        self.mongo
            .database("admin")
            .run_command(rename)
            .await
            .unwrap();
        insert("second", 1).await;
        self.collection("second").drop().await.unwrap();
        insert("third", 2).await;
        self.mongo.database(&self.name).drop().await.unwrap();
        insert("fourth", 3).await;
    }
}

fn operations(deliveries: &[Delivery]) -> Vec<String> {
    let of = |delivery: &Delivery| delivery.header("cdc-operation");
    deliveries.iter().map(of).collect()
}

const UPHEAVAL: [&str; 10] = [
    "insert",
    "rename",
    "insert",
    "drop",
    "insert",
    "drop",
    "dropDatabase",
    "invalidate",
    "insert",
    "insert",
];

#[tokio::test]
async fn what_ends_a_stream_is_delivered_and_reading_goes_on_after_it() {
    let mut scenario = Scenario::new("upheaval").await;
    scenario.set(
        "CDC_OPERATIONS",
        "insert,drop,rename,dropDatabase,invalidate",
    );
    let engine = scenario.start().await;
    scenario.upheaval().await;
    scenario
        .collection("fifth")
        .insert_one(doc! { "_id": 4, "n": 4 })
        .await
        .unwrap();
    let deliveries = scenario.take(UPHEAVAL.len()).await;
    assert_eq!(operations(&deliveries), UPHEAVAL);
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    assert!(
        finished.log.contains("change stream open again"),
        "{}",
        finished.log
    );
    scenario.is_empty().await;
}

#[tokio::test]
async fn a_stream_that_ended_while_nobody_read_it_is_read_to_its_end_and_beyond() {
    let mut scenario = Scenario::new("upheaval_away").await;
    scenario.set(
        "CDC_OPERATIONS",
        "insert,drop,rename,dropDatabase,invalidate",
    );
    assert_eq!(scenario.start().await.stop().await.code, Some(0));
    scenario.upheaval().await;
    let engine = scenario.start().await;
    let first = scenario.take(UPHEAVAL.len() - 1).await;
    assert_eq!(operations(&first), UPHEAVAL[..UPHEAVAL.len() - 1]);
    engine.kill().await;
}

#[tokio::test]
async fn a_checkpoint_at_an_invalidate_is_a_place_to_go_on_from() {
    let mut scenario = Scenario::new("invalidate").await;
    assert_eq!(scenario.start().await.stop().await.code, Some(0));
    let database = scenario.mongo.database(&scenario.name);
    scenario.insert_numbers(0..1).await;
    let mut stream = database.watch().await.unwrap().with_type::<Document>();
    database.drop().await.unwrap();
    let invalidate = loop {
        let event = stream.next_if_any().await.unwrap().unwrap_or_default();
        if event.get("operationType") == Some(&Bson::from("invalidate")) {
            break event;
        }
    };
    let place = doc! { "resume_token": invalidate.get("_id"), "cluster_time": invalidate.get("clusterTime") };
    scenario.set_checkpoint(place).await;
    scenario.set("CDC_OPERATIONS", "insert,invalidate");
    scenario.insert_numbers(0..10).await;
    let engine = scenario.start().await;
    let deliveries = scenario.take(10).await;
    assert!(
        operations(&deliveries)
            .iter()
            .all(|operation| operation == "insert")
    );
    assert_eq!(first_copies(&deliveries), numbers(0..10));
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_stream_that_ended_is_reopened_when_nobody_asked_for_the_reason() {
    let mut scenario = Scenario::new("upheaval_silent").await;
    scenario.set("CDC_COLLECTIONS", "first,second,third,fourth");
    let engine = scenario.start().await;
    scenario.upheaval().await;
    let deliveries = scenario.take(4).await;
    assert_eq!(first_copies(&deliveries), numbers(0..4));
    assert_eq!(engine.stop().await.code, Some(0));
}
