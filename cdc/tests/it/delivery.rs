//! Every change arrives: in order, at least once, with its properties.

use bson::{Bson, DateTime, doc, oid::ObjectId};
use serde_json::json;

use crate::support::{Delivery, Scenario, Writer, first_copies};

fn numbers(deliveries: &[Delivery]) -> Vec<i32> {
    deliveries.iter().map(Delivery::number).collect()
}

#[tokio::test]
async fn an_insert_arrives_in_the_seeds_format_with_all_properties() {
    let scenario = Scenario::new("insert").await;
    let engine = scenario.start().await;
    let id = ObjectId::new();
    let before = DateTime::now().timestamp_millis();
    let document = doc! { "_id": id, "word": "quiz", "at": DateTime::from_millis(1_700_000_000_123), "score": 48 };
    scenario
        .collection("moves")
        .insert_one(document)
        .await
        .unwrap();

    let delivery = scenario.take(1).await.remove(0);
    let body = format!(
        r#"{{"word":"quiz","at":{{"$date":"2023-11-14T22:13:20.123Z"}},"score":48,"type":"moves","entry_id":"{id}"}}"#
    );
    assert_eq!(std::str::from_utf8(&delivery.body).unwrap(), body);
    assert_eq!(delivery.routing_key, scenario.name);
    let properties = &delivery.properties;
    assert_eq!(*properties.delivery_mode(), Some(2));
    assert_eq!(
        properties.content_type().as_ref().unwrap().as_str(),
        "application/json"
    );
    assert_eq!(properties.kind().as_ref().unwrap().as_str(), "insert");
    assert_eq!(properties.app_id().as_ref().unwrap().as_str(), "cdc");
    assert_eq!(delivery.message_id().len(), 32);
    let wall_time_ms: i64 = delivery.header("cdc-wall-time-ms").parse().unwrap();
    assert!(
        (before - 1_000..=before + 60_000).contains(&wall_time_ms),
        "{wall_time_ms} is about now"
    );
    assert_eq!(
        i64::try_from(properties.timestamp().unwrap()).unwrap(),
        wall_time_ms / 1000
    );
    assert_eq!(
        delivery.header("cdc-namespace"),
        format!("{}.moves", scenario.name)
    );
    assert_eq!(delivery.header("cdc-operation"), "insert");
    assert_eq!(
        delivery.header("cdc-document-key"),
        format!(r#"{{"_id":{{"$oid":"{id}"}}}}"#)
    );
    let (seconds, increment) = delivery
        .header("cdc-cluster-time")
        .split_once(':')
        .map(|(a, b)| (a.len(), b.len()))
        .unwrap();
    assert!(seconds == 10 && increment > 0);
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn ids_of_different_types_are_told_apart_and_replaced_fields_are_said_once() {
    let scenario = Scenario::new("ids").await;
    let engine = scenario.start().await;
    let id = ObjectId::new();
    let ids: [Bson; 6] = [
        1.into(),
        "1".into(),
        1.5.into(),
        "1.5".into(),
        id.into(),
        id.to_hex().into(),
    ];
    let documents = ids.map(|id| doc! { "_id": id, "type": "theirs" });
    let collection = scenario.collection("moves");
    collection.insert_many(documents).await.unwrap();
    let deliveries = scenario.take(6).await;
    let keys = deliveries.iter().map(|one| one.header("cdc-document-key"));
    let keys: Vec<String> = keys.collect();
    let wanted = [
        r#"{"$numberInt":"1"}"#.to_owned(),
        r#""1""#.to_owned(),
        r#"{"$numberDouble":"1.5"}"#.to_owned(),
        r#""1.5""#.to_owned(),
        format!(r#"{{"$oid":"{id}"}}"#),
        format!(r#""{id}""#),
    ];
    assert_eq!(keys, wanted.map(|id| format!(r#"{{"_id":{id}}}"#)));
    engine
        .metric_reaches("cdc_messages_with_replaced_fields_total", 6.0)
        .await;
    let finished = engine.stop().await;
    assert_eq!(
        finished.log.matches("field `type` or `entry_id`").count(),
        1
    );
}

#[tokio::test]
async fn thousands_arrive_once_and_in_order() {
    let scenario = Scenario::new("order").await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..5_000).await;
    let deliveries = scenario.take(5_000).await;
    assert_eq!(numbers(&deliveries), (0..5_000).collect::<Vec<_>>());
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    assert!(
        !finished.log.contains("WARN") && !finished.log.contains("ERROR"),
        "{}",
        finished.log
    );
}

#[tokio::test]
async fn all_operations_arrive_as_whole_events_when_asked_for() {
    let mut scenario = Scenario::new("operations").await;
    scenario
        .set("CDC_OPERATIONS", "insert,update,replace,delete")
        .set("CDC_FORMAT", "event");
    let engine = scenario.start().await;
    let moves = scenario.collection("moves");
    moves
        .insert_one(doc! { "_id": 1, "score": 5_i64 })
        .await
        .unwrap();
    moves
        .update_one(doc! { "_id": 1 }, doc! { "$set": { "score": 6_i64 } })
        .await
        .unwrap();
    moves
        .replace_one(doc! { "_id": 1 }, doc! { "word": "za" })
        .await
        .unwrap();
    moves.delete_one(doc! { "_id": 1 }).await.unwrap();
    let events: Vec<_> = scenario.take(4).await.iter().map(Delivery::json).collect();
    let operations: Vec<_> = events
        .iter()
        .map(|event| event["operationType"].as_str().unwrap())
        .collect();
    assert_eq!(operations, ["insert", "update", "replace", "delete"]);
    assert_eq!(events[0]["fullDocument"], json!({ "_id": 1, "score": 5 }));
    assert_eq!(
        events[1]["updateDescription"]["updatedFields"],
        json!({ "score": 6 })
    );
    assert!(
        events[1]["fullDocument"].is_object(),
        "an update carries the document"
    );
    assert_eq!(events[2]["fullDocument"], json!({ "_id": 1, "word": "za" }));
    assert_eq!(events[3]["documentKey"], json!({ "_id": 1 }));
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_delete_in_the_document_format_names_what_is_gone() {
    let mut scenario = Scenario::new("delete").await;
    scenario
        .set("CDC_OPERATIONS", "delete")
        .set("CDC_JSON_MODE", "canonical");
    let _engine = scenario.start().await;
    scenario
        .collection("moves")
        .insert_one(doc! { "_id": 7, "score": 1 })
        .await
        .unwrap();
    scenario
        .collection("moves")
        .delete_one(doc! { "_id": 7 })
        .await
        .unwrap();
    let delivery = scenario.take(1).await.remove(0);
    assert_eq!(
        delivery.json(),
        json!({ "type": "moves", "entry_id": "{\"$numberInt\":\"7\"}" })
    );
}

#[tokio::test]
async fn only_the_collections_asked_for_arrive() {
    let mut scenario = Scenario::new("filter").await;
    scenario.set("CDC_COLLECTIONS", "games, moves");
    let engine = scenario.start().await;
    for collection in ["players", "games", "words", "moves"] {
        scenario
            .collection(collection)
            .insert_one(doc! { "_id": 1 })
            .await
            .unwrap();
    }
    let arrived: Vec<_> = scenario
        .take(2)
        .await
        .iter()
        .map(|delivery| delivery.json()["type"].clone())
        .collect();
    assert_eq!(arrived, ["games", "moves"]);
    assert_eq!(engine.stop().await.code, Some(0));
    scenario.is_empty().await;
}

#[tokio::test]
async fn changes_of_one_transaction_have_different_ids() {
    let scenario = Scenario::new("transaction").await;
    scenario
        .mongo
        .database(&scenario.name)
        .create_collection("moves")
        .await
        .unwrap();
    let _engine = scenario.start().await;
    let mut session = scenario.mongo.start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    for number in 0..20 {
        let document = doc! { "_id": number, "n": number };
        scenario
            .collection("moves")
            .insert_one(document)
            .session(&mut session)
            .await
            .unwrap();
    }
    session.commit_transaction().await.unwrap();
    let deliveries = scenario.take(20).await;
    assert_eq!(numbers(&deliveries), (0..20).collect::<Vec<_>>());
    let times: std::collections::HashSet<_> = deliveries
        .iter()
        .map(|delivery| delivery.header("cdc-cluster-time"))
        .collect();
    assert_eq!(times.len(), 1, "one transaction has one cluster time");
    let ids: std::collections::HashSet<_> = deliveries.iter().map(Delivery::message_id).collect();
    assert_eq!(ids.len(), 20);
}

#[tokio::test]
async fn an_exchange_and_a_routing_key_template_are_used() {
    let mut scenario = Scenario::new("exchange").await;
    let exchange = format!("{}_exchange", scenario.name);
    scenario.declare_exchange(&exchange).await;
    scenario
        .declare("words_only", lapin::types::FieldTable::default())
        .await;
    let queue = format!("{}_words", scenario.name);
    scenario
        .declare(&queue, lapin::types::FieldTable::default())
        .await;
    scenario.bind(&queue, &exchange, "#").await;
    scenario.set("RABBITMQ_EXCHANGE", &exchange).set(
        "RABBITMQ_ROUTING_KEY",
        "{database}.{collection}.{operation}",
    );
    let _engine = scenario.start().await;
    scenario
        .collection("words")
        .insert_one(doc! { "_id": 1 })
        .await
        .unwrap();
    let delivery = scenario.take_from(&queue, 1).await.remove(0);
    assert_eq!(
        delivery.routing_key,
        format!("{}.words.insert", scenario.name)
    );
}

#[tokio::test]
async fn the_start_position_is_durable_before_the_first_event() {
    let scenario = Scenario::new("first_second").await;
    // No engine lives long enough to save a checkpoint of its own.
    scenario.start().await.kill().await;
    scenario.insert_numbers(0..10).await;
    let _engine = scenario.start().await;
    assert_eq!(
        numbers(&scenario.take(10).await),
        (0..10).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn what_was_inserted_before_the_first_start_is_not_a_change() {
    let scenario = Scenario::new("before").await;
    scenario.insert_numbers(0..10).await;
    let _engine = scenario.start().await;
    scenario.insert_numbers(10..20).await;
    assert_eq!(
        numbers(&scenario.take(10).await),
        (10..20).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn five_kills_under_load_lose_nothing_and_keep_the_order() {
    let scenario = Scenario::new("kills").await;
    let mut engine = scenario.start().await;
    let writer = Writer::start(scenario.collection("numbers"));
    for _ in 0..5 {
        engine.delivers().await;
        engine.kill().await;
        engine = scenario.start().await;
    }
    let count = writer.stop().await;
    let deliveries = scenario.take_numbers(usize::try_from(count).unwrap()).await;
    assert_eq!(first_copies(&deliveries), (0..count).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_drained_engine_replays_nothing() {
    let scenario = Scenario::new("drain").await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..3_000).await;
    scenario.take(1).await;
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    let delivered = 1 + scenario.ready().await;
    let engine = scenario.start().await;
    let rest = 3_000 - delivered;
    crate::support::eventually("the rest is there", async || {
        scenario.ready().await >= 2_999
    })
    .await;
    assert_eq!(engine.stop().await.code, Some(0));
    assert_eq!(
        scenario.ready().await,
        2_999,
        "{delivered} before, {rest} after, no message twice"
    );
}

#[tokio::test]
async fn a_dropped_database_does_not_end_the_engine() {
    let scenario = Scenario::new("invalidate").await;
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    scenario
        .mongo
        .database(&scenario.name)
        .drop()
        .await
        .unwrap();
    scenario.insert_numbers(10..20).await;
    assert_eq!(
        numbers(&scenario.take(20).await),
        (0..20).collect::<Vec<_>>()
    );
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn large_documents_fill_the_window_by_bytes_and_all_arrive() {
    let mut scenario = Scenario::new("large").await;
    scenario.set("CDC_WINDOW_BYTES", "1000000");
    let engine = scenario.start().await;
    for number in 0..200 {
        let document = doc! { "_id": number, "n": number, "pad": "x".repeat(100_000) };
        scenario
            .collection("numbers")
            .insert_one(document)
            .await
            .unwrap();
    }
    let deliveries = scenario.take(200).await;
    assert_eq!(numbers(&deliveries), (0..200).collect::<Vec<_>>());
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
}

#[tokio::test]
async fn a_window_of_one_message_keeps_going() {
    let mut scenario = Scenario::new("one").await;
    scenario.set("CDC_WINDOW_EVENTS", "1");
    let engine = scenario.start().await;
    scenario.insert_numbers(0..200).await;
    assert_eq!(
        numbers(&scenario.take(200).await),
        (0..200).collect::<Vec<_>>()
    );
    assert_eq!(engine.stop().await.code, Some(0));
}
