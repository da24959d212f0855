//! Names and patterns of collections, with the databases that they are of.

use std::collections::BTreeMap;

use bson::Document;

use super::{Databases, glob::Glob, names::Names};
use crate::event::Namespace;

/// Longest `<database>.<collection>` in bytes.
/// <https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions>
const NAMESPACE_BYTES_MAX: usize = 255;

/// Names and patterns of collections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collections {
    /// By name or pattern of the database; an empty one stands for every database that is watched.
    by_database: BTreeMap<String, Names>,
}

impl Collections {
    /// Reads names and patterns of collections of `databases`. `*` stands for any text, `?` for any one character.
    ///
    /// Where one database is watched, its name may stand before each with a dot between. Where more are, what is before the
    /// first dot is the name or pattern of a database, and without a dot the collection is one of any database.
    ///
    /// # Errors
    /// Everything that is no collection's name, with the reason.
    pub fn parse<'a>(
        databases: &Databases,
        texts: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Vec<String>> {
        let (mut all, mut faults) = (Self::default(), Vec::new());
        for text in texts {
            let (database, name) = parts(databases, text);
            match fault(databases, database, name) {
                Some(fault) => faults.push(format!("`{text}` {fault}")),
                None => all
                    .by_database
                    .entry(database.to_owned())
                    .or_default()
                    .insert(name),
            }
        }
        if faults.is_empty() {
            Ok(all)
        } else {
            Err(faults)
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_database.is_empty()
    }

    /// Whether one of them is the collection of `namespace`.
    pub fn matches(&self, namespace: Namespace<'_>) -> bool {
        let Some(collection) = namespace.collection else {
            return false;
        };
        let mut all = self.by_database.iter();
        all.any(|(database, names)| {
            is_match(database, namespace.database) && names.matches(collection)
        })
    }

    /// Each as it can be given again: by database, names before patterns, each in alphabetical order.
    pub fn texts(&self) -> impl Iterator<Item = String> {
        self.by_database.iter().flat_map(|(database, names)| {
            names.texts().map(move |name| match database.as_str() {
                "" => name.to_owned(),
                _ => format!("{database}.{name}"),
            })
        })
    }

    /// Conditions of a `$match` on the namespace in `field`, of which one has to hold.
    pub fn conditions(&self, field: &str) -> Vec<Document> {
        let all = self.by_database.iter().flat_map(|(database, names)| {
            let mut of_database = Names::default();
            if !database.is_empty() {
                of_database.insert(database);
            }
            let outer = of_database.conditions(&format!("{field}.db"));
            let outer = outer.into_iter().next();
            let mut names = names.conditions(&format!("{field}.coll"));
            for condition in &mut names {
                condition.extend(outer.clone().unwrap_or_default());
            }
            names
        });
        all.collect()
    }
}

/// Database, which may be empty, and collection.
fn parts<'t>(databases: &Databases, text: &'t str) -> (&'t str, &'t str) {
    match databases.one() {
        Some(one) => {
            let rest = text.strip_prefix(one);
            let name = rest.and_then(|rest| rest.strip_prefix('.'));
            ("", name.unwrap_or(text))
        }
        None => text.split_once('.').unwrap_or(("", text)),
    }
}

/// Whether `database`, a name or a pattern or empty, is for the database `name`.
fn is_match(database: &str, name: &str) -> bool {
    database.is_empty()
        || database == name
        || Glob::parse(database).is_some_and(|pattern| pattern.matches(name))
}

/// Why `name` can be no collection's, nor a pattern of one that the change stream tells of.
fn fault(databases: &Databases, database: &str, name: &str) -> Option<String> {
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
    let is_pattern = database.contains(['*', '?']);
    if !database.is_empty() && !is_pattern && !databases.matches(database) {
        return Some(format!(
            "is of the database `{database}`, which is not among the watched ones, `{databases}`"
        ));
    }
    let bytes = databases.one().unwrap_or(database).len() + 1 + name.len();
    (NAMESPACE_BYTES_MAX < bytes).then(|| {
        format!("is {bytes} bytes long with its database, at most {NAMESPACE_BYTES_MAX} may be")
    })
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    fn collections(texts: &[&str]) -> Result<Collections, Vec<String>> {
        let one = Databases::One("shop".to_owned());
        Collections::parse(&one, texts.iter().copied())
    }

    fn has(collections: &Collections, database: &str, collection: &str) -> bool {
        collections.matches(Namespace {
            database,
            collection: Some(collection),
        })
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
        let texts: Vec<String> = parsed.unwrap().texts().collect();
        assert_eq!(texts, ["games", "other.a", "shop.a", "shops.a", "ga*"]);
    }

    #[test]
    fn where_more_databases_are_watched_the_first_dot_ends_the_database() {
        let two = Databases::Several(["crm", "shop"].map(str::to_owned).into());
        let texts = ["moves", "shop.games", "c*.a.b", "shop.ga*"];
        let parsed = Collections::parse(&two, texts).unwrap();
        assert!(has(&parsed, "crm", "moves") && has(&parsed, "shop", "moves"));
        assert!(has(&parsed, "shop", "games") && has(&parsed, "shop", "gates"));
        assert!(!has(&parsed, "crm", "games") && has(&parsed, "crm", "a.b"));
        let texts: Vec<String> = parsed.texts().collect();
        assert_eq!(texts, ["moves", "c*.a.b", "shop.games", "shop.ga*"]);
        let conditions = [
            doc! { "ns.coll": { "$in": ["moves"] } },
            doc! { "ns.coll": { "$in": ["a.b"] }, "ns.db": { "$regex": r"^c.*\z", "$options": "s" } },
            doc! { "ns.coll": { "$in": ["games"] }, "ns.db": { "$in": ["shop"] } },
            doc! { "ns.coll": { "$regex": r"^ga.*\z", "$options": "s" }, "ns.db": { "$in": ["shop"] } },
        ];
        assert_eq!(parsed.conditions("ns"), conditions);
        let faults = Collections::parse(&two, ["other.games", "moves"]).unwrap_err();
        let fault = "`other.games` is of the database `other`, which is not among the watched ones, `crm,shop`";
        assert_eq!(faults, [fault]);
        let all = Databases::AllBut("cdc".to_owned());
        assert!(Collections::parse(&all, ["other.games"]).is_ok());
        assert!(Collections::parse(&all, ["cdc.checkpoints"]).is_err());
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
    fn names_and_patterns_match_whole_names() {
        assert!(collections(&[]).unwrap().is_empty());
        let some = collections(&["games", "mo*"]).unwrap();
        assert!(has(&some, "shop", "games") && has(&some, "shop", "moves"));
        assert!(!has(&some, "shop", "game"));
    }
}
