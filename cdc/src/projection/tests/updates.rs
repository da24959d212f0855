//! Random updates, against a consumer that applies them.

use bson::{Bson, Document, doc};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof},
    sample::select,
};

use super::{
    model::model_document,
    random::{documents, made, number, numbered, rules, texts_of},
};

/// A change of one place; `at` chooses the place and `value` what is new there.
#[derive(Debug, Clone)]
enum Change {
    Set {
        at: Vec<usize>,
        name: &'static str,
        value: Bson,
    },
    Remove {
        at: Vec<usize>,
    },
    Truncate {
        at: Vec<usize>,
        size: usize,
    },
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let at = || vec(any::<usize>(), 1..5);
    let value = documents(UPDATED).prop_flat_map(|document| {
        prop_oneof![
            Just(Bson::Null),
            Just(Bson::Document(document.clone())),
            Just(Bson::Array(document.values().cloned().collect())),
        ]
    });
    let change = prop_oneof![
        (at(), select(UPDATED), value).prop_map(|(at, name, value)| Change::Set {
            at,
            name,
            value
        }),
        at().prop_map(|at| Change::Remove { at }),
        (at(), 0..3_usize).prop_map(|(at, size)| Change::Truncate { at, size }),
    ];
    vec(change, 1..4)
}

const UPDATED: &[&str] = &["a", "b", "c", "d", "0", "1"];

/// An update description that fits `document`, of at most one entry for each place.
fn description(document: &Document, changes: &[Change], count: &mut usize) -> Document {
    let (mut updated, mut removed, mut truncated) = (Document::new(), Vec::new(), Vec::new());
    let mut taken: Vec<Vec<String>> = Vec::new();
    for change in changes {
        let at = match change {
            Change::Set { at, .. } | Change::Remove { at } | Change::Truncate { at, .. } => at,
        };
        let (mut names, holder) = place(document, at);
        if let Change::Set { name, .. } = change
            && let Some(Bson::Document(_)) | None = holder
        {
            names.push((*name).to_owned());
        }
        // The server tells of no place twice, nor of one within another.
        let is_taken = taken
            .iter()
            .any(|other| names.starts_with(other) || other.starts_with(&names));
        if names.is_empty() || is_taken {
            continue;
        }
        let path = names.join(".");
        match (change, holder) {
            (Change::Set { value, .. }, _) => {
                let mut value = value.clone();
                number(&mut value, count);
                updated.insert(path, value);
            }
            // An element of an array is never removed.
            (Change::Remove { .. }, Some(_)) if is_field(document, &names) => removed.push(path),
            (Change::Truncate { size, .. }, Some(Bson::Array(values))) if *size < values.len() => {
                truncated.push(doc! { "field": path, "newSize": i32::try_from(*size).unwrap() });
            }
            _ => continue,
        }
        taken.push(names);
    }
    doc! { "updatedFields": updated, "removedFields": removed, "truncatedArrays": truncated }
}

/// The names to a place in `document`, and what is there; the document itself where there is none.
fn place<'d>(document: &'d Document, at: &[usize]) -> (Vec<String>, Option<&'d Bson>) {
    let (mut names, mut value) = (Vec::new(), None::<&Bson>);
    for choice in at {
        let inside: Vec<(String, &Bson)> = match value {
            None => document
                .iter()
                .map(|(name, value)| (name.clone(), value))
                .collect(),
            Some(Bson::Document(document)) => document
                .iter()
                .map(|(name, value)| (name.clone(), value))
                .collect(),
            Some(Bson::Array(values)) => {
                let values = values.iter().enumerate();
                values
                    .map(|(index, value)| (index.to_string(), value))
                    .collect()
            }
            Some(_) => break,
        };
        if inside.is_empty() {
            break;
        }
        let (name, found) = inside[choice % inside.len()].clone();
        names.push(name);
        value = Some(found);
    }
    (names, value)
}

fn is_field(document: &Document, names: &[String]) -> bool {
    let mut value = &Bson::Document(document.clone());
    for name in &names[..names.len() - 1] {
        value = match value {
            Bson::Document(document) => &document[name.as_str()],
            Bson::Array(values) => &values[name.parse::<usize>().unwrap()],
            _ => unreachable!("a place is in a document or an array"),
        };
    }
    matches!(value, Bson::Document(_))
}

/// Applies an update description, as a consumer does that keeps a copy of each document.
fn apply(description: &Document, document: &Document) -> Document {
    let mut whole = Bson::Document(document.clone());
    for one in description.get_array("truncatedArrays").unwrap() {
        let one = one.as_document().unwrap();
        let size = usize::try_from(one.get_i32("newSize").unwrap()).unwrap();
        match at(&mut whole, one.get_str("field").unwrap()) {
            Bson::Array(values) => values.truncate(size),
            other => panic!("{one} truncates {other}"),
        }
    }
    for one in description.get_array("removedFields").unwrap() {
        let path = one.as_str().unwrap();
        let (holder, name) = path.rsplit_once('.').unwrap_or(("", path));
        match at(&mut whole, holder) {
            Bson::Document(document) => _ = document.remove(name),
            other => panic!("{path} is removed from {other}"),
        }
    }
    for (path, value) in description.get_document("updatedFields").unwrap() {
        let (holder, name) = path.rsplit_once('.').unwrap_or(("", path));
        match at(&mut whole, holder) {
            Bson::Document(document) => _ = document.insert(name, value.clone()),
            Bson::Array(values) => values[name.parse::<usize>().unwrap()] = value.clone(),
            other => panic!("{path} is set in {other}"),
        }
    }
    match whole {
        Bson::Document(document) => document,
        _ => unreachable!("it was one"),
    }
}

/// What is at `path`, which is there.
fn at<'d>(mut value: &'d mut Bson, path: &str) -> &'d mut Bson {
    for name in path.split('.').filter(|name| !name.is_empty()) {
        value = match value {
            Bson::Document(document) => document
                .get_mut(name)
                .unwrap_or_else(|| panic!("no {path}")),
            Bson::Array(values) => &mut values[name.parse::<usize>().unwrap()],
            other => panic!("{path} goes through {other}"),
        };
    }
    value
}

#[test]
fn a_masked_update_of_a_masked_document_is_the_masked_new_document() {
    let case = (documents(UPDATED), changes(), rules());
    crate::property::run(&case, |(before, changes, rules)| {
        let mut count = 0;
        let before = numbered(before, &mut count);
        let description = description(&before, &changes, &mut count);
        let after = apply(&description, &before);
        let parts = doc! {
            "updateDescription": description.clone(), "fullDocument": after.clone(),
            "fullDocumentBeforeChange": before.clone(),
        };
        let bytes = made(&rules, "update", &parts);
        let made = Document::from_reader(&bytes[..]).unwrap();
        let part = |name| made.get_document(name).unwrap();
        let masked = apply(part("updateDescription"), part("fullDocumentBeforeChange"));
        prop_assert_eq!(&masked, part("fullDocument"), "{}", &made);
        // What no rule takes from the documents is in the description too.
        let kept =
            [&before, &after].map(|document| texts_of(&model_document(&rules, &[], document)));
        let kept = kept.concat();
        for text in texts_of(&parts) {
            let is_there = bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes());
            prop_assert!(
                !is_there || kept.contains(&text) || !text.starts_with("secret"),
                "{}",
                text
            );
        }
        Ok(())
    });
}
