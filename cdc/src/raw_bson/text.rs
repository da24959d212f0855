//! Text as it stands in BSON.

#![expect(
    clippy::inline_always,
    reason = "a value that goes through memory on its way to the writer costs half as much again"
)]

use std::ops::Range;

use super::Error;

/// Bytes that should be UTF-8.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// The text and what stands behind it, so that a short text can be copied as a block.
    pub(crate) from: &'a [u8],
    /// How many bytes of `from` are the text.
    pub(crate) length: usize,
    /// How many bytes from the first on are ASCII that JSON takes as it is.
    pub(crate) plain: usize,
    /// Where the text begins in the outermost document.
    pub(crate) offset: usize,
}

impl<'a> Text<'a> {
    /// The bytes, which need not be UTF-8.
    pub fn as_bytes(&self) -> &'a [u8] {
        &self.from[..self.length]
    }

    /// The text.
    ///
    /// # Errors
    /// Fails if the bytes are not UTF-8.
    pub fn to_str(&self) -> Result<&'a str, Error> {
        std::str::from_utf8(self.as_bytes()).map_err(|err| Error::Utf8 {
            offset: self.offset + err.valid_up_to(),
        })
    }

    /// Where the text is in the outermost document.
    ///
    /// # Errors
    /// Fails if the bytes are not UTF-8.
    pub(crate) fn checked_span(&self) -> Result<Range<usize>, Error> {
        self.rest()?;
        Ok(self.offset..self.offset + self.length)
    }

    /// What follows the bytes that JSON takes as they are.
    ///
    /// # Errors
    /// Fails if the bytes are not UTF-8.
    #[inline(always)]
    pub(crate) fn rest(&self) -> Result<&'a str, Error> {
        if self.plain == self.length {
            return Ok("");
        }
        std::str::from_utf8(&self.from[self.plain..self.length]).map_err(|err| {
            let offset = self.offset + self.plain + err.valid_up_to();
            Error::Utf8 { offset }
        })
    }
}
