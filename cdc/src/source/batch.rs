//! One reply of the server: its events, as pieces of it.

use std::ops::Range;

use bson::{RawDocument, RawDocumentBuf, Timestamp, spec::ElementType};
use bytes::Bytes;
use mongodb::raw_batch_cursor::RawBatch;

use crate::{
    event::Error,
    raw_bson::{self, Cursor},
};

/// Up to this size the events share the reply's memory. The events of a larger one are copied, lest the last of them
/// keep all of it alive.
const SHARED_BYTES_MAX: usize = 2 << 20;

/// The events of a reply that are left.
#[derive(Debug)]
pub(super) struct Batch {
    reply: Bytes,
    /// Elements of the array of events.
    rest: Range<usize>,
    /// Where the stream is after this reply.
    resume_token: Option<Range<usize>>,
    operation_time: Option<Timestamp>,
}

/// Gives the reply's memory to the events.
struct Reply(RawBatch);

impl AsRef<[u8]> for Reply {
    fn as_ref(&self) -> &[u8] {
        self.0.as_raw_document().as_bytes()
    }
}

impl Batch {
    /// Before the first event of `reply`.
    ///
    /// # Errors
    /// If it is not the reply of a cursor.
    pub(super) fn open(reply: RawBatch) -> Result<Self, Error> {
        Self::of_bytes(Bytes::from_owner(Reply(reply)))
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
        let (mut events, mut resume_token) = (None, None);
        while let Some(field) = cursor.field()? {
            match (field.name.as_bytes(), field.kind) {
                (b"firstBatch" | b"nextBatch", ElementType::Array) => {
                    events = Some(cursor.document()?.rest());
                }
                (b"postBatchResumeToken", ElementType::EmbeddedDocument) => {
                    resume_token = Some(cursor.document_span()?);
                }
                (_, kind) => cursor.skip(kind)?,
            }
        }
        Ok(Self {
            rest: events.ok_or(Error::Missing("nextBatch"))?,
            resume_token,
            operation_time,
            reply,
        })
    }

    /// The server's time when it replied, the newest that a majority has.
    pub(super) fn operation_time(&self) -> Option<Timestamp> {
        self.operation_time
    }

    /// Whether no event is left.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The stream's own token, after all that the server looked at for this reply.
    pub(super) fn resume_token(&self) -> Option<RawDocumentBuf> {
        let token = self.reply.get(self.resume_token.clone()?)?;
        RawDocument::from_bytes(token).ok().map(ToOwned::to_owned)
    }

    fn take(&mut self) -> Result<Option<Bytes>, raw_bson::Error> {
        let mut cursor = Cursor::within(&self.reply, self.rest.clone());
        let Some(field) = cursor.field()? else {
            return Ok(None);
        };
        let start = cursor.position();
        cursor.skip(field.kind)?;
        let event = start..cursor.position();
        self.rest.start = event.end;
        Ok(Some(if self.reply.len() <= SHARED_BYTES_MAX {
            self.reply.slice(event)
        } else {
            Bytes::copy_from_slice(&self.reply[event])
        }))
    }
}

/// After an error there is nothing more.
impl Iterator for Batch {
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
            let mut batch = Batch::of_bytes(reply.clone()).unwrap();
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
        let pieces = Batch::of_bytes(reply.clone()).unwrap();
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
        let mut batch = Batch::of_bytes(bytes.into()).unwrap();
        assert_eq!(batch.next().unwrap().unwrap(), event(1).as_bytes());
        assert!(batch.next().unwrap().is_err());
        assert!(batch.next().is_none());
    }

    #[test]
    fn a_reply_without_a_batch_is_an_error() {
        for reply in [rawdoc! { "ok": 1.0 }, rawdoc! { "cursor": { "id": 0_i64 } }] {
            let batch = Batch::of_bytes(reply.into_bytes().into());
            assert!(matches!(batch, Err(Error::Missing(_))), "{batch:?}");
        }
        assert!(Batch::of_bytes(Bytes::from_static(&[9, 0, 0])).is_err());
    }
}
