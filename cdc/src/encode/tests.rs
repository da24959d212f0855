//! The envelope of messages over partitions.

use bson::{RawDocumentBuf, Timestamp, rawdoc};

use super::*;
use crate::{encode::samples, event::Mark};

fn config() -> Config {
    let mut headers = Headers::default();
    headers.add_text("tenant", "{document.tenant}").unwrap();
    Config {
        routing_key: RoutingKey::of_queue("q", 4),
        partitions: Partitions::new(4),
        headers,
        ..Config::default()
    }
}

fn event(more: &RawDocumentBuf) -> ChangeEvent {
    let mut raw = rawdoc! {
        "_id": { "_data": "82" }, "operationType": "insert", "clusterTime": Timestamp { time: 1, increment: 1 },
        "ns": { "db": "shop", "coll": "orders" },
    };
    for field in more {
        let (name, value) = field.unwrap();
        raw.append(name, value);
    }
    ChangeEvent::parse(raw.into_bytes().into()).unwrap()
}

fn of_a_document() -> ChangeEvent {
    event(&rawdoc! { "documentKey": { "_id": 1 }, "fullDocument": { "_id": 1, "tenant": "acme" } })
}

fn of_none() -> ChangeEvent {
    event(&rawdoc! {})
}

/// The headers that have to do with where a message goes, and where it goes.
fn told(message: &Message) -> Vec<String> {
    let headers = message.headers().filter_map(|(name, value)| match value {
        Value::Number(number) => Some(format!("{name}: {number}")),
        Value::Text(text) if name == "tenant" => Some(format!("{name}: {text}")),
        Value::Text(_) => None,
    });
    let target = match &message.target {
        Target::Main(key) => format!("to {key}"),
        Target::Parked => "parked".to_owned(),
    };
    headers.chain([target]).collect()
}

#[test]
fn a_change_of_a_document_is_told_once() {
    let message = encode(&of_a_document(), &config()).unwrap();
    assert_eq!(
        told(&message),
        ["cdc-partition: 3", "tenant: acme", "to q.3"]
    );
    assert_eq!(message.further, []);
}

#[test]
fn a_document_that_a_snapshot_read_goes_where_its_changes_go() {
    let mut headers = Headers::default();
    headers.add_text("what", "{operation} of {key}").unwrap();
    let config = Config {
        routing_key: RoutingKey::parse("{collection}.{operation}.{document.cents}").unwrap(),
        partitions: Partitions::new(4),
        headers,
        ..Config::default()
    };
    let read = encode(&samples::read(&[Mark::RunFirst]), &config).unwrap();
    assert_eq!(read.target, Target::Main("orders.read.1250".into()));
    let insert = encode(&samples::insert(), &config).unwrap();
    assert_eq!(read.partition, insert.partition);
    assert_eq!(read.document_key, insert.document_key);
    assert_eq!(read.body, insert.body);
    let texts = read.headers().filter_map(|(name, value)| match value {
        Value::Text(text) => Some(format!("{name}: {text}")),
        Value::Number(_) => None,
    });
    let expected = [
        "cdc-namespace: shop.orders",
        "cdc-operation: read",
        "cdc-cluster-time: 1700000000:7",
        r#"cdc-document-key: {"_id":{"$numberInt":"7"}}"#,
        "cdc-snapshot: initial",
        "cdc-snapshot-mark: run-first",
        "cdc-snapshot-range: 1/4",
        "what: read of 7",
    ];
    assert!(texts.eq(expected.map(str::to_owned)));
    assert_eq!(read.seconds(), 1_700_000_000);
}

#[test]
fn a_change_of_no_document_is_told_in_every_partition() {
    let message = encode(&of_none(), &config()).unwrap();
    let copies = message.further.iter().cloned();
    let copies: Vec<Message> = copies.map(|address| message.copy_to(address)).collect();
    let ids = copies.iter().map(|copy| copy.message_id);
    assert!(ids.eq([message.message_id; 3]));
    for (number, copy) in (0..).zip([message].iter().chain(&copies)) {
        let partition = format!("cdc-partition: {number}");
        let expected = [
            &partition,
            "cdc-partition-copies: 4",
            "tenant: ",
            &format!("to q.{number}"),
        ];
        assert_eq!(told(copy), expected);
    }
}

#[test]
fn what_is_told_in_every_partition_is_parked_once_and_for_none() {
    let message = encode(&of_none(), &config()).unwrap();
    let parked = message.park(ParkReason::Oversize, "", "");
    assert_eq!(
        (told(&parked), parked.further),
        (vec!["tenant: ".to_owned(), "parked".to_owned()], vec![])
    );
    let copy = message.copy_to(message.further[1].clone());
    let parked = copy.park(ParkReason::Unroutable, "", "");
    assert!(told(&parked).contains(&"cdc-partition: 2".to_owned()));
}

#[test]
fn a_change_that_cannot_be_encoded_is_parked_for_its_partition() {
    let error = Error::Json(extended_json::Error::Utf8 { offset: 1 });
    let parked = poison(&of_a_document(), &config(), &error);
    assert_eq!(
        told(&parked),
        ["cdc-partition: 3", "tenant: acme", "parked"]
    );
    let parked = poison(&of_none(), &config(), &error);
    assert_eq!(
        (told(&parked), parked.further),
        (vec!["tenant: ".to_owned(), "parked".to_owned()], vec![])
    );
}

#[test]
fn a_header_of_a_text_that_is_not_utf_8_makes_the_change_one_that_cannot_be_encoded() {
    let mut bytes =
        rawdoc! { "documentKey": { "_id": 1 }, "fullDocument": { "tenant": "aXme" } }.into_bytes();
    let place = bytes.iter().position(|byte| *byte == b'X').unwrap();
    bytes[place] = 0xff;
    let event = event(&RawDocumentBuf::from_bytes(bytes).unwrap());
    assert!(encode(&event, &config()).is_err());
    let (mended, _) = mended(&event).unwrap();
    let message = encode(&mended, &config()).unwrap();
    assert!(told(&message).contains(&"tenant: a\u{fffd}me".to_owned()));
}
