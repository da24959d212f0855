//! Exact results of the step; [`random`] and [`updates`] have the properties.

mod model;
mod random;
mod reading;
mod updates;

use bson::{RawDocumentBuf, Timestamp, doc, rawdoc};

use super::{Action, Error, Hasher, Mask, Projection, Rule};
use crate::event::ChangeEvent;

const KEY: &[u8] = b"0123456789abcdef";

/// `-path` goes, `+path` stays, `path=hash` is hashed, `path=text` is replaced by the text.
fn projection(rules: &[&str]) -> Projection {
    let rules = rules.iter().map(|text| {
        let (path, action) = match (text.as_bytes()[0], text.split_once('=')) {
            (b'-', _) => (&text[1..], Action::Exclude),
            (b'+', _) => (&text[1..], Action::Include),
            (_, Some((path, "hash"))) => (path, Action::Mask(Mask::Hash(Hasher::new(KEY)))),
            (_, Some((path, text))) => (path, Action::Mask(Mask::Constant(text.to_owned()))),
            (_, None) => panic!("{text} is no rule"),
        };
        let path = path.parse().unwrap();
        Rule { path, action }
    });
    Projection::new(rules.collect()).unwrap()
}

fn event(operation: &str, parts: &RawDocumentBuf) -> ChangeEvent {
    let mut raw = rawdoc! {
        "_id": { "_data": "82" }, "operationType": operation,
        "clusterTime": Timestamp { time: 1, increment: 2 }, "ns": { "db": "shop", "coll": "games" },
    };
    for part in parts {
        let (name, value) = part.unwrap();
        raw.append(name, bson::RawBson::from(value));
    }
    ChangeEvent::parse(raw.into_bytes().into()).unwrap()
}

/// What the rules make of `parts` of an event, without what every event has.
fn made(rules: &[&str], operation: &str, parts: &RawDocumentBuf) -> bson::Document {
    let event = event(operation, parts);
    let made = projection(rules).apply(&event).unwrap();
    let mut made = bson::Document::from_reader(made.as_ref().unwrap_or(&event).raw()).unwrap();
    for (name, value) in [
        ("operationType", operation.into()),
        (
            "clusterTime",
            Timestamp {
                time: 1,
                increment: 2,
            }
            .into(),
        ),
        ("ns", doc! { "db": "shop", "coll": "games" }.into()),
    ] {
        assert_eq!(made.remove(name), Some(value));
    }
    let token = made.remove("_id");
    if token != Some(doc! { "_data": "82" }.into()) {
        let token = token.unwrap();
        made.insert("_id", token);
    }
    made
}

/// What the rules make of a document.
fn document(rules: &[&str], document: RawDocumentBuf) -> bson::Document {
    let made = made(rules, "insert", &rawdoc! { "fullDocument": document });
    made.get_document("fullDocument").unwrap().clone()
}

#[test]
fn an_excluded_path_goes_with_all_beneath_it_through_arrays_and_names_with_dots() {
    let before = rawdoc! {
        "_id": 1, "a": { "b": 1, "c": 2, "bb": 3 }, "b": 4, "a.b": 5, "a.b.c": 6,
    };
    let after = doc! { "_id": 1, "a": { "c": 2, "bb": 3 }, "b": 4 };
    assert_eq!(document(&["-a.b"], before), after);
    let before = rawdoc! { "a": [{ "b": 1, "c": 2 }, 3, [{ "b": { "d": 4 } }, { "c": 5 }]] };
    let after = doc! { "a": [{ "c": 2 }, 3, [{}, { "c": 5 }]] };
    assert_eq!(document(&["-a.b"], before), after);
}

#[test]
fn only_what_is_included_stays_and_the_id() {
    let before = rawdoc! { "x": 0, "_id": { "t": 1 }, "a": { "b": [1, 2], "c": 3 }, "b": 4 };
    let after = doc! { "_id": { "t": 1 }, "a": { "b": [1, 2] } };
    assert_eq!(document(&["+a.b"], before), after);
    // Nothing that is not listed is told, and elements keep their indexes.
    let before = rawdoc! { "a": [1, { "b": 2, "c": 3 }, [4, { "b": 5 }]], "d": 6 };
    let after = doc! { "a": [null, { "b": 2 }, [null, { "b": 5 }]], "d": null };
    assert_eq!(document(&["+a.b", "+d.e"], before), after);
    let before = rawdoc! { "a": { "b": 1, "c": 2, "d": 3 } };
    let after = doc! { "a": { "b": 1, "d": "-" } };
    assert_eq!(document(&["+a", "-a.c", "a.d=-"], before), after);
}

