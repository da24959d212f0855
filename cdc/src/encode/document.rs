//! Format `document`: the changed document, with the collection and the document's `_id` as two more fields.

use bson::RawDocument;

use super::{
    JsonMode,
    extended_json::{Element, Elements, Error, Object, Value, all_or_nothing},
};

const ID: &str = "_id";
const TYPE: &str = "type";
const ENTRY_ID: &str = "entry_id";

/// Writes the body for a document of `collection` to the end of `out`.
///
/// It is `full_document` without its `_id`, then `type`, which is the collection, and `entry_id`, which is the `_id`
/// as a string. A field that has one of these two names already keeps its place and takes the new value; where the
/// document has the name more than once, the first place counts and the others are left out, since most readers would
/// take the last.
///
/// Without a full document (a delete, or an update that was not looked up) the `_id` comes from `document_key`, whose
/// other fields, a sharded collection's shard key, are left out. A change that is about no document at all has a null
/// as its `entry_id`.
///
/// # Errors
/// Fails if a byte of the documents is not as BSON demands; `out` is then as it was.
pub fn write(
    full_document: Option<&RawDocument>,
    document_key: Option<&RawDocument>,
    collection: &str,
    mode: JsonMode,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    all_or_nothing(out, |out| {
        let id = match find_id(full_document)? {
            Some(id) => Some(id),
            None => find_id(document_key)?,
        };
        let mut body = Body {
            object: Object::open(mode, out),
            collection,
            id,
            typed: false,
            identified: false,
        };
        if let Some(document) = full_document {
            let mut elements = Elements::of(document)?;
            while let Some(element) = elements.read()? {
                body.element(&element)?;
            }
        }
        body.finish()
    })
}

/// The first `_id` counts, as it does for the server.
fn find_id(document: Option<&RawDocument>) -> Result<Option<Value<'_>>, Error> {
    let Some(document) = document else {
        return Ok(None);
    };
    Ok(Elements::of(document)?
        .find(ID)?
        .map(|element| element.value))
}

/// A body that is being written.
struct Body<'a, 'o> {
    object: Object<'o>,
    collection: &'a str,
    id: Option<Value<'a>>,
    /// Whether `type` is written.
    typed: bool,
    /// Whether `entry_id` is written.
    identified: bool,
}

impl Body<'_, '_> {
    fn element(&mut self, element: &Element<'_>) -> Result<(), Error> {
        let name = element.name.as_bytes();
        if name == TYPE.as_bytes() {
            self.object.skip(element)?;
            self.add_type();
            Ok(())
        } else if name == ENTRY_ID.as_bytes() {
            self.object.skip(element)?;
            self.add_entry_id()
        } else if name == ID.as_bytes() {
            self.object.skip(element)
        } else {
            self.object.element(element)
        }
    }

    fn finish(mut self) -> Result<(), Error> {
        self.add_type();
        self.add_entry_id()?;
        self.object.close();
        Ok(())
    }

    fn add_type(&mut self) {
        if !self.typed {
            self.object.string(TYPE, self.collection);
            self.typed = true;
        }
    }

    fn add_entry_id(&mut self) -> Result<(), Error> {
        if self.identified {
            return Ok(());
        }
        self.identified = true;
        match &self.id {
            Some(id) => self.object.value_as_string(ENTRY_ID, id),
            None => {
                self.object.null(ENTRY_ID);
                Ok(())
            }
        }
    }
}
