//! What is watched: a database, some of its collections, some operations.

mod absent;
mod collections;
mod glob;
mod temporary;

use bson::{Document, doc};

use self::temporary::is_temporary;
pub use self::{absent::Absent, collections::Collections};
use crate::event::{ChangeEvent, Namespace, Operation};

/// One of so many entries that are not wanted comes with a sample. A server looks at some 200,000 entries a second.
const SAMPLED: u32 = 20_000;

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Database to watch.
    pub database: String,
    /// Collections to watch.
    pub collections: Collections,
    /// Operations to hand over.
    pub operations: Vec<Operation>,
}

impl Scope {
    /// The servers' names of the operations.
    pub fn operation_names(&self) -> impl Iterator<Item = &str> {
        self.operations.iter().map(Operation::as_str)
    }

    /// Whether `event` is to be handed over: the filter lets others through too.
    pub(super) fn wants(&self, event: &ChangeEvent) -> bool {
        let operation = event.operation();
        let namespace = event.namespace();
        self.operations.contains(operation)
            && match Reach::of(operation) {
                Reach::Database => true,
                Reach::TwoNames => {
                    self.has(namespace) || event.renamed_to().is_some_and(|name| self.has(name))
                }
                Reach::Collection => {
                    self.has(namespace) && !namespace.collection.is_some_and(is_temporary)
                }
            }
    }

    fn has(&self, namespace: Namespace<'_>) -> bool {
        self.collections.is_all()
            || namespace.database == self.database
                && namespace
                    .collection
                    .is_some_and(|name| self.collections.matches(name))
    }

    /// The condition of the aggregation's `$match`: what is wanted, the end of the stream, and with a sample some of what
    /// is not wanted, each of which is a position. The first entry of each second is always in it, since the numbers of
    /// the others may all be low.
    pub(super) fn filter(&self, with_sample: bool) -> Document {
        let mut alternatives = self.wanted();
        if with_sample {
            alternatives.push(sample());
        }
        doc! { "$or": alternatives }
    }

    fn wanted(&self) -> Vec<Document> {
        let operations = self.operations.iter().chain(&[Operation::Invalidate]);
        let of = |reach| {
            let operations = operations.clone();
            let operations: Vec<_> = operations.filter(|one| Reach::of(one) == reach).collect();
            (!operations.is_empty()).then(|| doc! { "operationType": one_of(&operations) })
        };
        let mut alternatives: Vec<Document> = of(Reach::Database).into_iter().collect();
        if let Some(changes) = of(Reach::Collection) {
            alternatives.extend(self.in_collections(&changes, "ns"));
        }
        if let Some(renames) = of(Reach::TwoNames) {
            alternatives.extend(self.in_collections(&renames, "ns"));
            if !self.collections.is_all() {
                alternatives.extend(self.in_collections(&renames, "to"));
            }
        }
        alternatives
    }

    /// `condition` where the namespace in `field` is watched.
    fn in_collections(&self, condition: &Document, field: &str) -> Vec<Document> {
        if self.collections.is_all() {
            return vec![condition.clone()];
        }
        let conditions = self.collections.conditions(&format!("{field}.coll"));
        let both = conditions.into_iter().map(|collection| {
            let mut both = condition.clone();
            both.insert(format!("{field}.db"), &self.database);
            both.extend(collection);
            both
        });
        both.collect()
    }
}

/// Which names of a change decide whether it is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// None: it is on the whole database.
    Database,
    /// The collection's.
    Collection,
    /// The collection's, before and after. One of them may be of a temporary collection.
    TwoNames,
}

impl Reach {
    fn of(operation: &Operation) -> Self {
        match operation {
            Operation::DropDatabase | Operation::Invalidate => Self::Database,
            Operation::Rename => Self::TwoNames,
            Operation::Insert
            | Operation::Update
            | Operation::Replace
            | Operation::Delete
            | Operation::Create
            | Operation::Drop
            | Operation::CreateIndexes
            | Operation::DropIndexes
            | Operation::Modify
            | Operation::ShardCollection
            | Operation::RefineCollectionShardKey
            | Operation::ReshardCollection
            | Operation::Other(_) => Self::Collection,
        }
    }
}

fn one_of(operations: &[&Operation]) -> Document {
    let names: Vec<&str> = operations.iter().map(|one| one.as_str()).collect();
    doc! { "$in": names }
}

/// Only operations that every server names alike, so that nothing fails over an event that nobody asked for.
fn sample() -> Document {
    let operations = ["insert", "update", "replace", "delete"];
    doc! {
        "operationType": { "$in": operations.to_vec() },
        "$expr": { "$eq": [{ "$mod": [{ "$tsIncrement": "$clusterTime" }, SAMPLED] }, 1] },
    }
}

