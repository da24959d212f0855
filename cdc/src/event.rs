//! One change event: a view on its raw BSON, which may be a piece of the batch that it came with. Nothing is copied and
//! nothing is decoded twice.
//!
//! Fields: <https://www.mongodb.com/docs/manual/reference/change-events/>.

mod read;

use std::{fmt, ops::Range, str::FromStr, sync::Arc};

use bson::{RawDocument, Timestamp, spec::ElementType};
use bytes::Bytes;

pub use self::read::{Mark, Marks, Reading};
use crate::{
    position::Position,
    raw_bson::{self, Cursor},
};

/// A change, as the server's change event tells of it: <https://www.mongodb.com/docs/manual/reference/change-events/>.
pub struct ChangeEvent {
    /// The event, and behind it the resume token where the event has something else in its place.
    raw: Bytes,
    /// Bytes of the event.
    length: u32,
    operation: Operation,
    cluster_time: Timestamp,
    wall_time_ms: Option<i64>,
    token: Span,
    database: Span,
    collection: Option<Span>,
    /// The new name of a rename, a document.
    to: Option<Span>,
    document_key: Option<Span>,
    full_document: Option<Span>,
    full_document_before: Option<Span>,
    update_description: Option<Span>,
    /// Session of the transaction that the change belongs to, a document.
    lsid: Option<Span>,
    txn_number: Option<i64>,
}

/// What happened. The names are the server's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// A document was inserted.
    Insert,
    /// A document was changed in part.
    Update,
    /// A document was replaced as a whole.
    Replace,
    /// A document was deleted.
    Delete,
    /// A collection or a view was created.
    Create,
    /// A collection was dropped.
    Drop,
    /// A collection was renamed.
    Rename,
    /// The database was dropped.
    DropDatabase,
    /// Indexes were created.
    CreateIndexes,
    /// Indexes were dropped.
    DropIndexes,
    /// Options of a collection or of an index were changed.
    Modify,
    /// A collection was sharded.
    ShardCollection,
    /// The shard key of a collection was extended.
    RefineCollectionShardKey,
    /// The shard key of a collection was changed.
    ReshardCollection,
    /// The stream ended because what it watched is gone.
    Invalidate,
    /// A document was read by a snapshot: nothing happened to it.
    Read,
    /// One that this version does not know, by the server's name.
    Other(Arc<str>),
}

/// `database.collection`, or the database alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Namespace<'a> {
    /// Name of the database; empty for an invalidate event, which has no namespace.
    pub database: &'a str,
    /// Name of the collection; absent when the operation concerns the whole database.
    pub collection: Option<&'a str>,
}

/// Why a document is not a change event that we understand.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are not BSON.
    #[error("the change event is not valid BSON")]
    Corrupt(#[from] raw_bson::Error),
    /// A field that every event has is absent or of another type.
    #[error("the change event has no usable field `{0}`")]
    Missing(&'static str),
}

/// Where a field's value is within the event.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    const EMPTY: Self = Self { start: 0, end: 0 };

    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        let [start, end] = [range.start, range.end]
            .map(|place| u32::try_from(place).expect("BSON is under 2 GiB long"));
        Self { start, end }
    }
}

