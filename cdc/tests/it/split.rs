//! Change events over 16 MB: put together from their parts where the server splits them, a clear stop elsewhere.

use bson::{Document, doc};

use crate::support::{Delivery, MongoServer, Scenario, first_copies};

/// Bytes of the field that is updated; it comes twice in the event, in the document and in what changed of it.
const FIELD_BYTES: usize = 9_000_000;

/// A place on a server that splits large events, of which the engine watches inserts and updates.
async fn on_a_splitting_server(label: &str) -> (MongoServer, Scenario) {
    let server = MongoServer::start_program("CDC_TEST_MONGOD_SPLIT", &["--replSet", "split"]).await;
    server.initiate("split").await;
    let mut scenario = large_updates(label).await;
    let uri = server.uri("replicaSet=split");
    scenario.mongo = mongodb::Client::with_uri_str(&uri).await.unwrap();
    scenario.set("MONGO_DATABASE_HOST", uri);
    (server, scenario)
}

async fn large_updates(label: &str) -> Scenario {
    let mut scenario = Scenario::new(label).await;
    scenario
        .set("CDC_OPERATIONS", "insert,update")
        .set("CDC_FORMAT", "event");
    scenario
}

impl Scenario {
    /// One update whose event is over 16 MB, between small events.
    async fn update_largely(&self) {
        self.insert_numbers(0..2).await;
        let change = doc! { "$set": { "pad": "y".repeat(FIELD_BYTES) } };
        let numbers = self.collection("numbers");
        numbers.update_one(doc! { "_id": 0 }, change).await.unwrap();
        self.insert_numbers(2..4).await;
    }

    /// The token of the last part, as a client of the server's own sees it.
    async fn last_part(&self, position: &Document) -> String {
        let token = position.get_document("resume_token").unwrap();
        let token: mongodb::change_stream::event::ResumeToken =
            bson::deserialize_from_document(token.clone()).unwrap();
        let database = self.mongo.database(&self.name);
        let stream = database
            .watch()
            .start_after(token)
            .full_document(mongodb::options::FullDocumentType::UpdateLookup)
            .pipeline([doc! { "$changeStreamSplitLargeEvent": {} }]);
        let mut stream = stream.await.unwrap().with_type::<Document>();
        loop {
            let Some(part) = stream.next_if_any().await.unwrap() else {
                continue;
            };
            let mark = part.get_document("splitEvent");
            if mark.is_ok_and(|mark| mark.get("fragment") == mark.get("of")) {
                let token = part.get_document("_id").unwrap();
                return token.get_str("_data").unwrap().to_owned();
            }
        }
    }
}

/// The kinds of the events in order.
fn operations(deliveries: &[Delivery]) -> Vec<String> {
    let of = |delivery: &Delivery| delivery.header("cdc-operation");
    deliveries.iter().map(of).collect()
}

#[tokio::test]
async fn an_event_over_16_mb_arrives_whole_in_its_place_and_again_with_the_same_id() {
    let (_server, scenario) = on_a_splitting_server("split").await;
    let engine = scenario.start().await;
    scenario
        .collection("before")
        .insert_one(doc! { "_id": 0 })
        .await
        .unwrap();
    scenario.take(1).await;
    assert_eq!(engine.stop().await.code, Some(0));
    let before = scenario.checkpoint().await.unwrap();

    scenario.update_largely().await;
    let engine = scenario.start().await;
    let deliveries = scenario.take(5).await;
    assert_eq!(
        operations(&deliveries),
        ["insert", "insert", "update", "insert", "insert"]
    );
    let event = deliveries[2].json();
    let text = "y".repeat(FIELD_BYTES);
    assert_eq!(event["fullDocument"]["pad"], text);
    assert_eq!(event["updateDescription"]["updatedFields"]["pad"], text);
    assert_eq!(event["documentKey"]["_id"], 0);
    assert!(event.get("splitEvent").is_none());
    assert_eq!(event["_id"]["_data"], scenario.last_part(&before).await);
    assert_eq!(engine.stop().await.code, Some(0));

    // Once more from the checkpoint before it.
    let again = doc! { "resume_token": before.get("resume_token"), "cluster_time": before.get("cluster_time") };
    let checkpoint = doc! { "_id": &scenario.name };
    scenario
        .checkpoints()
        .update_one(checkpoint, doc! { "$set": again })
        .await
        .unwrap();
    let engine = scenario.start().await;
    let replays = scenario.take(5).await;
    let ids = |deliveries: &[Delivery]| {
        deliveries
            .iter()
            .map(Delivery::message_id)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&replays), ids(&deliveries));
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn the_checkpoint_after_a_large_event_is_a_place_to_go_on_from() {
    let (_server, mut scenario) = on_a_splitting_server("split_resume").await;
    scenario
        .set("CDC_OPERATIONS", "update")
        .set("CDC_CHECKPOINT_INTERVAL_MS", "10");
    let engine = scenario.start().await;
    scenario.update_largely().await;
    scenario.take(1).await;
    assert_eq!(engine.stop().await.code, Some(0));
    scenario
        .set("CDC_OPERATIONS", "insert,update")
        .set("CDC_FORMAT", "document");
    let engine = scenario.start().await;
    scenario.insert_numbers(4..6).await;
    let deliveries = scenario.take(2).await;
    let numbers = first_copies(&deliveries);
    assert_eq!(numbers.last().unwrap() - numbers[0], 1, "{numbers:?}");
    assert_eq!(operations(&deliveries), ["insert", "insert"]);
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn an_event_over_16_mb_stops_the_engine_where_the_server_cannot_split_it() {
    let scenario = large_updates("too_large").await;
    let engine = scenario.start().await;
    scenario.update_largely().await;
    let finished = engine.finish().await;
    assert_eq!(finished.code, Some(1), "{}", finished.log);
    let what = format!("a change event of `{}` after cluster time ", scenario.name);
    for part in [
        what.as_str(),
        "larger than the server can send",
        "hint: MongoDB 6.0.9 and later",
    ] {
        assert!(
            finished.log.contains(part),
            "no `{part}` in:\n{}",
            finished.log
        );
    }
    assert!(
        !finished.log.contains("_data"),
        "no token in the log:\n{}",
        finished.log
    );
    // What came before it is delivered, and it is still first in line for the next engine.
    assert_eq!(operations(&scenario.take(2).await), ["insert", "insert"]);
    let again = scenario.spawn().finish().await;
    assert_eq!(again.code, Some(1), "{}", again.log);
    assert!(
        again.log.contains("larger than the server can send"),
        "{}",
        again.log
    );
    assert_eq!(scenario.ready().await, 0);
}
