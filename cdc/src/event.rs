//! One change event: a view on its raw BSON, which may be a piece of the batch that it came with. Nothing is copied and
//! nothing is decoded twice.
//!
//! Fields: <https://www.mongodb.com/docs/manual/reference/change-events/>.

mod operation;
mod parse;
mod read;
mod snapshot;

use std::fmt;

use bson::{RawDocument, Timestamp};
use bytes::Bytes;

use self::parse::{Span, namespace};
pub use self::{
    operation::{Operation, UnknownOperation},
    read::Reading,
    snapshot::{Mark, Marks, Snapshot},
};
use crate::{
    position::Position,
    raw_bson::{self, Cursor},
};

/// A change, as the server's change event tells of it: <https://www.mongodb.com/docs/manual/reference/change-events/>. Or a
/// document that a snapshot read, whose operation is [`Operation::Read`].
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
    /// What tells of the snapshot that read the document, a document.
    snapshot: Option<Span>,
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

impl ChangeEvent {
    /// Locates the fields of `raw`, a BSON document.
    ///
    /// # Errors
    /// Only the event's own level is checked here; the document inside is checked when it is encoded.
    #[doc(hidden)]
    pub fn parse(raw: Bytes) -> Result<Self, Error> {
        parse::parse(raw)
    }

    /// The same with `token`, which is that of the event of which it is an altered copy.
    #[must_use]
    #[doc(hidden)]
    pub fn known_as(mut self, token: &RawDocument) -> Self {
        let token = token.as_bytes();
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
    /// masked. That of a document that a snapshot read is a hash, and no place in the change stream.
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

    /// When it happened, by the cluster's logical clock. Of a document that a snapshot read, it is the time as of which it is:
    /// after every change up to there.
    pub fn cluster_time(&self) -> Timestamp {
        self.cluster_time
    }

    /// When it happened, in milliseconds since 1970; absent before MongoDB 6.0, and where a snapshot read the document.
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

    /// The document after the change, where the server sent it, or as a snapshot read it.
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

    /// The snapshot that read the document; absent for a change.
    pub fn snapshot(&self) -> Option<Snapshot<'_>> {
        Snapshot::parse(self.raw_snapshot()?)
    }

    /// The same, as it is.
    #[doc(hidden)]
    pub fn raw_snapshot(&self) -> Option<&RawDocument> {
        let span = self.snapshot.filter(|_| self.operation == Operation::Read);
        span.map(|span| self.document(span))
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

impl fmt::Display for Namespace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.database)?;
        match self.collection {
            Some(collection) => write!(f, ".{collection}"),
            None => Ok(()),
        }
    }
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
}
