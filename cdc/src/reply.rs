//! One reply of the server to a cursor: its documents, as pieces of it.

use std::ops::Range;

use bson::{RawDocument, RawDocumentBuf, Timestamp, spec::ElementType};
use bytes::Bytes;
use mongodb::raw_batch_cursor::RawBatch;

use crate::raw_bson::{self, Cursor};

/// Up to this size the documents share the reply's memory. Those of a larger one are copied, lest the last of them keep
/// all of it alive.
const SHARED_BYTES_MAX: usize = 2 << 20;

/// The documents of a reply that are left, change events or others.
#[derive(Debug)]
pub struct Reply {
    bytes: Bytes,
    /// Elements of the array of documents.
    rest: Range<usize>,
    /// Whether the server has more.
    has_more: bool,
    /// Where a change stream is after this reply.
    resume_token: Option<Range<usize>>,
    operation_time: Option<Timestamp>,
}

/// Why a reply cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are not BSON.
    #[error("the server's reply is not valid BSON")]
    Corrupt(#[from] raw_bson::Error),
    /// It is not that of a cursor.
    #[error("the server's reply has no usable field `{0}`")]
    Missing(&'static str),
}

/// Gives the reply's memory to the documents.
struct Memory(RawBatch);

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        self.0.as_raw_document().as_bytes()
    }
}

impl Reply {
    /// Before the first document of `reply`.
    ///
    /// # Errors
    /// If it is not the reply of a cursor.
    pub fn open(reply: RawBatch) -> Result<Self, Error> {
        Self::of_bytes(Bytes::from_owner(Memory(reply)))
    }

    fn of_bytes(reply: Bytes) -> Result<Self, Error> {
        let (mut cursor, mut operation_time) = (None, None);
        let mut outside = Cursor::of_bytes(&reply)?;
        while let Some(field) = outside.field()? {
            match (field.name.as_bytes(), field.kind) {
                (b"cursor", ElementType::EmbeddedDocument) => cursor = Some(outside.document()?),
                (b"operationTime", ElementType::Timestamp) => {
                    operation_time = Some(outside.timestamp()?);
                }
                (_, kind) => outside.skip(kind)?,
            }
        }
        let mut cursor = cursor.ok_or(Error::Missing("cursor"))?;
        let (mut documents, mut resume_token, mut has_more) = (None, None, false);
        while let Some(field) = cursor.field()? {
            match (field.name.as_bytes(), field.kind) {
                (b"firstBatch" | b"nextBatch", ElementType::Array) => {
                    documents = Some(cursor.document()?.rest());
                }
                (b"postBatchResumeToken", ElementType::EmbeddedDocument) => {
                    resume_token = Some(cursor.document_span()?);
                }
                (b"id", ElementType::Int64) => {
                    has_more = i64::from_le_bytes(*cursor.array()?) != 0;
                }
                (_, kind) => cursor.skip(kind)?,
            }
        }
        Ok(Self {
            has_more,
            rest: documents.ok_or(Error::Missing("nextBatch"))?,
            resume_token,
            operation_time,
            bytes: reply,
        })
    }

    /// The server's time when it replied, the newest that a majority has.
    pub fn operation_time(&self) -> Option<Timestamp> {
        self.operation_time
    }

    /// Whether the server has more behind these.
    pub fn has_more(&self) -> bool {
        self.has_more
    }

    /// Whether no document is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The stream's own token, after all that the server looked at for this reply.
    pub fn resume_token(&self) -> Option<RawDocumentBuf> {
        let token = self.bytes.get(self.resume_token.clone()?)?;
        RawDocument::from_bytes(token).ok().map(ToOwned::to_owned)
    }

    fn take(&mut self) -> Result<Option<Bytes>, raw_bson::Error> {
        let mut cursor = Cursor::within(&self.bytes, self.rest.clone());
        let Some(field) = cursor.field()? else {
            return Ok(None);
        };
        let start = cursor.position();
        cursor.skip(field.kind)?;
        let event = start..cursor.position();
        self.rest.start = event.end;
        Ok(Some(if self.bytes.len() <= SHARED_BYTES_MAX {
            self.bytes.slice(event)
        } else {
            Bytes::copy_from_slice(&self.bytes[event])
        }))
    }
}

