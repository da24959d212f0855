//! What cannot be delivered stops the engine, or follows the policy that the user chose; nothing is passed over.

use bson::{RawDocumentBuf, doc};
use lapin::types::FieldTable;

use crate::support::{Delivery, Engine, Scenario, eventually, first_copies};

/// A scenario that publishes `{collection}` to an exchange with one binding, for the collection `numbers`.
async fn with_exchange(label: &str) -> (Scenario, String, String) {
    let mut scenario = Scenario::new(label).await;
    let exchange = format!("{}_exchange", scenario.name);
    let queue = format!("{}_queue", scenario.name);
    scenario.declare_exchange(&exchange).await;
    scenario.declare(&queue, FieldTable::default()).await;
    scenario.bind(&queue, &exchange, "numbers").await;
    scenario
        .set("RABBITMQ_EXCHANGE", &exchange)
        .set("RABBITMQ_ROUTING_KEY", "{collection}");
    (scenario, exchange, queue)
}

async fn insert_stray(scenario: &Scenario, number: i32) {
    let stray = doc! { "_id": number, "n": number };
    scenario
        .collection("strays")
        .insert_one(stray)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_deleted_queue_is_declared_again_and_everything_published_again() {
    let mut scenario = Scenario::new("retry_queue").await;
    scenario
        .set("CDC_ON_UNROUTABLE", "retry")
        .set("CDC_CHECKPOINT_INTERVAL_MS", "50");
    let engine = scenario.start().await;
    scenario.insert_numbers(0..100).await;
    scenario.take_numbers(100).await;
    for round in 0..3 {
        scenario.delete_queue(&scenario.name).await;
        let numbers = 100 + round * 100..200 + round * 100;
        scenario.insert_numbers(numbers.clone()).await;
        eventually("the queue is there again", async || {
            scenario.try_ready(&scenario.name).await.is_some()
        })
        .await;
        let deliveries = scenario.take_until_number(numbers.end - 1).await;
        // What the checkpoint had not passed comes again before it.
        let copies = last_copies(&deliveries);
        assert!(
            copies.is_sorted() && copies.ends_with(&numbers.collect::<Vec<_>>()),
            "{copies:?}"
        );
    }
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
}

#[tokio::test]
async fn an_unbound_queue_holds_everything_up_until_it_is_bound_again() {
    let (mut scenario, exchange, queue) = with_exchange("retry_binding").await;
    scenario
        .set("CDC_ON_UNROUTABLE", "retry")
        .set("CDC_CHECKPOINT_INTERVAL_MS", "50");
    let engine = scenario.start().await;
    scenario.insert_numbers(0..100).await;
    scenario.take_from(&queue, 100).await;
    let channel = scenario.channel().await;
    let (name, from) = (queue.as_str().into(), exchange.as_str().into());
    channel
        .queue_unbind(name, from, "numbers".into(), FieldTable::default())
        .await
        .unwrap();
    let before = scenario.resting_checkpoint().await;
    scenario.insert_numbers(100..200).await;
    engine.wait_for("matched no queue").await;
    engine
        .metric_reaches("cdc_messages_returned_total", 103.0)
        .await;
    let after = scenario.checkpoint().await.unwrap();
    assert_eq!(
        after, before,
        "the checkpoint does not pass what was returned"
    );
    scenario.bind(&queue, &exchange, "numbers").await;
    let deliveries = scenario.take_numbers_from(&queue, 100).await;
    assert_eq!(last_copies(&deliveries), (100..200).collect::<Vec<_>>());
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn an_unroutable_message_is_parked_in_its_place_and_the_rest_goes_on() {
    let (mut scenario, _exchange, queue) = with_exchange("park_unroutable").await;
    scenario.set("CDC_ON_UNROUTABLE", "park");
    let engine = scenario.start().await;
    scenario.insert_numbers(0..300).await;
    insert_stray(&scenario, 300).await;
    scenario.insert_numbers(301..600).await;
    let expected: Vec<i32> = (0..600).filter(|number| *number != 300).collect();
    let deliveries = scenario.take_from(&queue, 599).await;
    assert_eq!(
        deliveries.iter().map(Delivery::number).collect::<Vec<_>>(),
        expected
    );
    let parked = scenario
        .take_from(&format!("{}.parked", scenario.name), 1)
        .await
        .remove(0);
    assert_eq!(parked.number(), 300);
    assert_eq!(parked.header("cdc-park-reason"), "unroutable");
    assert!(parked.header("cdc-park-detail").contains("NO_ROUTE"));
    assert_eq!(parked.header("cdc-park-routing-key"), "strays");
    assert_eq!(*parked.properties.delivery_mode(), Some(2));
    let finished = engine.stop().await;
    assert_eq!(finished.code, Some(0), "{}", finished.log);
    // The checkpoint is past it: nothing comes again.
    let engine = scenario.start().await;
    scenario.insert_numbers(600..601).await;
    assert_eq!(scenario.take_from(&queue, 1).await[0].number(), 600);
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn a_message_that_cannot_be_parked_either_stops_the_engine() {
    let (mut scenario, _exchange, _queue) = with_exchange("park_gone").await;
    scenario.set("CDC_ON_UNROUTABLE", "park");
    let engine = scenario.start().await;
    let parking = format!("{}.parked", scenario.name);
    scenario.delete_queue(&parking).await;
    insert_stray(&scenario, 1).await;
    let finished = engine.finish().await;
    assert_eq!(finished.code, Some(1), "{}", finished.log);
    assert!(
        finished.log.contains("the parking queue"),
        "{}",
        finished.log
    );
    // The next start declares it again.
    let engine = scenario.start().await;
    assert_eq!(scenario.take_from(&parking, 1).await[0].number(), 1);
    assert_eq!(engine.stop().await.code, Some(0));
}

/// A document with a string that is not UTF-8, which the server takes.
fn poison(number: i32) -> RawDocumentBuf {
    let mut bytes = bson::rawdoc! { "_id": number, "n": number, "word": "qXiz" }.into_bytes();
    let place = bytes.iter().position(|byte| *byte == b'X').unwrap();
    bytes[place] = 0xff;
    RawDocumentBuf::from_bytes(bytes).unwrap()
}

/// An engine with `policy` that reads the numbers from 0 to 19, where 10 is poison.
async fn poisoned(label: &str, policy: &str) -> (Scenario, Engine) {
    let mut scenario = Scenario::new(label).await;
    scenario.set("CDC_ON_POISON", policy);
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    let poisoned = scenario
        .collection("numbers")
        .clone_with_type::<RawDocumentBuf>();
    poisoned.insert_one(poison(10)).await.unwrap();
    scenario.insert_numbers(11..20).await;
    (scenario, engine)
}

#[tokio::test]
async fn an_event_that_cannot_be_encoded_stops_the_engine_by_name() {
    let (scenario, engine) = poisoned("poison_stop", "stop").await;
    let finished = engine.finish().await;
    assert_eq!(finished.code, Some(1), "{}", finished.log);
    let name = format!("a change of `{}.numbers` after cluster time", scenario.name);
    for part in [
        "cannot encode message",
        name.as_str(),
        "invalid utf-8",
        "hint: ",
    ] {
        assert!(
            finished.log.contains(part),
            "no `{part}` in:\n{}",
            finished.log
        );
    }
    assert_eq!(
        first_copies(&scenario.take_numbers(10).await),
        (0..10).collect::<Vec<_>>()
    );
    scenario.is_empty().await;
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_replaced_and_told() {
    let (scenario, engine) = poisoned("poison_replace", "replace").await;
    let deliveries = scenario.take_numbers(20).await;
    assert_eq!(first_copies(&deliveries), (0..20).collect::<Vec<_>>());
    let mended = &deliveries[10];
    assert_eq!(mended.json()["word"], "q\u{fffd}iz");
    let paths = mended.header("cdc-replaced-paths");
    assert_eq!(paths, r#"["fullDocument.word"]"#);
    engine
        .metric_reaches("cdc_messages_mended_total", 1.0)
        .await;
    assert_eq!(engine.stop().await.code, Some(0));
}

#[tokio::test]
async fn an_event_that_cannot_be_encoded_is_parked_unchanged() {
    let (scenario, engine) = poisoned("poison_park", "park").await;
    let expected: Vec<i32> = (0..20).filter(|number| *number != 10).collect();
    assert_eq!(first_copies(&scenario.take_numbers(19).await), expected);
    let parked = scenario
        .take_from(&format!("{}.parked", scenario.name), 1)
        .await
        .remove(0);
    assert_eq!(parked.header("cdc-park-reason"), "poison");
    assert_eq!(
        parked.properties.content_type().as_ref().unwrap().as_str(),
        "application/bson"
    );
    let event = RawDocumentBuf::from_bytes(parked.body).unwrap();
    let document = event.get_document("fullDocument").unwrap();
    assert_eq!(document.as_bytes(), poison(10).as_bytes());
    assert_eq!(engine.stop().await.code, Some(0));
}

fn last_copies(deliveries: &[Delivery]) -> Vec<i32> {
    let mut seen = std::collections::HashSet::new();
    let mut numbers: Vec<i32> = deliveries
        .iter()
        .rev()
        .filter(|delivery| seen.insert(delivery.message_id()))
        .map(Delivery::number)
        .collect();
    numbers.reverse();
    numbers
}
