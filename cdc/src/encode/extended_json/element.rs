//! Reads the elements of raw BSON, trusting no byte of it.
//!
//! A value is cut out of its document only if it fits, and a nested document only if it is framed as it should be. Two
//! checks are left to the writer, which has to look at the bytes anyway: strings are UTF-8, and so are names.

use bson::{RawDocument, spec::ElementType};

use super::{DEPTH_MAX, Error};

/// Shortest document: its length and its terminator.
const DOCUMENT_BYTES_MIN: usize = 5;
/// Bytes of a length.
const LENGTH_BYTES: usize = 4;
/// Binary subtype whose payload repeats its own length.
const SUBTYPE_OLD_BINARY: u8 = 0x02;

/// The elements of one document or array, in their order.
#[derive(Debug, Clone, Copy)]
pub struct Elements<'a> {
    /// The outermost document, up to the terminator of this one.
    bytes: &'a [u8],
    /// Where the next element begins in `bytes`.
    position: usize,
    /// Levels of nesting, this one included.
    depth: usize,
}

/// A name and its value.
#[derive(Debug, Clone, Copy)]
pub struct Element<'a> {
    /// The field's name; in an array, its index in digits.
    pub name: Text<'a>,
    /// The field's value.
    pub value: Value<'a>,
}

/// Bytes that should be UTF-8, not looked at yet.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    bytes: &'a [u8],
    /// Where `bytes` begin in the outermost document.
    offset: usize,
}

