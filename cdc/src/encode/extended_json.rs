//! Writes MongoDB Extended JSON v2 straight from raw BSON bytes.
//!
//! The text goes to the end of a buffer that the caller owns; nothing is built in between, so a warm buffer means no
//! allocation. Every byte is checked on the way, whoever made it: bad input is an [`Error`] that names the byte, and
//! then the buffer is as it was. Fields keep their order, and a name that occurs twice is written twice.
//!
//! The authority is the [specification](https://github.com/mongodb/specifications/blob/master/source/extended-json/extended-json.md)
//! with its BSON corpus.

mod date;
mod decimal;
mod nested;
mod number;
mod object;
mod string;
#[cfg(test)]
pub(super) mod tests;
mod value;

use bson::{RawDocument, spec::ElementType};

use super::JsonMode;
use crate::raw_bson::Cursor;

pub use self::object::{Array, Object};
pub use crate::raw_bson::Error;

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

/// The canonical text of `document`.
///
/// # Errors
/// As [`write_document`].
pub(super) fn text(document: &RawDocument) -> Result<String, Error> {
    // An ObjectId takes twice as many bytes as text.
    let mut text = Vec::with_capacity(2 * document.as_bytes().len());
    write_document(document, JsonMode::Canonical, &mut text)?;
    Ok(String::from_utf8(text).expect("the writer checks every text"))
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

/// The same as text: a string as it is, an object id as its digits, and anything else as Extended JSON.
///
/// # Errors
/// As [`write_document`].
pub fn write_text(
    kind: ElementType,
    from: &mut Cursor<'_>,
    mode: JsonMode,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    match kind {
        ElementType::String => out.extend_from_slice(from.string()?.to_str()?.as_bytes()),
        ElementType::ObjectId => value::hex(from.array()?, out),
        _ => write_value(kind, from, mode, out)?,
    }
    Ok(())
}

/// A moment by RFC 3339, such as `2012-12-24T12:15:30.501Z`, from its milliseconds since 1970; none outside of the years
/// 1970 to 9999.
pub fn moment(milliseconds: i64) -> Option<String> {
    date::text(milliseconds)
}

/// Runs `write`, and takes back what it wrote if it fails.
pub(super) fn all_or_nothing<T, E>(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<T, E>,
) -> Result<T, E> {
    let start = out.len();
    let written = write(out);
    if written.is_err() {
        out.truncate(start);
    }
    written
}
