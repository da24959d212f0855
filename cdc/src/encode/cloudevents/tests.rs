//! The event of every operation, byte for byte, in both modes; and the rules of the specification's JSON schema.

use bson::{RawDocumentBuf, doc};
use serde_json::Value as Json;

use super::*;
use crate::encode::{
    extended_json::write_document,
    samples::{
        ID, bare_update, delete, event, every_type, insert, parsed, read, rename, replace, update,
    },
};

fn shape(mode: Mode) -> CloudEvents {
    CloudEvents::new(&Options {
        mode,
        ..Options::default()
    })
}

fn written(shape: &CloudEvents, event: &ChangeEvent, mode: JsonMode) -> String {
    let mut out = b"before".to_vec();
    shape.write(event, mode, &mut out).unwrap();
    String::from_utf8(out)
        .unwrap()
        .strip_prefix("before")
        .unwrap()
        .to_owned()
}

/// Checks body and data of `event`: `subject` as it stands in JSON, `more` after the attributes that every event has.
#[track_caller]
fn check(event: &ChangeEvent, json: JsonMode, subject: Option<&str>, more: &str, data: &str) {
    let operation = event.operation();
    let subject = subject.map_or_else(String::new, |subject| format!(r#","subject":"{subject}""#));
    let attributes = format!(
        r#""specversion":"1.0","id":"{ID}","source":"/mongodb/shop","type":"mongodb.change.{operation}.v1"{subject},"#
    ) + r#""time":"2023-11-14T22:13:20.123Z","database":"shop","collection":"orders","#
        + &format!(r#""operation":"{operation}","clustertime":"1700000000:7"{more}"#);
    let expected =
        format!(r#"{{{attributes},"datacontenttype":"application/json","data":{data}}}"#);
    assert_eq!(written(&shape(Mode::Structured), event, json), expected);
    assert_eq!(written(&shape(Mode::Binary), event, json), data);
}

const SEVEN: Option<&str> = Some(r#"{\"_id\":{\"$numberInt\":\"7\"}}"#);

#[test]
fn an_insert_has_the_document_and_its_key() {
    check(
        &insert(),
        JsonMode::Relaxed,
        SEVEN,
        "",
        r#"{"fullDocument":{"_id":7,"name":"a \"quoted\"\nname","cents":1250},"documentKey":{"_id":7}}"#,
    );
    check(
        &insert(),
        JsonMode::Canonical,
        SEVEN,
        "",
        r#"{"fullDocument":{"_id":{"$numberInt":"7"},"name":"a \"quoted\"\nname","cents":{"$numberLong":"1250"}},"documentKey":{"_id":{"$numberInt":"7"}}}"#,
    );
}

#[test]
fn an_update_has_both_documents_its_description_and_its_transaction() {
    let more = r#","lsid":"{\"id\":{\"$binary\":{\"base64\":\"q6urq6urq6urq6urq6urqw==\",\"subType\":\"04\"}}}","txnnumber":"5""#;
    check(
        &update(),
        JsonMode::Relaxed,
        SEVEN,
        more,
        r#"{"fullDocument":{"_id":7,"name":"b"},"fullDocumentBeforeChange":{"_id":7,"name":"a"},"documentKey":{"_id":7},"updateDescription":{"updatedFields":{"name":"b","at":{"$date":"2023-11-14T22:13:20.123Z"}},"removedFields":["note"],"truncatedArrays":[{"field":"tags","newSize":3}],"disambiguatedPaths":{}}}"#,
    );
    check(
        &update(),
        JsonMode::Canonical,
        SEVEN,
        more,
        r#"{"fullDocument":{"_id":{"$numberInt":"7"},"name":"b"},"fullDocumentBeforeChange":{"_id":{"$numberInt":"7"},"name":"a"},"documentKey":{"_id":{"$numberInt":"7"}},"updateDescription":{"updatedFields":{"name":"b","at":{"$date":{"$numberLong":"1700000000123"}}},"removedFields":["note"],"truncatedArrays":[{"field":"tags","newSize":{"$numberInt":"3"}}],"disambiguatedPaths":{}}}"#,
    );
    check(
        &bare_update(),
        JsonMode::Relaxed,
        Some(r#"{\"_id\":\"x\"}"#),
        "",
        r#"{"documentKey":{"_id":"x"},"updateDescription":{"updatedFields":{"a.b":1},"removedFields":[],"truncatedArrays":[]}}"#,
    );
}

#[test]
fn a_replacement_and_a_deletion_have_what_the_server_sends() {
    check(
        &replace(),
        JsonMode::Relaxed,
        SEVEN,
        "",
        r#"{"fullDocument":{"_id":7,"name":"c"},"documentKey":{"_id":7}}"#,
    );
    check(
        &replace(),
        JsonMode::Canonical,
        SEVEN,
        "",
        r#"{"fullDocument":{"_id":{"$numberInt":"7"},"name":"c"},"documentKey":{"_id":{"$numberInt":"7"}}}"#,
    );
    check(
        &delete(),
        JsonMode::Relaxed,
        SEVEN,
        "",
        r#"{"documentKey":{"_id":7}}"#,
    );
    check(
        &delete(),
        JsonMode::Canonical,
        SEVEN,
        "",
        r#"{"documentKey":{"_id":{"$numberInt":"7"}}}"#,
    );
}

#[test]
fn a_document_that_a_snapshot_read_has_its_place_in_the_data_and_the_time_as_of_which_it_is() {
    use crate::event::Mark::{RangeLast, RunLast};
    let document = r#""fullDocument":{"_id":7,"name":"a \"quoted\"\nname","cents":1250},"documentKey":{"_id":7}"#;
    for (marks, told) in [
        (&[][..], ""),
        (
            &[RangeLast, RunLast],
            r#","marks":["range-last","run-last"]"#,
        ),
    ] {
        let event = read(marks);
        let data =
            format!(r#"{{{document},"snapshot":{{"run":"initial","range":1,"ranges":4{told}}}}}"#);
        let id = MessageId::from_token(event.token());
        let attributes = format!(
            r#""specversion":"1.0","id":"{id}","source":"/mongodb/shop","type":"mongodb.change.read.v1","#
        ) + r#""subject":"{\"_id\":{\"$numberInt\":\"7\"}}","time":"2023-11-14T22:13:20Z","database":"shop","#
            + r#""collection":"orders","operation":"read","clustertime":"1700000000:7""#;
        let expected =
            format!(r#"{{{attributes},"datacontenttype":"application/json","data":{data}}}"#);
        let relaxed = JsonMode::Relaxed;
        assert_eq!(written(&shape(Mode::Structured), &event, relaxed), expected);
        assert_eq!(written(&shape(Mode::Binary), &event, relaxed), data);
    }
}

#[test]
fn an_operation_on_a_collection_has_no_subject_and_what_describes_it() {
    for mode in [JsonMode::Relaxed, JsonMode::Canonical] {
        check(
            &rename(),
            mode,
            None,
            "",
            r#"{"to":{"db":"shop","coll":"old"}}"#,
        );
    }
}

#[test]
fn in_binary_mode_the_attributes_are_headers() {
    for (_, prefix) in Prefix::NAMES {
        let shape = CloudEvents::new(&Options {
            mode: Mode::Binary,
            prefix,
            source: Some("https://shop.example/a%20b".to_owned()),
        });
        let begin = Prefix::NAMES.iter().find(|(_, one)| *one == prefix);
        let begin = begin.unwrap().0;
        let headers = shape.headers(&update()).unwrap();
        let found: Vec<(&str, String)> = headers
            .iter()
            .map(|(name, value)| {
                let Value::Text(text) = value else {
                    panic!("{name} is a text");
                };
                (name.strip_prefix(begin).unwrap(), text.to_string())
            })
            .collect();
        let expected = [
            ("specversion", "1.0"),
            ("id", ID),
            ("source", "https://shop.example/a%20b"),
            ("type", "mongodb.change.update.v1"),
            ("subject", r#"{"_id":{"$numberInt":"7"}}"#),
            ("time", "2023-11-14T22:13:20.123Z"),
            ("database", "shop"),
            ("collection", "orders"),
            ("operation", "update"),
            ("clustertime", "1700000000:7"),
            (
                "lsid",
                r#"{"id":{"$binary":{"base64":"q6urq6urq6urq6urq6urqw==","subType":"04"}}}"#,
            ),
            ("txnnumber", "5"),
        ];
        assert_eq!(
            found,
            expected.map(|(name, text)| (name, text.to_owned())),
            "{begin}"
        );
        assert_eq!(shape.content_type(), "application/json");
    }
    assert!(
        shape(Mode::Structured)
            .headers(&update())
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_body_without_the_documents_keeps_the_rest() {
    for (mode, place) in [(Mode::Structured, "/data"), (Mode::Binary, "")] {
        let mut out = Vec::new();
        shape(mode)
            .write_trimmed(&update(), JsonMode::Relaxed, &mut out)
            .unwrap();
        let body: Json = serde_json::from_slice(&out).unwrap();
        let data = body.pointer(place).unwrap().as_object().unwrap();
        let names: Vec<&String> = data.keys().collect();
        assert_eq!(names, ["documentKey", "updateDescription"]);
    }
}

#[test]
fn a_key_that_is_too_long_is_told_by_its_digest() {
    let key = doc! { "_id": "x".repeat(2000) };
    let event = event("delete", doc! { "documentKey": key.clone() });
    let body: Json = serde_json::from_str(&written(
        &shape(Mode::Structured),
        &event,
        JsonMode::Relaxed,
    ))
    .unwrap();
    let subject = body["subject"].as_str().unwrap();
    assert!(subject.len() == 64 && subject.bytes().all(|digit| digit.is_ascii_hexdigit()));
}

#[test]
fn a_source_is_a_uri_reference_whatever_the_database_is_called() {
    for (database, expected) in [
        ("shop", "/mongodb/shop"),
        ("größe #1", "/mongodb/gr%C3%B6%C3%9Fe%20%231"),
        ("a%b[c]", "/mongodb/a%25b%5Bc%5D"),
        ("", "/mongodb"),
    ] {
        assert_eq!(shape(Mode::Binary).source(database), expected);
    }
}

/// What <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/cloudevents.json> and the specification ask of
/// an event in JSON.
fn conforms(body: &Json) {
    let event = body.as_object().unwrap();
    for required in ["id", "source", "specversion", "type"] {
        let text = event[required].as_str().unwrap();
        assert!(!text.is_empty(), "{required}");
    }
    for (name, value) in event {
        if name == "data" {
            continue;
        }
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        assert!(name.bytes().all(is_plain) && name.len() <= 20, "{name}");
        let text = value.as_str().unwrap_or_else(|| panic!("{name}: {value}"));
        assert!(!text.is_empty(), "{name}");
    }
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["datacontenttype"], "application/json");
    if let Some(time) = event.get("time") {
        bson::DateTime::parse_rfc3339_str(time.as_str().unwrap()).unwrap();
    }
}

#[test]
fn every_event_is_one_by_the_specification() {
    let invalidate = parsed(&doc! {
        "_id": { "_data": "82" }, "operationType": "invalidate",
        "clusterTime": bson::Timestamp { time: 1, increment: 1 },
    });
    let strange = parsed(&doc! {
        "_id": { "_data": "82" }, "operationType": "a \"new\" one\n", "wallTime": bson::DateTime::from_millis(i64::MIN),
        "clusterTime": bson::Timestamp { time: 1, increment: 1 }, "ns": { "db": "d\"", "coll": "c\\" }, "txnNumber": 1_i64,
    });
    let all = [
        insert(),
        update(),
        bare_update(),
        replace(),
        delete(),
        rename(),
        read(&[]),
        invalidate,
        strange,
    ];
    for event in all {
        let body = written(&shape(Mode::Structured), &event, JsonMode::Relaxed);
        conforms(&serde_json::from_str(&body).unwrap());
    }
}

#[test]
fn a_transaction_that_is_half_told_stays_in_the_data() {
    let half = event("delete", doc! { "txnNumber": 1_i64 });
    let data = written(&shape(Mode::Binary), &half, JsonMode::Relaxed);
    assert_eq!(data, r#"{"txnNumber":1}"#);
}

#[test]
fn every_type_is_in_the_data_as_the_writer_writes_it() {
    let document = every_type();
    let raw = RawDocumentBuf::try_from(&document).unwrap();
    let event = event("insert", doc! { "fullDocument": document });
    for mode in [JsonMode::Relaxed, JsonMode::Canonical] {
        let mut text = Vec::new();
        write_document(&raw, mode, &mut text).unwrap();
        let expected = format!(r#"{{"fullDocument":{}}}"#, String::from_utf8(text).unwrap());
        assert_eq!(written(&shape(Mode::Binary), &event, mode), expected);
        let body = written(&shape(Mode::Structured), &event, mode);
        assert!(body.ends_with(&format!(r#""data":{expected}}}"#)), "{body}");
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
        rename(),
        read(&[]),
    ] {
        for mode in [Mode::Structured, Mode::Binary] {
            let shape = shape(mode);
            let room = shape.room(&event);
            let bytes = written(&shape, &event, JsonMode::Relaxed).len();
            assert!(bytes <= room, "{room} for {bytes}");
        }
    }
}
