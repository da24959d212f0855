//! Places that the server refuses or has forgotten: nothing is lost, and nothing is skipped unless the user chose so.

mod stream_end;

use std::time::Duration;

use bson::{Bson, Document, Timestamp, doc};
use mongodb::options::ReturnDocument;

use crate::support::{Delivery, MongoServer, Scenario, Signal, eventually, first_copies, token_of};

/// A replica set of one whose oplog forgets within seconds, and a place on it.
pub(crate) async fn forgetful(label: &str) -> (MongoServer, Scenario) {
    // With a checkpoint of the storage engine each second, since the oplog is cut only up to the last one.
    let arguments = [
        "--replSet",
        "forgetful",
        "--oplogSize",
        "1",
        "--syncdelay",
        "1",
    ];
    let server = MongoServer::start(&arguments).await;
    server.initiate("forgetful").await;
    let mut scenario = Scenario::new(label).await;
    let uri = server.uri("replicaSet=forgetful");
    scenario.mongo = mongodb::Client::with_uri_str(&uri).await.unwrap();
    scenario.set("MONGO_DATABASE_HOST", uri);
    (server, scenario)
}

impl Scenario {
    /// The oldest time that the oplog still holds.
    async fn oldest(&self) -> Timestamp {
        let oplog = self
            .mongo
            .database("local")
            .collection::<Document>("oplog.rs");
        let first = oplog.find_one(doc! {}).await.unwrap().unwrap();
        first.get_timestamp("ts").unwrap()
    }

    /// Fills the oplog through `collection` until everything up to now has left it.
    pub(crate) async fn forget(&self, database: &str, collection: &str) {
        let ping = doc! { "hello": 1 };
        let answer = self
            .mongo
            .database("admin")
            .run_command(ping)
            .await
            .unwrap();
        let now = answer.get_timestamp("operationTime").unwrap();
        eventually("the oplog has forgotten", async || {
            self.write_foreign(database, collection).await;
            self.oldest().await > now
        })
        .await;
    }

    /// Writes 2 MB that no test expects.
    async fn write_foreign(&self, database: &str, collection: &str) {
        let foreign = self.mongo.database(database).collection(collection);
        let documents = (0..20).map(|_| doc! { "pad": "x".repeat(100_000) });
        foreign.insert_many(documents).await.unwrap();
    }

    /// Changes the checkpoint behind the engine's back.
    async fn set_checkpoint(&self, change: Document) {
        let checkpoints = self.checkpoints();
        let changed = checkpoints
            .find_one_and_update(doc! { "_id": &self.name }, doc! { "$set": change })
            .return_document(ReturnDocument::After)
            .await;
        changed.unwrap().expect("a checkpoint");
    }

    /// Runs an engine that delivers the numbers 0 to 9 and stops; what was delivered.
    async fn deliver_ten(&self) -> Vec<Delivery> {
        let engine = self.start().await;
        self.insert_numbers(0..10).await;
        let deliveries = self.take_numbers(10).await;
        let finished = engine.stop().await;
        assert_eq!(finished.code, Some(0), "{}", finished.log);
        deliveries
    }
}

fn numbers(range: std::ops::Range<i32>) -> Vec<i32> {
    range.collect()
}

/// The field `name` of a log line, `name=value` or `name="value"`.
fn field<'a>(log: &'a str, name: &str) -> &'a str {
    let (_, rest) = log
        .split_once(&format!("{name}="))
        .unwrap_or_else(|| panic!("no {name} in:\n{log}"));
    rest.trim_start_matches('"')
        .split(['"', ' ', '\n'])
        .next()
        .unwrap()
}

fn time_text(time: Timestamp) -> String {
    format!("{}:{}", time.time, time.increment)
}

