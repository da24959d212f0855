//! What the body of a message must say, worked out without the engine's code.
//!
//! Bodies are compared as JSON: field for field and value for value, whatever the order or spacing.

use std::hash::{DefaultHasher, Hash, Hasher};

use bson::{Bson, DateTime, Document};
use serde_json::{Map, Value, json};

use crate::settings::{Format, JsonMode};

/// Longest part of a value that a difference shows.
const SHOWN_CHARS: usize = 60;

/// Which document of which collection: a hash of both, to hold a million of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DocumentKey(u64);

/// A hash of a body as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(u64);

/// How bodies are written.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// What a body holds.
    pub format: Format,
    /// How it spells types that JSON lacks.
    pub mode: JsonMode,
}

/// The part of an arrived body that tells of the document.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// The collection.
    pub collection: String,
    /// The `_id` as text.
    pub id: String,
    /// What is compared.
    pub content: Value,
}

impl DocumentKey {
    /// The key of the document of `collection` whose `_id` is written as `id`.
    pub fn new(collection: &str, id: &str) -> Self {
        Self(hash(&(collection, id)))
    }
}

impl Fingerprint {
    /// The fingerprint of `content`.
    pub fn of(content: &Value) -> Self {
        // A map sorts its keys, so equal values are equal text.
        Self(hash(&content.to_string()))
    }
}

impl Style {
    /// The body that `document` of `collection` must arrive with.
    pub fn expected(self, collection: &str, document: &Document) -> Body {
        let mut content: Map<String, Value> = document
            .iter()
            .map(|(name, value)| (name.clone(), self.json(value)))
            .collect();
        let id = id_text(content.get("_id").unwrap_or(&Value::Null));
        if self.format == Format::Document {
            content.remove("_id");
            content.insert("type".to_owned(), collection.into());
            content.insert("entry_id".to_owned(), id.as_str().into());
        }
        Body {
            collection: collection.to_owned(),
            id,
            content: content.into(),
        }
    }

    /// Reads an arrived body of a change in `namespace`, as its header tells; `None` if it is not of this format.
    pub fn read(self, bytes: &[u8], namespace: Option<&str>) -> Option<Body> {
        if self.format == Format::Bson {
            return read_event(&self.decode(bytes)?);
        }
        let value: Value = serde_json::from_slice(bytes).ok()?;
        match self.format {
            Format::Document => Some(Body {
                collection: value.get("type")?.as_str()?.to_owned(),
                id: value.get("entry_id")?.as_str()?.to_owned(),
                content: value,
            }),
            Format::Debezium => read_envelope(value.get("payload").unwrap_or(&value)),
            Format::CloudEvents => read_cloud_event(&value, namespace),
            Format::Event | Format::Bson => read_event(&value),
        }
    }

    fn decode(self, bytes: &[u8]) -> Option<Value> {
        let document = Document::from_reader(bytes).ok()?;
        Some(self.json(&document.into()))
    }

    /// Extended JSON of the types that our documents are made of.
    fn json(self, value: &Bson) -> Value {
        let canonical = self.mode == JsonMode::Canonical;
        match value {
            Bson::Null => Value::Null,
            Bson::Boolean(value) => (*value).into(),
            Bson::String(value) => value.as_str().into(),
            Bson::Int32(value) if canonical => json!({ "$numberInt": value.to_string() }),
            Bson::Int32(value) => (*value).into(),
            Bson::Int64(value) if canonical => json!({ "$numberLong": value.to_string() }),
            Bson::Int64(value) => (*value).into(),
            Bson::Double(value) if canonical => json!({ "$numberDouble": format!("{value:?}") }),
            Bson::Double(value) => (*value).into(),
            Bson::Decimal128(value) => json!({ "$numberDecimal": value.to_string() }),
            Bson::ObjectId(value) => json!({ "$oid": value.to_hex() }),
            Bson::DateTime(value) if canonical => {
                json!({ "$date": { "$numberLong": value.timestamp_millis().to_string() } })
            }
            Bson::DateTime(value) => json!({ "$date": iso_8601(*value) }),
            Bson::Array(values) => values.iter().map(|value| self.json(value)).collect(),
            Bson::Document(document) => document
                .iter()
                .map(|(name, value)| (name.clone(), self.json(value)))
                .collect::<Map<_, _>>()
                .into(),
            // No document of ours holds another.
            other => format!("{other:?}").into(),
        }
    }
}

