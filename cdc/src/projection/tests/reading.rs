//! Documents that a snapshot read.

use bson::{Document, RawDocument, RawDocumentBuf, Timestamp, doc, rawdoc};

use super::{KEY, projection};
use crate::{
    event::{ChangeEvent, Mark, Marks, Namespace, Reading, Snapshot},
    message::MessageId,
    projection::Hasher,
};

const TIME: Timestamp = Timestamp {
    time: 1,
    increment: 2,
};

fn event(document: &RawDocument) -> ChangeEvent {
    let mut marks = Marks::default();
    marks.add(Mark::RunFirst);
    let reading = Reading {
        run: "initial",
        namespace: Namespace {
            database: "shop",
            collection: Some("games"),
        },
        document,
        time: TIME,
        range: (1, 1),
        is_filtered: false,
        marks,
    };
    reading.event().unwrap()
}

fn ada() -> RawDocumentBuf {
    rawdoc! { "_id": "ada", "a": { "b": "secret" }, "c": 1 }
}

fn place(event: &ChangeEvent) -> Option<Snapshot<'_>> {
    event.snapshot()
}

#[test]
fn rules_apply_to_the_document_and_its_key_and_its_place_stays() {
    let original = event(&ada());
    let rules = ["_id=hash", "+a", "-a.b"];
    let masked = projection(&rules).apply(&original).unwrap().unwrap();
    let hash = "5a6ce8877b75580ab61f437b4f9b89318fd906c636f1d77d6cbaadc041c3f696";
    let wanted = doc! {
        "_id": { "_data": MessageId::from_token(masked.token()).to_string() }, "operationType": "read",
        "clusterTime": TIME, "fullDocument": { "_id": hash, "a": {} }, "ns": { "db": "shop", "coll": "games" },
        "documentKey": { "_id": hash },
        "snapshot": { "run": "initial", "range": 1, "ranges": 1, "marks": ["run-first"] },
    };
    assert_eq!(Document::from_reader(masked.raw()).unwrap(), wanted);
    assert!(place(&masked).is_some() && place(&masked) == place(&original));
}

/// Whoever reads the message knows all that the token is a hash of, but the key.
#[test]
fn a_key_that_is_hidden_cannot_be_guessed_from_what_the_message_is_known_by() {
    let original = event(&ada());
    let masked = projection(&["_id=hash"]).apply(&original).unwrap().unwrap();
    let guessed = [
        original.token().get_str("_data").unwrap().to_owned(),
        MessageId::from_token(original.token()).to_string(),
    ];
    let id = MessageId::from_token(masked.token()).to_string();
    let whole = [masked.raw(), masked.token().as_bytes(), id.as_bytes()].concat();
    let whole = String::from_utf8_lossy(&whole).into_owned();
    assert!(guessed.iter().all(|guess| !whole.contains(guess)));
    // The same document at the same time is the same message, and with another secret another.
    let again = projection(&["_id=hash", "c=-"]).apply(&event(&ada()));
    assert_eq!(again.unwrap().unwrap().token(), masked.token());
    let other = Hasher::new(b"fedcba9876543210").token(original.token());
    assert_ne!(masked.token(), &*other);
    assert_eq!(masked.token(), &*Hasher::new(KEY).token(original.token()));
}

#[test]
fn a_key_that_is_told_leaves_the_token_as_it_is() {
    let original = event(&ada());
    let masked = projection(&["c=hash"]).apply(&original).unwrap().unwrap();
    assert_eq!(masked.token(), original.token());
    let raw = RawDocument::from_bytes(masked.raw()).unwrap();
    assert_eq!(raw.get_document("_id").unwrap(), original.token());
}

#[test]
fn what_is_left_of_a_corrupt_one_has_its_place_and_nothing_of_the_key() {
    let original = event(&ada());
    let bare = projection(&["_id=hash"]).without_content(&original);
    let wanted = doc! {
        "_id": { "_data": MessageId::from_token(bare.token()).to_string() }, "operationType": "read",
        "clusterTime": TIME, "ns": { "db": "shop", "coll": "games" },
        "snapshot": { "run": "initial", "range": 1, "ranges": 1, "marks": ["run-first"] },
    };
    assert_eq!(Document::from_reader(bare.raw()).unwrap(), wanted);
    assert_eq!(bare.token(), &*Hasher::new(KEY).token(original.token()));
}

#[test]
fn a_field_of_that_name_in_another_event_is_left_out_as_unknown() {
    let insert = super::event(
        "insert",
        &rawdoc! { "snapshot": { "run": "secret", "range": 1, "ranges": 1 }, "documentKey": { "_id": 1 } },
    );
    let rest = projection(&["-a"]).apply(&insert).unwrap().unwrap();
    let rest = Document::from_reader(rest.raw()).unwrap();
    assert!(!rest.contains_key("snapshot"), "{rest}");
}
