//! What is watched: databases, some of their collections, some operations.

mod absent;
mod aggregation;
mod choice;
mod collections;
mod databases;
mod existing;
mod glob;
mod images;
mod names;
mod operations;
mod temporary;

use bson::{Document, RawDocument, doc};

use self::temporary::is_temporary;
pub use self::{
    absent::{Absent, Survey},
    aggregation::Aggregation,
    choice::{Choice, Unmet},
    collections::Collections,
    databases::{Databases, SYSTEM as SYSTEM_DATABASES},
    existing::Existing,
    images::{FullDocument, FullDocumentBefore, Images},
    operations::Operations,
};
use crate::{
    event::{ChangeEvent, Namespace, Operation},
    mongo::Privilege,
    share::{OF_DOCUMENTS, Share},
};

/// One of so many entries that are not wanted comes with a sample. A server looks at some 200,000 entries a second.
const SAMPLED: u32 = 20_000;

/// What is watched.
#[derive(Debug, Clone, PartialEq)]
pub struct Scope {
    /// Databases to watch.
    pub databases: Databases,
    /// Collections to watch; none for all.
    pub collections: Collections,
    /// Collections of these that are not to be watched.
    pub excluded: Collections,
    /// Operations to hand over.
    pub operations: Operations,
    /// Documents that the server sends along.
    pub images: Images,
    /// Stages of the user's own.
    pub aggregation: Aggregation,
    /// Which documents; all where there is none.
    pub share: Option<Share>,
}

impl Scope {
    /// Every operation on all collections of `databases`, without documents beside those of the changes.
    #[cfg(test)]
    pub(crate) fn all_of(databases: Databases) -> Self {
        Self {
            databases,
            collections: Collections::default(),
            excluded: Collections::default(),
            operations: Operations::All,
            images: Images {
                after: FullDocument::Off,
                before: FullDocumentBefore::Off,
            },
            aggregation: Aggregation::default(),
            share: None,
        }
    }

    /// What a user has to be allowed to watch it.
    pub fn privileges(&self) -> [Privilege; 1] {
        [Privilege::to_watch(self.databases.one())]
    }

    /// Documents that the server has to be asked for.
    pub fn images(&self) -> Images {
        self.images
            .asked(self.operations.contains(&Operation::Update))
    }

    /// Whether every server takes it, whatever was configured.
    pub(super) fn is_plain(&self) -> bool {
        let is_whole = self.share.is_none() && self.aggregation.is_empty();
        is_whole && !self.operations.are_expanded() && !self.images().need_kept()
    }

    /// Whether `event` is to be handed over: the filter lets others through too.
    pub(super) fn wants(&self, event: &ChangeEvent) -> bool {
        let operation = event.operation();
        let namespace = event.namespace();
        self.operations.contains(operation)
            && self.share.is_none_or(|share| is_of(share, event))
            && match (Reach::of(operation), namespace.collection) {
                (Reach::Stream, _) => true,
                (Reach::Database, _) | (Reach::Collection, None) => {
                    self.databases.matches(namespace.database)
                }
                (Reach::Collection, Some(name)) => self.has(namespace) && !is_temporary(name),
                (Reach::TwoNames, _) => {
                    self.has(namespace) || event.renamed_to().is_some_and(|name| self.has(name))
                }
            }
    }

    /// Whether `event` gives a collection another name that is watched, or one that was.
    pub(super) fn is_renamed(&self, event: &ChangeEvent) -> bool {
        *event.operation() == Operation::Rename
            && (self.has(event.namespace())
                || event.renamed_to().is_some_and(|name| self.has(name)))
    }

    /// Whether changes of the collection's documents are handed over.
    pub fn watches(&self, namespace: Namespace<'_>) -> bool {
        self.has(namespace) && !namespace.collection.is_none_or(is_temporary)
    }

    /// Whether all that the change stream tells of is watched, whatever its name.
    fn is_whole_database(&self) -> bool {
        let is_one = self.databases.one().is_some();
        is_one && self.collections.is_empty() && self.excluded.is_empty()
    }

    fn has(&self, namespace: Namespace<'_>) -> bool {
        self.databases.matches(namespace.database)
            && (self.collections.is_empty() || self.collections.matches(namespace))
            && !self.excluded.matches(namespace)
    }

    /// The condition of the aggregation's `$match`: what is wanted, the end of the stream, renames, and with a sample some of what
    /// is not wanted, each of which is a position. The first entry of each second is always in it, since the numbers of
    /// the others may all be low.
    pub(super) fn filter(&self, with_sample: bool) -> Document {
        let always = [Operation::Invalidate.as_str(), Operation::Rename.as_str()];
        let mut alternatives = vec![doc! { "operationType": { "$in": always.to_vec() } }];
        let wanted = self.wanted();
        match self.share {
            Some(share) if !wanted.is_empty() => {
                alternatives.push(doc! { "$and": [share.of_events(), { "$or": wanted }] });
            }
            _ => alternatives.extend(wanted),
        }
        if with_sample {
            alternatives.push(sample());
        }
        doc! { "$or": alternatives }
    }