#[test]
fn each_value_beneath_a_masked_path_is_replaced_and_names_and_lengths_stay() {
    let before = rawdoc! {
        "_id": 1, "a": { "b": 1, "c": ["x", null, { "d": 2.5 }], "e": {}, "f": [] }, "b": true,
    };
    let after = doc! {
        "_id": 1, "a": { "b": "-", "c": ["-", "-", { "d": "-" }], "e": {}, "f": [] }, "b": true,
    };
    assert_eq!(document(&["a=-"], before.clone()), after);
    let after = doc! {
        "_id": 1, "a": { "b": "-", "c": ["+", "+", { "d": "+" }], "e": {}, "f": [] }, "b": true,
    };
    assert_eq!(document(&["a=-", "a.c=+", "a=!"], before), after);
}

#[test]
fn equal_values_have_equal_hashes_wherever_they_are() {
    let before =
        rawdoc! { "_id": "ada", "a": ["ada", { "b": "ada" }], "c": "Ada", "d": 1, "e": 1_i64 };
    let masked = document(
        &["_id=hash", "a=hash", "c=hash", "d=hash", "e=hash"],
        before,
    );
    let ada = "5a6ce8877b75580ab61f437b4f9b89318fd906c636f1d77d6cbaadc041c3f696";
    assert_eq!(masked.get_str("_id").unwrap(), ada);
    assert_eq!(
        masked.get_array("a").unwrap(),
        &[ada.into(), doc! { "b": ada }.into()]
    );
    let different = ["c", "d", "e"].map(|name| masked.get_str(name).unwrap());
    assert!(
        different
            .iter()
            .all(|hash| hash.len() == 64 && *hash != ada)
    );
    assert_ne!(different[1], different[2]);
}

#[test]
fn a_star_is_any_one_name_or_number_but_not_the_id() {
    let before = rawdoc! { "_id": 1, "a": { "x": { "b": 1 }, "b": 2, "2024": { "b": 3, "c": 4 } } };
    let after = doc! { "_id": 1, "a": { "x": {}, "b": 2, "2024": { "c": 4 } } };
    assert_eq!(document(&["-a.*.b"], before), after);
    let before = rawdoc! { "_id": 1, "a": ["x", { "b": 1 }], "c": { "d": 2, "7": 3 } };
    let after = doc! { "_id": 1, "a": [null, null], "c": { "7": null } };
    assert_eq!(document(&["-*.*"], before.clone()), after);
    let after = doc! { "_id": 1, "a": ["-", { "b": "-" }], "c": { "d": "-", "7": "-" } };
    assert_eq!(document(&["*=-"], before), after);
}

#[test]
fn a_path_of_another_collection_changes_nothing_and_only_an_inclusion_takes_away() {
    let before = || rawdoc! { "_id": 1, "a": 2 };
    let insert = event("insert", &rawdoc! { "fullDocument": before() });
    assert!(projection(&["-moves:a"]).apply(&insert).unwrap().is_none());
    assert_eq!(document(&["-shop.games:a"], before()), doc! { "_id": 1 });
    assert_eq!(document(&["+moves:a"], before()), doc! { "_id": 1 });
}

#[test]
fn an_update_tells_no_more_than_the_document() {
    let parts = rawdoc! {
        "documentKey": { "_id": 1 },
        "updateDescription": {
            "updatedFields": {
                "a.b": 1, "a.0.b": 2, "a.1": { "b": 3, "c": 4 }, "a": [{ "b": 5 }], "a.b.c": 6, "d.e": 7, "d": { "f": 8 }, "g": 9,
            },
            "removedFields": ["a.b", "a.0.b.c", "g", "d.e", "a"],
            "truncatedArrays": [
                { "field": "a", "newSize": 1 }, { "field": "a.b", "newSize": 2 }, { "field": "d", "newSize": 3 },
            ],
            "disambiguatedPaths": { "a.0.b": ["a", 0, "b"], "d.0": ["d", "0"] },
            "new": { "a.b": 1 },
        },
        "fullDocument": null,
    };
    let after = doc! {
        "documentKey": { "_id": 1 },
        "updateDescription": {
            "updatedFields": { "a.1": { "c": 4 }, "a": [{}], "d.e": "-", "d": { "f": "-" }, "g": 9 },
            "removedFields": ["g", "d.e", "a"],
            "truncatedArrays": [{ "field": "a", "newSize": 1 }, { "field": "d", "newSize": 3 }],
            "disambiguatedPaths": { "d.0": ["d", "0"] },
        },
        "fullDocument": null,
    };
    assert_eq!(made(&["-a.b", "d=-"], "update", &parts), after);
    let after = doc! {
        "documentKey": { "_id": 1 },
        "updateDescription": {
            "updatedFields": { "d.e": 7, "d": {} },
            "removedFields": ["d.e"],
            "truncatedArrays": [{ "field": "d", "newSize": 3 }],
            "disambiguatedPaths": { "d.0": ["d", "0"] },
        },
        "fullDocument": null,
    };
    assert_eq!(made(&["+d.e"], "update", &parts), after);
}