impl ChangeEvent {
    /// Locates the fields of `raw`, a BSON document.
    ///
    /// # Errors
    /// Only the event's own level is checked here; the document inside is checked when it is encoded.
    #[doc(hidden)]
    pub fn parse(raw: Bytes) -> Result<Self, Error> {
        let mut operation = None;
        let mut cluster_time = None;
        let mut wall_time_ms = None;
        let (mut token, mut document_key) = (None, None);
        let (mut full_document, mut full_document_before) = (None, None);
        let (mut update_description, mut lsid, mut txn_number) = (None, None, None);
        let (mut database, mut collection, mut to) = (None, None, None);
        let mut cursor = Cursor::of_bytes(&raw)?;
        while let Some(field) = cursor.field()? {
            match (field.name.as_bytes(), field.kind) {
                (b"_id", ElementType::EmbeddedDocument) => {
                    token = Some(cursor.document_span()?.into());
                }
                (b"operationType", ElementType::String) => {
                    operation = Some(Operation::named(cursor.string()?.to_str()?));
                }
                (b"clusterTime", ElementType::Timestamp) => {
                    cluster_time = Some(cursor.timestamp()?);
                }
                (b"wallTime", ElementType::DateTime) => {
                    wall_time_ms = Some(i64::from_le_bytes(*cursor.array()?));
                }
                (b"fullDocument", ElementType::EmbeddedDocument) => {
                    full_document = Some(cursor.document_span()?.into());
                }
                (b"fullDocumentBeforeChange", ElementType::EmbeddedDocument) => {
                    full_document_before = Some(cursor.document_span()?.into());
                }
                (b"updateDescription", ElementType::EmbeddedDocument) => {
                    update_description = Some(cursor.document_span()?.into());
                }
                (b"lsid", ElementType::EmbeddedDocument) => {
                    lsid = Some(cursor.document_span()?.into());
                }
                (b"txnNumber", ElementType::Int64) => {
                    txn_number = Some(i64::from_le_bytes(*cursor.array()?));
                }
                (b"documentKey", ElementType::EmbeddedDocument) => {
                    document_key = Some(cursor.document_span()?.into());
                }
                (b"ns", ElementType::EmbeddedDocument) => {
                    (database, collection) = namespace(&mut cursor)?;
                }
                (b"to", ElementType::EmbeddedDocument) => to = Some(cursor.document_span()?.into()),
                (_, kind) => cursor.skip(kind)?,
            }
        }
        Ok(Self {
            operation: operation.ok_or(Error::Missing("operationType"))?,
            cluster_time: cluster_time.ok_or(Error::Missing("clusterTime"))?,
            wall_time_ms,
            token: token.ok_or(Error::Missing("_id"))?,
            database: database.unwrap_or(Span::EMPTY),
            collection,
            to,
            document_key,
            full_document,
            full_document_before,
            update_description,
            lsid,
            txn_number,
            length: Span::from(0..raw.len()).end,
            raw,
        })
    }

    /// The same with the token of `event`, of which it is an altered copy.
    #[must_use]
    #[doc(hidden)]
    pub fn known_as(mut self, event: &Self) -> Self {
        let token = event.token().as_bytes();
        if self.token().as_bytes() != token {
            self.token = (self.raw.len()..self.raw.len() + token.len()).into();
            self.raw = [&self.raw, token].concat().into();
        }
        self
    }

    /// The whole event, a BSON document.
    pub fn raw(&self) -> &[u8] {
        &self.raw[..self.length as usize]
    }

    /// The resume token: the `_id` that the server gave the event. It has the document's key in readable form, whatever is
    /// masked.
    #[doc(hidden)]
    pub fn token(&self) -> &RawDocument {
        self.document(self.token)
    }

    /// The position after this event.
    #[doc(hidden)]
    pub fn position(&self) -> Position {
        Position::After {
            token: self.token().to_owned(),
            cluster_time: Some(self.cluster_time),
        }
    }

