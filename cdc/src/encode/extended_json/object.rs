//! A JSON object written field by field, for formats that are not the document as it is.

use bson::spec::ElementType;

use super::{string, value};
use crate::{
    encode::JsonMode,
    raw_bson::{Cursor, Error, Field},
};

/// An object that is being written to the end of a buffer.
///
/// An error leaves an unfinished object behind, which the caller takes back.
#[derive(Debug)]
#[must_use = "an object is complete only when it is closed"]
pub struct Object<'o> {
    out: &'o mut Vec<u8>,
    mode: JsonMode,
    empty: bool,
}

impl<'o> Object<'o> {
    /// Opens an object.
    pub fn open(mode: JsonMode, out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Object {
            out,
            mode,
            empty: true,
        }
    }

    /// Closes the object.
    pub fn close(self) {
        self.out.push(b'}');
    }

    /// Adds `field`, with the value that `from` is at.
    ///
    /// # Errors
    /// Fails if a byte of the name or the value is not as BSON demands.
    pub fn element(&mut self, field: &Field<'_>, from: &mut Cursor<'_>) -> Result<(), Error> {
        self.separate();
        string::quoted(field.name, self.out)?;
        self.out.push(b':');
        value::value(field.kind, from, self.mode, self.out)
    }

    /// Reads the value that `from` is at, as strictly as if it were added, and adds nothing.
    ///
    /// # Errors
    /// As [`Object::element`].
    pub fn skip(&mut self, field: &Field<'_>, from: &mut Cursor<'_>) -> Result<(), Error> {
        let length = self.out.len();
        value::value(field.kind, from, self.mode, self.out)?;
        self.out.truncate(length);
        Ok(())
    }

    /// Adds a string.
    pub fn string(&mut self, name: &str, text: &str) {
        self.name(name);
        self.out.push(b'"');
        string::escape(text, self.out);
        self.out.push(b'"');
    }

    /// Adds a null.
    pub fn null(&mut self, name: &str) {
        self.name(name);
        self.out.extend_from_slice(b"null");
    }

    /// Adds the value of type `kind` that `from` is at as a string: the digits of an object id,
    /// the text of a string, and for anything else its Extended JSON.
    ///
    /// # Errors
    /// Fails if a byte of the value is not as BSON demands.
    pub fn value_as_string(
        &mut self,
        name: &str,
        kind: ElementType,
        from: &mut Cursor<'_>,
    ) -> Result<(), Error> {
        self.name(name);
        self.out.push(b'"');
        match kind {
            ElementType::String => string::unquoted(from.string()?, self.out)?,
            ElementType::ObjectId => value::hex(from.array()?, self.out),
            _ => {
                let start = self.out.len();
                value::value(kind, from, self.mode, self.out)?;
                string::escape_tail(start, self.out);
            }
        }
        self.out.push(b'"');
        Ok(())
    }

    fn name(&mut self, name: &str) {
        self.separate();
        self.out.push(b'"');
        string::escape(name, self.out);
        self.out.extend_from_slice(b"\":");
    }

    fn separate(&mut self) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
    }
}
