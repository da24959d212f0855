//! Format `bson`: the bytes of the change event as the server sent them.

use super::{
    Error, JsonMode, Shape, Written, extended_json::all_or_nothing, shape::is_whole_document,
};
use crate::{event::ChangeEvent, raw_bson::Cursor};

/// Media type of BSON.
pub(super) const BSON: &str = "application/bson";
/// Bytes of a document's length.
const LENGTH_BYTES: usize = 4;

/// See the module's text.
#[derive(Debug)]
pub struct RawEvent;

impl Shape for RawEvent {
    fn content_type(&self) -> &'static str {
        BSON
    }

    fn room(&self, event: &ChangeEvent) -> usize {
        event.raw().len()
    }

    fn write(
        &self,
        event: &ChangeEvent,
        _mode: JsonMode,
        body: &mut Vec<u8>,
    ) -> Result<Written, Error> {
        body.extend_from_slice(event.raw());
        Ok(Written::Whole)
    }

    fn write_trimmed(
        &self,
        event: &ChangeEvent,
        _mode: JsonMode,
        body: &mut Vec<u8>,
    ) -> Result<(), Error> {
        all_or_nothing(body, |out| {
            let start = out.len();
            out.extend_from_slice(&[0; LENGTH_BYTES]);
            push_small_fields(event.raw(), out)?;
            out.push(0);
            let length = i32::try_from(out.len() - start).expect("BSON is under 2 GiB long");
            out[start..start + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
            Ok(())
        })
    }
}

/// Adds the elements of `raw` that hold no whole document, byte for byte.
fn push_small_fields(raw: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    let mut cursor = Cursor::of_bytes(raw)?;
    let mut from = cursor.position();
    while let Some(field) = cursor.field()? {
        cursor.skip(field.kind)?;
        if !is_whole_document(field.name.as_bytes()) {
            out.extend_from_slice(&raw[from..cursor.position()]);
        }
        from = cursor.position();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bson::{RawDocumentBuf, Timestamp, rawdoc};

    use super::*;

    fn event() -> RawDocumentBuf {
        let time = Timestamp {
            time: 1,
            increment: 2,
        };
        rawdoc! {
            "_id": { "_data": "82" }, "clusterTime": time, "operationType": "update", "fullDocument": { "a": "x" }, "ns": { "db": "d" },
            "fullDocumentBeforeChange": { "a": "y" }, "documentKey": { "_id": 1 },
        }
    }

    fn parsed(event: &RawDocumentBuf) -> ChangeEvent {
        ChangeEvent::parse(event.as_bytes().to_vec().into()).unwrap()
    }

    #[test]
    fn the_body_is_the_event_whatever_the_mode() {
        for mode in [JsonMode::Relaxed, JsonMode::Canonical] {
            let mut out = b"before".to_vec();
            RawEvent.write(&parsed(&event()), mode, &mut out).unwrap();
            assert_eq!(out.strip_prefix(b"before"), Some(event().as_bytes()));
        }
    }

    #[test]
    fn a_trimmed_event_keeps_all_but_the_whole_documents() {
        let mut out = b"before".to_vec();
        RawEvent
            .write_trimmed(&parsed(&event()), JsonMode::Relaxed, &mut out)
            .unwrap();
        let trimmed = RawDocumentBuf::from_bytes(out.split_off(6)).unwrap();
        let time = Timestamp {
            time: 1,
            increment: 2,
        };
        let expected = rawdoc! {
            "_id": { "_data": "82" }, "clusterTime": time, "operationType": "update", "ns": { "db": "d" },
            "documentKey": { "_id": 1 },
        };
        assert_eq!(trimmed, expected);
    }
}
