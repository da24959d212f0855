//! A JSON object written field by field, for formats that are not the document as it is.

use super::{Element, Error, Value, string, value};
use crate::encode::JsonMode;

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

    /// Adds an element as it is.
    ///
    /// # Errors
    /// Fails if a byte of the element is not as BSON demands.
    pub fn element(&mut self, element: &Element<'_>) -> Result<(), Error> {
        self.separate();
        string::quoted(element.name, self.out)?;
        self.out.push(b':');
        value::value(&element.value, self.mode, self.out)
    }

    /// Checks an element as strictly as if it were added, and adds nothing.
    ///
    /// # Errors
    /// As [`Object::element`].
    pub fn skip(&mut self, element: &Element<'_>) -> Result<(), Error> {
        let (length, empty) = (self.out.len(), self.empty);
        self.element(element)?;
        self.out.truncate(length);
        self.empty = empty;
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

    /// Adds a value as a string: the digits of an ObjectId, the text of a string, and for anything else its Extended
    /// JSON.
    ///
    /// # Errors
    /// Fails if a byte of the value is not as BSON demands.
    pub fn value_as_string(&mut self, name: &str, value: &Value<'_>) -> Result<(), Error> {
        self.name(name);
        if let Value::String(text) = *value {
            return string::quoted(text, self.out);
        }
        self.out.push(b'"');
        if let Value::ObjectId(id) = *value {
            value::hex(id, self.out);
        } else {
            let start = self.out.len();
            value::value(value, self.mode, self.out)?;
            string::escape_tail(start, self.out);
        }
        self.out.push(b'"');
        Ok(())
    }

    fn name(&mut self, name: &str) {
        self.separate();
        self.out.push(b'"');
        string::escape(name, self.out);
        self.out.extend_from_slice(br#"":"#);
    }

    fn separate(&mut self) {
        if !self.empty {
            self.out.push(b',');
        }
        self.empty = false;
    }
}
