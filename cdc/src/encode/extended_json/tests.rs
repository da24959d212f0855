//! Tests of the writer: the cases of the BSON corpus by type, then properties.

mod hostile;
mod invalid;
pub(in crate::encode) mod reader;
mod round_trip;
mod size;
pub(in crate::encode) mod tree;
mod valid;

use super::{Error, JsonMode, write_bytes};

/// Where the value of a [`field`] begins.
const VALUE: usize = 7;

/// A document with one field `a`, of type `kind`.
fn field(kind: u8, value: &[u8]) -> Vec<u8> {
    document(&[[kind, b'a', 0].as_slice(), value].concat())
}

/// A document with the given elements.
fn document(elements: &[u8]) -> Vec<u8> {
    let length = u32::try_from(elements.len() + 5).unwrap();
    [length.to_le_bytes().as_slice(), elements, &[0]].concat()
}

/// The bytes that hexadecimal digits stand for; blanks are for the reader.
fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|digit| *digit != b' ').collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// What is written for `bytes`, behind something that is in the buffer already and has to stay.
fn written(bytes: &[u8], mode: JsonMode) -> Result<String, Error> {
    let mut out = b"before".to_vec();
    let result = write_bytes(bytes, mode, &mut out);
    let text = String::from_utf8(out).expect("json is utf-8");
    let text = text
        .strip_prefix("before")
        .expect("what was in the buffer stays")
        .to_owned();
    match result {
        Ok(()) => Ok(text),
        Err(err) => {
            assert_eq!(text, "", "an error takes back what was written");
            Err(err)
        }
    }
}