/// After an error there is nothing more.
impl Iterator for Reply {
    type Item = Result<Bytes, raw_bson::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let taken = self.take();
        if taken.is_err() {
            self.rest = 0..0;
        }
        taken.transpose()
    }
}

#[cfg(test)]
mod tests {
    use bson::{RawArrayBuf, rawdoc};

    use super::*;

    fn reply(name: &str, events: &[RawDocumentBuf]) -> Bytes {
        let mut array = RawArrayBuf::new();
        for event in events {
            array.push(event.clone());
        }
        let mut cursor = rawdoc! { "id": 7_i64, "ns": "scrabble.$cmd.aggregate" };
        cursor.append(bson::raw::CString::try_from(name).unwrap(), array);
        cursor.append(
            bson::raw::cstr!("postBatchResumeToken"),
            rawdoc! { "_data": "82" },
        );
        let time = Timestamp {
            time: 7,
            increment: 1,
        };
        let reply = rawdoc! { "$clusterTime": { "a": 1 }, "cursor": cursor, "ok": 1.0, "operationTime": time };
        reply.into_bytes().into()
    }

    fn event(bytes: usize) -> RawDocumentBuf {
        rawdoc! { "_id": { "_data": "82" }, "text": "x".repeat(bytes) }
    }

    fn is_within(part: &Bytes, whole: &Bytes) -> bool {
        whole.as_ptr_range().contains(&part.as_ptr())
    }

    #[test]
    fn the_events_come_in_order_and_are_pieces_of_the_reply() {
        for name in ["firstBatch", "nextBatch"] {
            let events: Vec<RawDocumentBuf> = (0..120).map(event).collect();
            let reply = reply(name, &events);
            let mut batch = Reply::of_bytes(reply.clone()).unwrap();
            assert_eq!(batch.resume_token(), Some(rawdoc! { "_data": "82" }));
            assert_eq!(batch.operation_time().map(|time| time.time), Some(7));
            for event in &events {
                assert!(!batch.is_empty());
                let piece = batch.next().unwrap().unwrap();
                assert_eq!(piece, event.as_bytes());
                assert!(is_within(&piece, &reply));
            }
            assert!(batch.is_empty() && batch.next().is_none());
        }
    }

    #[test]
    fn the_events_of_a_large_reply_do_not_keep_it_alive() {
        let large = event(SHARED_BYTES_MAX);
        let reply = reply("nextBatch", &[event(1), large.clone()]);
        let pieces = Reply::of_bytes(reply.clone()).unwrap();
        let pieces: Vec<Bytes> = pieces.map(Result::unwrap).collect();
        assert_eq!(pieces, [event(1).as_bytes(), large.as_bytes()]);
        assert!(!pieces.iter().any(|piece| is_within(piece, &reply)));
    }

    #[test]
    fn a_corrupt_event_is_told_after_those_before_it() {
        let mut bytes = reply("nextBatch", &[event(1), event(2)]).to_vec();
        let second = event(2).into_bytes();
        let at = bytes.windows(second.len()).position(|part| *part == second);
        bytes[at.unwrap()] = 0xff;
        let mut batch = Reply::of_bytes(bytes.into()).unwrap();
        assert_eq!(batch.next().unwrap().unwrap(), event(1).as_bytes());
        assert!(batch.next().unwrap().is_err());
        assert!(batch.next().is_none());
    }

    #[test]
    fn a_reply_without_a_batch_is_an_error() {
        for reply in [rawdoc! { "ok": 1.0 }, rawdoc! { "cursor": { "id": 0_i64 } }] {
            let batch = Reply::of_bytes(reply.into_bytes().into());
            assert!(matches!(batch, Err(Error::Missing(_))), "{batch:?}");
        }
        assert!(Reply::of_bytes(Bytes::from_static(&[9, 0, 0])).is_err());
    }
}
