//! A long way of changes that nobody asked for, between the checkpoint and now.

use bson::{Timestamp, doc};

use crate::support::{MongoServer, Scenario, Signal, eventually, first_copies, setting};

/// Changes of another collection behind the checkpoint, enough for some seconds of the server's time. The proof with
/// 8,000,000 sets `CDC_TEST_FOREIGN_CHANGES`.
const FOREIGN_CHANGES: u32 = 1_200_000;

/// A replica set of one with an oplog that holds all that a test writes, and a place on it.
pub(crate) async fn alone(label: &str) -> (MongoServer, Scenario) {
    let server = MongoServer::start(&["--replSet", "alone", "--oplogSize", "8192"]).await;
    server.initiate("alone").await;
    let mut scenario = Scenario::new(label).await;
    let uri = server.uri("replicaSet=alone");
    scenario.mongo = mongodb::Client::with_uri_str(&uri).await.unwrap();
    scenario.set("MONGO_DATABASE_HOST", uri);
    (server, scenario)
}

impl Scenario {
    /// Makes `count` changes of a collection that is not watched, as fast as the server can.
    async fn change_another_collection(&self, count: u32) {
        const DOCUMENTS: u32 = 10_000;
        let other = self.collection("other");
        let documents = (0..DOCUMENTS).map(|number| doc! { "_id": number, "n": 0 });
        other.insert_many(documents).await.unwrap();
        for _ in 0..count / DOCUMENTS {
            let update = doc! { "$inc": { "n": 1 } };
            other.update_many(doc! {}, update).await.unwrap();
        }
    }

    async fn deliver(&self, range: std::ops::Range<i32>) {
        let count = range.len();
        let engine = self.start().await;
        self.insert_numbers(range.clone()).await;
        let deliveries = self.take_numbers(count).await;
        assert_eq!(first_copies(&deliveries), range.collect::<Vec<_>>());
        assert_eq!(engine.stop().await.code, Some(0));
    }

    /// Waits until the checkpoint is later than `start`, and returns its time.
    pub(crate) async fn checkpoint_after(&self, start: Timestamp) -> Timestamp {
        let mut time = start;
        eventually("the checkpoint moves", async || {
            time = self.checkpoint_time().await;
            time > start
        })
        .await;
        time
    }
}

/// The server looks through all of it before it finds something to send. The engine learns how far it has come, saves
/// that, and goes on from there when it is killed.
#[tokio::test]
async fn a_long_way_of_foreign_changes_is_read_in_steps_that_a_kill_does_not_undo() {
    let (_server, mut scenario) = alone("catching_up").await;
    scenario.set("CDC_COLLECTIONS", "numbers");
    scenario.deliver(0..10).await;
    let start = scenario.checkpoint_time().await;
    let count = setting("CDC_TEST_FOREIGN_CHANGES");
    let count = count.map_or(FOREIGN_CHANGES, |text| text.parse().unwrap());
    scenario.change_another_collection(count).await;
    let end = scenario.now().await;
    scenario.insert_numbers(10..20).await;

    let engine = scenario.start().await;
    let mut reached = scenario.checkpoint_after(start).await;
    engine.kill().await;
    assert!(
        reached < end,
        "{reached:?} is not on the way from {start:?} to {end:?}"
    );

    let engine = scenario.start().await;
    while reached < end {
        reached = scenario.checkpoint_after(reached).await;
    }
    let deliveries = scenario.take_numbers(10).await;
    assert_eq!(first_copies(&deliveries), (10..20).collect::<Vec<_>>());
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    for fault in [
        "has not answered a read yet",
        "the server refused the position",
    ] {
        assert!(!finished.log.contains(fault), "{}", finished.log);
    }
}

/// A batch that is not full lets the server look on, so what is wanted is skimmed too, a row at a time that gets longer.
#[tokio::test]
async fn what_is_wanted_before_a_long_way_of_foreign_changes_comes_in_few_rows() {
    const WANTED: i32 = 8_000;
    let (_server, mut scenario) = alone("rows").await;
    scenario.set("CDC_COLLECTIONS", "numbers");
    scenario.deliver(0..10).await;
    let small = (10..WANTED).map(|number| doc! { "_id": number });
    let numbers = scenario.collection("numbers");
    numbers.insert_many(small).await.unwrap();
    scenario.change_another_collection(FOREIGN_CHANGES).await;
    let engine = scenario.start().await;
    eventually("all that is wanted is there", async || {
        scenario.ready().await >= u32::try_from(WANTED - 10).unwrap()
    })
    .await;
    let finished = engine.stop().await;
    let rows = finished.log.matches("skimming").count();
    assert!((1..10).contains(&rows), "{rows}: {}", finished.log);
}

#[tokio::test]
async fn a_server_that_is_dead_is_not_taken_for_one_that_is_busy() {
    let (server, scenario) = alone("dead").await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    scenario.take_numbers(10).await;
    server.signal(Signal::STOP);
    engine.wait_for("change stream lost").await;
    server.signal(Signal::CONT);
    scenario.insert_numbers(10..20).await;
    let deliveries = scenario.take_numbers(10).await;
    assert_eq!(first_copies(&deliveries), (10..20).collect::<Vec<_>>());
    assert_eq!(engine.stop().await.code, Some(0));
}
