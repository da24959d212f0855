//! Documents that were read are messages like any other: formats, masks, partitions, headers, compression, filters.

use std::{collections::HashMap, io::Read as _};

use bson::doc;

use super::{beginning, marks, reads};
use crate::support::{Delivery, Engine, Scenario, check};

/// A scenario with three documents that are read, each of them changed afterwards.
async fn three(label: &str, settings: &[(&str, &str)]) -> (Vec<Delivery>, Scenario, Engine) {
    let mut scenario = beginning(label).await;
    for (name, value) in settings {
        scenario.set(name, *value);
    }
    let games = scenario.collection("games");
    for number in 1..=3 {
        let secret = format!("hunter-{number}");
        let game = doc! { "_id": number, "n": number, "secret": secret, "pad": "x".repeat(300) };
        games.insert_one(game).await.unwrap();
    }
    let engine = scenario.start().await;
    scenario.run_ends("initial").await;
    for number in 1..=3 {
        let change = doc! { "$set": { "n": number * 10 } };
        games
            .update_one(doc! { "_id": number }, change)
            .await
            .unwrap();
    }
    (scenario.take_all().await, scenario, engine)
}

#[tokio::test]
async fn debezium_has_reads_with_their_places_in_the_run() {
    let (deliveries, _scenario, engine) = three(
        "as_debezium",
        &[
            ("CDC_FORMAT", "debezium"),
            ("CDC_OPERATIONS", "insert,update"),
        ],
    )
    .await;
    let read: Vec<_> = reads(&deliveries).iter().map(|read| read.json()).collect();
    assert_eq!(read.len(), 3);
    assert!(
        read.iter()
            .all(|body| body["op"] == "r" && body["before"].is_null())
    );
    let places = read
        .iter()
        .map(|body| body["source"]["snapshot"].as_str().unwrap());
    assert_eq!(places.collect::<Vec<_>>(), ["first", "true", "last"]);
    let changed = deliveries[3].json();
    assert_eq!(
        (&changed["op"], &changed["source"]["snapshot"]),
        (&"u".into(), &"false".into())
    );
    check(&engine.stop().await, 0, &[]);
}

#[tokio::test]
async fn cloudevents_have_reads_of_a_type_of_their_own() {
    let (deliveries, _scenario, engine) =
        three("as_cloudevents", &[("CDC_FORMAT", "cloudevents")]).await;
    let read = reads(&deliveries);
    assert_eq!(read.len(), 3);
    for read in read {
        let body = read.json();
        assert_eq!(body["type"], "mongodb.change.read.v1");
        assert_eq!(body["id"], read.message_id());
        assert_eq!(body["data"]["snapshot"]["run"], "initial");
    }
    check(&engine.stop().await, 0, &[]);
}

#[tokio::test]
async fn a_document_that_is_read_has_the_default_body_of_an_insert() {
    let (deliveries, _scenario, engine) = three("as_document", &[("CDC_FORMAT", "document")]).await;
    let body = reads(&deliveries)[1].json();
    assert_eq!(
        (&body["n"], &body["type"], &body["entry_id"]),
        (&2.into(), &"games".into(), &"2".into())
    );
    check(&engine.stop().await, 0, &[]);
}

#[tokio::test]
async fn masks_and_left_out_fields_are_nowhere_in_a_read() {
    let settings = [
        ("CDC_FORMAT", "event"),
        ("CDC_FIELDS_MASK", "secret"),
        ("CDC_FIELDS_EXCLUDE", "pad"),
    ];
    let (deliveries, _scenario, engine) = three("masked", &settings).await;
    for read in reads(&deliveries) {
        let text = String::from_utf8(read.body.clone()).unwrap();
        assert!(!text.contains("hunter") && !text.contains("xxx"), "{text}");
        assert!(read.json()["fullDocument"]["secret"].is_string(), "{text}");
    }
    check(&engine.stop().await, 0, &[]);
}

