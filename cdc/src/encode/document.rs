//! Format `document`: the changed document, with its collection and its `_id` as two more fields.

#[cfg(test)]
mod tests;

use bson::{RawDocument, spec::ElementType};

use super::{
    JsonMode, Shape, Written,
    extended_json::{Object, all_or_nothing},
    shape::grown,
};
use crate::{
    encode,
    event::ChangeEvent,
    raw_bson::{Cursor, Error, Field},
};

const ID: &str = "_id";
const TYPE: &str = "type";
const ENTRY_ID: &str = "entry_id";
/// Fields of an event that say what an operation on a collection or a database was: a rename's new name, and more.
const DESCRIPTIONS: [&str; 2] = ["to", "operationDescription"];

/// See the module's text.
#[derive(Debug)]
pub struct Document;

impl Shape for Document {
    fn room(&self, event: &ChangeEvent) -> usize {
        let document = event.full_document();
        grown(document.map_or(0, |document| document.as_bytes().len()))
    }

    fn write(
        &self,
        event: &ChangeEvent,
        mode: JsonMode,
        body: &mut Vec<u8>,
    ) -> Result<Written, encode::Error> {
        Ok(write_event(event, event.full_document(), mode, body)?)
    }

    fn write_trimmed(
        &self,
        event: &ChangeEvent,
        mode: JsonMode,
        body: &mut Vec<u8>,
    ) -> Result<(), encode::Error> {
        write_event(event, None, mode, body)?;
        Ok(())
    }
}

fn write_event(
    event: &ChangeEvent,
    full_document: Option<&RawDocument>,
    mode: JsonMode,
    out: &mut Vec<u8>,
) -> Result<Written, Error> {
    let collection = event.namespace().collection.unwrap_or_default();
    match (full_document, event.document_key()) {
        (None, None) => write_operation(event, collection, mode, out),
        (document, key) => write(document, key, collection, mode, out),
    }
}

/// Writes the body for an operation that is about no document: what describes it, then `type` and a null `entry_id`.
fn write_operation(
    event: &ChangeEvent,
    collection: &str,
    mode: JsonMode,
    out: &mut Vec<u8>,
) -> Result<Written, Error> {
    all_or_nothing(out, |out| {
        let mut body = Body::open(collection, None, mode, out);
        let mut cursor = Cursor::of_bytes(event.raw())?;
        while let Some(field) = cursor.field()? {
            let name = field.name.as_bytes();
            if DESCRIPTIONS.iter().any(|one| one.as_bytes() == name) {
                body.object.element(&field, &mut cursor)?;
            } else {
                body.object.skip(&field, &mut cursor)?;
            }
        }
        body.close()
    })
}

/// Writes the body for a document of `collection` to the end of `out`.
///
/// It is `full_document` without its `_id`, then `type`, which is the collection, and `entry_id`,
/// which is the `_id` as a string. A field that has one of these two names already keeps its place
/// and takes the new value. Where the document has the name more than once, the first place counts
/// and the others are left out, since most readers would take the last.
///
/// Without a full document (a delete, or an update that was not looked up) the `_id` comes from
/// `document_key`, whose other fields, a sharded collection's shard key, are left out. A change
/// that is about no document at all has a null as its `entry_id`.
///
/// # Errors
/// Fails if a byte of the documents is not as BSON demands; `out` is then as it was.
pub fn write(
    full_document: Option<&RawDocument>,
    document_key: Option<&RawDocument>,
    collection: &str,
    mode: JsonMode,
    out: &mut Vec<u8>,
) -> Result<Written, Error> {
    all_or_nothing(out, |out| {
        let id = match find_id(full_document)? {
            Some(id) => Some(id),
            None => find_id(document_key)?,
        };
        let mut body = Body::open(collection, id, mode, out);
        if let Some(document) = full_document {
            let mut cursor = Cursor::new(document)?;
            while let Some(field) = cursor.field()? {
                body.field(&field, &mut cursor)?;
            }
        }
        body.close()
    })
}

/// The type and place of the first `_id`, which is the one that counts for the server.
fn find_id(document: Option<&RawDocument>) -> Result<Option<(ElementType, Cursor<'_>)>, Error> {
    let Some(document) = document else {
        return Ok(None);
    };
    let mut cursor = Cursor::new(document)?;
    Ok(cursor.find(ID)?.map(|kind| (kind, cursor)))
}

/// A body that is being written.
struct Body<'a, 'o> {
    object: Object<'o>,
    collection: &'a str,
    id: Option<(ElementType, Cursor<'a>)>,
    has_type: bool,
    has_entry_id: bool,
}

impl<'a, 'o> Body<'a, 'o> {
    fn open(
        collection: &'a str,
        id: Option<(ElementType, Cursor<'a>)>,
        mode: JsonMode,
        out: &'o mut Vec<u8>,
    ) -> Self {
        Self {
            object: Object::open(mode, out),
            collection,
            id,
            has_type: false,
            has_entry_id: false,
        }
    }

    fn field(&mut self, field: &Field<'_>, from: &mut Cursor<'_>) -> Result<(), Error> {
        let name = field.name.as_bytes();
        if name == ID.as_bytes() {
            self.object.skip(field, from)
        } else if name == TYPE.as_bytes() {
            self.object.skip(field, from)?;
            self.add_type();
            Ok(())
        } else if name == ENTRY_ID.as_bytes() {
            self.object.skip(field, from)?;
            self.add_entry_id()
        } else {
            self.object.element(field, from)
        }
    }

    fn close(mut self) -> Result<Written, Error> {
        let written = if self.has_type || self.has_entry_id {
            Written::FieldsReplaced
        } else {
            Written::Whole
        };
        self.add_type();
        self.add_entry_id()?;
        self.object.close();
        Ok(written)
    }

    fn add_type(&mut self) {
        if !self.has_type {
            self.object.string(TYPE, self.collection);
            self.has_type = true;
        }
    }

    fn add_entry_id(&mut self) -> Result<(), Error> {
        if self.has_entry_id {
            return Ok(());
        }
        self.has_entry_id = true;
        if let Some((kind, mut from)) = self.id {
            return self.object.value_as_string(ENTRY_ID, kind, &mut from);
        }
        self.object.null(ENTRY_ID);
        Ok(())
    }
}
