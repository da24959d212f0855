//! The conversion table: for each BSON type, its text.

#![expect(
    clippy::inline_always,
    reason = "a value that goes through memory on its way to the writer costs half as much again"
)]

use base64::{Engine, encoded_len, engine::general_purpose::STANDARD};
use bson::spec::ElementType;

use super::{
    Cursor, DEPTH_MAX, Error,
    cursor::{Binary, Field, Text},
    date, decimal, number, string,
};
use crate::encode::JsonMode;

/// Two lower-case hexadecimal digits for each byte.
const HEX: [[u8; 2]; 256] = hex_table();

/// What a document, an array or a scope looks like in JSON.
#[derive(Clone, Copy)]
enum Shape {
    Document,
    Array,
    /// The scope of code, which is inside the code's object.
    Scope,
}

/// The documents and arrays around the one that is being written: where they end, and what they
/// are. Two arrays, because they are zeroed for each value and one of pairs would have gaps.
struct Outers {
    ends: [u32; DEPTH_MAX - 1],
    shapes: [Shape; DEPTH_MAX - 1],
    depth: usize,
}

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

/// If `kind` is a type that nests, the inside of the value; what stands before it is written.
#[inline(always)]
fn open<'a>(
    kind: ElementType,
    from: &mut Cursor<'a>,
    out: &mut Vec<u8>,
) -> Result<Option<(Shape, Cursor<'a>)>, Error> {
    Ok(match kind {
        ElementType::EmbeddedDocument => Some((Shape::Document, from.document()?)),
        ElementType::Array => Some((Shape::Array, from.document()?)),
        ElementType::JavaScriptCodeWithScope => {
            let (code, scope) = from.code_with_scope()?;
            out.extend_from_slice(br#"{"$code":"#);
            string::quoted(code, out)?;
            out.extend_from_slice(br#","$scope":"#);
            Some((Shape::Scope, scope))
        }
        _ => None,
    })
}

/// Writes everything from `from` to its end, whatever is nested there, without recursion.
fn nested(
    mut shape: Shape,
    mut from: Cursor<'_>,
    mode: JsonMode,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut outers = Outers::new();
    let mut empty = true;
    loop {
        let Some(Field { name, kind }) = from.field()? else {
            out.extend_from_slice(shape.closing(empty));
            let Some((end, outer)) = outers.pop() else {
                return Ok(());
            };
            from.leave(end);
            (shape, empty) = (outer, false);
            continue;
        };
        out.extend_from_slice(shape.opening(empty));
        empty = false;
        if !matches!(shape, Shape::Array) {
            string::unquoted(name, out)?;
            out.extend_from_slice(b"\":");
        }
        let offset = from.position();
        match open(kind, &mut from, out)? {
            None => leaf(kind, &mut from, mode, out)?,
            Some((inner_shape, inner)) => {
                outers
                    .push(from.end(), shape)
                    .ok_or(Error::Depth { offset })?;
                (shape, from, empty) = (inner_shape, inner, true);
            }
        }
    }
}

impl Outers {
    fn new() -> Self {
        Outers {
            ends: [0; DEPTH_MAX - 1],
            shapes: [Shape::Document; DEPTH_MAX - 1],
            depth: 0,
        }
    }

    /// None if there is no space left.
    #[inline(always)]
    fn push(&mut self, end: usize, shape: Shape) -> Option<()> {
        *self.ends.get_mut(self.depth)? = u32::try_from(end).expect("a length has 31 bits");
        self.shapes[self.depth] = shape;
        self.depth += 1;
        Some(())
    }

    #[inline(always)]
    fn pop(&mut self) -> Option<(usize, Shape)> {
        self.depth = self.depth.checked_sub(1)?;
        Some((self.ends[self.depth] as usize, self.shapes[self.depth]))
    }
}

impl Shape {
    /// What stands before an element, and in an object before its name.
    #[inline(always)]
    fn opening(self, empty: bool) -> &'static [u8] {
        match (self, empty) {
            (Shape::Array, true) => b"[",
            (Shape::Array, false) => b",",
            (_, true) => b"{\"",
            (_, false) => b",\"",
        }
    }

    /// What stands at the end.
    #[inline(always)]
    fn closing(self, empty: bool) -> &'static [u8] {
        match (self, empty) {
            (Shape::Document, true) => b"{}",
            (Shape::Document, false) => b"}",
            (Shape::Array, true) => b"[]",
            (Shape::Array, false) => b"]",
            (Shape::Scope, true) => b"{}}",
            (Shape::Scope, false) => b"}}",
        }
    }
}

/// Reads and writes a value that nests nothing.
#[inline(always)]
fn leaf(
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
        ElementType::Timestamp => {
            let increment = u32::from_le_bytes(*from.array()?);
            timestamp(u32::from_le_bytes(*from.array()?), increment, out);
        }
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

fn timestamp(seconds: u32, increment: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"$timestamp":{"t":"#);
    number::integer(seconds, out);
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
