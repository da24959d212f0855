//! Random documents, paths and updates, against a model that is written on decoded documents.

use bson::{Bson, Document, RawDocumentBuf, doc};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof},
    sample::select,
};

use super::{Action, Mask, Projection, Rule, event};

/// Paths and what happens to them.
type Rules = Vec<(Vec<&'static str>, Kind)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Include,
    Exclude,
    Mask(&'static str),
}

fn rules() -> impl Strategy<Value = Rules> {
    let names = vec(select(vec!["a", "b", "c", "*"]), 1..4);
    let kind = select(vec![
        Kind::Include,
        Kind::Exclude,
        Kind::Exclude,
        Kind::Mask("-"),
        Kind::Mask("+"),
    ]);
    vec((names, kind), 1..4)
}

fn projection(rules: &Rules) -> Projection {
    let rules = rules.iter().map(|(names, kind)| Rule {
        path: names.join(".").parse().unwrap(),
        action: match kind {
            Kind::Include => Action::Include,
            Kind::Exclude => Action::Exclude,
            Kind::Mask(text) => Action::Mask(Mask::Constant((*text).to_owned())),
        },
    });
    Projection::new(rules.collect()).unwrap()
}

/// Documents with `names`, in which no two values are the same.
fn documents(names: &'static [&'static str]) -> impl Strategy<Value = Document> {
    let leaf = Just(Bson::Null).boxed();
    let value = leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            fields(names, inner.clone()).prop_map(Bson::Document),
            vec(inner, 0..4).prop_map(Bson::Array),
        ]
    });
    fields(names, value)
}

fn fields(
    names: &'static [&'static str],
    values: impl Strategy<Value = Bson>,
) -> impl Strategy<Value = Document> {
    vec((select(names), values), 0..5).prop_map(|fields| {
        let fields = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value));
        fields.collect()
    })
}

/// Gives each leaf a text of its own.
fn number(value: &mut Bson, count: &mut usize) {
    match value {
        Bson::Document(document) => document
            .iter_mut()
            .for_each(|(_, value)| number(value, count)),
        Bson::Array(values) => values.iter_mut().for_each(|value| number(value, count)),
        leaf => {
            *count += 1;
            *leaf = format!("secret{count:05}").into();
        }
    }
}

fn numbered(document: Document, count: &mut usize) -> Document {
    let mut value = Bson::Document(document);
    number(&mut value, count);
    match value {
        Bson::Document(document) => document,
        _ => unreachable!("it was one"),
    }
}

fn is_number(name: &str) -> bool {
    name.parse::<u32>().is_ok()
}

/// Whether `pattern` is `names`, where a number after the first name may be passed over.
fn matches(pattern: &[&str], names: &[String], is_first: bool) -> bool {
    let Some((name, rest)) = names.split_first() else {
        return pattern.is_empty();
    };
    let passes = !is_first && is_number(name) && matches(pattern, rest, false);
    passes
        || pattern.split_first().is_some_and(|(wanted, pattern)| {
            let is_any = *wanted == "*" && !(is_first && name == "_id");
            (is_any || wanted == name) && matches(pattern, rest, false)
        })
}

/// Whether `pattern` may go on after `names`.
fn may_match(pattern: &[&str], names: &[String]) -> bool {
    (0..pattern.len()).any(|length| matches(&pattern[..length], names, true))
}

/// After how many of `names` at most `pattern` ends, where its own last name is the last of them.
fn covered(pattern: &[&str], names: &[String]) -> Option<usize> {
    let (wanted, before) = pattern.split_last()?;
    let ends = |length: &usize| {
        let (name, rest) = names[..*length].split_last().expect("one at least");
        let is_any = *wanted == "*" && !(rest.is_empty() && name == "_id");
        (is_any || wanted == name) && matches(before, rest, true)
    };
    (1..=names.len()).rev().find(ends)
}

