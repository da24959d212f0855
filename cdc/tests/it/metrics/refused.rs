//! What the broker does not take, and what is changed or set aside so that it is taken.

use bson::{RawDocumentBuf, doc};
use lapin::types::{AMQPValue, FieldTable};

use super::moves;
use crate::support::{Broker, Scenario, eventually, mongo_uri};

#[tokio::test]
async fn a_full_queue_has_messages_refused_and_in_flight() {
    let mut scenario = Scenario::new("moves_full").await;
    let exchange = format!("{}_exchange", scenario.name);
    let mut limits = FieldTable::default();
    limits.insert("x-max-length".into(), AMQPValue::LongInt(50));
    let reject = AMQPValue::LongString("reject-publish".into());
    limits.insert("x-overflow".into(), reject);
    scenario.declare_exchange(&exchange).await;
    scenario.declare(&scenario.name, limits).await;
    scenario.bind(&scenario.name, &exchange, "#").await;
    scenario.set("RABBITMQ_EXCHANGE", &exchange);
    let engine = scenario.start().await;
    scenario.insert_numbers(0..500).await;
    moves(&engine, "full queue").await;
    engine.kill().await;
    scenario.delete_exchange(&exchange).await;
}

#[tokio::test]
async fn what_matches_no_queue_is_returned_and_dropped() {
    let mut scenario = Scenario::new("moves_dropped").await;
    let exchange = format!("{}_exchange", scenario.name);
    scenario.declare_exchange(&exchange).await;
    scenario
        .set("RABBITMQ_EXCHANGE", &exchange)
        .set("CDC_ON_UNROUTABLE", "drop");
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    moves(&engine, "dropped").await;
    engine.stop().await;
    scenario.delete_exchange(&exchange).await;
}

/// A document with a string that is not UTF-8, and a field `type` of its own.
pub(crate) fn poison() -> RawDocumentBuf {
    let mut bytes = bson::rawdoc! { "_id": 1, "n": 1, "word": "qXiz", "type": "own" }.into_bytes();
    let place = bytes.iter().position(|byte| *byte == b'X').unwrap();
    bytes[place] = 0xff;
    RawDocumentBuf::from_bytes(bytes).unwrap()
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_parked_or_mended() {
    for (policy, what) in [("park", "parked"), ("replace", "mended")] {
        let mut scenario = Scenario::new(&format!("moves_{what}")).await;
        scenario.set("CDC_ON_POISON", policy);
        let engine = scenario.start().await;
        let numbers = scenario.collection("numbers");
        let numbers = numbers.clone_with_type::<RawDocumentBuf>();
        numbers.insert_one(poison()).await.unwrap();
        moves(&engine, what).await;
        engine.stop().await;
    }
}

#[tokio::test]
async fn an_alarm_blocks_and_what_is_too_large_is_trimmed() {
    let mut broker = Broker::exclusive().await;
    broker.limit_messages(100_000).await;
    let mut scenario = Scenario::at("moves_trimmed", &mongo_uri(), &broker.uri("")).await;
    scenario.set("CDC_ON_OVERSIZE", "trim");
    let engine = scenario.start().await;
    let large = doc! { "_id": 1, "n": 1, "pad": "x".repeat(200_000) };
    scenario
        .collection("numbers")
        .insert_one(large)
        .await
        .unwrap();
    moves(&engine, "trimmed").await;
    broker.limit(&["set_disk_free_limit", "900000GB"]).await;
    // The broker blocks who publishes.
    scenario.insert_numbers(2..10).await;
    moves(&engine, "alarm").await;
    // It does not read the standbys' questions either.
    eventually("who stands by is not known", async || {
        let status = engine.get("/status.json").await.json();
        status["standbys"].is_null()
    })
    .await;
    broker.end_alarms().await;
    engine.stop().await;
}