#[tokio::test]
async fn lost_history_stops_the_engine_unless_told_otherwise_and_the_checkpoint_stays() {
    let (_server, scenario) = forgetful("lost_stop").await;
    scenario.deliver_ten().await;
    scenario.insert_numbers(10..20).await;
    scenario.forget("foreign", "writes").await;
    let before = scenario.checkpoint().await.unwrap();
    let finished = scenario.spawn().finish().await;
    assert_eq!(finished.code, Some(1), "{}", finished.log);
    let place = format!(
        "cannot resume from the checkpoint, after cluster time {}",
        time_text(scenario.checkpoint_time().await)
    );
    for part in [
        place.as_str(),
        "(code 286, ChangeStreamHistoryLost)",
        "hint: ",
        "CDC_ON_HISTORY_LOST=skip",
    ] {
        assert!(
            finished.log.contains(part),
            "no `{part}` in:\n{}",
            finished.log
        );
    }
    assert!(
        !finished.log.contains(&token_of(&before)),
        "{}",
        finished.log
    );
    assert_eq!(
        token_of(&scenario.checkpoint().await.unwrap()),
        token_of(&before)
    );
}

#[tokio::test]
async fn lost_history_is_skipped_where_that_was_chosen_loudly_and_once() {
    let (_server, mut scenario) = forgetful("lost_skip").await;
    scenario.deliver_ten().await;
    let lost_from = scenario.checkpoint_time().await;
    scenario.forget("foreign", "writes").await;
    scenario.set("CDC_ON_HISTORY_LOST", "skip");
    let engine = scenario.start().await;
    let log = engine.log();
    assert!(log.contains("CHANGES LOST"), "{log}");
    assert_eq!(field(&log, "skipped_from"), time_text(lost_from));
    // Before any event: the next start must not find the same hole.
    eventually("the checkpoint is past the hole", async || {
        scenario.checkpoint_time().await > lost_from
    })
    .await;
    assert!(field(&log, "skipped_to") <= time_text(scenario.checkpoint_time().await).as_str());
    engine.kill().await;
    scenario.insert_numbers(10..20).await;
    scenario.set("CDC_ON_HISTORY_LOST", "stop");
    let engine = scenario.start().await;
    scenario.insert_numbers(20..30).await;
    let deliveries = scenario.take_numbers(20).await;
    assert_eq!(first_copies(&deliveries), numbers(10..30));
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
}

#[tokio::test]
async fn a_first_position_that_was_lost_before_any_event_follows_the_same_choice() {
    let (_server, mut scenario) = forgetful("lost_first").await;
    scenario.deliver_ten().await;
    let first = scenario.checkpoint_time().await;
    scenario
        .set_checkpoint(doc! { "resume_token": Bson::Null, "cluster_time": first })
        .await;
    scenario.forget("foreign", "writes").await;
    let finished = scenario.spawn().finish().await;
    assert_eq!(finished.code, Some(1), "{}", finished.log);
    let place = format!(
        "cannot resume from the checkpoint, at cluster time {}",
        time_text(first)
    );
    assert!(finished.log.contains(&place), "{}", finished.log);
    scenario.set("CDC_ON_HISTORY_LOST", "skip");
    let engine = scenario.start().await;
    assert_eq!(field(&engine.log(), "skipped_from"), time_text(first));
    scenario.insert_numbers(20..30).await;
    assert_eq!(
        first_copies(&scenario.take_numbers(10).await),
        numbers(20..30)
    );
}

#[tokio::test]
async fn history_lost_under_a_running_engine_follows_the_same_choice() {
    for policy in ["stop", "skip"] {
        let (_server, mut scenario) = forgetful(&format!("lost_running_{policy}")).await;
        scenario.set("CDC_ON_HISTORY_LOST", policy);
        let engine = scenario.start().await;
        scenario.insert_numbers(0..10).await;
        scenario.take_numbers(10).await;
        engine.signal(Signal::STOP);
        // Longer than a read waits: the one under way must not take the cursor along.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        scenario.forget("foreign", "writes").await;
        engine.signal(Signal::CONT);
        if policy == "stop" {
            let finished = engine.finish().await;
            assert_eq!(finished.code, Some(1), "{}", finished.log);
            assert!(
                finished.log.contains("(code 286, ChangeStreamHistoryLost)"),
                "{}",
                finished.log
            );
            continue;
        }
        engine.wait_for("CHANGES LOST").await;
        engine.wait_for("change stream open again").await;
        scenario.insert_numbers(20..30).await;
        assert_eq!(
            first_copies(&scenario.take_numbers(10).await),
            numbers(20..30)
        );
        assert_eq!(engine.stop().await.code, Some(0));
    }
}

