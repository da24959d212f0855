//! A message as a stream keeps it, in AMQP 1.0: what the engine sets, with values of the same lengths.
//! <http://docs.oasis-open.org/amqp/core/v1.0/os/amqp-core-types-v1.0-os.html>

use std::{fmt, io::Write as _};

use super::super::{
    document,
    sink::{NAMESPACE, SECONDS, WALL_TIME_MS},
};

/// Codes of the sections.
const ANNOTATIONS: u8 = 0x72;
const PROPERTIES: u8 = 0x73;
const HEADERS: u8 = 0x74;
const DATA: u8 = 0x75;
/// Codes of types.
const NULL: u8 = 0x40;
const LONG: u8 = 0x81;
const TIMESTAMP: u8 = 0x83;
const STRING: u8 = 0xa1;
const SYMBOL: u8 = 0xa3;
const BINARY: u8 = 0xb0;
const LIST: u8 = 0xd0;
const MAP: u8 = 0xd1;

/// Appends message `number` with as many properties and headers as the engine sets.
pub(super) fn write(number: u64, body: &[u8], bytes: &mut Vec<u8>) {
    section(bytes, ANNOTATIONS);
    compound(bytes, MAP, 2, |bytes| {
        text(bytes, SYMBOL, "x-basic-type");
        text(bytes, STRING, "insert");
    });
    section(bytes, PROPERTIES);
    compound(bytes, LIST, 11, |bytes| properties(bytes, number));
    section(bytes, HEADERS);
    compound(bytes, MAP, 12, |bytes| headers(bytes, number));
    write_bare(body, bytes);
}

/// Appends a message that is a body alone.
pub(super) fn write_bare(body: &[u8], bytes: &mut Vec<u8>) {
    section(bytes, DATA);
    bytes.push(BINARY);
    bytes.extend(length(body.len()));
    bytes.extend_from_slice(body);
}

fn properties(bytes: &mut Vec<u8>, number: u64) {
    formatted(bytes, format_args!("{number:032x}"));
    bytes.extend([NULL; 5]);
    text(bytes, SYMBOL, "application/json");
    bytes.extend([NULL; 2]);
    bytes.push(TIMESTAMP);
    bytes.extend((SECONDS * 1_000).to_be_bytes());
    text(bytes, STRING, "cdc");
}

fn headers(bytes: &mut Vec<u8>, number: u64) {
    text(bytes, STRING, "cdc-publishing-id");
    bytes.push(LONG);
    bytes.extend(number.to_be_bytes());
    text(bytes, STRING, "cdc-namespace");
    text(bytes, STRING, NAMESPACE);
    text(bytes, STRING, "cdc-operation");
    text(bytes, STRING, "insert");
    text(bytes, STRING, "cdc-cluster-time");
    formatted(bytes, format_args!("{SECONDS}:{number}"));
    text(bytes, STRING, "cdc-wall-time-ms");
    bytes.push(LONG);
    bytes.extend(WALL_TIME_MS.to_be_bytes());
    text(bytes, STRING, "cdc-document-key");
    let id = document::id(number).to_hex();
    formatted(bytes, format_args!("{{\"_id\":{{\"$oid\":\"{id}\"}}}}"));
}

fn section(bytes: &mut Vec<u8>, code: u8) {
    // Described, by a small number.
    bytes.extend([0x00, 0x53, code]);
}

/// A list or a map of so many elements.
fn compound(bytes: &mut Vec<u8>, code: u8, count: u32, elements: impl FnOnce(&mut Vec<u8>)) {
    bytes.push(code);
    let size = bytes.len();
    bytes.extend([0; 4]);
    bytes.extend(count.to_be_bytes());
    elements(bytes);
    let of_rest = length(bytes.len() - size - 4);
    bytes[size..size + 4].copy_from_slice(&of_rest);
}

/// A string or a symbol.
fn text(bytes: &mut Vec<u8>, code: u8, text: &str) {
    let length = u8::try_from(text.len()).expect("all texts here are short");
    bytes.extend([code, length]);
    bytes.extend_from_slice(text.as_bytes());
}

/// A string that is made in its place.
fn formatted(bytes: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    bytes.extend([STRING, 0]);
    let begin = bytes.len();
    bytes.write_fmt(text).expect("memory takes all");
    let length = u8::try_from(bytes.len() - begin);
    bytes[begin - 1] = length.expect("all texts here are short");
}

fn length(bytes: usize) -> [u8; 4] {
    let bytes = u32::try_from(bytes).expect("a message is shorter than 4 GiB");
    bytes.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_counts_are_those_of_what_follows() {
        let mut bytes = Vec::new();
        write(12, b"{}", &mut bytes);
        let annotations = b"\x00\x53\x72\xd1\0\0\0\x1a\0\0\0\x02\xa3\x0cx-basic-type\xa1\x06insert";
        assert_eq!(bytes[..annotations.len()], *annotations);
        let rest = &bytes[annotations.len()..];
        assert_eq!(rest[..4], [0, 0x53, PROPERTIES, LIST]);
        let size = u32::from_be_bytes(rest[4..8].try_into().unwrap()) as usize;
        let rest = &rest[8 + size..];
        assert_eq!(rest[..4], [0, 0x53, HEADERS, MAP]);
        let size = u32::from_be_bytes(rest[4..8].try_into().unwrap()) as usize;
        assert_eq!(&rest[8 + size..], b"\0\x53\x75\xb0\0\0\0\x02{}");
    }
}
