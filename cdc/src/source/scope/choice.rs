//! Which collections are meant, of those that are watched.

use std::fmt;

use super::{
    Collections, Scope,
    absent::nearest,
    existing::{Existing, existing},
    temporary::is_temporary,
};
use crate::mongo::{self, Mongo};

/// What names and patterns mean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Collections.
    pub collections: Vec<Existing>,
    /// Views and the like, which patterns match too.
    pub others: Vec<Existing>,
}

/// A name or pattern that means no collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// The name or pattern.
    pub text: String,
    /// What bears the name instead, such as `view`.
    pub kind: Option<String>,
    /// The name that takes the fewest edits, if those are few.
    pub nearest: Option<String>,
}

impl Scope {
    /// What there is of what is watched: collections, and views and the like, but not what is the server's own.
    ///
    /// # Errors
    /// The collections cannot be listed.
    pub async fn existing(&self, mongo: &Mongo) -> Result<Vec<Existing>, mongo::Error> {
        let all = existing(mongo, &self.databases, false).await?.into_iter();
        let is_own = |one: &Existing| one.name.starts_with("system.") || is_temporary(&one.name);
        let watched = all.filter(|one| !is_own(one) && self.has(one.namespace()));
        let mut watched: Vec<Existing> = watched.collect();
        watched
            .sort_by(|one, other| (&one.database, &one.name).cmp(&(&other.database, &other.name)));
        Ok(watched)
    }

    /// Which of `existing` the names and patterns of `texts` mean; all of it where there are none.
    ///
    /// # Errors
    /// The first that means no collection.
    pub fn choose(&self, existing: &[Existing], texts: Option<&[String]>) -> Result<Choice, Unmet> {
        let Some(texts) = texts else {
            return Ok(existing.iter().collect());
        };
        for text in texts {
            let one = self.parse(text);
            let mut met = existing
                .iter()
                .filter(|found| one.matches(found.namespace()));
            // A name is of one thing in each database; a pattern may be of some that cannot be meant.
            if !met.any(Existing::is_collection) {
                return Err(self.unmet(existing, text));
            }
        }
        let all: Vec<Collections> = texts.iter().map(|text| self.parse(text)).collect();
        let is_met = |found: &&Existing| all.iter().any(|one| one.matches(found.namespace()));
        Ok(existing.iter().filter(is_met).collect())
    }

    fn parse(&self, text: &str) -> Collections {
        Collections::parse(&self.databases, [text]).unwrap_or_default()
    }

    fn unmet(&self, existing: &[Existing], text: &str) -> Unmet {
        let is_qualified = self.databases.one().is_none() && text.contains('.');
        let one = self.parse(text);
        let mut bearers = existing
            .iter()
            .filter(|found| one.matches(found.namespace()));
        let collections = existing.iter().filter(|found| found.is_collection());
        Unmet {
            kind: bearers.next().map(|found| found.kind.clone()),
            nearest: nearest(text, collections.map(|found| found.shown(is_qualified))),
            text: text.to_owned(),
        }
    }
}

impl<'a> FromIterator<&'a Existing> for Choice {
    fn from_iter<I: IntoIterator<Item = &'a Existing>>(all: I) -> Self {
        let all = all.into_iter().cloned();
        let (collections, others) = all.partition(Existing::is_collection);
        Self {
            collections,
            others,
        }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            text,
            kind,
            nearest,
        } = self;
        match (kind, nearest) {
            (Some(kind), _) => write!(f, "`{text}` is a {kind}, of which no snapshot is taken"),
            (None, Some(nearest)) => write!(
                f,
                "`{text}` matches no watched collection; the nearest name is `{nearest}`"
            ),
            (None, None) => write!(f, "`{text}` matches no watched collection"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Databases, *};

    fn existing() -> Vec<Existing> {
        let all = [
            ("crm", "moves", "collection"),
            ("shop", "games", "collection"),
            ("shop", "gains", "view"),
            ("shop", "ticks", "timeseries"),
        ];
        let all = all.map(|(database, name, kind)| Existing {
            database: database.to_owned(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            keeps_images: false,
        });
        all.to_vec()
    }

    fn choose(databases: Databases, texts: &[&str]) -> Result<[Vec<String>; 2], String> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let scope = Scope::all_of(databases);
        let chosen = scope.choose(&existing(), (!texts.is_empty()).then_some(&texts));
        let names = |all: Vec<Existing>| all.iter().map(|one| one.shown(true)).collect();
        let chosen = chosen.map(|chosen| [chosen.collections, chosen.others].map(names));
        chosen.map_err(|unmet| unmet.to_string())
    }

    #[test]
    fn names_and_patterns_mean_collections_and_patterns_leave_the_rest_out() {
        let all = || Databases::AllBut("cdc".to_owned());
        let [collections, others] = choose(all(), &[]).unwrap();
        assert_eq!(collections, ["crm.moves", "shop.games"]);
        assert_eq!(others, ["shop.gains", "shop.ticks"]);
        let [collections, others] = choose(all(), &["shop.ga*", "games"]).unwrap();
        assert_eq!(collections, ["shop.games"]);
        assert_eq!(others, ["shop.gains"]);
    }

    #[test]
    fn what_means_no_collection_is_told() {
        let one = || Databases::One("shop".to_owned());
        for (text, fault) in [
            ("gains", "`gains` is a view, of which no snapshot is taken"),
            (
                "ti*",
                "`ti*` is a timeseries, of which no snapshot is taken",
            ),
            (
                "gamse",
                "`gamse` matches no watched collection; the nearest name is `games`",
            ),
            ("x*", "`x*` matches no watched collection"),
        ] {
            assert_eq!(choose(one(), &["games", text]), Err(fault.to_owned()));
        }
        let all = Databases::AllBut("cdc".to_owned());
        let fault = "`shp.games` matches no watched collection; the nearest name is `shop.games`";
        assert_eq!(choose(all, &["shp.games"]), Err(fault.to_owned()));
    }
}
