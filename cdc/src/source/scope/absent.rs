//! Says what is watched and is not there: a slip of the hand reads nothing for ever.

use std::fmt;

use tracing::{debug, info, warn};

use super::{
    Collections, Databases, Scope,
    existing::{Existing, existing},
    temporary::is_temporary,
};
use crate::{
    mongo::{self, Mongo},
    retry::chain,
    source::Error,
};

/// A name or pattern that matches nothing now.
#[derive(Debug, PartialEq, Eq)]
pub struct Absent {
    /// The name or pattern.
    pub text: String,
    /// Whether it is one of what is not to be watched.
    pub is_excluded: bool,
    /// What bears the name instead of a collection, such as `view`.
    pub kind: Option<String>,
    /// The name that takes the fewest edits, if those are few.
    pub nearest: Option<String>,
}

/// What there is of what is watched.
#[derive(Debug, Default)]
pub struct Survey {
    /// Databases, each watched by its name, that have no collections at all.
    pub empty: Vec<String>,
    /// Every name and pattern that matches no collection.
    pub absent: Vec<Absent>,
    /// Watched collections that keep no images, where the scope needs them, as `database.collection`.
    pub without_images: Vec<(String, String)>,
}

impl Scope {
    /// Warns of what is not there and may be created later.
    ///
    /// # Errors
    /// [`Error::NoImages`] where images are required that a collection does not keep.
    pub async fn look(&self, mongo: &Mongo) -> Result<(), Error> {
        let survey = self.survey_if_allowed(mongo).await;
        let databases = self.databases.to_string();
        for database in &survey.empty {
            info!(database, "the watched database has no collections yet");
        }
        if let Some((database, collection)) = survey.without_images.first() {
            if self.images().are_required() {
                return Err(Error::NoImages {
                    database: database.clone(),
                    collection: collection.clone(),
                    more: survey.without_images.len() - 1,
                });
            }
            warn!(
                database,
                collection,
                more = survey.without_images.len() - 1,
                "a watched collection does not keep the documents before and after a change, so they are missing"
            );
        }
        for absent in survey.absent {
            absent.warn(&databases);
        }
        Ok(())
    }

    /// Looks whether every pattern matches a collection, where there are some.
    ///
    /// # Errors
    /// [`Error::Nothing`].
    pub async fn check_patterns(&self, mongo: &Mongo) -> Result<(), Error> {
        let is_pattern = |text: &str| text.contains(['*', '?']);
        if !self.collections.texts().any(|text| is_pattern(&text)) {
            return Ok(());
        }
        let survey = self.survey_if_allowed(mongo).await;
        let is_unmet = |one: &Absent| !one.is_excluded && is_pattern(&one.text);
        let mut absent = survey.absent.into_iter();
        match absent.find(is_unmet) {
            Some(absent) if survey.empty.is_empty() => Err(Error::Nothing {
                database: self.databases.to_string(),
                pattern: absent.text,
            }),
            _ => Ok(()),
        }
    }

    /// Whoever may read the change stream need not be allowed to list collections.
    async fn survey_if_allowed(&self, mongo: &Mongo) -> Survey {
        self.survey(mongo).await.unwrap_or_else(|error| {
            debug!(error = chain(&error), "the collections cannot be listed");
            Survey::default()
        })
    }

    /// What there is of what is watched.
    ///
    /// # Errors
    /// The collections cannot be listed, for which a user may lack the permission.
    pub async fn survey(&self, mongo: &Mongo) -> Result<Survey, mongo::Error> {
        let has_texts = !self.collections.is_empty() || !self.excluded.is_empty();
        let needs_images = self.images().need_kept();
        if !has_texts && matches!(self.databases, Databases::AllBut(_)) && !needs_images {
            return Ok(Survey::default());
        }
        let (existing, are_known) = match existing(mongo, &self.databases, needs_images).await {
            // The names alone take less permission.
            Err(mongo::Error::Denied { .. }) if needs_images => {
                (existing(mongo, &self.databases, false).await?, false)
            }
            existing => (existing?, needs_images),
        };
        let without_images = existing.iter().filter(|one| {
            let is_content = one.is_collection() && !is_temporary(&one.name);
            are_known && is_content && self.has(one.namespace()) && !one.keeps_images
        });
        let without_images = without_images.map(|one| (one.database.clone(), one.name.clone()));
        let named = match &self.databases {
            Databases::One(name) => vec![name],
            Databases::Several(names) => names.iter().collect(),
            Databases::AllBut(_) => Vec::new(),
        };
        let is_empty = |name: &&String| existing.iter().all(|one| one.database != **name);
        Ok(Survey {
            empty: named.into_iter().filter(is_empty).cloned().collect(),
            without_images: without_images.collect(),
            absent: self.absent(&existing),
        })
    }

