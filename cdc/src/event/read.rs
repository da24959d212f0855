//! A document that a snapshot has read, as an event among the others.

use bson::{RawDocument, Timestamp, spec::ElementType};
use sha2::{Digest as _, Sha256};

use super::{ChangeEvent, Error, Marks, Namespace};
use crate::raw_bson::Cursor;

/// Bytes of the event beside its texts and its document, about.
const ENVELOPE_BYTES: usize = 256;

/// What is to become an event of the operation `read`.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// Name of the run that read it.
    pub run: &'a str,
    /// The collection.
    pub namespace: Namespace<'a>,
    /// The document as it was at `time`.
    pub document: &'a RawDocument,
    /// Cluster time at which it was read: its state after every change up to there.
    pub time: Timestamp,
    /// Number of the range within its collection, from 1 on, and how many there are.
    pub range: (u16, u16),
    /// Whether the run reads only some of the documents.
    pub is_filtered: bool,
    /// Where it stands in the run.
    pub marks: Marks,
}

impl Reading<'_> {
    /// The event that tells of it. Its token is a hash, so that it has nothing of the document's content.
    ///
    /// # Errors
    /// The document is not valid BSON up to its `_id`, or has none.
    pub fn event(&self) -> Result<ChangeEvent, Error> {
        let document = self.document.as_bytes();
        let (kind, key) = id(self.document)?;
        let mut event = Vec::with_capacity(ENVELOPE_BYTES + document.len() + 2 * key.len());
        nested(&mut event, |event| {
            nested_as(event, ElementType::EmbeddedDocument, "_id", |event| {
                string(event, "_data", &token(self, kind, key));
            });
            string(event, "operationType", "read");
            timestamp(event, "clusterTime", self.time);
            head(event, ElementType::EmbeddedDocument, "fullDocument");
            event.extend_from_slice(document);
            nested_as(event, ElementType::EmbeddedDocument, "ns", |event| {
                string(event, "db", self.namespace.database);
                if let Some(collection) = self.namespace.collection {
                    string(event, "coll", collection);
                }
            });
            nested_as(
                event,
                ElementType::EmbeddedDocument,
                "documentKey",
                |event| {
                    head(event, kind, "_id");
                    event.extend_from_slice(key);
                },
            );
            nested_as(event, ElementType::EmbeddedDocument, "snapshot", |event| {
                describe(event, self);
            });
        });
        ChangeEvent::parse(event.into())
    }
}

/// What the event says of the snapshot.
fn describe(event: &mut Vec<u8>, reading: &Reading<'_>) {
    string(event, "run", reading.run);
    let (range, ranges) = reading.range;
    integer(event, "range", range);
    integer(event, "ranges", ranges);
    if reading.is_filtered {
        head(event, ElementType::Boolean, "filtered");
        event.push(1);
    }
    if reading.marks != Marks::default() {
        nested_as(event, ElementType::Array, "marks", |event| {
            for (index, mark) in reading.marks.iter().enumerate() {
                string(event, &index.to_string(), mark.as_str());
            }
        });
    }
}

/// Type and bytes of the document's `_id`.
fn id(document: &RawDocument) -> Result<(ElementType, &[u8]), Error> {
    let mut cursor = Cursor::new(document)?;
    let kind = cursor.find("_id")?.ok_or(Error::Missing("_id"))?;
    let start = cursor.position();
    cursor.skip(kind)?;
    Ok((kind, &document.as_bytes()[start..cursor.position()]))
}

/// 32 hexadecimal digits of a SHA-256 over what no two messages share: run, collection, document key, time and marks.
fn token(reading: &Reading<'_>, kind: ElementType, key: &[u8]) -> String {
    let mut hash = Sha256::new();
    let Namespace {
        database,
        collection,
    } = reading.namespace;
    for text in [reading.run, database, collection.unwrap_or_default()] {
        hash.update(text);
        hash.update([0]);
    }
    hash.update(reading.time.time.to_le_bytes());
    hash.update(reading.time.increment.to_le_bytes());
    hash.update([kind as u8]);
    hash.update(key);
    // A document that is read once more to be marked is another message, even at the same time.
    if reading.marks != Marks::default() {
        hash.update([reading.marks.bits()]);
    }
    let digest = hash.finalize();
    let digits = digest[..16].iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}

