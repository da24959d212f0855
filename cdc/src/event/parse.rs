//! Finds the fields of a change event, in one pass.

use std::{num::NonZeroU32, ops::Range};

use bson::spec::ElementType;
use bytes::Bytes;

use super::{ChangeEvent, Error, Operation};
use crate::raw_bson::{self, Cursor};

/// Where a field's value is within the event. None ends at its first byte, so that one that may be absent takes no more room.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    start: u32,
    end: NonZeroU32,
}

impl Span {
    const EMPTY: Self = Self {
        start: NonZeroU32::MIN.get(),
        end: NonZeroU32::MIN,
    };

    pub(super) fn range(self) -> Range<usize> {
        self.start as usize..self.end.get() as usize
    }
}

impl From<Range<usize>> for Span {
    fn from(range: Range<usize>) -> Self {
        let [start, end] = [range.start, range.end]
            .map(|place| u32::try_from(place).expect("BSON is under 2 GiB long"));
        let end = NonZeroU32::new(end).expect("BSON begins with its length");
        Self { start, end }
    }
}

/// Locates the fields of `raw`, a BSON document.
pub(super) fn parse(raw: Bytes) -> Result<ChangeEvent, Error> {
    let mut operation = None;
    let mut cluster_time = None;
    let mut wall_time_ms = None;
    let (mut token, mut document_key) = (None, None);
    let (mut full_document, mut full_document_before) = (None, None);
    let (mut update_description, mut lsid, mut txn_number) = (None, None, None);
    let (mut database, mut collection, mut to) = (None, None, None);
    let mut snapshot = None;
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
            (b"snapshot", ElementType::EmbeddedDocument) => {
                snapshot = Some(cursor.document_span()?.into());
            }
            (_, kind) => cursor.skip(kind)?,
        }
    }
    Ok(ChangeEvent {
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
        snapshot,
        length: Span::from(0..raw.len()).end.get(),
        raw,
    })
}

/// Where the names of the database and the collection are.
pub(super) fn namespace(
    cursor: &mut Cursor<'_>,
) -> Result<(Option<Span>, Option<Span>), raw_bson::Error> {
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
