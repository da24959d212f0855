//! Values of more than one part.

use bson::{Timestamp, spec::ElementType};

use super::{Cursor, Error, LENGTH_BYTES, Text, length_error};

/// Binary subtype whose payload repeats its own length.
const SUBTYPE_OLD_BINARY: u8 = 0x02;

/// A binary value.
#[derive(Debug, Clone, Copy)]
pub struct Binary<'a> {
    /// What the bytes mean.
    pub subtype: u8,
    /// The bytes themselves.
    pub payload: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn binary(&mut self) -> Result<Binary<'a>, Error> {
        let length = self.length(0)?;
        let [subtype] = *self.array()?;
        let payload_offset = self.position;
        let payload = self.take(length)?;
        if subtype != SUBTYPE_OLD_BINARY {
            return Ok(Binary { subtype, payload });
        }
        match payload.split_first_chunk() {
            Some((inner, payload))
                if usize::try_from(i32::from_le_bytes(*inner)) == Ok(payload.len()) =>
            {
                Ok(Binary { subtype, payload })
            }
            _ => Err(length_error(payload_offset, payload)),
        }
    }

    #[inline]
    pub(crate) fn boolean(&mut self) -> Result<bool, Error> {
        let offset = self.position;
        match *self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [value] => Err(Error::Boolean { offset, value }),
        }
    }

    #[inline]
    pub(crate) fn timestamp(&mut self) -> Result<Timestamp, Error> {
        let increment = u32::from_le_bytes(*self.array()?);
        let time = u32::from_le_bytes(*self.array()?);
        Ok(Timestamp { time, increment })
    }

    pub(crate) fn code_with_scope(&mut self) -> Result<(Text<'a>, Self), Error> {
        let offset = self.position;
        let length = self.length(LENGTH_BYTES)?;
        let code = self.string()?;
        let scope = self.document()?;
        if self.position - offset == length {
            Ok((code, scope))
        } else {
            Err(length_error(offset, &self.bytes[offset..]))
        }
    }

    /// Reads a value of type `kind` and looks at its frame only.
    pub(crate) fn skip(&mut self, kind: ElementType) -> Result<(), Error> {
        match kind {
            ElementType::Undefined
            | ElementType::Null
            | ElementType::MinKey
            | ElementType::MaxKey => Ok(()),
            ElementType::Boolean => self.take(1).map(drop),
            ElementType::Int32 => self.take(4).map(drop),
            ElementType::Double
            | ElementType::DateTime
            | ElementType::Timestamp
            | ElementType::Int64 => self.take(8).map(drop),
            ElementType::ObjectId => self.take(12).map(drop),
            ElementType::Decimal128 => self.take(16).map(drop),
            ElementType::String | ElementType::JavaScriptCode | ElementType::Symbol => {
                self.string().map(drop)
            }
            ElementType::EmbeddedDocument | ElementType::Array => self.document().map(drop),
            ElementType::Binary => self.binary().map(drop),
            ElementType::RegularExpression => {
                self.c_string().and_then(|_| self.c_string()).map(drop)
            }
            ElementType::DbPointer => self.string().and_then(|_| self.take(12)).map(drop),
            ElementType::JavaScriptCodeWithScope => self.code_with_scope().map(drop),
        }
    }
}
