//! Says what is watched and is not there: a slip of the hand reads nothing for ever.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use bson::{Document, doc};
use futures_util::TryStreamExt as _;
use tracing::{debug, info, warn};

use super::Scope;
use crate::{
    mongo::{self, Mongo},
    retry::chain,
};

/// Kinds of what bears a collection's name, by the names.
type Kinds = BTreeMap<String, String>;

/// A watched name or pattern that gives no changes now.
#[derive(Debug, PartialEq, Eq)]
pub struct Absent {
    /// The name or pattern.
    pub text: String,
    /// What bears the name instead of a collection, such as `view`.
    pub kind: Option<String>,
    /// The name that takes the fewest edits, if those are few.
    pub nearest: Option<String>,
}

impl Scope {
    /// Warns of every watched name and pattern that matches no collection. It may be created later, so that is all.
    pub async fn warn_of_absent(&self, mongo: &Mongo) {
        let absent = match self.find_absent(mongo).await {
            Ok(absent) => absent,
            // Whoever may read the change stream need not be allowed to ask for this.
            Err(error) => {
                debug!(error = chain(&error), "the collections cannot be listed");
                return;
            }
        };
        let database = &self.database;
        if absent.is_none() {
            info!(database, "the watched database has no collections yet");
        }
        for Absent {
            text,
            kind,
            nearest,
        } in absent.unwrap_or_else(|| self.absent(&Kinds::default()))
        {
            if let Some(kind) = kind {
                warn!(
                    database,
                    name = text,
                    kind,
                    "a watched name is not a collection's, and the change stream tells nothing of it"
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

    /// Every watched name and pattern that matches no collection; none where the database has no collections at all.
    ///
    /// # Errors
    /// The collections cannot be listed, for which a user may lack the permission.
    pub async fn find_absent(&self, mongo: &Mongo) -> Result<Option<Vec<Absent>>, mongo::Error> {
        let kinds = kinds(mongo, &self.database).await?;
        Ok((!kinds.is_empty()).then(|| self.absent(&kinds)))
    }

    fn absent<'a>(&self, kinds: &'a Kinds) -> Vec<Absent> {
        let is_collection =
            |(name, kind): (&'a String, &String)| (kind == "collection").then_some(name);
        let existing: BTreeSet<String> = kinds.iter().filter_map(is_collection).cloned().collect();
        let unmatched = self.collections.unmatched(&existing).into_iter();
        let absent = unmatched.map(|text| Absent {
            text: text.to_owned(),
            kind: kinds.get(text).cloned(),
            nearest: nearest(text, kinds.iter().filter_map(is_collection)).map(str::to_owned),
        });
        absent.collect()
    }
}

async fn kinds(mongo: &Mongo, database: &str) -> Result<Kinds, mongo::Error> {
    let list = doc! { "listCollections": 1, "nameOnly": true, "authorizedCollections": true };
    let database = mongo.client().database(database);
    let list = async {
        let cursor = database.run_cursor_command(list).await?;
        let all: Vec<Document> = cursor.try_collect().await?;
        let text = |one: &Document, field: &str| one.get_str(field).unwrap_or_default().to_owned();
        let kinds = all.iter().map(|one| (text(one, "name"), text(one, "type")));
        Ok(kinds.collect())
    };
    mongo.deadline("a list of the collections", list).await
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Some(kind) => write!(
                f,
                "`{}` is a {kind}, and the change stream tells nothing of it",
                self.text
            ),
            None => write!(f, "`{}` matches no collection", self.text),
        }?;
        match &self.nearest {
            Some(nearest) => write!(f, "; the nearest name is `{nearest}`"),
            None => Ok(()),
        }
    }
}

/// The name that may have been meant: a slip in every fourth letter at most.
fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a String>) -> Option<&'a str> {
    let far = 1 + text.chars().count() / 4;
    names
        .map(|name| (strsim::osa_distance(text, name), name.as_str()))
        .filter(|(edits, _)| *edits <= far)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::{super::Collections, *};

    #[test]
    fn what_matches_no_collection_is_told_with_the_nearest_name() {
        let scope = Scope {
            database: "shop".to_owned(),
            collections: Collections::parse(
                "shop",
                [
                    "games", "mo*", "gmaes", "Players", "totals", "or?ers", "nothing",
                ],
            )
            .unwrap(),
            operations: Vec::new(),
        };
        let existing = [
            ("games", "collection"),
            ("moves", "collection"),
            ("orders_2024", "collection"),
            ("players", "collection"),
            ("totals", "view"),
        ];
        let kinds = existing.map(|(name, kind)| (name.to_owned(), kind.to_owned()));
        let kinds = Kinds::from(kinds);
        let absent: Vec<_> = scope.absent(&kinds);
        let absent = absent.iter().map(|one| {
            (
                one.text.as_str(),
                one.kind.as_deref(),
                one.nearest.as_deref(),
            )
        });
        let expected = [
            ("Players", None, Some("players")),
            ("gmaes", None, Some("games")),
            ("nothing", None, None),
            ("totals", Some("view"), None),
            ("or?ers", None, None),
        ];
        assert!(absent.eq(expected), "{:?}", scope.absent(&kinds));
    }
}
