//! Text as it stands in BSON.

#![expect(
    clippy::inline_always,
    reason = "a value that goes through memory on its way to the writer costs half as much again"
)]

use super::Error;

/// Bytes that should be UTF-8.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    pub(super) bytes: &'a [u8],
    /// How many bytes from the first on are ASCII that JSON takes as it is.
    pub(super) plain: usize,
    /// Where `bytes` begin in the outermost document.
    pub(super) offset: usize,
}

impl<'a> Text<'a> {
    /// The bytes, which need not be UTF-8.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The bytes that JSON takes as they are, and then the others.
    ///
    /// # Errors
    /// Fails if the bytes are not UTF-8.
    #[inline(always)]
    pub(super) fn split(&self) -> Result<(&'a [u8], &'a str), Error> {
        let (plain, rest) = self.bytes.split_at(self.plain);
        if rest.is_empty() {
            return Ok((plain, ""));
        }
        let rest = std::str::from_utf8(rest).map_err(|err| {
            let offset = self.offset + self.plain + err.valid_up_to();
            Error::Utf8 { offset }
        })?;
        Ok((plain, rest))
    }
}