fn head(out: &mut Vec<u8>, kind: ElementType, name: &str) {
    out.push(kind as u8);
    out.extend_from_slice(name.as_bytes());
    out.push(0);
}

fn string(out: &mut Vec<u8>, name: &str, text: &str) {
    head(out, ElementType::String, name);
    let length = u32::try_from(text.len() + 1).expect("names are short");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

fn integer(out: &mut Vec<u8>, name: &str, number: u16) {
    head(out, ElementType::Int32, name);
    out.extend_from_slice(&i32::from(number).to_le_bytes());
}

fn timestamp(out: &mut Vec<u8>, name: &str, time: Timestamp) {
    head(out, ElementType::Timestamp, name);
    out.extend_from_slice(&time.increment.to_le_bytes());
    out.extend_from_slice(&time.time.to_le_bytes());
}

fn nested_as(out: &mut Vec<u8>, kind: ElementType, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
    head(out, kind, name);
    nested(out, write);
}

/// A document or array, whose length stands before it.
fn nested(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    out.push(0);
    let length = u32::try_from(out.len() - start).expect("BSON is under 2 GiB long");
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use bson::{Document, rawdoc};

    use super::*;
    use crate::event::{Mark, Operation, Snapshot};

    fn reading(document: &RawDocument, marks: Marks) -> Reading<'_> {
        Reading {
            run: "initial",
            namespace: Namespace {
                database: "shop",
                collection: Some("games"),
            },
            document,
            time: Timestamp {
                time: 7,
                increment: 3,
            },
            range: (1, 4),
            is_filtered: false,
            marks,
        }
    }

    #[test]
    fn a_document_that_was_read_is_an_event() {
        let document = rawdoc! { "a": 1, "_id": "ada", "b": [1, 2] };
        let mut marks = Marks::default();
        marks.add(Mark::RangeLast);
        marks.add(Mark::RunFirst);
        let event = reading(&document, marks).event().unwrap();
        assert_eq!(event.operation(), &Operation::Read);
        assert_eq!(event.namespace().to_string(), "shop.games");
        assert_eq!(event.full_document(), Some(&*document));
        assert_eq!(event.document_key(), Some(&*rawdoc! { "_id": "ada" }));
        assert_eq!(
            event.cluster_time(),
            Timestamp {
                time: 7,
                increment: 3
            }
        );
        assert_eq!(event.wall_time_ms(), None);
        let raw = RawDocument::from_bytes(event.raw()).unwrap();
        let read = Document::try_from(raw).unwrap();
        let names: Vec<&str> = read.keys().map(String::as_str).collect();
        let expected = [
            "_id",
            "operationType",
            "clusterTime",
            "fullDocument",
            "ns",
            "documentKey",
            "snapshot",
        ];
        assert_eq!(names, expected);
        let snapshot = bson::doc! {
            "run": "initial", "range": 1, "ranges": 4, "marks": ["run-first", "range-last"],
        };
        assert_eq!(read.get_document("snapshot").unwrap(), &snapshot);
        let snapshot = Snapshot {
            run: "initial",
            range: (1, 4),
            is_filtered: false,
            marks,
        };
        assert_eq!(event.snapshot(), Some(snapshot));
    }

    #[test]
    fn a_document_without_an_id_is_no_event() {
        let document = rawdoc! { "a": 1 };
        let event = reading(&document, Marks::default()).event();
        assert!(matches!(event, Err(Error::Missing("_id"))));
    }

    #[test]
    fn the_token_differs_where_anything_that_names_the_reading_does() {
        let one = rawdoc! { "_id": 1 };
        let other = rawdoc! { "_id": 1_i64 };
        let base = reading(&one, Marks::default());
        let time = Timestamp {
            time: 7,
            increment: 4,
        };
        let all = [
            base,
            Reading {
                document: &other,
                ..base
            },
            Reading {
                run: "again",
                ..base
            },
            Reading { time, ..base },
        ];
        let tokens = all.map(|reading| {
            let event = reading.event().unwrap();
            event.token().get_str("_data").unwrap().to_owned()
        });
        let distinct: std::collections::BTreeSet<_> = tokens.iter().collect();
        assert_eq!(distinct.len(), tokens.len(), "{tokens:?}");
    }
}
