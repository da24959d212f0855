//! Documents and arrays, to any depth that is allowed, without recursion.

#![expect(
    clippy::inline_always,
    reason = "a value that goes through memory on its way to the writer costs half as much again"
)]

use bson::spec::ElementType;

use super::{string, value::leaf};
use crate::{
    encode::JsonMode,
    raw_bson::{Cursor, DEPTH_MAX, Error, Field},
};

/// What a document, an array or a scope looks like in JSON.
#[derive(Clone, Copy)]
pub(super) enum Shape {
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

/// Writes everything from `from` to its end, whatever is nested there, without recursion.
pub(super) fn nested(
    mut shape: Shape,
    mut from: Cursor<'_>,
    mode: JsonMode,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let mut outers = Outers::new();
    let mut empty = true;
    loop {
        let Some(Field { name, kind }) = from.field()? else {
            shape.close(empty, out);
            let Some((end, outer)) = outers.pop() else {
                return Ok(());
            };
            from.leave(end);
            (shape, empty) = (outer, false);
            continue;
        };
        if matches!(shape, Shape::Array) {
            out.push(if empty { b'[' } else { b',' });
            name.rest()?;
        } else {
            out.extend_from_slice(if empty { b"{\"" } else { b",\"" });
            string::unquoted(name, out)?;
            out.extend_from_slice(b"\":");
        }
        empty = false;
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

/// If `kind` is a type that nests, the inside of the value; what stands before it is written.
#[inline(always)]
pub(super) fn open<'a>(
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

impl Shape {
    /// Writes what stands at the end, which for an empty one is all there is.
    #[inline(always)]
    fn close(self, empty: bool, out: &mut Vec<u8>) {
        let (opening, closing) = match self {
            Shape::Array => (b'[', b']'),
            Shape::Document | Shape::Scope => (b'{', b'}'),
        };
        if empty {
            out.push(opening);
        }
        out.push(closing);
        if matches!(self, Shape::Scope) {
            out.push(b'}');
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