    fn absent(&self, existing: &[Existing]) -> Vec<Absent> {
        let watched = self.collections.texts().map(|text| (text, false));
        let excluded = self.excluded.texts().map(|text| (text, true));
        let absent = watched.chain(excluded).filter(|(text, _)| {
            let one = Collections::parse(&self.databases, [text.as_str()]).unwrap_or_default();
            let mut collections = existing.iter().filter(|one| one.is_collection());
            !collections.any(|found| one.matches(found.namespace()))
        });
        let absent = absent.map(|(text, is_excluded)| {
            let is_qualified = self.databases.one().is_none() && text.contains('.');
            let shown = |one: &Existing| one.shown(is_qualified);
            let mut named = existing.iter().filter(|one| shown(one) == text);
            let collections = existing.iter().filter(|one| one.is_collection());
            Absent {
                kind: named.next().map(|one| one.kind.clone()),
                nearest: nearest(&text, collections.map(shown)),
                text,
                is_excluded,
            }
        });
        absent.collect()
    }
}

impl Absent {
    fn warn(&self, database: &str) {
        let Self {
            text,
            is_excluded,
            kind,
            nearest,
        } = self;
        if let Some(kind) = kind {
            warn!(
                database,
                name = text,
                kind,
                "a watched name is not a collection's, and the change stream tells nothing of it"
            );
        } else if *is_excluded {
            warn!(
                database,
                name = text,
                nearest,
                "an excluded name matches no collection"
            );
        } else {
            warn!(
                database,
                name = text,
                nearest,
                "a watched name matches no collection; its changes are published once there is one"
            );
        }
    }
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Some(kind) => write!(
                f,
                "`{}` is a {kind}, and the change stream tells nothing of it",
                self.text
            ),
            None if self.is_excluded => {
                write!(
                    f,
                    "`{}`, which is excluded, matches no collection",
                    self.text
                )
            }
            None => write!(f, "`{}` matches no collection", self.text),
        }?;
        match &self.nearest {
            Some(nearest) => write!(f, "; the nearest name is `{nearest}`"),
            None => Ok(()),
        }
    }
}

/// The name that may have been meant: a slip in every fourth letter at most.
pub(super) fn nearest(text: &str, names: impl Iterator<Item = String>) -> Option<String> {
    let far = 1 + text.chars().count() / 4;
    names
        .map(|name| (strsim::osa_distance(text, &name), name))
        .filter(|(edits, _)| *edits <= far)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(databases: Databases, collections: &[&str]) -> Scope {
        Scope {
            collections: Collections::parse(&databases, collections.iter().copied()).unwrap(),
            ..Scope::all_of(databases)
        }
    }

    fn existing(database: &str, name: &str, kind: &str) -> Existing {
        Existing {
            database: database.to_owned(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            keeps_images: false,
        }
    }

    fn absent(scope: &Scope, existing: &[Existing]) -> Vec<String> {
        let absent = scope.absent(existing).into_iter();
        absent.map(|one| one.to_string()).collect()
    }

    #[test]
    fn what_matches_no_collection_is_told_with_the_nearest_name() {
        let names = [
            "games", "mo*", "gmaes", "Players", "totals", "or?ers", "nothing",
        ];
        let mut scope = scope(Databases::One("shop".to_owned()), &names);
        scope.excluded = Collections::parse(&scope.databases, ["player"]).unwrap();
        let existing = [
            existing("shop", "games", "collection"),
            existing("shop", "moves", "collection"),
            existing("shop", "orders_2024", "collection"),
            existing("shop", "players", "collection"),
            existing("shop", "totals", "view"),
        ];
        let expected = [
            "`Players` matches no collection; the nearest name is `players`",
            "`gmaes` matches no collection; the nearest name is `games`",
            "`nothing` matches no collection",
            "`totals` is a view, and the change stream tells nothing of it",
            "`or?ers` matches no collection",
            "`player`, which is excluded, matches no collection; the nearest name is `players`",
        ];
        assert_eq!(absent(&scope, &existing), expected);
    }

    #[test]
    fn where_more_databases_are_watched_a_name_is_looked_for_with_its_database() {
        let all = Databases::AllBut("cdc".to_owned());
        let scope = scope(all, &["moves", "shop.orders", "shp.games", "game"]);
        let existing = [
            existing("shop", "games", "collection"),
            existing("crm", "moves", "collection"),
        ];
        let expected = [
            "`game` matches no collection; the nearest name is `games`",
            "`shop.orders` matches no collection",
            "`shp.games` matches no collection; the nearest name is `shop.games`",
        ];
        assert_eq!(absent(&scope, &existing), expected);
    }
}
