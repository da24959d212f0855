//! The documents of a backlog, and the message bodies that come of them.
//!
//! Both follow from a document's number alone, so that every part of the bench can make them by itself and the check
//! knows what has to arrive.

use std::ops::Range;

use anyhow::{Context, Result};
use bson::{DateTime, Document, RawDocumentBuf, doc, oid::ObjectId};
use serde_json::{Value, json};

/// Collection that they are in.
pub(super) const COLLECTION: &str = "games";

/// Moment in every document, in milliseconds since 1970: 2024-05-27T02:32:39.950Z.
const STARTED_MS: i64 = 1_716_777_159_950;

/// What every `_id` begins with, in hexadecimal; the number follows.
const ID_FRONT: &[u8] = b"66000000";

/// Documents whose BSON has a given size.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// Fills a document up to its size.
    text: String,
}

impl Shape {
    /// Documents of `size` bytes; fewer than the other fields need is not possible.
    pub(super) fn new(size: u64) -> Self {
        let empty = Self {
            text: String::new(),
        };
        let fixed = empty.document(0).to_vec().map_or(0, |bytes| bytes.len());
        let size = usize::try_from(size).expect("a document fits into memory");
        Self {
            text: "x".repeat(size.saturating_sub(fixed)),
        }
    }

    /// Document `number`, as it is inserted.
    pub(super) fn document(&self, number: u64) -> Document {
        let signed = i64::try_from(number).expect("fewer than 2^63 documents");
        doc! {
            "_id": id(number),
            "number": signed,
            "player": "松尾 蓮",
            "score": 470_i32,
            "rated": true,
            "started": DateTime::from_millis(STARTED_MS),
            "ratio": 0.625,
            "moves": ["DOLOR", "LIBERO"],
            "text": &self.text,
        }
    }

    /// Some documents, as they are sent to the server.
    pub(super) fn documents(&self, numbers: Range<u64>) -> Result<Vec<RawDocumentBuf>> {
        let raw = |number| RawDocumentBuf::try_from(&self.document(number));
        let documents: Result<_, _> = numbers.map(raw).collect();
        documents.context("make the documents")
    }

    /// Appends the body of document `number` in the format `document`, byte for byte what the engine makes of it.
    pub(super) fn write_body(&self, number: u64, body: &mut Vec<u8>) {
        body.extend_from_slice(b"{\"number\":");
        body.extend_from_slice(number.to_string().as_bytes());
        body.extend_from_slice(MIDDLE.as_bytes());
        body.extend_from_slice(self.text.as_bytes());
        body.extend_from_slice(b"\",\"type\":\"games\",\"entry_id\":\"");
        body.extend_from_slice(id(number).to_hex().as_bytes());
        body.extend_from_slice(b"\"}");
    }

    /// What the body of document `number` says in the format `document`.
    pub(super) fn expected(&self, number: u64) -> Value {
        let mut body = Vec::new();
        self.write_body(number, &mut body);
        serde_json::from_slice(&body).unwrap_or_default()
    }

    /// What the full document in the body of document `number` says in the format `event`.
    pub(super) fn expected_full(&self, number: u64) -> Value {
        let mut value = self.expected(number);
        if let Some(fields) = value.as_object_mut() {
            fields.retain(|name, _| name != "type" && name != "entry_id");
        }
        value["_id"] = json!({ "$oid": id(number).to_hex() });
        value
    }
}

/// The body between number and text.
const MIDDLE: &str = concat!(
    r#","player":"松尾 蓮","score":470,"rated":true,"started":{"$date":"2024-05-27T02:32:39.950Z"},"#,
    r#""ratio":0.625,"moves":["DOLOR","LIBERO"],"text":""#
);

/// The number of the document that a body in the format `document` tells of; its first field, read without the rest.
pub(super) fn number_at_front(body: &[u8]) -> Option<u64> {
    let digits = body.strip_prefix(b"{\"number\":")?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

/// The number of the document whose `_id` is the first one in a body of whatever format.
pub(super) fn number_by_id(body: &[u8]) -> Option<u64> {
    let mut windows = body.windows(ID_FRONT.len());
    let place = windows.position(|window| window == ID_FRONT)? + ID_FRONT.len();
    let digits = std::str::from_utf8(body.get(place..place + 16)?).ok()?;
    u64::from_str_radix(digits, 16).ok()
}

/// The `_id` of document `number`.
pub(super) fn id(number: u64) -> ObjectId {
    let mut bytes = [0; 12];
    bytes[0] = 0x66;
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    ObjectId::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_the_asked_size() {
        for size in [200, 400, 20_000] {
            let document = Shape::new(size).document(7).to_vec().unwrap();
            assert_eq!(document.len() as u64, size);
        }
    }

    #[test]
    fn the_body_says_what_is_in_the_document() {
        let shape = Shape::new(400);
        let mut body = Vec::new();
        shape.write_body(123_456, &mut body);
        assert_eq!(number_at_front(&body), Some(123_456));

        // The library writes what has no place in JSON as the full document does, but for the date.
        let mut value = serde_json::to_value(shape.document(123_456)).unwrap();
        let date = json!({ "$date": { "$numberLong": STARTED_MS.to_string() } });
        let read = std::mem::replace(
            &mut value["started"],
            json!({ "$date": "2024-05-27T02:32:39.950Z" }),
        );
        assert_eq!(read, date);
        assert_eq!(value, shape.expected_full(123_456));
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["type"], COLLECTION);
        assert_eq!(body["entry_id"], value["_id"]["$oid"]);
    }

    #[test]
    fn a_body_of_any_format_is_known_by_its_id() {
        let shape = Shape::new(400);
        let mut body = Vec::new();
        shape.write_body(123_456, &mut body);
        assert_eq!(number_by_id(&body), Some(123_456));
        let envelope = json!({ "after": shape.expected_full(7).to_string(), "op": "c" });
        assert_eq!(number_by_id(envelope.to_string().as_bytes()), Some(7));
        assert_eq!(number_by_id(b"{\"_id\":\"66000000"), None);
        assert_eq!(number_by_id(b""), None);
    }

    #[test]
    fn a_body_without_a_number_in_front_has_none() {
        assert_eq!(number_at_front(b"{\"score\":1}"), None);
        assert_eq!(number_at_front(b"{\"number\":}"), None);
        assert_eq!(number_at_front(b"{\"number\":12"), None);
    }
}
