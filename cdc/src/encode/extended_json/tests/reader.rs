//! Reads canonical Extended JSON back, independently of the code under test.
//!
//! The `bson` crate's own reader goes through a map, which loses equal names and the order.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{
    bytes,
    tree::{Fields, Node},
};

/// JSON as it stands in the text.
#[derive(Debug)]
pub(crate) enum Json {
    Null,
    Boolean(bool),
    /// Only timestamps, minimum and maximum keys have a bare number in canonical text.
    Number(f64),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// The fields of the document that `text` is.
pub(crate) fn read(text: &str) -> Fields {
    let json = serde_json::from_str(text).expect("the writer writes json");
    let Json::Object(fields) = json else {
        panic!("not an object: {text}")
    };
    read_fields(fields)
}

fn read_fields(fields: Vec<(String, Json)>) -> Fields {
    fields
        .into_iter()
        .map(|(name, json)| (name, read_node(json)))
        .collect()
}

fn read_node(json: Json) -> Node {
    match json {
        Json::Null => Node::Null,
        Json::Boolean(boolean) => Node::Boolean(boolean),
        Json::Number(number) => panic!("a number without a type: {number}"),
        Json::String(text) => Node::String(text),
        Json::Array(array) => Node::Array(array.into_iter().map(read_node).collect()),
        Json::Object(fields) => read_object(fields),
    }
}

/// A type wrapper if the names are one's, else a document.
fn read_object(mut fields: Vec<(String, Json)>) -> Node {
    let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    match names.as_slice() {
        ["$code", "$scope"] => {
            let Some((_, Json::Object(scope))) = fields.pop() else {
                panic!("scope")
            };
            Node::CodeWithScope(text(fields.remove(0).1), read_fields(scope))
        }
        [name] if name.starts_with('$') && *name != "$key" => {
            let name = (*name).to_owned();
            read_wrapper(&name, fields.remove(0).1)
        }
        _ => Node::Document(read_fields(fields)),
    }
}

fn read_wrapper(name: &str, json: Json) -> Node {
    match name {
        "$numberInt" => Node::Int32(text(json).parse().unwrap()),
        "$numberLong" => Node::Int64(text(json).parse().unwrap()),
        "$numberDouble" => Node::Double(text(json).parse().unwrap()),
        "$numberDecimal" => {
            Node::Decimal128(text(json).parse::<bson::Decimal128>().unwrap().bytes())
        }
        "$oid" => Node::ObjectId(bytes(&text(json)).try_into().unwrap()),
        "$symbol" => Node::Symbol(text(json)),
        "$code" => Node::Code(text(json)),
        "$date" => {
            let [milliseconds] = parts(json, ["$numberLong"]);
            Node::DateTime(text(milliseconds).parse().unwrap())
        }
        "$timestamp" => {
            let [seconds, increment] = parts(json, ["t", "i"]);
            Node::Timestamp(integer(&seconds), integer(&increment))
        }
        "$binary" => {
            let [base64, subtype] = parts(json, ["base64", "subType"]);
            let [subtype] = bytes(&text(subtype)).try_into().unwrap();
            Node::Binary(subtype, STANDARD.decode(text(base64)).unwrap())
        }
        "$regularExpression" => {
            let [pattern, options] = parts(json, ["pattern", "options"]);
            Node::RegularExpression(text(pattern), text(options))
        }
        "$dbPointer" => {
            let [namespace, id] = parts(json, ["$ref", "$id"]);
            let [id] = parts(id, ["$oid"]);
            Node::DbPointer(text(namespace), bytes(&text(id)).try_into().unwrap())
        }
        "$undefined" if matches!(json, Json::Boolean(true)) => Node::Undefined,
        "$minKey" if integer(&json) == 1 => Node::MinKey,
        "$maxKey" if integer(&json) == 1 => Node::MaxKey,
        _ => panic!("no such type wrapper: {name} {json:?}"),
    }
}

/// The values of an object that has exactly these names, in this order.
fn parts<const N: usize>(json: Json, names: [&str; N]) -> [Json; N] {
    let Json::Object(fields) = json else {
        panic!("not an object: {json:?}")
    };
    let (found, values): (Vec<String>, Vec<Json>) = fields.into_iter().unzip();
    assert_eq!(found, names);
    values.try_into().unwrap()
}

fn text(json: Json) -> String {
    let Json::String(text) = json else {
        panic!("not a string: {json:?}")
    };
    text
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked beside it"
)]
fn integer(json: &Json) -> u32 {
    let Json::Number(number) = json else {
        panic!("not a number: {json:?}")
    };
    let integer = *number as u32;
    assert_eq!(
        f64::from(integer).to_bits(),
        number.to_bits(),
        "an integer without a sign"
    );
    integer
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("json")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, boolean: bool) -> Result<Json, E> {
        Ok(Json::Boolean(boolean))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "the numbers looked at have 32 bits"
    )]
    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "the numbers looked at have 32 bits"
    )]
    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(json) = seq.next_element()? {
            array.push(json);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Json::Object(fields))
    }
}
