//! Random documents and paths, against the model.

use bson::{Bson, Document, RawDocumentBuf, doc};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof},
    sample::select,
};

use super::{
    Action, Mask, Projection, Rule, event,
    model::{Kind, Rules, model_document},
};

pub(super) fn rules() -> impl Strategy<Value = Rules> {
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
pub(super) fn documents(names: &'static [&'static str]) -> impl Strategy<Value = Document> {
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
pub(super) fn number(value: &mut Bson, count: &mut usize) {
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

pub(super) fn numbered(document: Document, count: &mut usize) -> Document {
    let mut value = Bson::Document(document);
    number(&mut value, count);
    match value {
        Bson::Document(document) => document,
        _ => unreachable!("it was one"),
    }
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

pub(super) fn texts_of(document: &Document) -> Vec<String> {
    let mut found = Vec::new();
    document.values().for_each(|value| texts(value, &mut found));
    found
}

/// Each part of the event that the rules make of `parts`, as bytes.
pub(super) fn made(rules: &Rules, operation: &str, parts: &Document) -> Vec<u8> {
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
