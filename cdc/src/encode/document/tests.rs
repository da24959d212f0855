//! Tests of the format, and of what it leaves out.

use bson::{RawDocument, RawDocumentBuf, oid::ObjectId, raw::cstr, rawdoc};

use proptest::prelude::{Strategy, any, prop_assert_eq};

use super::{Error, JsonMode, write};
use crate::encode::extended_json::tests::{
    reader,
    tree::{Fields, Node, documents, encode_fields},
};

/// Checks the relaxed body for a full document.
#[track_caller]
fn check(document: &RawDocumentBuf, expected: &str) {
    assert_eq!(
        body(Some(document), None, JsonMode::Relaxed).as_deref(),
        Ok(expected)
    );
}

/// The body for a document of the collection `games`, behind something that has to stay.
fn body(
    full_document: Option<&RawDocument>,
    document_key: Option<&RawDocument>,
    mode: JsonMode,
) -> Result<String, Error> {
    let mut out = b"before".to_vec();
    let written = write(full_document, document_key, "games", mode, &mut out);
    let text = String::from_utf8(out)
        .unwrap()
        .strip_prefix("before")
        .unwrap()
        .to_owned();
    if written.is_err() {
        assert_eq!(text, "", "an error takes back what was written");
    }
    written.map(|_| text)
}

fn id() -> ObjectId {
    ObjectId::from_bytes([0xab; 12])
}

#[test]
fn the_id_is_taken_out_and_two_fields_are_put_at_the_end() {
    check(
        &rawdoc! { "_id": id(), "word": "QUIXOTRY", "score": 365, "tiles": ["Q", "U"] },
        r#"{"word":"QUIXOTRY","score":365,"tiles":["Q","U"],"type":"games","entry_id":"abababababababababababab"}"#,
    );
}

#[test]
fn a_document_of_nothing_but_its_id_has_the_two_fields() {
    check(
        &rawdoc! { "_id": id() },
        r#"{"type":"games","entry_id":"abababababababababababab"}"#,
    );
}

#[test]
fn the_id_counts_wherever_it_stands() {
    check(
        &rawdoc! { "a": 1, "entry_id": 2, "_id": "x" },
        r#"{"a":1,"entry_id":"x","type":"games"}"#,
    );
}

#[test]
fn an_id_inside_a_nested_document_stays() {
    check(
        &rawdoc! { "_id": 1, "a": { "_id": 2, "type": 3, "entry_id": 4 } },
        r#"{"a":{"_id":2,"type":3,"entry_id":4},"type":"games","entry_id":"1"}"#,
    );
}

#[test]
fn fields_of_the_two_names_keep_their_place_and_take_the_new_value() {
    check(
        &rawdoc! { "_id": "x", "entry_id": { "old": true }, "a": 1, "type": "old", "b": 2 },
        r#"{"entry_id":"x","a":1,"type":"games","b":2}"#,
    );
}

#[test]
fn a_second_field_of_the_same_name_cannot_undo_the_new_value() {
    check(
        &rawdoc! { "_id": "x", "type": 1, "entry_id": 2, "type": 3, "entry_id": 4, "a": 5, "a": 6 },
        r#"{"type":"games","entry_id":"x","a":5,"a":6}"#,
    );
}

#[test]
fn the_first_of_several_ids_counts() {
    check(
        &rawdoc! { "_id": 1, "a": 2, "_id": 3 },
        r#"{"a":2,"type":"games","entry_id":"1"}"#,
    );
}

