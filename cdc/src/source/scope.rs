//! What is watched: a database, some of its collections, some operations.

mod absent;
mod collections;
mod glob;

use bson::{Document, doc};

pub use self::{absent::Absent, collections::Collections};
use crate::event::{ChangeEvent, Operation};

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
    /// Whether `event` is to be handed over: the filter lets others through too.
    pub(super) fn wants(&self, event: &ChangeEvent) -> bool {
        let operation = event.operation();
        self.operations.contains(&operation)
            && (self.collections.is_all()
                || is_whole(operation)
                || event
                    .namespace()
                    .collection
                    .is_some_and(|name| self.collections.matches(name)))
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
        let (anywhere, in_collections): (Vec<Operation>, Vec<_>) = operations
            .copied()
            .partition(|one| self.collections.is_all() || is_whole(*one));
        let mut alternatives = vec![doc! { "operationType": one_of(&anywhere) }];
        if !in_collections.is_empty() {
            let conditions = self.collections.conditions("ns.coll").into_iter();
            alternatives.extend(conditions.map(|collection| {
                let mut both = doc! { "operationType": one_of(&in_collections) };
                both.extend(collection);
                both
            }));
        }
        alternatives
    }
}

fn one_of(operations: &[Operation]) -> Document {
    let names: Vec<&str> = operations.iter().map(|one| one.as_str()).collect();
    doc! { "$in": names }
}

/// Whether an operation is on the whole database.
fn is_whole(operation: Operation) -> bool {
    matches!(operation, Operation::DropDatabase | Operation::Invalidate)
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

    fn event(operation: Operation, collection: &str) -> ChangeEvent {
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
        assert!(scope.wants(&event(Operation::Insert, "games")));
        assert!(!scope.wants(&event(Operation::Insert, "moves")));
        assert!(!scope.wants(&event(Operation::Update, "games")));
        assert!(scope.wants(&event(Operation::DropDatabase, "")));
        assert!(!scope.wants(&event(Operation::Invalidate, "games")));
    }

    #[test]
    fn a_pattern_passes_the_filter_on_its_own_and_so_do_the_names() {
        let scope = scope(&["games", "mo*"], &[Operation::Insert]);
        assert!(scope.wants(&event(Operation::Insert, "moves")));
        let of = |collection: Document| {
            let mut all = doc! { "operationType": { "$in": ["insert"] } };
            all.extend(collection);
            all
        };
        let pattern = doc! { "$regex": r"^mo.*\z", "$options": "s" };
        let alternatives = [
            doc! { "operationType": { "$in": ["invalidate"] } },
            of(doc! { "ns.coll": { "$in": ["games"] } }),
            of(doc! { "ns.coll": pattern }),
        ];
        assert_eq!(scope.filter(false), doc! { "$or": alternatives.to_vec() });
    }

    #[test]
    fn the_end_of_the_stream_always_passes_the_filter() {
        let whole = scope(&[], &[Operation::Insert]).filter(false);
        assert_eq!(
            whole,
            doc! { "$or": [{ "operationType": { "$in": ["insert", "invalidate"] } }] }
        );
        let some = scope(&["games"], &[Operation::Insert]).filter(false);
        let games =
            doc! { "operationType": { "$in": ["insert"] }, "ns.coll": { "$in": ["games"] } };
        let end = doc! { "operationType": { "$in": ["invalidate"] } };
        assert_eq!(some, doc! { "$or": [end, games] });
    }
}
