//! What a body looks like: one file a shape, and one line in [`Format::NAMES`].

use std::fmt;

use super::{JsonMode, document, event, extended_json::Error};
use crate::event::ChangeEvent;

/// What became of the document in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// All of it is there.
    Whole,
    /// Fields of its own gave way to those of the body.
    FieldsReplaced,
}

/// A shape of bodies. Pure and total: every event gives a body or an error that names the place.
pub trait Shape: Sync {
    /// Media type of the body.
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    /// Bytes of BSON that the body tells of, by which its size is guessed.
    fn bytes(&self, event: &ChangeEvent) -> usize;

    /// Writes the body for `event` to the end of `body`.
    ///
    /// # Errors
    /// Fails if a byte of the event is not as BSON demands; `body` is then as it was.
    fn write(
        &self,
        event: &ChangeEvent,
        mode: JsonMode,
        body: &mut Vec<u8>,
    ) -> Result<Written, Error>;

    /// The same without the full document, for a target that takes no body so large.
    ///
    /// # Errors
    /// As [`Shape::write`].
    fn write_trimmed(
        &self,
        event: &ChangeEvent,
        mode: JsonMode,
        body: &mut Vec<u8>,
    ) -> Result<(), Error>;
}

/// A shape that users can choose.
#[derive(Clone, Copy)]
pub struct Format {
    name: &'static str,
    shape: &'static dyn Shape,
}

impl Format {
    /// The document, its collection and its id.
    pub const DOCUMENT: Self = Self {
        name: "document",
        shape: &document::Document,
    };
    /// The whole change event.
    pub const EVENT: Self = Self {
        name: "event",
        shape: &event::Event,
    };

    /// The shapes and their names; the first is the default.
    pub const NAMES: [(&'static str, Self); 2] = [
        (Self::DOCUMENT.name, Self::DOCUMENT),
        (Self::EVENT.name, Self::EVENT),
    ];

    /// The shape.
    pub fn shape(self) -> &'static dyn Shape {
        self.shape
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
