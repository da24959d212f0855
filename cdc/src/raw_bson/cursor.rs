//! A place in a document, and how to get on from it.

#![expect(
    clippy::inline_always,
    reason = "a value that goes through memory on its way to the writer costs half as much again"
)]

mod values;

use std::ops::Range;

use bson::{RawDocument, spec::ElementType};

pub use self::values::Binary;
use super::{Error, Text, scan};

/// Shortest document: its length and its terminator.
const DOCUMENT_BYTES_MIN: usize = 5;
/// Bytes of a length.
const LENGTH_BYTES: usize = 4;

/// A place in a document or array: before an element, or before an element's value.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    /// The outermost document.
    whole: &'a [u8],
    /// The same, up to the terminator of this document or array.
    bytes: &'a [u8],
    /// How much of `bytes` is read.
    position: usize,
}

/// What stands before a value.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    /// The field's name; in an array, its index in digits.
    pub name: Text<'a>,
    /// The type of the value.
    pub kind: ElementType,
}

impl<'a> Cursor<'a> {
    /// Before the first element of `document`.
    ///
    /// # Errors
    /// Fails if the document's length or terminator is wrong.
    pub fn new(document: &'a RawDocument) -> Result<Self, Error> {
        Self::of_bytes(document.as_bytes())
    }

    /// Before `document`, as if it were a value.
    pub(crate) fn at_document(document: &'a RawDocument) -> Self {
        let bytes = document.as_bytes();
        Cursor {
            whole: bytes,
            bytes,
            position: 0,
        }
    }

    /// Before the first element of the document that `bytes` are.
    pub(crate) fn of_bytes(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut outside = Cursor {
            whole: bytes,
            bytes,
            position: 0,
        };
        let inside = outside.document()?;
        if outside.position < bytes.len() {
            return Err(length_error(0, bytes));
        }
        Ok(inside)
    }

    /// In the middle of a document or array of `whole`, of which `elements` are left, without its terminator.
    pub(crate) fn within(whole: &'a [u8], elements: Range<usize>) -> Self {
        Cursor {
            whole,
            bytes: whole.get(..elements.end).unwrap_or_default(),
            position: elements.start,
        }
    }

    /// Reads up to the next value, which the caller then has to read or skip; none at the end.
    ///
    /// # Errors
    /// Fails if the type is unknown or the name does not end. Reading on after an error makes no
    /// sense.
    #[inline(always)]
    pub fn field(&mut self) -> Result<Option<Field<'a>>, Error> {
        let Some(&kind) = self.bytes.get(self.position) else {
            return Ok(None);
        };
        let Some(element_type) = ElementType::from(kind) else {
            return Err(Error::Kind {
                offset: self.position,
                kind,
            });
        };
        self.position += 1;
        Ok(Some(Field {
            name: self.c_string()?,
            kind: element_type,
        }))
    }

    /// Reads up to the value of the first field called `name`, and tells its type.
    ///
    /// # Errors
    /// Fails if an element before it is corrupt.
    pub fn find(&mut self, name: &str) -> Result<Option<ElementType>, Error> {
        while let Some(field) = self.field()? {
            if field.name.as_bytes() == name.as_bytes() {
                return Ok(Some(field.kind));
            }
            self.skip(field.kind)?;
        }
        Ok(None)
    }

    /// The next `count` bytes.
    #[inline(always)]
    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let taken = rest.get(..count).ok_or(Error::PastEnd {
            offset: self.position,
        })?;
        self.position += count;
        Ok(taken)
    }

    /// The next `N` bytes.
    #[inline(always)]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Error> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let taken = rest.first_chunk().ok_or(Error::PastEnd {
            offset: self.position,
        })?;
        self.position += N;
        Ok(taken)
    }

    /// A length that counts at least `min` bytes.
    #[inline(always)]
    fn length(&mut self, min: usize) -> Result<usize, Error> {
        let offset = self.position;
        let length = i32::from_le_bytes(*self.array()?);
        match usize::try_from(length) {
            Ok(bytes) if min <= bytes => Ok(bytes),
            _ => Err(Error::Length { offset, length }),
        }
    }

    /// A text that ends at the first zero.
    #[inline(always)]
    pub(crate) fn c_string(&mut self) -> Result<Text<'a>, Error> {
        let offset = self.position;
        let from = self.whole.get(offset..).unwrap_or_default();
        // The scan looks at whole blocks, past this document's end too; its terminator stops it at the latest.
        let plain = scan::plain_prefix(from);
        let length = if self.bytes.get(offset + plain) == Some(&0) {
            plain
        } else {
            let rest = self.bytes.get(offset..).unwrap_or_default();
            c_string_length(rest).ok_or(Error::PastEnd { offset })?
        };
        self.position += length + 1;
        Ok(Text {
            from,
            length,
            plain,
            offset,
        })
    }

    /// A text that ends where its length says, with a zero of its own.
    #[inline(always)]
    pub(crate) fn string(&mut self) -> Result<Text<'a>, Error> {
        let length = self.length(1)?;
        let offset = self.position;
        match self.take(length)? {
            // The terminator stops the scan, which may so look at whole blocks beyond it.
            [.., 0] => {
                let from = &self.whole[offset..];
                Ok(Text {
                    from,
                    length: length - 1,
                    plain: scan::plain_prefix(from),
                    offset,
                })
            }
            _ => Err(Error::Terminator {
                offset: self.position - 1,
            }),
        }
    }

    /// Before the first element of a document or array inside this one.
    #[inline(always)]
    pub(crate) fn document(&mut self) -> Result<Self, Error> {
        let start = self.position;
        let length = self.length(DOCUMENT_BYTES_MIN)?;
        self.take(length - LENGTH_BYTES)?;
        match &self.bytes[..self.position] {
            [bytes @ .., 0] => Ok(Cursor {
                bytes,
                position: start + LENGTH_BYTES,
                ..*self
            }),
            _ => Err(Error::Terminator {
                offset: self.position - 1,
            }),
        }
    }

    /// Skips a document or array, and tells where it is in the outermost document.
    #[inline]
    pub(crate) fn document_span(&mut self) -> Result<Range<usize>, Error> {
        let start = self.position;
        self.document()?;
        Ok(start..self.position)
    }

    /// Goes from the end of this document or array to the one around it, which ends at `end`.
    #[inline(always)]
    pub(crate) fn leave(&mut self, end: usize) {
        self.bytes = &self.whole[..end];
        self.position += 1;
    }

    /// The elements that are not read yet, for [`Cursor::within`].
    pub(crate) fn rest(&self) -> Range<usize> {
        self.position..self.bytes.len()
    }

    /// Where the terminator of this document or array is.
    pub(crate) fn end(&self) -> usize {
        self.bytes.len()
    }

    /// How much of the outermost document is read.
    pub(crate) fn position(&self) -> usize {
        self.position
    }
}

/// An error about the length that `bytes` begin with.
#[cold]
fn length_error(offset: usize, bytes: &[u8]) -> Error {
    match bytes.first_chunk() {
        Some(length) => Error::Length {
            offset,
            length: i32::from_le_bytes(*length),
        },
        None => Error::PastEnd { offset },
    }
}

#[cold]
fn c_string_length(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == 0)
}