#[cfg(test)]
mod tests {
    use bson::{Timestamp, rawdoc};

    use super::*;

    fn scope(collections: &[&str], operations: &[Operation]) -> Scope {
        Scope {
            database: "scrabble".to_owned(),
            collections: Collections::parse("scrabble", collections.iter().copied()).unwrap(),
            operations: operations.to_vec(),
        }
    }

    fn event(operation: &Operation, collection: &str) -> ChangeEvent {
        let raw = rawdoc! {
            "_id": { "_data": "82" },
            "operationType": operation.as_str(),
            "clusterTime": Timestamp { time: 1, increment: 1 },
            "ns": { "db": "scrabble", "coll": collection },
        };
        ChangeEvent::parse(raw.into_bytes().into()).unwrap()
    }

    #[test]
    fn what_the_sample_lets_through_is_not_wanted() {
        let scope = scope(&["games"], &[Operation::Insert, Operation::DropDatabase]);
        assert!(scope.wants(&event(&Operation::Insert, "games")));
        assert!(!scope.wants(&event(&Operation::Insert, "moves")));
        assert!(!scope.wants(&event(&Operation::Update, "games")));
        assert!(scope.wants(&event(&Operation::DropDatabase, "")));
        assert!(!scope.wants(&event(&Operation::Invalidate, "games")));
    }

    #[test]
    fn a_rename_is_watched_by_either_name_and_a_temporary_collection_by_none() {
        let some = scope(&["games"], &[Operation::Insert, Operation::Rename]);
        let rename = |from: &str, to: &str| {
            let raw = rawdoc! {
                "_id": { "_data": "82" },
                "operationType": "rename",
                "clusterTime": Timestamp { time: 1, increment: 1 },
                "ns": { "db": "scrabble", "coll": from },
                "to": { "db": "scrabble", "coll": to },
            };
            ChangeEvent::parse(raw.into_bytes().into()).unwrap()
        };
        let temporary = "tmp.agg_out.1";
        assert!(some.wants(&rename("games", "old")) && some.wants(&rename("new", "games")));
        assert!(some.wants(&rename(temporary, "games")) && !some.wants(&rename("new", "old")));
        let all = scope(&[], &[Operation::Insert, Operation::Rename]);
        assert!(all.wants(&rename(temporary, "games")));
        assert!(!all.wants(&event(&Operation::Insert, temporary)));
        assert!(
            !scope(&["tmp*"], &[Operation::Insert]).wants(&event(&Operation::Insert, temporary))
        );
    }

    #[test]
    fn a_pattern_passes_the_filter_on_its_own_and_so_do_the_names() {
        let scope = scope(&["games", "mo*"], &[Operation::Insert, Operation::Rename]);
        assert!(scope.wants(&event(&Operation::Insert, "moves")));
        let names = doc! { "$in": ["games"] };
        let pattern = doc! { "$regex": r"^mo.*\z", "$options": "s" };
        let inserts = |collection: &Document| {
            doc! {
                "operationType": { "$in": ["insert"] }, "ns.db": "scrabble",
                "ns.coll": collection,
            }
        };
        let from = |collection: &Document| {
            doc! { "operationType": { "$in": ["rename"] }, "ns.db": "scrabble", "ns.coll": collection }
        };
        let to = |collection: &Document| {
            doc! { "operationType": { "$in": ["rename"] }, "to.db": "scrabble", "to.coll": collection }
        };
        let alternatives = [
            doc! { "operationType": { "$in": ["invalidate"] } },
            inserts(&names),
            inserts(&pattern),
            from(&names),
            from(&pattern),
            to(&names),
            to(&pattern),
        ];
        assert_eq!(scope.filter(false), doc! { "$or": alternatives.to_vec() });
    }

    #[test]
    fn the_end_of_the_stream_always_passes_the_filter() {
        let end = doc! { "operationType": { "$in": ["invalidate"] } };
        let inserts = doc! { "operationType": { "$in": ["insert"] } };
        let whole = scope(&[], &[Operation::Insert]).filter(false);
        assert_eq!(whole, doc! { "$or": [end.clone(), inserts] });
        let some = scope(&["games"], &[Operation::Insert]).filter(false);
        let games = doc! {
            "operationType": { "$in": ["insert"] }, "ns.db": "scrabble",
            "ns.coll": { "$in": ["games"] },
        };
        assert_eq!(some, doc! { "$or": [end, games] });
    }
}
