//! The `_id` of a document: how far a range was read.

use std::fmt;

use bson::{Document, RawDocument, RawDocumentBuf, spec::ElementType};
use bytes::Bytes;

use crate::raw_bson::{self, Cursor};

/// The `_id` of a document with its type, as an element of BSON. A clone copies nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Bytes);

impl Key {
    /// The one of `document`, whose memory it shares; none where there is no `_id`.
    ///
    /// # Errors
    /// What stands before it is no valid BSON.
    pub fn of(document: &Bytes) -> Result<Option<Self>, raw_bson::Error> {
        let mut cursor = Cursor::of_bytes(document)?;
        loop {
            let start = cursor.position();
            let Some(field) = cursor.field()? else {
                return Ok(None);
            };
            cursor.skip(field.kind)?;
            if field.name.as_bytes() == b"_id" {
                return Ok(Some(Self(document.slice(start..cursor.position()))));
            }
        }
    }

    /// What [`Key::document`] gave, in memory of its own.
    pub fn read(document: &Document) -> Option<Self> {
        let document = RawDocumentBuf::try_from(document).ok()?;
        Self::of(&document.into_bytes().into()).ok()?
    }

    /// `{ _id: … }`.
    pub fn document(&self) -> RawDocumentBuf {
        const ENDS: usize = 4 + 1;
        let length = u32::try_from(self.0.len() + ENDS).unwrap_or(u32::MAX);
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend_from_slice(&self.0);
        bytes.push(0);
        RawDocument::from_bytes(&bytes).map_or_else(|_| RawDocumentBuf::new(), ToOwned::to_owned)
    }

    /// Whether nothing can be before it.
    pub fn is_least(&self) -> bool {
        self.0.first() == Some(&(ElementType::MinKey as u8))
    }

    /// Whether nothing can be behind it.
    pub fn is_greatest(&self) -> bool {
        self.0.first() == Some(&(ElementType::MaxKey as u8))
    }

    /// Bytes that it has.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// Without any content of a document.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};

    use super::*;

    #[test]
    fn a_key_is_the_id_with_its_type_wherever_it_stands() {
        let document: Bytes = rawdoc! { "a": 1, "_id": 7_i64, "b": 2 }.into_bytes().into();
        let key = Key::of(&document).unwrap().unwrap();
        assert_eq!(key.document(), rawdoc! { "_id": 7_i64 });
        assert_eq!(Key::read(&doc! { "_id": 7_i64 }), Some(key.clone()));
        assert_ne!(Key::read(&doc! { "_id": 7 }), Some(key));
        let ends =
            [bson::Bson::MinKey, bson::Bson::MaxKey].map(|id| Key::read(&doc! { "_id": id }));
        let ends = ends.map(|key| key.map(|key| (key.is_least(), key.is_greatest())));
        assert_eq!(ends, [Some((true, false)), Some((false, true))]);
        let none: Bytes = rawdoc! { "a": 1 }.into_bytes().into();
        assert_eq!(Key::of(&none).unwrap(), None);
    }
}