#[test]
fn an_id_that_is_a_string_is_taken_as_it_is() {
    check(
        &rawdoc! { "_id": "a\"é\n" },
        r#"{"type":"games","entry_id":"a\"é\n"}"#,
    );
    check(&rawdoc! { "_id": "" }, r#"{"type":"games","entry_id":""}"#);
}

#[test]
fn an_id_of_another_type_is_its_extended_json_in_a_string() {
    let document = rawdoc! { "_id": { "game": "a\\\"\n", "move": [1_i64, 2.0] } };
    check(
        &document,
        r#"{"type":"games","entry_id":"{\"game\":\"a\\\\\\\"\\n\",\"move\":[1,2.0]}"}"#,
    );
    let canonical = body(
        Some(&rawdoc! { "_id": 7, "a": 1 }),
        None,
        JsonMode::Canonical,
    )
    .unwrap();
    assert_eq!(
        canonical,
        r#"{"a":{"$numberInt":"1"},"type":"games","entry_id":"{\"$numberInt\":\"7\"}"}"#
    );
}

#[test]
fn an_id_in_a_string_reads_back_as_its_extended_json() {
    let id = rawdoc! { "a\\\"\t": ["\\", "\"", "\\\"", "", { "b": "\u{1}é" }] };
    let text = body(
        Some(&rawdoc! { "_id": id.clone() }),
        None,
        JsonMode::Relaxed,
    )
    .unwrap();
    let body: serde_json::Value = serde_json::from_str(&text).unwrap();

    let mut expected = Vec::new();
    crate::encode::extended_json::write_bytes(id.as_bytes(), JsonMode::Relaxed, &mut expected)
        .unwrap();
    assert_eq!(body["entry_id"].as_str().unwrap().as_bytes(), expected);
}

#[test]
fn without_a_full_document_the_key_names_the_document() {
    let key = rawdoc! { "shard": "eu", "_id": id() };
    assert_eq!(
        body(None, Some(&key), JsonMode::Relaxed).as_deref(),
        Ok(r#"{"type":"games","entry_id":"abababababababababababab"}"#)
    );
}

#[test]
fn a_full_document_without_id_takes_that_of_the_key() {
    let key = rawdoc! { "shard": "eu", "_id": 7 };
    assert_eq!(
        body(Some(&rawdoc! { "a": 1 }), Some(&key), JsonMode::Relaxed).as_deref(),
        Ok(r#"{"a":1,"type":"games","entry_id":"7"}"#)
    );
}

#[test]
fn a_change_of_no_document_has_a_null() {
    assert_eq!(
        body(None, None, JsonMode::Relaxed).as_deref(),
        Ok(r#"{"type":"games","entry_id":null}"#)
    );
}

#[test]
fn the_name_of_the_collection_is_escaped() {
    let mut out = Vec::new();
    write(None, None, "a\"b\\é", JsonMode::Relaxed, &mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"type":"a\"b\\é","entry_id":null}"#
    );
}

#[test]
fn corrupt_bytes_are_an_error_even_in_fields_that_are_left_out() {
    for name in [cstr!("a"), cstr!("_id"), cstr!("type"), cstr!("entry_id")] {
        let mut bytes = rawdoc! { "_id": 1, name: { "b": "text" } }.into_bytes();
        let text = bytes
            .windows(4)
            .position(|window| window == b"text")
            .unwrap();
        bytes[text + 1] = 0xff;
        let document = RawDocumentBuf::from_bytes(bytes).unwrap();
        let result = body(Some(&document), None, JsonMode::Relaxed);
        assert_eq!(result, Err(Error::Utf8 { offset: text + 1 }), "{name}");
    }
}

/// What the body says, made field by field without any of the writer's code.
fn model(fields: &Fields, id: &str) -> Fields {
    let values = [("type", "games"), ("entry_id", id)];
    let mut body = Fields::new();
    for (name, node) in fields.iter().filter(|(name, _)| name != "_id") {
        match values.iter().find(|(special, _)| special == name) {
            None => body.push((name.clone(), node.clone())),
            Some(_) if body.iter().any(|(earlier, _)| earlier == name) => {}
            Some((_, value)) => body.push((name.clone(), Node::String((*value).to_owned()))),
        }
    }
    for (name, value) in values {
        if body.iter().all(|(earlier, _)| earlier != name) {
            body.push((name.to_owned(), Node::String(value.to_owned())));
        }
    }
    body
}

#[test]
fn the_body_of_any_document_says_what_the_model_says_wherever_its_id_stands() {
    let placed = (documents(), any::<usize>()).prop_map(|(mut fields, place)| {
        fields.retain(|(name, _)| name != "_id");
        let place = place % (fields.len() + 1);
        fields.insert(
            place,
            ("_id".to_owned(), Node::String("an \"id\"".to_owned())),
        );
        fields
    });
    crate::property::run(&placed, |fields| {
        let document = RawDocumentBuf::from_bytes(encode_fields(&fields))?;
        let body = body(Some(&document), None, JsonMode::Canonical)?;
        let expected = model(&fields, "an \"id\"");
        prop_assert_eq!(
            encode_fields(&reader::read(&body)),
            encode_fields(&expected),
            "{}",
            body
        );
        Ok(())
    });
}