#[test]
fn a_path_of_the_key_changes_the_key_and_hides_the_token_that_has_it_too() {
    let parts = || {
        rawdoc! {
            "documentKey": { "shard.email": "ada", "_id": 1 }, "fullDocumentBeforeChange": { "_id": 1, "shard": { "email": "ada" } },
        }
    };
    // printf "\x13\0\0\0\x02_data\0\x03\0\0\0\x38\x32\0\0" | sha256sum | cut -c1-32
    let id = "3b5cb7fe5131e4a99af7362c93a81387";
    let after = doc! {
        "documentKey": { "shard.email": "-", "_id": 1 },
        "fullDocumentBeforeChange": { "_id": 1, "shard": { "email": "-" } }, "_id": { "_data": id },
    };
    assert_eq!(made(&["shard=-"], "delete", &parts()), after);
    let original = event("delete", &parts());
    let masked = projection(&["shard=-"]).apply(&original).unwrap().unwrap();
    assert_eq!(masked.token(), original.token());
    assert_eq!(masked.position(), original.position());
    let other = made(&["other=-"], "delete", &parts());
    assert!(!other.contains_key("_id"), "{other}");
}

#[test]
fn what_describes_a_collection_loses_what_may_hold_values() {
    let parts = rawdoc! {
        "operationDescription": {
            "indexes": [
                { "v": 2, "key": { "a": 1 }, "name": "a_1", "unique": true, "partialFilterExpression": { "a": "secret" } },
                { "v": 2, "key": { "b": "text" }, "name": "b_text", "weights": { "b": 1 } },
            ],
            "validator": { "a": "secret" }, "pipeline": [{ "$match": { "a": "secret" } }], "zones": [{ "min": { "a": "secret" } }],
            "shardKey": { "a": "hashed" },
        },
        "stateBeforeChange": { "collectionOptions": { "validator": { "a": "secret" }, "validationLevel": "off" } },
        "computed": { "a": "secret" },
    };
    let after = doc! {
        "operationDescription": {
            "indexes": [
                { "v": 2, "key": { "a": 1 }, "name": "a_1", "unique": true },
                { "v": 2, "key": { "b": "text" }, "name": "b_text", "weights": { "b": 1 } },
            ],
            "shardKey": { "a": "hashed" },
        },
        "stateBeforeChange": { "collectionOptions": { "validationLevel": "off" } },
        "_id": { "_data": "3b5cb7fe5131e4a99af7362c93a81387" },
    };
    // Whichever collection the path is of: a view of another name may name its values.
    assert_eq!(made(&["-moves:a"], "createIndexes", &parts), after);
    let rename = rawdoc! { "to": { "db": "shop", "coll": "old" }, "operationDescription": { "to": { "db": "shop" } } };
    assert_eq!(
        made(&["-a"], "rename", &rename),
        doc! {
            "to": { "db": "shop", "coll": "old" }, "operationDescription": { "to": { "db": "shop" } },
        }
    );
}

#[test]
fn a_corrupt_event_is_an_error_without_content_and_what_may_be_told_is_bare() {
    let parts =
        rawdoc! { "documentKey": { "_id": "ada" }, "fullDocument": { "a": { "b": "secret" } } };
    let mut bytes = event("insert", &parts).raw().to_vec();
    let place = bytes.windows(6).position(|part| part == b"secret").unwrap();
    // The length of the text.
    bytes[place - 1] = 0x7f;
    let corrupt = ChangeEvent::parse(bytes.into()).unwrap();
    assert!(
        projection(&["-c"]).apply(&corrupt).is_ok(),
        "nobody looks there"
    );
    let error = projection(&["-a.b"]).apply(&corrupt).unwrap_err();
    assert_eq!(error, Error { offset: place });
    let text = error.to_string();
    assert_eq!(
        text,
        format!("its fields cannot be told apart: it is not valid BSON at byte {place}")
    );
    let bare = projection(&["-a.b"]).without_content(&corrupt);
    let bare = bson::Document::from_reader(bare.raw()).unwrap();
    let wanted = doc! {
        "_id": { "_data": "3b5cb7fe5131e4a99af7362c93a81387" }, "operationType": "insert",
        "clusterTime": Timestamp { time: 1, increment: 2 }, "ns": { "db": "shop", "coll": "games" },
    };
    assert_eq!(bare, wanted);
    let shown = format!("{corrupt:?}");
    assert!(
        !shown.contains("secret") && !shown.contains("ada"),
        "{shown}"
    );
}
