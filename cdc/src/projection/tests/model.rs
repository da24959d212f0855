//! What rules make of a decoded document, written as simply as can be.

use bson::{Bson, Document};

/// Paths and what happens to them.
pub(super) type Rules = Vec<(Vec<&'static str>, Kind)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Include,
    Exclude,
    Mask(&'static str),
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

pub(super) fn model_document(rules: &Rules, names: &[String], document: &Document) -> Document {
    let fields = document.iter().filter_map(|(name, value)| {
        let more: Vec<String> = name.split('.').map(str::to_owned).collect();
        let value = model(rules, &[names, &more].concat(), value)?;
        Some((name.clone(), value))
    });
    fields.collect()
}