#[tokio::test]
async fn a_checkpoint_of_the_clusters_future_is_not_waited_for_in_silence() {
    let mut scenario = Scenario::new("ahead").await;
    scenario.deliver_ten().await;
    let mut time = scenario.checkpoint_time().await;
    time.time += 3_600;
    let place = doc! { "resume_token": Bson::Null, "cluster_time": time };
    scenario.set_checkpoint(place).await;
    let finished = scenario.spawn().finish().await;
    assert_eq!(finished.code, Some(1), "{}", finished.log);
    for part in [
        "is later than the cluster's own time",
        "hint: the cluster was restored",
    ] {
        assert!(
            finished.log.contains(part),
            "no `{part}` in:\n{}",
            finished.log
        );
    }
    scenario.set("CDC_ON_HISTORY_LOST", "skip");
    let engine = scenario.start().await;
    assert!(engine.log().contains("CHANGES LOST"), "{}", engine.log());
    scenario.insert_numbers(20..30).await;
    assert_eq!(
        first_copies(&scenario.take_numbers(10).await),
        numbers(20..30)
    );
}

/// The checkpoint's token is refused, its cluster time is still in the oplog.
async fn goes_on_from_the_cluster_time(scenario: &Scenario, token: &str, code: &str) {
    let mut deliveries = scenario.deliver_ten().await;
    scenario
        .set_checkpoint(doc! { "resume_token._data": token })
        .await;
    scenario.insert_numbers(10..20).await;
    let engine = scenario.start().await;
    scenario.insert_numbers(20..30).await;
    engine.wait_for("the server refused the position").await;
    // The number 9 again, since its time is the place.
    deliveries.extend(scenario.take_numbers(21).await);
    assert_eq!(first_copies(&deliveries), numbers(0..30));
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    assert!(
        finished.log.contains(code),
        "no `{code}` in:\n{}",
        finished.log
    );
    assert!(
        !finished.log.contains("CHANGES LOST") && !finished.log.contains("_data"),
        "{}",
        finished.log
    );
}

#[tokio::test]
async fn a_token_that_the_server_cannot_read_is_replaced_by_its_cluster_time() {
    let scenario = Scenario::new("token_cut").await;
    goes_on_from_the_cluster_time(&scenario, "826B05", "(code ").await;
}

#[tokio::test]
async fn a_token_of_another_stream_is_replaced_by_its_cluster_time() {
    let scenario = Scenario::new("token_other").await;
    let other = scenario.mongo.database(&format!("{}_other", scenario.name));
    let mut stream = other.watch().await.unwrap();
    other
        .collection("strays")
        .insert_one(doc! { "_id": "stray" })
        .await
        .unwrap();
    while stream.next_if_any().await.unwrap().is_none() {}
    let token = bson::serialize_to_document(&stream.resume_token().unwrap()).unwrap();
    let token = token.get_str("_data").unwrap();
    goes_on_from_the_cluster_time(&scenario, token, "(code 280, ChangeStreamFatalError)").await;
}

#[tokio::test]
async fn a_filter_that_let_nothing_through_for_long_does_not_lose_the_place() {
    let (_server, mut scenario) = forgetful("idle").await;
    scenario
        .set("CDC_COLLECTIONS", "numbers")
        .set("CDC_CHECKPOINT_INTERVAL_MS", "50");
    let engine = scenario.start().await;
    scenario.insert_numbers(0..1).await;
    scenario.take_numbers(1).await;
    let delivered = scenario.checkpoint_time().await;
    scenario.forget(&scenario.name, "unwatched").await;
    let forgotten = scenario.oldest().await;
    assert!(forgotten > delivered, "the place of the last event is gone");
    eventually("the checkpoint is where the oplog still is", async || {
        scenario.checkpoint_time().await > forgotten
    })
    .await;
    engine.kill().await;
    scenario.insert_numbers(1..2).await;
    let engine = scenario.start().await;
    scenario.insert_numbers(2..3).await;
    assert_eq!(first_copies(&scenario.take_numbers(2).await), [1, 2]);
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
}
