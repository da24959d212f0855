//! What stands in the place of a masked value.

use std::fmt;

use bson::{RawDocument, RawDocumentBuf, rawdoc, spec::ElementType};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// What takes the place of each value beneath a path, always a string.
#[derive(Debug, Clone)]
pub enum Mask {
    /// The same text for all.
    Constant(String),
    /// A hash of the value.
    Hash(Hasher),
}

/// HMAC-SHA-256 with a secret key: <https://www.rfc-editor.org/rfc/rfc2104>.
#[derive(Clone)]
pub struct Hasher(Hmac<Sha256>);

impl Mask {
    /// Writes the string for the value of type `kind` that `value` are the BSON bytes of, as BSON.
    pub(super) fn write(&self, kind: ElementType, value: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Constant(text) => write(text.as_bytes(), out),
            Self::Hash(hasher) => write(hasher.digits(kind, value).as_flattened(), out),
        }
    }
}

impl Hasher {
    /// Hashes with the key `secret`, of any length.
    #[expect(clippy::missing_panics_doc, reason = "HMAC takes a key of any length")]
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("a key of any length is taken"))
    }

    /// A token of 32 hexadecimal digits in the place of `token`. No value has the same hash, since a document has none: the
    /// values in it have.
    pub(super) fn token(&self, token: &RawDocument) -> RawDocumentBuf {
        let digits = self.digits(ElementType::EmbeddedDocument, token.as_bytes());
        rawdoc! { "_data": String::from_utf8_lossy(digits[..16].as_flattened()).as_ref() }
    }

    /// 64 hexadecimal digits. The type's byte goes before the value's own bytes: 1 and `"1"` have different hashes, and
    /// so have 1 as an int and 1 as a long.
    fn digits(&self, kind: ElementType, value: &[u8]) -> [[u8; 2]; 32] {
        let mut hmac = self.0.clone();
        hmac.update(&[kind as u8]);
        hmac.update(value);
        let digest: [u8; 32] = hmac.finalize().into_bytes().into();
        digest.map(|byte| [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]))
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

fn write(text: &[u8], out: &mut Vec<u8>) {
    let length = i32::try_from(text.len() + 1).expect("a setting is short");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(text);
    out.push(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_the_hmac_of_the_type_and_the_value() {
        let mask = Mask::Hash(Hasher::new(b"0123456789abcdef"));
        let mut out = Vec::new();
        // The string "ada".
        mask.write(ElementType::String, b"\x04\0\0\0ada\0", &mut out);
        // printf '\x02\x04\x00\x00\x00ada\x00' | openssl dgst -sha256 -hmac 0123456789abcdef
        let digits = b"5a6ce8877b75580ab61f437b4f9b89318fd906c636f1d77d6cbaadc041c3f696";
        assert_eq!(out, [b"\x41\0\0\0", &digits[..], b"\0"].concat());
        assert!(!format!("{mask:?}").contains("0123"), "{mask:?}");
    }

    #[test]
    fn a_constant_is_a_string() {
        let mut out = Vec::new();
        let mask = Mask::Constant("***".to_owned());
        mask.write(ElementType::Int32, &[1, 0, 0, 0], &mut out);
        assert_eq!(out, b"\x04\0\0\0***\0");
    }
}