    /// What happened.
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// Where it happened.
    pub fn namespace(&self) -> Namespace<'_> {
        self.named(self.database, self.collection)
    }

    /// The new name, of a rename.
    pub fn renamed_to(&self) -> Option<Namespace<'_>> {
        let mut cursor = Cursor::within(&self.raw, self.to?.range());
        let (database, collection) = namespace(&mut cursor).ok()?;
        Some(self.named(database?, collection))
    }

    fn named(&self, database: Span, collection: Option<Span>) -> Namespace<'_> {
        Namespace {
            database: self.text(database),
            collection: collection.map(|span| self.text(span)),
        }
    }

    /// When it happened, by the cluster's logical clock.
    pub fn cluster_time(&self) -> Timestamp {
        self.cluster_time
    }

    /// When it happened, in milliseconds since 1970; absent before MongoDB 6.0.
    pub fn wall_time_ms(&self) -> Option<i64> {
        self.wall_time_ms
    }

    /// When it happened, in milliseconds since 1970, by the cluster time where the server tells no wall time.
    #[doc(hidden)]
    pub fn millis(&self) -> i64 {
        let seconds = i64::from(self.cluster_time.time);
        self.wall_time_ms.unwrap_or(seconds * 1000)
    }

    /// `_id` and shard key of the document; absent for operations on a collection or a database.
    pub fn document_key(&self) -> Option<&RawDocument> {
        self.document_key.map(|span| self.document(span))
    }

    /// The document after the change, where the server sent it.
    pub fn full_document(&self) -> Option<&RawDocument> {
        self.full_document.map(|span| self.document(span))
    }

    /// The document before the change, where the server keeps it and was asked for it.
    pub fn full_document_before(&self) -> Option<&RawDocument> {
        self.full_document_before.map(|span| self.document(span))
    }

    /// What an update changed.
    pub fn update_description(&self) -> Option<&RawDocument> {
        self.update_description.map(|span| self.document(span))
    }

    /// The session and the number of the transaction that the change belongs to, if to one.
    pub fn transaction(&self) -> Option<(&RawDocument, i64)> {
        let lsid = self.lsid.map(|span| self.document(span))?;
        Some((lsid, self.txn_number?))
    }

    fn document(&self, span: Span) -> &RawDocument {
        RawDocument::from_bytes(&self.raw[span.range()])
            .expect("parse took the span from a document")
    }

    fn text(&self, span: Span) -> &str {
        std::str::from_utf8(&self.raw[span.range()]).expect("parse took the span from a string")
    }
}

/// Without any content of a document.
impl fmt::Debug for ChangeEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeEvent")
            .field("operation", &self.operation)
            .field("namespace", &self.namespace())
            .field("cluster_time", &self.cluster_time)
            .field("bytes", &self.length)
            .finish_non_exhaustive()
    }
}

impl Operation {
    /// Every operation of a change stream that has a name of its own here, in the order in which messages list them.
    #[doc(hidden)]
    pub const ALL: [Self; 15] = [
        Self::Insert,
        Self::Update,
        Self::Replace,
        Self::Delete,
        Self::Create,
        Self::Drop,
        Self::Rename,
        Self::DropDatabase,
        Self::CreateIndexes,
        Self::DropIndexes,
        Self::Modify,
        Self::ShardCollection,
        Self::RefineCollectionShardKey,
        Self::ReshardCollection,
        Self::Invalidate,
    ];

    /// The operation of that name.
    pub fn named(name: &str) -> Self {
        let known = name.parse();
        known.unwrap_or_else(|UnknownOperation| Self::Other(name.into()))
    }

    /// The server's name of the operation.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Create => "create",
            Self::Drop => "drop",
            Self::Rename => "rename",
            Self::DropDatabase => "dropDatabase",
            Self::CreateIndexes => "createIndexes",
            Self::DropIndexes => "dropIndexes",
            Self::Modify => "modify",
            Self::ShardCollection => "shardCollection",
            Self::RefineCollectionShardKey => "refineCollectionShardKey",
            Self::ReshardCollection => "reshardCollection",
            Self::Invalidate => "invalidate",
            Self::Read => "read",
            Self::Other(name) => name,
        }
    }
}

/// A text that names no operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownOperation;

impl FromStr for Operation {
    type Err = UnknownOperation;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .chain([Self::Read])
            .find(|operation| operation.as_str() == text)
            .ok_or(UnknownOperation)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Namespace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.database)?;
        match self.collection {
            Some(collection) => write!(f, ".{collection}"),
            None => Ok(()),
        }
    }
}

/// Where the names of the database and the collection are.
fn namespace(cursor: &mut Cursor<'_>) -> Result<(Option<Span>, Option<Span>), raw_bson::Error> {
    let (mut database, mut collection) = (None, None);
    let mut inside = cursor.document()?;
    while let Some(field) = inside.field()? {
        match (field.name.as_bytes(), field.kind) {
            (b"db", ElementType::String) => {
                database = Some(inside.string()?.checked_span()?.into());
            }
            (b"coll", ElementType::String) => {
                collection = Some(inside.string()?.checked_span()?.into());
            }
            (_, kind) => inside.skip(kind)?,
        }
    }
    Ok((database, collection))
}

#[cfg(test)]
mod tests {
    use bson::{DateTime, RawDocumentBuf, rawdoc};

    use super::*;

    fn parse(raw: RawDocumentBuf) -> Result<ChangeEvent, Error> {
        ChangeEvent::parse(raw.into_bytes().into())
    }

