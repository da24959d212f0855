//! The envelope of every operation, byte for byte, and that consumers find in its strings what was written.

use bson::{RawDocumentBuf, doc};
use serde_json::Value;

use super::*;
use crate::encode::{
    extended_json::write_document,
    samples::{
        bare_update, delete, event, every_type, insert, parsed, read, rename, replace, update,
    },
};

fn shape(has_schema: bool) -> Debezium {
    Debezium::new(&Options {
        name: "pipe \"1\"".to_owned(),
        has_schema,
    })
}

fn body(event: &ChangeEvent, mode: JsonMode) -> String {
    let mut out = b"before".to_vec();
    shape(false).write(event, mode, &mut out).unwrap();
    String::from_utf8(out)
        .unwrap()
        .strip_prefix("before")
        .unwrap()
        .to_owned()
}

/// The source block of every sample, with what differs at its end.
fn source(transaction: &str) -> String {
    format!(
        r#""source":{{"version":"{}","connector":"mongodb","name":"pipe \"1\"","ts_ms":1700000000123,"snapshot":"false","#,
        env!("CARGO_PKG_VERSION")
    ) + r#""db":"shop","sequence":null,"ts_us":1700000000123000,"ts_ns":1700000000123000000,"collection":"orders","ord":7,"#
        + transaction
        + r#","wallTime":1700000000123}"#
}

