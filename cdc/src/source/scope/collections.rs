//! Which collections are watched: all, or those of some names and patterns.

use std::collections::BTreeSet;

use bson::{Document, doc};

use super::glob::Glob;

/// Longest `<database>.<collection>` in bytes.
/// <https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions>
const NAMESPACE_BYTES_MAX: usize = 255;

/// Names and patterns of collections; none for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collections {
    names: BTreeSet<String>,
    patterns: BTreeSet<Glob>,
}

impl Collections {
    /// Reads names and patterns of collections of `database`, with or without `<database>.` before each. `*` stands for
    /// any text, `?` for any one character.
    ///
    /// # Errors
    /// Everything that is no collection's name, with the reason.
    pub fn parse<'a>(
        database: &str,
        texts: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Vec<String>> {
        let (mut all, mut faults) = (Self::default(), Vec::new());
        for text in texts {
            let name = text
                .strip_prefix(database)
                .and_then(|rest| rest.strip_prefix('.'))
                .unwrap_or(text);
            match (fault(database, name), Glob::parse(name)) {
                (Some(fault), _) => faults.push(format!("`{text}` {fault}")),
                (None, Some(pattern)) => {
                    all.patterns.insert(pattern);
                }
                (None, None) => {
                    all.names.insert(name.to_owned());
                }
            }
        }
        if faults.is_empty() {
            Ok(all)
        } else {
            Err(faults)
        }
    }

    /// Whether all collections are watched.
    pub fn is_all(&self) -> bool {
        self.names.is_empty() && self.patterns.is_empty()
    }

    /// Whether the collection `name` is watched.
    pub fn matches(&self, name: &str) -> bool {
        self.is_all()
            || self.names.contains(name)
            || self.patterns.iter().any(|pattern| pattern.matches(name))
    }

    /// Names, then patterns, each in alphabetical order.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let names = self.names.iter().map(String::as_str);
        names.chain(self.patterns.iter().map(Glob::as_str))
    }

    /// Conditions of a `$match` on `field`, of which one has to hold; none where all collections are watched.
    pub fn conditions(&self, field: &str) -> Vec<Document> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let names = (!names.is_empty()).then(|| doc! { field: { "$in": names } });
        let patterns = self.patterns.iter();
        let patterns =
            patterns.map(|pattern| doc! { field: { "$regex": pattern.regex(), "$options": "s" } });
        names.into_iter().chain(patterns).collect()
    }

    /// Names and patterns that match none of `existing`.
    pub(in crate::source) fn unmatched(&self, existing: &BTreeSet<String>) -> Vec<&str> {
        let names = self.names.iter().map(String::as_str);
        let names = names.filter(|name| !existing.contains(*name));
        let patterns = self.patterns.iter();
        let patterns = patterns.filter(|one| !existing.iter().any(|name| one.matches(name)));
        names.chain(patterns.map(Glob::as_str)).collect()
    }
}

/// Why `name` can be no collection's of `database`, nor a pattern of one that a change stream tells of.
fn fault(database: &str, name: &str) -> Option<String> {
    if name.is_empty() || name.starts_with('.') || name.ends_with('.') {
        return Some(
            "is not a collection's name: it is empty, or begins or ends with a dot".to_owned(),
        );
    }
    if name.contains(['$', '\0']) {
        return Some("is not a collection's name: it has a `$` or a null character".to_owned());
    }
    if name.starts_with("system.") {
        return Some("is a system collection, which change streams leave out".to_owned());
    }
    let bytes = database.len() + 1 + name.len();
    (NAMESPACE_BYTES_MAX < bytes).then(|| {
        format!("is {bytes} bytes long with its database, at most {NAMESPACE_BYTES_MAX} may be")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collections(texts: &[&str]) -> Result<Collections, Vec<String>> {
        Collections::parse("shop", texts.iter().copied())
    }

    #[test]
    fn the_watched_database_before_a_name_is_taken_off_once() {
        let parsed = collections(&[
            "shop.games",
            "games",
            "shop.ga*",
            "shop.shop.a",
            "other.a",
            "shops.a",
        ]);
        let parsed = parsed.unwrap();
        let texts: Vec<&str> = parsed.texts().collect();
        assert_eq!(texts, ["games", "other.a", "shop.a", "shops.a", "ga*"]);
    }

    #[test]
    fn what_can_be_no_collections_name_is_told() {
        let long = "x".repeat(251);
        for (text, part) in [
            ("shop.", "`shop.` is not a collection's name"),
            (".a", "begins or ends with a dot"),
            ("a.", "begins or ends with a dot"),
            ("a$b", "a `$`"),
            ("system.views", "a system collection"),
            ("shop.system.*", "a system collection"),
            (
                &long,
                "256 bytes long with its database, at most 255 may be",
            ),
        ] {
            let faults = collections(&[text, "games"]).unwrap_err();
            assert_eq!(faults.len(), 1);
            assert!(faults[0].contains(part), "{faults:?}");
        }
        assert!(collections(&["a b", "ü", "a..b", &long[1..], "systems.*"]).is_ok());
    }

    #[test]
    fn no_name_at_all_is_every_collection() {
        let all = collections(&[]).unwrap();
        assert!(all.is_all() && all.matches("games") && all.conditions("name").is_empty());
        let some = collections(&["games", "mo*"]).unwrap();
        assert!(some.matches("games") && some.matches("moves"));
        assert!(!some.matches("game"));
    }
}
