//! JSON strings.

#![expect(
    clippy::inline_always,
    reason = "a value that goes through memory on its way to the writer costs half as much again"
)]

use crate::raw_bson::{Error, Text};

/// What stands behind the backslash for each byte; zero if the byte stands for itself.
const ESCAPES: [u8; 256] = escape_table();

/// Most bytes copied as one block.
const COPY_BLOCK: usize = 16;
/// Writes `text` as a JSON string.
#[inline(always)]
pub(super) fn quoted(text: Text<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    out.push(b'"');
    unquoted(text, out)?;
    out.push(b'"');
    Ok(())
}

/// Writes the inside of a JSON string.
#[inline(always)]
pub(super) fn unquoted(text: Text<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    let rest = text.rest()?;
    push_plain(text, out);
    if !rest.is_empty() {
        escape(rest, out);
    }
    Ok(())
}

/// Writes the bytes that JSON takes as they are.
///
/// The copy of a few bytes costs less as a block of a length that the compiler knows, whose end is taken back.
#[inline(always)]
fn push_plain(text: Text<'_>, out: &mut Vec<u8>) {
    match text.from.first_chunk::<COPY_BLOCK>() {
        Some(block) if text.plain <= COPY_BLOCK => {
            let end = out.len() + text.plain;
            out.extend_from_slice(block);
            out.truncate(end);
        }
        _ => out.extend_from_slice(&text.from[..text.plain]),
    }
}

/// Writes `text` as a JSON string, its characters in ascending order, as the options of a regular
/// expression should be.
pub(super) fn quoted_sorted(text: Text<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    let bytes = text.as_bytes();
    if bytes.is_sorted() || !bytes.is_ascii() {
        return quoted(text, out);
    }
    out.push(b'"');
    for character in 0..128 {
        for _ in bytes.iter().filter(|byte| **byte == character) {
            escape_byte(character, out);
        }
    }
    out.push(b'"');
    Ok(())
}

/// Writes `text` with its escapes and without quotes.
#[inline(never)]
pub(super) fn escape(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut written = 0;
    for (position, byte) in bytes.iter().enumerate() {
        if ESCAPES[usize::from(*byte)] != 0 {
            out.extend_from_slice(&bytes[written..position]);
            escape_byte(*byte, out);
            written = position + 1;
        }
    }
    out.extend_from_slice(&bytes[written..]);
}

/// Turns the JSON text that `out` ends with, from `start` on, into the inside of a JSON string.
///
/// Such a text has no control characters, so that each byte to escape takes exactly one more.
pub(super) fn escape_tail(start: usize, out: &mut Vec<u8>) {
    let mut from = out.len();
    let escapes = out[start..]
        .iter()
        .filter(|byte| needs_backslash(**byte))
        .count();
    let mut to = from + escapes;
    out.resize(to, 0);
    while from < to {
        from -= 1;
        to -= 1;
        out[to] = out[from];
        if needs_backslash(out[from]) {
            to -= 1;
            out[to] = b'\\';
        }
    }
}

fn needs_backslash(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\')
}

fn escape_byte(byte: u8, out: &mut Vec<u8>) {
    match ESCAPES[usize::from(byte)] {
        0 => out.push(byte),
        b'u' => {
            let digits = b"0123456789abcdef";
            let (high, low) = (
                digits[usize::from(byte >> 4)],
                digits[usize::from(byte & 15)],
            );
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        }
        letter => out.extend_from_slice(&[b'\\', letter]),
    }
}

const fn escape_table() -> [u8; 256] {
    let mut table = [0; 256];
    let mut control = 0;
    while control < 0x20 {
        table[control] = b'u';
        control += 1;
    }
    table[b'\x08' as usize] = b'b';
    table[b'\t' as usize] = b't';
    table[b'\n' as usize] = b'n';
    table[b'\x0c' as usize] = b'f';
    table[b'\r' as usize] = b'r';
    table[b'"' as usize] = b'"';
    table[b'\\' as usize] = b'\\';
    table
}