/// What is to become of `value` at `names`.
fn model(rules: &Rules, names: &[String], value: &Bson) -> Option<Bson> {
    let of = |kind| rules.iter().filter(move |(_, one)| *one == kind);
    let includes = of(Kind::Include).next().is_some();
    let is_id = names.first().is_some_and(|name| name == "_id");
    let is_included =
        !includes || is_id || of(Kind::Include).any(|(path, _)| covered(path, names).is_some());
    if !is_included && !of(Kind::Include).any(|(path, _)| may_match(path, names)) {
        return None;
    }
    let excluded = of(Kind::Exclude).filter_map(|(path, _)| {
        (1..=names.len()).find(|length| matches(path, &names[..*length], true))
    });
    if let Some(length) = excluded.min() {
        let is_index = length > 1 && length == names.len() && is_number(&names[length - 1]);
        return is_index.then_some(Bson::Null);
    }
    Some(match value {
        Bson::Document(document) => Bson::Document(model_document(rules, names, document)),
        Bson::Array(values) => {
            let values = values.iter().enumerate().map(|(index, value)| {
                let names = [names, &[index.to_string()]].concat();
                model(rules, &names, value).expect("elements keep their indexes")
            });
            Bson::Array(values.collect())
        }
        _ if !is_included => Bson::Null,
        value => masked(rules, names).map_or_else(|| value.clone(), Bson::from),
    })
}

fn masked(rules: &Rules, names: &[String]) -> Option<&'static str> {
    let masks = rules.iter().rev().filter_map(|(path, kind)| match kind {
        Kind::Mask(text) => Some((covered(path, names)?, *text)),
        _ => None,
    });
    masks
        .max_by_key(|(length, _)| *length)
        .map(|(_, text)| text)
}

fn model_document(rules: &Rules, names: &[String], document: &Document) -> Document {
    let fields = document.iter().filter_map(|(name, value)| {
        let more: Vec<String> = name.split('.').map(str::to_owned).collect();
        let value = model(rules, &[names, &more].concat(), value)?;
        Some((name.clone(), value))
    });
    fields.collect()
}

fn raw(document: &Document) -> RawDocumentBuf {
    RawDocumentBuf::try_from(document).unwrap()
}

fn texts(value: &Bson, found: &mut Vec<String>) {
    match value {
        Bson::Document(document) => document.values().for_each(|value| texts(value, found)),
        Bson::Array(values) => values.iter().for_each(|value| texts(value, found)),
        Bson::String(text) => found.push(text.clone()),
        _ => {}
    }
}

fn texts_of(document: &Document) -> Vec<String> {
    let mut found = Vec::new();
    document.values().for_each(|value| texts(value, &mut found));
    found
}

/// Each part of the event that the rules make of `parts`, as bytes.
fn made(rules: &Rules, operation: &str, parts: &Document) -> Vec<u8> {
    let event = event(operation, &raw(parts));
    let made = projection(rules).apply(&event).unwrap();
    made.expect("a rule is of every collection").raw().to_vec()
}

#[test]
fn what_is_taken_away_is_nowhere_and_everything_else_is_as_it_was() {
    const NAMES: &[&str] = &[
        "a", "b", "c", "d", "0", "1", "_id", "a.b", "c.0", "b.1.a", "", ".",
    ];
    crate::property::run(&(documents(NAMES), rules()), |(document, rules)| {
        let document = numbered(document, &mut 0);
        let bytes = made(&rules, "insert", &doc! { "fullDocument": document.clone() });
        let found = Document::from_reader(&bytes[..]).unwrap();
        let found = found.get_document("fullDocument").unwrap();
        let wanted = model_document(&rules, &[], &document);
        let same = raw(found) == raw(&wanted);
        prop_assert!(same, "{} is not {}", found, wanted);
        let kept = texts_of(&wanted);
        for text in texts_of(&document) {
            let is_there = bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes());
            prop_assert_eq!(is_there, kept.contains(&text), "{}", text);
        }
        Ok(())
    });
}

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
