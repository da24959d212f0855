//! Names and patterns, of collections or of databases.

use std::collections::BTreeSet;

use bson::{Document, doc};

use super::glob::Glob;

/// Names and patterns; a name matches where one of them does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    plain: BTreeSet<String>,
    patterns: BTreeSet<Glob>,
}

impl Names {
    pub(super) fn insert(&mut self, text: &str) {
        match Glob::parse(text) {
            Some(pattern) => self.patterns.insert(pattern),
            None => self.plain.insert(text.to_owned()),
        };
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        self.plain.contains(name) || self.patterns.iter().any(|pattern| pattern.matches(name))
    }

    /// Names, then patterns, each in alphabetical order.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        let plain = self.plain.iter().map(String::as_str);
        plain.chain(self.patterns.iter().map(Glob::as_str))
    }

    /// Conditions of a `$match` on `field`, of which one has to hold.
    pub(super) fn conditions(&self, field: &str) -> Vec<Document> {
        let plain: Vec<&String> = self.plain.iter().collect();
        let plain = (!plain.is_empty()).then(|| doc! { field: { "$in": plain } });
        let patterns = self.patterns.iter();
        let patterns =
            patterns.map(|one| doc! { field: { "$regex": one.regex(), "$options": "s" } });
        plain.into_iter().chain(patterns).collect()
    }
}