    fn insert() -> RawDocumentBuf {
        rawdoc! {
            "_id": { "_data": "8263" },
            "operationType": "insert",
            "clusterTime": Timestamp { time: 7, increment: 3 },
            "wallTime": DateTime::from_millis(1_700_000_000_123),
            "fullDocument": { "_id": 1, "word": "quiz" },
            "ns": { "db": "scrabble", "coll": "moves" },
            "documentKey": { "_id": 1 },
        }
    }

    #[test]
    fn an_insert_is_read_in_one_pass() {
        let event = parse(insert()).unwrap();
        assert_eq!(event.operation(), &Operation::Insert);
        assert_eq!(event.token(), &*rawdoc! { "_data": "8263" });
        assert_eq!(
            event.cluster_time(),
            Timestamp {
                time: 7,
                increment: 3
            }
        );
        assert_eq!(event.wall_time_ms(), Some(1_700_000_000_123));
        assert_eq!(event.namespace().to_string(), "scrabble.moves");
        assert_eq!(
            event.full_document(),
            Some(&*rawdoc! { "_id": 1, "word": "quiz" })
        );
        assert_eq!(event.document_key(), Some(&*rawdoc! { "_id": 1 }));
    }

    #[test]
    fn an_update_in_a_transaction_is_read_with_all_that_tells_of_it() {
        let raw = rawdoc! {
            "_id": { "_data": "82" }, "operationType": "update", "clusterTime": Timestamp { time: 1, increment: 1 },
            "lsid": { "id": 1 }, "txnNumber": 7_i64, "ns": { "db": "d", "coll": "c" }, "documentKey": { "_id": 1 },
            "updateDescription": { "removedFields": ["a"] }, "fullDocumentBeforeChange": { "_id": 1, "a": 1 },
        };
        let event = parse(raw).unwrap();
        assert_eq!(event.transaction(), Some((&*rawdoc! { "id": 1 }, 7)));
        let description = rawdoc! { "removedFields": ["a"] };
        assert_eq!(event.update_description(), Some(&*description));
        let before = rawdoc! { "_id": 1, "a": 1 };
        assert_eq!(event.full_document_before(), Some(&*before));
        assert_eq!(parse(insert()).unwrap().transaction(), None);
    }

    #[test]
    fn an_invalidate_has_neither_namespace_nor_document() {
        let raw = rawdoc! { "_id": { "_data": "82" }, "operationType": "invalidate", "clusterTime": Timestamp { time: 1, increment: 1 } };
        let event = parse(raw).unwrap();
        assert_eq!(event.namespace().to_string(), "");
        assert!(
            event.full_document().is_none()
                && event.document_key().is_none()
                && event.wall_time_ms().is_none()
        );
    }

    #[test]
    fn an_update_whose_document_is_gone_has_a_null_document() {
        let raw = rawdoc! {
            "_id": { "_data": "82" }, "operationType": "update", "clusterTime": Timestamp { time: 1, increment: 1 },
            "fullDocument": null, "ns": { "db": "d", "coll": "c" }, "documentKey": { "_id": 1 },
        };
        assert!(parse(raw).unwrap().full_document().is_none());
    }

    #[test]
    fn what_every_event_has_must_be_there() {
        for missing in ["_id", "operationType", "clusterTime"] {
            let mut raw = RawDocumentBuf::new();
            for (key, value) in insert()
                .iter()
                .map(Result::unwrap)
                .filter(|(key, _)| key.as_str() != missing)
            {
                raw.append(key, value);
            }
            let error = parse(raw).unwrap_err();
            assert!(
                matches!(error, Error::Missing(field) if field == missing),
                "{error}"
            );
        }
    }

    #[test]
    fn operations_have_the_servers_names() {
        for operation in Operation::ALL {
            assert_eq!(operation.as_str().parse(), Ok(operation));
        }
        assert_eq!("Insert".parse::<Operation>(), Err(UnknownOperation));
        let other = Operation::named("startIndexBuild");
        assert_eq!(other, Operation::Other("startIndexBuild".into()));
        assert_eq!(other.as_str(), "startIndexBuild");
    }
}