/// Reads a change event.
fn read_event(event: &Value) -> Option<Body> {
    Some(Body {
        collection: event.pointer("/ns/coll")?.as_str()?.to_owned(),
        id: id_text(event.pointer("/documentKey/_id")?),
        content: event.get("fullDocument")?.clone(),
    })
}

/// Reads Debezium's envelope, whose documents are strings.
fn read_envelope(envelope: &Value) -> Option<Body> {
    let content: Value = serde_json::from_str(envelope.get("after")?.as_str()?).ok()?;
    Some(Body {
        collection: envelope.pointer("/source/collection")?.as_str()?.to_owned(),
        id: id_text(content.get("_id")?),
        content,
    })
}

/// Reads a cloud event: structured, it tells the collection beside its data; binary, it is the data.
fn read_cloud_event(value: &Value, namespace: Option<&str>) -> Option<Body> {
    let (collection, data) = match (value.get("specversion"), namespace) {
        (Some(_), _) => (value.get("collection")?.as_str()?, value.get("data")?),
        (None, namespace) => (namespace?.split_once('.')?.1, value),
    };
    Some(Body {
        collection: collection.to_owned(),
        id: id_text(data.pointer("/documentKey/_id")?),
        content: data.get("fullDocument")?.clone(),
    })
}

/// One line on the first field, by name, in which two bodies differ.
pub fn first_difference(expected: &Value, arrived: &Value) -> Option<String> {
    let (Value::Object(expected), Value::Object(arrived)) = (expected, arrived) else {
        return (expected != arrived).then(|| "the body is not an object".to_owned());
    };
    let name = expected
        .keys()
        .chain(arrived.keys())
        .find(|name| expected.get(*name) != arrived.get(*name))?;
    let show = |side: &Map<String, Value>| {
        side.get(name)
            .map_or("nothing".to_owned(), |value| cut(&value.to_string()))
    };
    Some(format!(
        "field `{name}`: expected {}, arrived {}",
        show(expected),
        show(arrived)
    ))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// An `_id` as text: hex for an `ObjectId`, the text of a string, Extended JSON for the rest.
fn id_text(id: &Value) -> String {
    match id {
        Value::String(text) => text.clone(),
        Value::Object(fields) => match fields.get("$oid") {
            Some(Value::String(hex)) => hex.clone(),
            _ => id.to_string(),
        },
        _ => id.to_string(),
    }
}

/// Milliseconds only where there are some, then three digits.
fn iso_8601(moment: DateTime) -> String {
    let millis = moment.timestamp_millis().rem_euclid(1_000);
    let whole = DateTime::from_millis(moment.timestamp_millis() - millis);
    let text = whole
        .try_to_rfc3339_string()
        .expect("our dates lie in the years that people write");
    match millis {
        0 => text,
        _ => text.replace('Z', &format!(".{millis:03}Z")),
    }
}

/// A hash of `value`.
pub(crate) fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use bson::{doc, oid::ObjectId};

    use super::*;

    fn style(format: Format, mode: JsonMode) -> Style {
        Style { format, mode }
    }

    fn document() -> Document {
        doc! {
            "_id": ObjectId::parse_str("65a0f0c8e4b0a1b2c3d4e5f6").unwrap(),
            "name": "Zoë",
            "score": 12_i32,
            "total": 9_007_199_254_740_993_i64,
            "bonus": 2.5,
            "none": Bson::Null,
            "rated": true,
            "prize": Bson::Decimal128("10.50".parse().unwrap()),
            "started": DateTime::from_millis(1_704_067_200_012),
            "finished": DateTime::from_millis(1_704_067_201_000),
            "at": { "row": 3_i32, "tiles": ["A", { "blank": false }] },
        }
    }

    #[test]
    fn the_document_format_is_what_the_specification_says() {
        let body = style(Format::Document, JsonMode::Relaxed).expected("games", &document());
        let arrived = br#"{"name":"Zo\u00eb","score":12,"total":9007199254740993,"bonus":2.5,"none":null,
            "rated":true,"prize":{"$numberDecimal":"10.50"},"started":{"$date":"2024-01-01T00:00:00.012Z"},
            "finished":{"$date":"2024-01-01T00:00:01Z"},"at":{"row":3,"tiles":["A",{"blank":false}]},
            "type":"games","entry_id":"65a0f0c8e4b0a1b2c3d4e5f6"}"#;
        let read = style(Format::Document, JsonMode::Relaxed)
            .read(arrived, None)
            .unwrap();
        assert_eq!(body, read);
        assert_eq!(
            Fingerprint::of(&body.content),
            Fingerprint::of(&read.content)
        );
    }

    #[test]
    fn an_event_is_compared_by_its_full_document() {
        let style = style(Format::Event, JsonMode::Canonical);
        let arrived = br#"{"operationType":"insert","ns":{"db":"scrabble","coll":"games"},
            "documentKey":{"_id":{"$oid":"65a0f0c8e4b0a1b2c3d4e5f6"}},
            "fullDocument":{"_id":{"$oid":"65a0f0c8e4b0a1b2c3d4e5f6"},"n":{"$numberInt":"1"},
            "d":{"$numberDouble":"2.0"},"t":{"$date":{"$numberLong":"-5"}}}}"#;
        let id = ObjectId::parse_str("65a0f0c8e4b0a1b2c3d4e5f6").unwrap();
        let document = doc! { "_id": id, "n": 1_i32, "d": 2.0, "t": DateTime::from_millis(-5) };
        assert_eq!(
            style.read(arrived, None).unwrap(),
            style.expected("games", &document)
        );
    }

    #[test]
    fn each_format_is_compared_by_its_full_document() {
        let document = doc! { "_id": "x", "n": 1_i32, "at": DateTime::from_millis(5) };
        let relaxed = r#"{"_id":"x","n":1,"at":{"$date":"1970-01-01T00:00:00.005Z"}}"#;
        let escaped = relaxed.replace('"', "\\\"");
        let data = format!(r#"{{"fullDocument":{relaxed},"documentKey":{{"_id":"x"}}}}"#);
        let envelope = format!(r#"{{"after":"{escaped}","source":{{"collection":"games"}}}}"#);
        let structured = format!(r#"{{"specversion":"1.0","collection":"games","data":{data}}}"#);
        let event = doc! { "ns": { "coll": "games" }, "documentKey": { "_id": "x" }, "fullDocument": document.clone() };
        let bson = event.to_vec().unwrap();
        for (format, arrived) in [
            (Format::Debezium, envelope.clone().into_bytes()),
            (
                Format::Debezium,
                format!(r#"{{"schema":{{}},"payload":{envelope}}}"#).into_bytes(),
            ),
            (Format::CloudEvents, structured.into_bytes()),
            (Format::CloudEvents, data.into_bytes()),
            (Format::Bson, bson),
        ] {
            let style = style(format, JsonMode::Relaxed);
            let read = style.read(&arrived, Some("scrabble.games"));
            assert_eq!(read, Some(style.expected("games", &document)), "{format:?}");
        }
    }

    #[test]
    fn a_body_of_another_format_is_not_read() {
        let style = style(Format::Document, JsonMode::Relaxed);
        assert_eq!(style.read(b"hello", None), None);
        assert_eq!(style.read(br#"{"type":"games"}"#, None), None);
    }

    #[test]
    fn a_difference_names_the_field_and_cuts_its_values() {
        let expected = json!({ "a": 1, "b": "x".repeat(100) });
        let arrived = json!({ "a": 1, "b": "y" });
        let line = first_difference(&expected, &arrived).unwrap();
        assert!(line.starts_with("field `b`: expected \"xxx"), "{line}");
        assert!(line.ends_with("…, arrived \"y\""), "{line}");
        assert_eq!(first_difference(&expected, &expected), None);
        let missing = first_difference(&json!({ "a": 1 }), &json!({})).unwrap();
        assert_eq!(missing, "field `a`: expected 1, arrived nothing");
    }

    #[test]
    fn an_integer_that_became_a_float_is_a_difference() {
        assert_ne!(
            Fingerprint::of(&json!({ "a": 1 })),
            Fingerprint::of(&json!({ "a": 1.0 }))
        );
    }
}
