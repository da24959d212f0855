//! Writes MongoDB Extended JSON v2 straight from raw BSON bytes.
//!
//! The text goes to the end of a buffer that the caller owns; nothing is built in between, so a warm buffer means no
//! allocation. Every byte is checked on the way, whoever made it: bad input is an [`Error`] that names the byte, and
//! then the buffer is as it was. Fields keep their order, and a name that occurs twice is written twice.
//!
//! The authority is the [specification](https://github.com/mongodb/specifications/blob/master/source/extended-json/extended-json.md)
//! with its BSON corpus.

mod cursor;
mod date;
mod decimal;
mod nested;
mod number;
mod object;
mod string;
#[cfg(test)]
pub(super) mod tests;
mod text;
mod value;

use bson::{RawDocument, spec::ElementType};

use super::JsonMode;

pub use self::{
    cursor::{Cursor, Field},
    object::Object,
    text::Text,
};

/// Deepest nesting of documents and arrays that is written, the outermost document included.
///
/// The specification asks for 100 levels, and a server takes 250 at most (its `maxBSONDepth`), to which a change event
/// adds one or two.
pub const DEPTH_MAX: usize = 256;

/// What is wrong with the bytes, and where: offsets count from the start of the outermost document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A value ends outside the document that holds it.
    #[error("value runs past the end of its document at byte {offset}")]
    PastEnd {
        /// Where the value, or the part of it that does not fit, begins.
        offset: usize,
    },
    /// A length that no value of its type can have, or that contradicts another.
    #[error("impossible length {length} at byte {offset}")]
    Length {
        /// Where the length is.
        offset: usize,
        /// The length that is there.
        length: i32,
    },
    /// A byte that has to be zero is not.
    #[error("missing terminator at byte {offset}")]
    Terminator {
        /// Where the zero should be.
        offset: usize,
    },
    /// A type that BSON does not have, or a document that ends before its stated length (type 0x00).
    #[error("unknown element type {kind:#04x} at byte {offset}")]
    Kind {
        /// Where the type is.
        offset: usize,
        /// The type that is there.
        kind: u8,
    },
    /// A boolean that is neither 0 nor 1.
    #[error("boolean is {value:#04x} at byte {offset}")]
    Boolean {
        /// Where the boolean is.
        offset: usize,
        /// The byte that is there.
        value: u8,
    },
    /// A string or name that is not UTF-8.
    #[error("invalid utf-8 at byte {offset}")]
    Utf8 {
        /// The first byte that cannot be decoded.
        offset: usize,
    },
    /// More levels than [`DEPTH_MAX`].
    #[error("nested deeper than {DEPTH_MAX} levels at byte {offset}")]
    Depth {
        /// Where the document or array that is too deep begins.
        offset: usize,
    },
}

/// Writes `document` to the end of `out`.
///
/// # Errors
/// Fails if a byte of `document` is not as BSON demands; `out` is then as it was.
pub fn write_document(
    document: &RawDocument,
    mode: JsonMode,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    write_bytes(document.as_bytes(), mode, out)
}

/// Writes the document that `bytes` are, all of them, to the end of `out`.
///
/// # Errors
/// As [`write_document`].
pub fn write_bytes(bytes: &[u8], mode: JsonMode, out: &mut Vec<u8>) -> Result<(), Error> {
    all_or_nothing(out, |out| {
        value::document(Cursor::of_bytes(bytes)?, mode, out)
    })
}

/// Writes the value of type `kind` that `from` is at, such as an `_id`, to the end of `out`.
///
/// # Errors
/// As [`write_document`].
pub fn write_value(
    kind: ElementType,
    from: &mut Cursor<'_>,
    mode: JsonMode,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    all_or_nothing(out, |out| value::value(kind, from, mode, out))
}

/// Runs `write`, and takes back what it wrote if it fails.
pub(super) fn all_or_nothing<E>(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let start = out.len();
    let written = write(out);
    if written.is_err() {
        out.truncate(start);
    }
    written
}
