//! `_id`s of every type that one may have.

use bson::{
    Binary, Bson, DateTime, Decimal128, JavaScriptCodeWithScope, Timestamp, doc, oid::ObjectId,
    spec::BinarySubtype,
};

/// How many types there are.
const TYPES: u32 = 18;

/// The `_id` with this number; each has another one, and neighbours are of different types.
pub(super) fn any_id(number: u32) -> Bson {
    let round = number / TYPES;
    let whole = i64::from(round);
    match number % TYPES {
        0 => Bson::Int32(i32::try_from(2 * whole).unwrap_or_default()),
        1 => Bson::Int64((1 << 40) + whole),
        2 => Bson::Double(f64::from(round) + 0.25),
        3 => decimal(&format!("{round}.125")),
        4 => Bson::String(format!("{round} \"é\\\n\u{1f3b2}")),
        5 => Bson::ObjectId(object_id(number)),
        6 => Bson::DateTime(DateTime::from_millis(whole * 1_000_003 - 1_000_000)),
        7 => Bson::Timestamp(Timestamp {
            time: round,
            increment: 1,
        }),
        8 => binary(BinarySubtype::Generic, round),
        9 => binary(BinarySubtype::UserDefined(0x80), round),
        10 => Bson::Document(doc! { "a": round, "b": [whole, null] }),
        11 => Bson::Document(doc! { "b": [], "a": format!("{round}") }),
        12 => Bson::Symbol(format!("symbol {round}")),
        13 => Bson::JavaScriptCode(format!("f({round})")),
        14 => Bson::JavaScriptCodeWithScope(JavaScriptCodeWithScope {
            code: format!("g({round})"),
            scope: doc! { "round": round },
        }),
        // Those of which there are only a few.
        15 => few(round).unwrap_or(Bson::Int32(
            i32::try_from(2 * whole + 1).unwrap_or_default(),
        )),
        16 => Bson::Double(-f64::from(round) - 0.5),
        _ => decimal(&format!("-{round}.75")),
    }
}

fn few(round: u32) -> Option<Bson> {
    let few = [
        Bson::Null,
        Bson::Boolean(false),
        Bson::Boolean(true),
        Bson::MinKey,
        Bson::MaxKey,
        Bson::Double(f64::INFINITY),
        Bson::Double(f64::NEG_INFINITY),
        Bson::String(String::new()),
    ];
    few.get(usize::try_from(round).ok()?).cloned()
}

fn decimal(text: &str) -> Bson {
    let number = text.parse::<Decimal128>();
    number.map_or(Bson::String(text.to_owned()), Bson::Decimal128)
}

fn object_id(number: u32) -> ObjectId {
    let mut bytes = [7; 12];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    ObjectId::from_bytes(bytes)
}

fn binary(subtype: BinarySubtype, round: u32) -> Bson {
    Bson::Binary(Binary {
        subtype,
        bytes: round.to_be_bytes().into(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{super::event::key_of, *};

    #[test]
    fn values_are_read_from_canonical_extended_json() {
        let decimal = decimal("-0.75");
        for (json, value) in [
            (r#"{"$numberInt": "-1"}"#, Bson::Int32(-1)),
            (r#"{"$numberLong": "1"}"#, Bson::Int64(1)),
            (r#"{"$numberDouble": "1.0"}"#, Bson::Double(1.0)),
            (
                r#"{"$numberDouble": "-Infinity"}"#,
                Bson::Double(f64::NEG_INFINITY),
            ),
            (r#"{"$numberDecimal": "-0.75"}"#, decimal),
            (r#"{"$symbol": "s"}"#, Bson::Symbol("s".to_owned())),
            (
                r#"{"$code": "f()"}"#,
                Bson::JavaScriptCode("f()".to_owned()),
            ),
            (
                r#"{"$binary": {"base64": "AAAABw==", "subType": "80"}}"#,
                binary(BinarySubtype::UserDefined(0x80), 7),
            ),
            (
                r#"{"$date": {"$numberLong": "-7"}}"#,
                Bson::DateTime(DateTime::from_millis(-7)),
            ),
            (r#"{"$minKey": 1}"#, Bson::MinKey),
            (
                r#"{"b": [], "a": {"$numberInt": "1"}}"#,
                Bson::Document(doc! { "b": [], "a": 1 }),
            ),
            (
                r#"{"$code": "g()", "$scope": {"a": {"$numberInt": "1"}}}"#,
                Bson::JavaScriptCodeWithScope(JavaScriptCodeWithScope {
                    code: "g()".to_owned(),
                    scope: doc! { "a": 1 },
                }),
            ),
        ] {
            let text = format!(r#"{{"": {json}}}"#);
            let read: bson::Document = serde_json::from_str(&text).unwrap();
            assert_eq!(read.to_vec().unwrap(), key_of(&value), "{json}");
        }
    }

    #[test]
    fn ids_are_of_all_types_and_each_comes_once() {
        let ids: Vec<Bson> = (0..5_000).map(any_id).collect();
        let types: HashSet<_> = ids.iter().map(|id| id.element_type() as u8).collect();
        // All but arrays, regular expressions and undefined, which the server refuses, and pointers, which drivers do not make.
        assert_eq!(types.len(), 17);
        let keys: HashSet<_> = ids.iter().map(key_of).collect();
        assert_eq!(keys.len(), ids.len());
    }
}
