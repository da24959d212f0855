//! The conversion table: for each BSON type, its text.

use base64::{Engine, encoded_len, engine::general_purpose::STANDARD};

use super::{Element, Elements, Error, Value, date, decimal, number, string};
use crate::encode::JsonMode;

/// Two lower-case hexadecimal digits for each byte.
const HEX: [[u8; 2]; 256] = hex_table();

/// Writes the elements as a JSON object.
pub(super) fn document(
    mut elements: Elements<'_>,
    mode: JsonMode,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    out.push(b'{');
    let mut first = true;
    while let Some(Element { name, value: inner }) = elements.read()? {
        if !first {
            out.push(b',');
        }
        first = false;
        string::quoted(name, out)?;
        out.push(b':');
        value(&inner, mode, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// Writes the elements as a JSON array: in their order, whatever their names are.
fn array(mut elements: Elements<'_>, mode: JsonMode, out: &mut Vec<u8>) -> Result<(), Error> {
    out.push(b'[');
    let mut first = true;
    while let Some(element) = elements.read()? {
        if !first {
            out.push(b',');
        }
        first = false;
        value(&element.value, mode, out)?;
    }
    out.push(b']');
    Ok(())
}

/// Writes any value. The recursion is as deep as the value, which `Elements` bounds.
pub(super) fn value(value: &Value<'_>, mode: JsonMode, out: &mut Vec<u8>) -> Result<(), Error> {
    match *value {
        Value::String(text) => return string::quoted(text, out),
        Value::Document(elements) => return document(elements, mode, out),
        Value::Array(elements) => return array(elements, mode, out),
        Value::RegularExpression { pattern, options } => {
            out.extend_from_slice(br#"{"$regularExpression":{"pattern":"#);
            string::quoted(pattern, out)?;
            out.extend_from_slice(br#","options":"#);
            string::quoted_sorted(options, out)?;
            out.extend_from_slice(b"}}");
        }
        Value::DbPointer { namespace, id } => {
            out.extend_from_slice(br#"{"$dbPointer":{"$ref":"#);
            string::quoted(namespace, out)?;
            out.extend_from_slice(br#","$id":"#);
            object_id(id, out);
            out.extend_from_slice(b"}}");
        }
        Value::Code(code) => {
            out.extend_from_slice(br#"{"$code":"#);
            string::quoted(code, out)?;
            out.push(b'}');
        }
        Value::Symbol(symbol) => {
            out.extend_from_slice(br#"{"$symbol":"#);
            string::quoted(symbol, out)?;
            out.push(b'}');
        }
        Value::CodeWithScope { code, scope } => {
            out.extend_from_slice(br#"{"$code":"#);
            string::quoted(code, out)?;
            out.extend_from_slice(br#","$scope":"#);
            document(scope, mode, out)?;
            out.push(b'}');
        }
        Value::Double(double) => number::double(double, mode, out),
        Value::Int32(int) => number::int32(int, mode, out),
        Value::Int64(int) => number::int64(int, mode, out),
        Value::Decimal128(bits) => decimal::decimal128(bits, out),
        Value::DateTime(milliseconds) => date::date(milliseconds, mode, out),
        Value::Timestamp { seconds, increment } => timestamp(seconds, increment, out),
        Value::ObjectId(id) => object_id(id, out),
        Value::Binary { subtype, payload } => binary(subtype, payload, out),
        Value::Boolean(true) => out.extend_from_slice(b"true"),
        Value::Boolean(false) => out.extend_from_slice(b"false"),
        Value::Null => out.extend_from_slice(b"null"),
        Value::Undefined => out.extend_from_slice(br#"{"$undefined":true}"#),
        Value::MinKey => out.extend_from_slice(br#"{"$minKey":1}"#),
        Value::MaxKey => out.extend_from_slice(br#"{"$maxKey":1}"#),
    }
    Ok(())
}

fn object_id(id: &[u8; 12], out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"$oid":""#);
    hex(id, out);
    out.extend_from_slice(br#""}"#);
}

/// Writes the digits of an ObjectId, without quotes.
pub(super) fn hex(id: &[u8; 12], out: &mut Vec<u8>) {
    let mut digits = [[0; 2]; 12];
    for (pair, byte) in digits.iter_mut().zip(id) {
        *pair = HEX[usize::from(*byte)];
    }
    out.extend_from_slice(digits.as_flattened());
}

fn timestamp(seconds: u32, increment: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"$timestamp":{"t":"#);
    number::integer(seconds, out);
    out.extend_from_slice(br#","i":"#);
    number::integer(increment, out);
    out.extend_from_slice(b"}}");
}

fn binary(subtype: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"$binary":{"base64":""#);
    let start = out.len();
    let length =
        encoded_len(payload.len(), true).expect("a document is far shorter than the address space");
    out.resize(start + length, 0);
    STANDARD
        .encode_slice(payload, &mut out[start..])
        .expect("the space is exactly what the payload needs");
    out.extend_from_slice(br#"","subType":""#);
    out.extend_from_slice(&HEX[usize::from(subtype)]);
    out.extend_from_slice(br#""}}"#);
}

const fn hex_table() -> [[u8; 2]; 256] {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
}