#[tokio::test]
async fn headers_routing_keys_and_compression_apply_to_reads() {
    let settings = [
        ("CDC_FORMAT", "event"),
        (
            "CDC_HEADERS",
            r#"{"game": "{document.n}", "what": "{operation}"}"#,
        ),
        ("CDC_COMPRESSION", "gzip"),
        ("CDC_COMPRESSION_MIN_BYTES", "100"),
    ];
    let (deliveries, _scenario, engine) = three("enveloped", &settings).await;
    for (read, number) in reads(&deliveries).into_iter().zip(1..) {
        assert_eq!(read.header("game"), number.to_string());
        assert_eq!(read.header("what"), "read");
        assert_eq!(
            read.properties
                .content_encoding()
                .as_ref()
                .unwrap()
                .as_str(),
            "gzip"
        );
        let mut body = String::new();
        let mut reader = flate2::read::GzDecoder::new(read.body.as_slice());
        reader.read_to_string(&mut body).unwrap();
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["fullDocument"]["n"], number);
    }
    check(&engine.stop().await, 0, &[]);
}

#[tokio::test]
async fn a_document_is_read_into_the_partition_of_its_changes() {
    let mut scenario = beginning("read_partitions").await;
    scenario
        .set("CDC_PARTITIONS", "4")
        .set("CDC_FORMAT", "event");
    scenario.fill("games", 0..100, 10).await;
    let engine = scenario.start().await;
    scenario.run_ends("initial").await;
    let all = doc! { "$set": { "changed": true } };
    scenario
        .collection("games")
        .update_many(doc! {}, all)
        .await
        .unwrap();
    engine.has_confirmed(200).await;
    let (mut partitions, mut marked) = (HashMap::<String, Vec<String>>::new(), Vec::new());
    for number in 0..4 {
        let queue = format!("{}.{number}", scenario.name);
        let count = scenario.try_ready(&queue).await.unwrap();
        for delivery in scenario.take_from(&queue, count as usize).await {
            let partition = delivery.header("cdc-partition");
            partitions
                .entry(delivery.header("cdc-document-key"))
                .or_default()
                .push(partition);
            marked.extend(Some(marks(&delivery)).filter(|marks| !marks.is_empty()));
        }
    }
    assert_eq!(partitions.len(), 100);
    for (key, partitions) in partitions {
        assert!(2 <= partitions.len(), "{key} is read and changed");
        assert!(
            partitions.iter().all(|one| *one == partitions[0]),
            "{key}: {partitions:?}"
        );
    }
    assert!(
        marked.iter().any(|marks| marks.ends_with("run-last")),
        "{marked:?}"
    );
    check(&engine.stop().await, 0, &[]);
}

/// The filter has the last word, and what it leaves out is read nevertheless.
#[tokio::test]
async fn the_filter_of_a_program_applies_to_reads() {
    let mut scenario = beginning("read_filter").await;
    scenario.set("CDC_FORMAT", "document");
    scenario.fill("games", 0..500, 10).await;
    let settings = scenario.given().iter();
    let builder = settings.fold(cdc::Engine::builder(), |builder, (name, value)| {
        builder.set(name, value)
    });
    let builder = builder.set("CDC_ADMIN_ADDR", "off");
    let wants = |change: &cdc::Change| {
        let number = change
            .full_document()
            .and_then(|document| document.get_i32("n").ok());
        change.snapshot().is_none() || number.is_some_and(|number| number % 100 == 7)
    };
    let engine = builder.filter(wants).build().unwrap();
    let handle = engine.handle();
    let running = tokio::spawn(engine.run());
    let ended = scenario.run_ends("initial").await;
    assert_eq!(ended.get_i64("documents").unwrap(), 500);
    let deliveries = scenario.take_all().await;
    let numbers: Vec<i32> = reads(&deliveries)
        .into_iter()
        .map(Delivery::number)
        .collect();
    assert_eq!(numbers, [7, 107, 207, 307, 407]);
    handle.stop();
    running.await.unwrap().unwrap();
}
