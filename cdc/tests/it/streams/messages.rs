//! A message is the same whichever protocol wrote it and whichever reads it, and a large one follows the policy.

use std::collections::BTreeMap;

use bson::doc;
use cdc::rabbitmq::stream::{Event, Message, Offset};
use chrono::DateTime;
use rabbitmq_stream_protocol::message::SimpleValue;

use super::{native, places::connection};
use crate::support::{Delivery, Scenario, check};

/// The header that messages by AMQP do not have.
const ID: &str = "cdc-publishing-id";
const FORMATS: [&[(&str, &str)]; 6] = [
    &[("CDC_FORMAT", "document")],
    &[
        ("CDC_FORMAT", "event"),
        ("CDC_HEADERS", r#"{"tenant": "{document.n}", "weight": 5}"#),
    ],
    &[
        ("CDC_FORMAT", "debezium"),
        ("CDC_COMPRESSION", "gzip"),
        ("CDC_COMPRESSION_MIN_BYTES", "0"),
    ],
    &[("CDC_FORMAT", "cloudevents")],
    &[
        ("CDC_FORMAT", "cloudevents"),
        ("CDC_CLOUDEVENTS_MODE", "binary"),
    ],
    &[("CDC_FORMAT", "bson")],
];

/// What a consumer sees: properties, headers and body.
#[derive(Debug, PartialEq)]
struct Seen {
    properties: BTreeMap<&'static str, String>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

fn by_amqp(delivery: &Delivery) -> Seen {
    let properties = &delivery.properties;
    let texts = [
        ("message_id", properties.message_id()),
        ("content_type", properties.content_type()),
        ("content_encoding", properties.content_encoding()),
        ("app_id", properties.app_id()),
        ("type", properties.kind()),
    ];
    let texts = texts.into_iter();
    let mut seen: BTreeMap<_, _> = texts
        .filter_map(|(name, text)| Some((name, text.as_ref()?.to_string())))
        .collect();
    seen.insert("timestamp", properties.timestamp().unwrap().to_string());
    let headers = properties.headers().as_ref().unwrap().inner();
    let names = headers.keys().map(ToString::to_string);
    let names = names.filter(|name| name != "x-stream-offset");
    Seen {
        properties: seen,
        headers: names
            .map(|name| (name.clone(), delivery.header(&name)))
            .collect(),
        body: delivery.body.clone(),
    }
}

fn by_streams(message: &Message, seconds: i64) -> Seen {
    let properties = message.properties().unwrap();
    let id: String = properties.message_id.clone().unwrap().try_into().unwrap();
    let kind = message.message_annotations().unwrap().get("x-basic-type");
    let mut seen = BTreeMap::from([
        ("message_id", id),
        (
            "content_type",
            properties.content_type.as_ref().unwrap().to_string(),
        ),
        ("app_id", properties.group_id.clone().unwrap()),
        (
            "type",
            if kind == Some(&"insert".into()) {
                "insert"
            } else {
                "?"
            }
            .to_owned(),
        ),
    ]);
    if let Some(encoding) = &properties.content_encoding {
        seen.insert("content_encoding", encoding.to_string());
    }
    let time = DateTime::from_timestamp(seconds, 0).unwrap();
    if properties.creation_time == Some(time.into()) {
        seen.insert("timestamp", seconds.to_string());
    }
    let headers = message.application_properties().unwrap();
    let text = |value: &SimpleValue| match value {
        SimpleValue::String(text) => text.clone(),
        SimpleValue::Long(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    Seen {
        properties: seen,
        headers: headers
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect(),
        body: message.data().unwrap().to_vec(),
    }
}

/// The only message of the scenario's stream, by the stream protocol.
async fn only_message(scenario: &Scenario) -> Message {
    let (connection, mut events) = connection(scenario).await;
    let stream = &scenario.name;
    connection
        .subscribe(stream, Offset::First, 1)
        .await
        .unwrap();
    loop {
        if let Event::Chunk(chunk) = events.recv().await.unwrap() {
            return chunk.messages_backwards().next().unwrap().1;
        }
    }
}

/// The one message that an engine makes of a document, and what a consumer by AMQP sees of it.
async fn one(scenario: &Scenario) -> Seen {
    let engine = scenario.start().await;
    let document = doc! { "_id": 1, "n": 7, "name": "Zoë" };
    scenario
        .collection("games")
        .insert_one(document)
        .await
        .unwrap();
    let delivery = scenario.take(1).await.remove(0);
    engine.stop().await;
    by_amqp(&delivery)
}

/// What differs from one insert to the next.
fn without_its_own(mut seen: Seen, name: &str) -> Seen {
    seen.properties
        .retain(|name, _| !["message_id", "timestamp"].contains(name));
    for name in [ID, "cdc-cluster-time", "cdc-wall-time-ms"] {
        seen.headers.remove(name);
    }
    seen.headers
        .retain(|name, _| !name.ends_with("id") && !name.ends_with("time"));
    for value in seen.headers.values_mut() {
        *value = value.replace(name, "NAME");
    }
    seen.body.clear();
    seen
}

#[tokio::test]
async fn a_consumer_sees_the_same_by_either_protocol_whichever_wrote_it() {
    for settings in FORMATS {
        let Some(mut scenario) = native("stream_seen").await else {
            return;
        };
        for (name, value) in settings {
            scenario.set(name, *value);
        }
        let amqp = one(&scenario).await;
        let message = only_message(&scenario).await;
        let seconds = amqp.properties["timestamp"].parse().unwrap();
        assert_eq!(by_streams(&message, seconds), amqp, "{settings:?}");
        assert!(amqp.headers.contains_key(ID));

        let mut other = native("stream_amqp").await.unwrap();
        for (name, value) in settings {
            other.set(name, *value);
        }
        other.set("CDC_STREAM_PROTOCOL", "amqp");
        let written_by_amqp = one(&other).await;
        assert!(!written_by_amqp.headers.contains_key(ID));
        assert_eq!(
            without_its_own(amqp, &scenario.name),
            without_its_own(written_by_amqp, &other.name),
            "{settings:?}"
        );
    }
}

async fn insert_large(scenario: &Scenario, number: i32, bytes: usize) {
    let document = doc! { "_id": number, "n": number, "pad": "x".repeat(bytes) };
    let numbers = scenario.collection("numbers");
    numbers.insert_one(document).await.unwrap();
}

#[tokio::test]
async fn a_message_nearly_as_large_as_a_frame_is_stored_and_a_larger_one_is_trimmed_in_its_place() {
    let Some(mut scenario) = native("stream_large").await else {
        return;
    };
    scenario.set("CDC_ON_OVERSIZE", "trim");
    let engine = scenario.start().await;
    scenario.insert_numbers(0..100).await;
    for (number, bytes) in [
        (100, 1_000_000),
        (101, 1_047_000),
        (102, 1_048_576),
        (103, 4_000_000),
    ] {
        insert_large(&scenario, number, bytes).await;
    }
    scenario.insert_numbers(104..200).await;
    engine
        .metric_reaches("cdc_messages_trimmed_total", 2.0)
        .await;
    let deliveries = scenario.take(200).await;
    for (number, delivery) in deliveries.iter().enumerate() {
        let id = delivery.json()["entry_id"].as_str().unwrap().to_owned();
        assert_eq!(id, number.to_string());
    }
    assert!(1_000_000 < deliveries[100].body.len());
    assert!(deliveries[103].body.len() < 1_000);
}

#[tokio::test]
async fn a_message_larger_than_a_frame_stops_the_engine_by_name() {
    let Some(scenario) = native("stream_stop").await else {
        return;
    };
    let engine = scenario.start().await;
    scenario.insert_numbers(0..10).await;
    insert_large(&scenario, 10, 1_100_000).await;
    let finished = engine.finish().await;
    let name = format!("a change of `{}.numbers`", scenario.name);
    check(&finished, 1, &[&name, "is too large", "CDC_ON_OVERSIZE"]);
    scenario.has_each_once(10).await;
}