    fn wanted(&self) -> Vec<Document> {
        let Operations::Some(operations) = &self.operations else {
            if self.is_whole_database() {
                return vec![doc! {}];
            }
            let renames = doc! { "operationType": Operation::Rename.as_str() };
            let of_databases = self.in_databases(doc! { "ns.coll": { "$exists": false } });
            let mut alternatives = self.in_collections(&doc! {}, "ns");
            alternatives.extend(self.in_collections(&renames, "to"));
            alternatives.push(of_databases);
            return alternatives;
        };
        let of = |reach| {
            let operations = operations.iter().filter(|one| Reach::of(one) == reach);
            let names: Vec<&str> = operations.map(Operation::as_str).collect();
            (!names.is_empty()).then(|| doc! { "operationType": { "$in": names } })
        };
        let mut alternatives = Vec::new();
        alternatives.extend(of(Reach::Database).map(|one| self.in_databases(one)));
        if let Some(changes) = of(Reach::Collection) {
            alternatives.extend(self.in_collections(&changes, "ns"));
        }
        if let Some(renames) = of(Reach::TwoNames) {
            alternatives.extend(self.in_collections(&renames, "ns"));
            alternatives.extend(self.in_collections(&renames, "to"));
        }
        alternatives
    }

    /// `condition` where the database is watched. The change stream of one database has no other.
    fn in_databases(&self, mut condition: Document) -> Document {
        if self.databases.one().is_none() {
            condition.extend(self.databases.condition("ns.db"));
        }
        condition
    }

    /// `condition` where the namespace in `field` is watched. Each name that is asked for costs the server time.
    fn in_collections(&self, condition: &Document, field: &str) -> Vec<Document> {
        if self.is_whole_database() {
            return vec![condition.clone()];
        }
        let included = self.collections.conditions(field);
        let excluded = self.excluded.conditions(field);
        let database = format!("{field}.db");
        let mut all = condition.clone();
        all.extend(self.databases.condition(&database));
        if !excluded.is_empty() {
            all.insert("$nor", excluded);
        }
        if included.is_empty() {
            return vec![all];
        }
        let both = included.into_iter().map(|one| {
            if one.contains_key(&database) {
                return doc! { "$and": [&all, one] };
            }
            let mut both = all.clone();
            both.extend(one);
            both
        });
        both.collect()
    }
}

/// Which names of a change decide whether it is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// None: it is about the change stream itself.
    Stream,
    /// The database's: it is on the whole of it.
    Database,
    /// The collection's.
    Collection,
    /// The collection's, before and after. One of them may be of a temporary collection.
    TwoNames,
}

impl Reach {
    fn of(operation: &Operation) -> Self {
        match operation {
            Operation::Invalidate => Self::Stream,
            Operation::DropDatabase => Self::Database,
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
            | Operation::Read
            | Operation::Other(_) => Self::Collection,
        }
    }
}

/// Whether an event that the filter lets through is of the share.
fn is_of(share: Share, event: &ChangeEvent) -> bool {
    if event.document_key().is_none() {
        return share.is_first();
    }
    let raw = RawDocument::from_bytes(event.raw());
    !raw.is_ok_and(Share::is_marked)
}

/// Only operations that every server names alike, so that nothing fails over an event that nobody asked for.
fn sample() -> Document {
    doc! {
        "operationType": { "$in": OF_DOCUMENTS.to_vec() },
        "$expr": { "$eq": [{ "$mod": [{ "$tsIncrement": "$clusterTime" }, SAMPLED] }, 1] },
    }
}

#[cfg(test)]
mod tests {
    use bson::{Timestamp, rawdoc};

    use super::*;

