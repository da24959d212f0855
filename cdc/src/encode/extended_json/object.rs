//! A JSON object written field by field, for formats that are not the document as it is.

use std::fmt::{self, Write as _};

use bson::{RawDocument, spec::ElementType};

use super::{number, string, value};
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

    /// Adds what is displayed, as a string.
    pub fn display(&mut self, name: &str, text: impl fmt::Display) {
        self.name(name);
        self.out.push(b'"');
        write!(Escaped(self.out), "{text}").expect("a Vec takes every write");
        self.out.push(b'"');
    }

    /// Adds a whole number, the same in both modes.
    pub fn integer(&mut self, name: &str, integer: i64) {
        self.name(name);
        number::integer(integer, self.out);
    }

    /// Adds an object, which whoever asks for it fills and closes.
    pub fn object(&mut self, name: &str) -> Object<'_> {
        self.name(name);
        Object::open(self.mode, self.out)
    }

    /// Adds an array, which whoever asks for it fills and closes.
    pub fn array(&mut self, name: &str) -> Array<'_> {
        self.name(name);
        self.out.push(b'[');
        Array {
            out: self.out,
            mode: self.mode,
            empty: true,
        }
    }

    /// Adds the value of type `kind` that `from` is at.
    ///
    /// # Errors
    /// Fails if a byte of the value is not as BSON demands.
    pub fn value(
        &mut self,
        name: &str,
        kind: ElementType,
        from: &mut Cursor<'_>,
    ) -> Result<(), Error> {
        self.name(name);
        value::value(kind, from, self.mode, self.out)
    }

    /// Adds the Extended JSON of `document` as a string; a null where there is none.
    ///
    /// # Errors
    /// Fails if a byte of the document is not as BSON demands.
    pub fn document_as_string(
        &mut self,
        name: &str,
        document: Option<&RawDocument>,
    ) -> Result<(), Error> {
        let Some(document) = document else {
            self.null(name);
            return Ok(());
        };
        let mut from = Cursor::at_document(document);
        self.json_string(name, ElementType::EmbeddedDocument, &mut from)
    }

    /// Adds the Extended JSON of the value of type `kind` that `from` is at as a string, whatever its type.
    ///
    /// # Errors
    /// Fails if a byte of the value is not as BSON demands.
    pub fn json_string(
        &mut self,
        name: &str,
        kind: ElementType,
        from: &mut Cursor<'_>,
    ) -> Result<(), Error> {
        self.name(name);
        self.out.push(b'"');
        self.escaped(kind, from)?;
        self.out.push(b'"');
        Ok(())
    }

    /// The Extended JSON of a value, for the inside of a string.
    fn escaped(&mut self, kind: ElementType, from: &mut Cursor<'_>) -> Result<(), Error> {
        let start = self.out.len();
        value::value(kind, from, self.mode, self.out)?;
        string::escape_tail(start, self.out);
        Ok(())
    }

    /// Adds fields that are JSON already, with commas between them.
    pub fn fields(&mut self, json: &str) {
        self.separate();
        self.out.extend_from_slice(json.as_bytes());
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
            _ => self.escaped(kind, from)?,
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

/// An array that is being written to the end of a buffer.
#[derive(Debug)]
#[must_use = "an array is complete only when it is closed"]
pub struct Array<'o> {
    out: &'o mut Vec<u8>,
    mode: JsonMode,
    empty: bool,
}

impl Array<'_> {
    /// Adds an object, which whoever asks for it fills and closes.
    pub fn object(&mut self) -> Object<'_> {
        self.separate();
        Object::open(self.mode, self.out)
    }

    /// Adds the value of type `kind` that `from` is at.
    ///
    /// # Errors
    /// Fails if a byte of the value is not as BSON demands.
    pub fn value(&mut self, kind: ElementType, from: &mut Cursor<'_>) -> Result<(), Error> {
        self.separate();
        value::value(kind, from, self.mode, self.out)
    }

    /// Closes the array.
    pub fn close(self) {
        self.out.push(b']');
    }

    fn separate(&mut self) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
    }
}

/// Writes the inside of a JSON string.
struct Escaped<'o>(&'o mut Vec<u8>);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        string::escape(text, self.0);
        Ok(())
    }
}