#[track_caller]
fn check(event: &ChangeEvent, mode: JsonMode, head: &str, op: &str) {
    let source = source(r#""lsid":null,"txnNumber":null"#);
    let expected =
        format!(r#"{{{head},{source},"op":"{op}","ts_ms":1700000000123,"transaction":null}}"#);
    assert_eq!(body(event, mode), expected);
}

#[test]
fn an_insert_has_the_document_after_it() {
    check(
        &insert(),
        JsonMode::Relaxed,
        r#""before":null,"after":"{\"_id\":7,\"name\":\"a \\\"quoted\\\"\\nname\",\"cents\":1250}","updateDescription":null"#,
        "c",
    );
    check(
        &insert(),
        JsonMode::Canonical,
        r#""before":null,"after":"{\"_id\":{\"$numberInt\":\"7\"},\"name\":\"a \\\"quoted\\\"\\nname\",\"cents\":{\"$numberLong\":\"1250\"}}","updateDescription":null"#,
        "c",
    );
}

#[test]
fn an_update_has_both_documents_its_description_and_its_transaction() {
    let lsid = r#""lsid":"{\"id\":{\"$binary\":{\"base64\":\"q6urq6urq6urq6urq6urqw==\",\"subType\":\"04\"}}}","txnNumber":5"#;
    for (mode, before, after, updated) in [
        (
            JsonMode::Relaxed,
            r#"{\"_id\":7,\"name\":\"a\"}"#,
            r#"{\"_id\":7,\"name\":\"b\"}"#,
            r#"{\"name\":\"b\",\"at\":{\"$date\":\"2023-11-14T22:13:20.123Z\"}}"#,
        ),
        (
            JsonMode::Canonical,
            r#"{\"_id\":{\"$numberInt\":\"7\"},\"name\":\"a\"}"#,
            r#"{\"_id\":{\"$numberInt\":\"7\"},\"name\":\"b\"}"#,
            r#"{\"name\":\"b\",\"at\":{\"$date\":{\"$numberLong\":\"1700000000123\"}}}"#,
        ),
    ] {
        let description = format!(
            r#"{{"removedFields":["note"],"updatedFields":"{updated}","truncatedArrays":[{{"field":"tags","size":3}}]}}"#
        );
        let expected = format!(
            r#"{{"before":"{before}","after":"{after}","updateDescription":{description},{},"op":"u","ts_ms":1700000000123,"transaction":null}}"#,
            source(lsid)
        );
        assert_eq!(body(&update(), mode), expected);
    }
}

#[test]
fn what_an_update_does_not_have_is_null() {
    check(
        &bare_update(),
        JsonMode::Relaxed,
        r#""before":null,"after":null,"updateDescription":{"removedFields":null,"updatedFields":"{\"a.b\":1}","truncatedArrays":null}"#,
        "u",
    );
    let nothing = event("update", doc! { "updateDescription": {} });
    check(
        &nothing,
        JsonMode::Canonical,
        r#""before":null,"after":null,"updateDescription":{"removedFields":null,"updatedFields":null,"truncatedArrays":null}"#,
        "u",
    );
}

#[test]
fn a_replacement_is_an_update_without_a_description() {
    for (mode, after) in [
        (JsonMode::Relaxed, r#"{\"_id\":7,\"name\":\"c\"}"#),
        (
            JsonMode::Canonical,
            r#"{\"_id\":{\"$numberInt\":\"7\"},\"name\":\"c\"}"#,
        ),
    ] {
        let head = format!(r#""before":null,"after":"{after}","updateDescription":null"#);
        check(&replace(), mode, &head, "u");
    }
}

#[test]
fn a_deletion_has_the_document_before_it_where_the_server_has() {
    for mode in [JsonMode::Relaxed, JsonMode::Canonical] {
        check(
            &delete(),
            mode,
            r#""before":null,"after":null,"updateDescription":null"#,
            "d",
        );
    }
    let known = event("delete", doc! { "fullDocumentBeforeChange": { "a": "x" } });
    check(
        &known,
        JsonMode::Relaxed,
        r#""before":"{\"a\":\"x\"}","after":null,"updateDescription":null"#,
        "d",
    );
}

#[test]
fn a_document_that_a_snapshot_read_is_after_nothing_and_has_its_place() {
    let all = [Mark::RunFirst, Mark::CollectionFirst, Mark::RangeFirst];
    for (marks, word) in [
        (&[][..], "true"),
        (&[Mark::RangeFirst, Mark::RangeLast], "true"),
        (&all[1..], "first_in_data_collection"),
        (&all, "first"),
        (&[Mark::CollectionLast], "last_in_data_collection"),
        (
            &[Mark::CollectionFirst, Mark::CollectionLast],
            "last_in_data_collection",
        ),
        (&[Mark::RunFirst, Mark::CollectionLast], "first"),
        (&[Mark::RunFirst, Mark::RunLast], "last"),
    ] {
        let head = r#""before":null,"after":"{\"_id\":7,\"name\":\"a \\\"quoted\\\"\\nname\",\"cents\":1250}","updateDescription":null"#;
        let source = source(r#""lsid":null,"txnNumber":null"#)
            .replace("1700000000123", "1700000000000")
            .replace(r#""wallTime":1700000000000"#, r#""wallTime":null"#)
            .replace(r#""false""#, &format!(r#""{word}""#));
        let expected =
            format!(r#"{{{head},{source},"op":"r","ts_ms":1700000000000,"transaction":null}}"#);
        assert_eq!(body(&read(marks), JsonMode::Relaxed), expected);
    }
    assert!(shape(false).tells_of(&Operation::Read));
}

#[test]
fn an_operation_that_debezium_does_not_know_has_no_body() {
    let mut out = b"before".to_vec();
    let error = shape(true)
        .write(&rename(), JsonMode::Relaxed, &mut out)
        .unwrap_err();
    assert!(matches!(error, Error::Untold(Operation::Rename)), "{error}");
    assert_eq!(out, b"before");
    let known = Operation::ALL.into_iter();
    let known: Vec<_> = known
        .filter(|operation| shape(false).tells_of(operation))
        .collect();
    assert_eq!(
        known,
        [
            Operation::Insert,
            Operation::Update,
            Operation::Replace,
            Operation::Delete
        ]
    );
}

#[test]
fn without_a_wall_time_the_cluster_time_tells() {
    let event = parsed(&doc! {
        "_id": { "_data": "82" }, "operationType": "delete", "documentKey": { "_id": 1 },
        "clusterTime": bson::Timestamp { time: 1_700_000_000, increment: 1 }, "ns": { "db": "d", "coll": "c" },
    });
    let body: Value = serde_json::from_str(&body(&event, JsonMode::Relaxed)).unwrap();
    assert_eq!(body["ts_ms"], 1_700_000_000_000_i64);
    assert_eq!(body["source"]["ts_ns"], 1_700_000_000_000_000_000_i64);
    assert_eq!(body["source"]["wallTime"], Value::Null);
}

#[test]
fn a_trimmed_envelope_is_without_the_documents() {
    let mut out = Vec::new();
    shape(false)
        .write_trimmed(&update(), JsonMode::Relaxed, &mut out)
        .unwrap();
    let body: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(
        (&body["before"], &body["after"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(body["updateDescription"]["removedFields"][0], "note");
}

#[test]
fn every_type_is_in_the_string_as_the_writer_writes_it() {
    let document = every_type();
    let raw = RawDocumentBuf::try_from(&document).unwrap();
    let event = event("insert", doc! { "fullDocument": document });
    for mode in [JsonMode::Relaxed, JsonMode::Canonical] {
        let mut expected = Vec::new();
        write_document(&raw, mode, &mut expected).unwrap();
        let body: Value = serde_json::from_str(&body(&event, mode)).unwrap();
        assert_eq!(body["after"].as_str().unwrap().as_bytes(), expected);
    }
}

#[test]
fn corrupt_bytes_are_an_error_that_leaves_nothing() {
    let document = doc! { "_id": 1, "word": "qXiz" };
    let event = doc! {
        "_id": { "_data": "82" }, "operationType": "insert", "clusterTime": bson::Timestamp { time: 1, increment: 1 },
        "fullDocument": document, "ns": { "db": "d", "coll": "c" },
    };
    let mut raw = RawDocumentBuf::try_from(&event).unwrap().into_bytes();
    let place = raw.windows(4).position(|window| window == b"qXiz").unwrap();
    raw[place + 1] = 0xff;
    let event = ChangeEvent::parse(raw.into()).unwrap();
    let mut out = b"before".to_vec();
    let error = shape(true).write(&event, JsonMode::Relaxed, &mut out);
    assert!(matches!(error, Err(Error::Json(_))), "{error:?}");
    assert_eq!(out, b"before");
}

/// Checks `value` against `schema` as Kafka Connect's converter does: every field that the schema names, of its type, and
/// no other.
fn conforms(schema: &Value, value: &Value, place: &str) {
    if value.is_null() {
        assert_eq!(schema["optional"], true, "{place} is null");
        return;
    }
    match schema["type"].as_str().unwrap() {
        "struct" => {
            let fields = schema["fields"].as_array().unwrap();
            let mut names: Vec<&str> = fields
                .iter()
                .map(|field| field["field"].as_str().unwrap())
                .collect();
            for (name, field) in names.iter().zip(fields) {
                conforms(field, &value[*name], &format!("{place}.{name}"));
            }
            let mut found: Vec<&str> = value
                .as_object()
                .unwrap()
                .keys()
                .map(String::as_str)
                .collect();
            names.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, names, "{place}");
        }
        "array" => {
            for item in value.as_array().unwrap() {
                conforms(&schema["items"], item, place);
            }
        }
        "string" => assert!(value.is_string(), "{place}: {value}"),
        "int32" => assert!(
            i32::try_from(value.as_i64().unwrap()).is_ok(),
            "{place}: {value}"
        ),
        "int64" => assert!(value.is_i64(), "{place}: {value}"),
        other => panic!("{place} is of type {other}"),
    }
}

#[test]
fn a_body_with_its_schema_is_as_the_schema_says() {
    let changes = [insert(), update(), bare_update(), replace(), delete()];
    for event in changes.into_iter().chain([read(&[Mark::RunLast])]) {
        let mut out = Vec::new();
        shape(true)
            .write(&event, JsonMode::Canonical, &mut out)
            .unwrap();
        let wrapped: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(wrapped["schema"]["name"], "pipe \"1\".shop.orders.Envelope");
        conforms(&wrapped["schema"], &wrapped["payload"], "payload");
        let bare: Value = serde_json::from_str(&body(&event, JsonMode::Canonical)).unwrap();
        assert_eq!(wrapped["payload"], bare);
        assert_eq!(wrapped.as_object().unwrap().len(), 2);
    }
}

#[test]
fn a_body_seldom_grows() {
    for event in [
        insert(),
        update(),
        bare_update(),
        replace(),
        delete(),
        read(&[]),
    ] {
        for has_schema in [false, true] {
            let shape = shape(has_schema);
            let mut out = Vec::new();
            shape.write(&event, JsonMode::Relaxed, &mut out).unwrap();
            let room = shape.room(&event);
            assert!(
                out.len() <= room && room <= 2 * out.len(),
                "{room} for {}",
                out.len()
            );
        }
    }
}