/// A value, split into its parts and not interpreted further.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the names are those of the BSON specification")]
pub enum Value<'a> {
    Double(f64),
    String(Text<'a>),
    Document(Elements<'a>),
    Array(Elements<'a>),
    Binary {
        subtype: u8,
        payload: &'a [u8],
    },
    Undefined,
    ObjectId(&'a [u8; 12]),
    Boolean(bool),
    DateTime(i64),
    Null,
    RegularExpression {
        pattern: Text<'a>,
        options: Text<'a>,
    },
    DbPointer {
        namespace: Text<'a>,
        id: &'a [u8; 12],
    },
    Code(Text<'a>),
    Symbol(Text<'a>),
    CodeWithScope {
        code: Text<'a>,
        scope: Elements<'a>,
    },
    Int32(i32),
    Timestamp {
        seconds: u32,
        increment: u32,
    },
    Int64(i64),
    Decimal128(u128),
    MinKey,
    MaxKey,
}

impl<'a> Text<'a> {
    /// The bytes, which need not be UTF-8.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The text without the first `count` bytes.
    pub(super) fn skip(self, count: usize) -> Self {
        Text {
            bytes: &self.bytes[count..],
            offset: self.offset + count,
        }
    }

    /// The text as a string.
    ///
    /// # Errors
    /// Fails if it is not UTF-8.
    pub fn as_str(&self) -> Result<&'a str, Error> {
        std::str::from_utf8(self.bytes).map_err(|err| Error::Utf8 {
            offset: self.offset + err.valid_up_to(),
        })
    }
}

impl<'a> Elements<'a> {
    /// The elements of `document`.
    ///
    /// # Errors
    /// Fails if the document's length or terminator is wrong.
    pub fn of(document: &'a RawDocument) -> Result<Self, Error> {
        Self::of_bytes(document.as_bytes())
    }

    /// The elements of the document that `bytes` are.
    pub(super) fn of_bytes(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut outside = Elements {
            bytes,
            position: 0,
            depth: 0,
        };
        let elements = outside.document()?;
        if outside.position < bytes.len() {
            return Err(length_error(0, bytes));
        }
        Ok(elements)
    }

    /// The first element called `name`, from here on.
    ///
    /// # Errors
    /// Fails if an element before it, or its own frame, is corrupt.
    pub fn find(mut self, name: &str) -> Result<Option<Element<'a>>, Error> {
        while let Some(element) = self.read()? {
            if element.name.bytes == name.as_bytes() {
                return Ok(Some(element));
            }
        }
        Ok(None)
    }

    /// The next element, or none at the end.
    ///
    /// # Errors
    /// Fails if the element does not fit or its type is unknown. Reading on after an error makes no sense.
    #[inline]
    pub fn read(&mut self) -> Result<Option<Element<'a>>, Error> {
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
        let name = self.c_string()?;
        let value = self.value(element_type)?;
        Ok(Some(Element { name, value }))
    }

    #[inline]
    fn value(&mut self, element_type: ElementType) -> Result<Value<'a>, Error> {
        Ok(match element_type {
            ElementType::Double => Value::Double(f64::from_le_bytes(*self.array()?)),
            ElementType::String => Value::String(self.string()?),
            ElementType::EmbeddedDocument => Value::Document(self.document()?),
            ElementType::Array => Value::Array(self.document()?),
            ElementType::Binary => self.binary()?,
            ElementType::Undefined => Value::Undefined,
            ElementType::ObjectId => Value::ObjectId(self.array()?),
            ElementType::Boolean => self.boolean()?,
            ElementType::DateTime => Value::DateTime(i64::from_le_bytes(*self.array()?)),
            ElementType::Null => Value::Null,
            ElementType::RegularExpression => Value::RegularExpression {
                pattern: self.c_string()?,
                options: self.c_string()?,
            },
            ElementType::DbPointer => Value::DbPointer {
                namespace: self.string()?,
                id: self.array()?,
            },
            ElementType::JavaScriptCode => Value::Code(self.string()?),
            ElementType::Symbol => Value::Symbol(self.string()?),
            ElementType::JavaScriptCodeWithScope => self.code_with_scope()?,
            ElementType::Int32 => Value::Int32(i32::from_le_bytes(*self.array()?)),
            ElementType::Timestamp => {
                let increment = u32::from_le_bytes(*self.array()?);
                Value::Timestamp {
                    seconds: u32::from_le_bytes(*self.array()?),
                    increment,
                }
            }
            ElementType::Int64 => Value::Int64(i64::from_le_bytes(*self.array()?)),
            ElementType::Decimal128 => Value::Decimal128(u128::from_le_bytes(*self.array()?)),
            ElementType::MinKey => Value::MinKey,
            ElementType::MaxKey => Value::MaxKey,
        })
    }

    /// The next `count` bytes.
    #[inline]
    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let taken = self.bytes[self.position..]
            .get(..count)
            .ok_or(Error::PastEnd {
                offset: self.position,
            })?;
        self.position += count;
        Ok(taken)
    }

    /// The next `N` bytes.
    #[inline]
    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Error> {
        let taken = self.bytes[self.position..]
            .first_chunk()
            .ok_or(Error::PastEnd {
                offset: self.position,
            })?;
        self.position += N;
        Ok(taken)
    }

    /// A length that counts at least `min` bytes.
    #[inline]
    fn length(&mut self, min: usize) -> Result<usize, Error> {
        let offset = self.position;
        let length = i32::from_le_bytes(*self.array()?);
        usize::try_from(length)
            .ok()
            .filter(|bytes| *bytes >= min)
            .ok_or(Error::Length { offset, length })
    }

    /// A text that ends at the first zero.
    #[inline]
    fn c_string(&mut self) -> Result<Text<'a>, Error> {
        let offset = self.position;
        let rest = &self.bytes[offset..];
        let length = rest
            .iter()
            .position(|byte| *byte == 0)
            .ok_or(Error::PastEnd { offset })?;
        self.position += length + 1;
        Ok(Text {
            bytes: &rest[..length],
            offset,
        })
    }

    /// A text that ends where its length says, with a zero of its own.
    #[inline]
    fn string(&mut self) -> Result<Text<'a>, Error> {
        let length = self.length(1)?;
        let offset = self.position;
        match self.take(length)? {
            [bytes @ .., 0] => Ok(Text { bytes, offset }),
            _ => Err(Error::Terminator {
                offset: self.position - 1,
            }),
        }
    }

    /// A document or array inside this one.
    #[inline]
    fn document(&mut self) -> Result<Self, Error> {
        let start = self.position;
        let length = self.length(DOCUMENT_BYTES_MIN)?;
        if self.depth == DEPTH_MAX {
            return Err(Error::Depth { offset: start });
        }
        self.take(length - LENGTH_BYTES)?;
        match &self.bytes[..self.position] {
            [bytes @ .., 0] => Ok(Elements {
                bytes,
                position: start + LENGTH_BYTES,
                depth: self.depth + 1,
            }),
            _ => Err(Error::Terminator {
                offset: self.position - 1,
            }),
        }
    }

    fn binary(&mut self) -> Result<Value<'a>, Error> {
        let length = self.length(0)?;
        let [subtype] = *self.array()?;
        let payload_offset = self.position;
        let payload = self.take(length)?;
        if subtype != SUBTYPE_OLD_BINARY {
            return Ok(Value::Binary { subtype, payload });
        }
        match payload.split_first_chunk() {
            Some((inner, payload))
                if usize::try_from(i32::from_le_bytes(*inner)) == Ok(payload.len()) =>
            {
                Ok(Value::Binary { subtype, payload })
            }
            _ => Err(length_error(payload_offset, payload)),
        }
    }

    fn boolean(&mut self) -> Result<Value<'a>, Error> {
        let offset = self.position;
        match *self.array()? {
            [0] => Ok(Value::Boolean(false)),
            [1] => Ok(Value::Boolean(true)),
            [value] => Err(Error::Boolean { offset, value }),
        }
    }

    fn code_with_scope(&mut self) -> Result<Value<'a>, Error> {
        let offset = self.position;
        let length = self.length(LENGTH_BYTES)?;
        let code = self.string()?;
        let scope = self.document()?;
        if self.position - offset == length {
            Ok(Value::CodeWithScope { code, scope })
        } else {
            Err(length_error(offset, &self.bytes[offset..]))
        }
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