    fn scope(collections: &[&str], operations: &[Operation]) -> Scope {
        let databases = Databases::One("scrabble".to_owned());
        Scope {
            collections: Collections::parse(&databases, collections.iter().copied()).unwrap(),
            excluded: Collections::default(),
            operations: Operations::Some(operations.to_vec()),
            images: Images {
                after: FullDocument::Lookup,
                before: FullDocumentBefore::Off,
            },
            aggregation: Aggregation::default(),
            share: None,
            databases,
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
    fn a_share_has_its_documents_and_the_first_one_all_else() {
        let mut scope = scope(&[], &[Operation::Insert, Operation::Drop]);
        let inserted = |marked: bool| {
            let mut raw = rawdoc! {
                "_id": { "_data": "82" },
                "operationType": "insert",
                "clusterTime": Timestamp { time: 1, increment: 1 },
                "ns": { "db": "scrabble", "coll": "games" },
                "documentKey": { "_id": 1 },
                "fullDocument": { "_id": 1 },
            };
            if marked {
                raw.append(bson::raw::cstr!("cdcForeign"), true);
            }
            ChangeEvent::parse(raw.into_bytes().into()).unwrap()
        };
        for index in [0, 1] {
            scope.share = Share::new(index, 2);
            assert!(scope.wants(&inserted(false)) && !scope.wants(&inserted(true)));
            assert_eq!(scope.wants(&event(&Operation::Drop, "games")), index == 0);
        }
        let filter = scope.filter(false);
        let alternatives = filter.get_array("$or").unwrap();
        // The end of the stream reaches every share; what is wanted only its own.
        assert_eq!(alternatives.len(), 2);
        let own = alternatives[1].as_document().unwrap();
        let share = scope.share.unwrap().of_events();
        assert_eq!(
            own.get_array("$and").unwrap()[0].as_document(),
            Some(&share)
        );
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
            doc! { "operationType": { "$in": ["invalidate", "rename"] } },
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
        let end = doc! { "operationType": { "$in": ["invalidate", "rename"] } };
        let inserts = doc! { "operationType": { "$in": ["insert"] } };
        let whole = scope(&[], &[Operation::Insert]).filter(false);
        assert_eq!(whole, doc! { "$or": [end.clone(), inserts] });
        let some = scope(&["games"], &[Operation::Insert]).filter(false);
        let games = doc! {
            "operationType": { "$in": ["insert"] }, "ns.db": "scrabble",
            "ns.coll": { "$in": ["games"] },
        };
        assert_eq!(some, doc! { "$or": [end.clone(), games] });
        let mut all = scope(&[], &[]);
        all.operations = Operations::All;
        assert_eq!(all.filter(false), doc! { "$or": [end, doc! {}] });
    }

    #[test]
    fn what_is_excluded_is_not_wanted_and_does_not_pass_the_filter() {
        let mut scope = scope(&[], &[Operation::Insert]);
        scope.excluded = Collections::parse(&scope.databases, ["games", "tmp*"]).unwrap();
        assert!(scope.wants(&event(&Operation::Insert, "moves")));
        assert!(!scope.wants(&event(&Operation::Insert, "games")));
        assert!(!scope.wants(&event(&Operation::Insert, "tmp_1")));
        let inserts = doc! {
            "operationType": { "$in": ["insert"] }, "ns.db": "scrabble",
            "$nor": [
                { "ns.coll": { "$in": ["games"] } },
                { "ns.coll": { "$regex": r"^tmp.*\z", "$options": "s" } },
            ],
        };
        assert_eq!(scope.wanted(), [inserts]);
    }

    #[test]
    fn a_stream_of_the_whole_deployment_is_filtered_by_database() {
        let mut scope = scope(&[], &[Operation::Insert, Operation::DropDatabase]);
        scope.databases = Databases::AllBut("cdc".to_owned());
        let but = doc! { "$ne": "cdc" };
        let drops = doc! { "operationType": { "$in": ["dropDatabase"] }, "ns.db": &but };
        let inserts = doc! { "operationType": { "$in": ["insert"] }, "ns.db": &but };
        assert_eq!(scope.wanted(), [drops, inserts]);
        scope.collections = Collections::parse(&scope.databases, ["shop*.games"]).unwrap();
        let games = doc! {
            "ns.coll": { "$in": ["games"] }, "ns.db": { "$regex": r"^shop.*\z", "$options": "s" },
        };
        let inserts = doc! { "operationType": { "$in": ["insert"] }, "ns.db": but };
        assert_eq!(scope.wanted()[1], doc! { "$and": [inserts, games] });
        assert!(!scope.wants(&event(&Operation::Insert, "games")));
        scope.collections = Collections::default();
        assert!(scope.wants(&event(&Operation::Insert, "games")));
        scope.databases = Databases::AllBut("scrabble".to_owned());
        assert!(!scope.wants(&event(&Operation::DropDatabase, "")));
    }

    #[test]
    fn an_operation_that_this_version_does_not_know_is_wanted_with_all() {
        let mut scope = scope(&["games"], &[Operation::Insert]);
        let other = Operation::named("refineGame");
        assert!(!scope.wants(&event(&other, "games")));
        scope.operations = Operations::All;
        assert!(scope.wants(&event(&other, "games")));
        assert!(!scope.wants(&event(&other, "moves")));
    }
}
