//! The conversion table: for each BSON type, its text.

#![expect(
    clippy::inline_always,
    reason = "a value that goes through memory on its way to the writer costs half as much again"
)]

use base64::{Engine, encoded_len, engine::general_purpose::STANDARD};
use bson::{Timestamp, spec::ElementType};

use super::{
    date, decimal,
    nested::{Shape, nested, open},
    number, string,
};
use crate::{
    encode::JsonMode,
    raw_bson::{Binary, Cursor, Error, Text},
};

/// Two lower-case hexadecimal digits for each byte.
const HEX: [[u8; 2]; 256] = hex_table();

/// Writes all elements as a JSON object.
pub(super) fn document(from: Cursor<'_>, mode: JsonMode, out: &mut Vec<u8>) -> Result<(), Error> {
    nested(Shape::Document, from, mode, out)
}

/// Reads and writes a value of type `kind`.
#[inline]
pub(super) fn value(
    kind: ElementType,
    from: &mut Cursor<'_>,
    mode: JsonMode,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    match open(kind, from, out)? {
        Some((shape, inner)) => nested(shape, inner, mode, out),
        None => leaf(kind, from, mode, out),
    }
}

/// Reads and writes a value that nests nothing.
#[inline(always)]
pub(super) fn leaf(
    kind: ElementType,
    from: &mut Cursor<'_>,
    mode: JsonMode,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    match kind {
        ElementType::String => string::quoted(from.string()?, out)?,
        ElementType::ObjectId => object_id(from.array()?, out),
        ElementType::Int32 => number::int32(i32::from_le_bytes(*from.array()?), mode, out),
        ElementType::Int64 => number::int64(i64::from_le_bytes(*from.array()?), mode, out),
        ElementType::Double => number::double(f64::from_le_bytes(*from.array()?), mode, out),
        ElementType::DateTime => date::date(i64::from_le_bytes(*from.array()?), mode, out),
        ElementType::Boolean if from.boolean()? => out.extend_from_slice(b"true"),
        ElementType::Boolean => out.extend_from_slice(b"false"),
        ElementType::Null => out.extend_from_slice(b"null"),
        _ => rare(kind, from, out)?,
    }
    Ok(())
}

/// The types that few documents have, apart, so that the loop over the others stays small.
#[inline(never)]
fn rare(kind: ElementType, from: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    match kind {
        ElementType::Binary => binary(from.binary()?, out),
        ElementType::Decimal128 => decimal::decimal128(u128::from_le_bytes(*from.array()?), out),
        ElementType::Timestamp => timestamp(from.timestamp()?, out),
        ElementType::RegularExpression => {
            regular_expression(from.c_string()?, from.c_string()?, out)?;
        }
        ElementType::DbPointer => db_pointer(from.string()?, from.array()?, out)?,
        ElementType::JavaScriptCode => {
            out.extend_from_slice(br#"{"$code":"#);
            string::quoted(from.string()?, out)?;
            out.push(b'}');
        }
        ElementType::Symbol => {
            out.extend_from_slice(br#"{"$symbol":"#);
            string::quoted(from.string()?, out)?;
            out.push(b'}');
        }
        ElementType::Undefined => out.extend_from_slice(br#"{"$undefined":true}"#),
        ElementType::MinKey => out.extend_from_slice(br#"{"$minKey":1}"#),
        ElementType::MaxKey => out.extend_from_slice(br#"{"$maxKey":1}"#),
        _ => unreachable!("every other type is written where this is called"),
    }
    Ok(())
}

fn object_id(id: &[u8; 12], out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"$oid":""#);
    hex(id, out);
    out.extend_from_slice(br#""}"#);
}

/// Writes the digits of an object id, without quotes.
pub(super) fn hex(id: &[u8; 12], out: &mut Vec<u8>) {
    out.extend_from_slice(id.map(|byte| HEX[usize::from(byte)]).as_flattened());
}

fn binary(Binary { subtype, payload }: Binary<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"$binary":{"base64":""#);
    let start = out.len();
    let length = encoded_len(payload.len(), true).expect("a document has at most 2^31 bytes");
    out.resize(start + length, 0);
    STANDARD
        .encode_slice(payload, &mut out[start..])
        .expect("the space has the payload's length");
    out.extend_from_slice(br#"","subType":""#);
    out.extend_from_slice(&HEX[usize::from(subtype)]);
    out.extend_from_slice(br#""}}"#);
}

fn timestamp(Timestamp { time, increment }: Timestamp, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"$timestamp":{"t":"#);
    number::integer(time, out);
    out.extend_from_slice(br#","i":"#);
    number::integer(increment, out);
    out.extend_from_slice(b"}}");
}

fn regular_expression(
    pattern: Text<'_>,
    options: Text<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    out.extend_from_slice(br#"{"$regularExpression":{"pattern":"#);
    string::quoted(pattern, out)?;
    out.extend_from_slice(br#","options":"#);
    string::quoted_sorted(options, out)?;
    out.extend_from_slice(b"}}");
    Ok(())
}

fn db_pointer(namespace: Text<'_>, id: &[u8; 12], out: &mut Vec<u8>) -> Result<(), Error> {
    out.extend_from_slice(br#"{"$dbPointer":{"$ref":"#);
    string::quoted(namespace, out)?;
    out.extend_from_slice(br#","$id":"#);
    object_id(id, out);
    out.extend_from_slice(b"}}");
    Ok(())
}

const fn hex_table() -> [[u8; 2]; 256] {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
}
