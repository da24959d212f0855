//! What a body looks like: one file a shape, and one line in [`Format::NAMES`].

#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use super::{
    Error, JsonMode,
    cloudevents::{self, CloudEvents},
    debezium::{self, Debezium},
    document, event, raw_event,
};
use crate::{
    event::{ChangeEvent, Operation},
    message::Header,
};

/// Media type of a body that is JSON.
pub(super) const JSON: &str = "application/json";

/// What became of the document in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// All of it is there.
    Whole,
    /// Fields of its own gave way to those of the body.
    FieldsReplaced,
}

/// A shape of bodies. Pure and total: every event gives a body or an error that names the place.
pub trait Shape: fmt::Debug + Send + Sync {
    /// Media type of the body.
    fn content_type(&self) -> &'static str {
        JSON
    }

    /// Whether there is a body for changes of this kind.
    fn tells_of(&self, _operation: &Operation) -> bool {
        true
    }

    /// Bytes that the body will have, about: rather more than fewer, since it then grows.
    fn room(&self, event: &ChangeEvent) -> usize;

    /// Writes the body for `event` to the end of `body`.
    ///
    /// # Errors
    /// Fails if a byte of the event is not as BSON demands, or if there is no body for its operation; `body` is then as
    /// it was.
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

    /// Headers of the message beside those that every message has.
    ///
    /// # Errors
    /// Fails if a byte of what they tell is not as BSON demands.
    fn headers(&self, _event: &ChangeEvent) -> Result<Vec<Header>, Error> {
        Ok(Vec::new())
    }
}

/// What shapes are told beside the event.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// For [`Debezium`].
    pub debezium: debezium::Options,
    /// For [`CloudEvents`].
    pub cloudevents: cloudevents::Options,
}

/// A shape that users can choose.
#[derive(Debug, Clone, Copy)]
pub struct Format(fn(&Options) -> Arc<dyn Shape>);

impl Format {
    /// The shapes and their names; the first is the default.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("document", Self(|_| Arc::new(document::Document))),
        ("event", Self(|_| Arc::new(event::Event))),
        (
            "debezium",
            Self(|all| Arc::new(Debezium::new(&all.debezium))),
        ),
        (
            "cloudevents",
            Self(|all| Arc::new(CloudEvents::new(&all.cloudevents))),
        ),
        ("bson", Self(|_| Arc::new(raw_event::RawEvent))),
    ];

    /// The shape.
    pub fn shape(self, options: &Options) -> Arc<dyn Shape> {
        (self.0)(options)
    }
}

/// Fields of an event that hold a document as a whole, which a trimmed body is without.
const WHOLE_DOCUMENTS: [&str; 2] = ["fullDocument", "fullDocumentBeforeChange"];

/// Whether the field of an event called `name` holds a document as a whole.
pub(super) fn is_whole_document(name: &[u8]) -> bool {
    WHOLE_DOCUMENTS.iter().any(|one| one.as_bytes() == name)
}

/// Bytes of Extended JSON for so many bytes of BSON.
///
/// Relaxed Extended JSON of a document is rarely more than a third longer than its BSON, and then there are the
/// collection and the id. More would only be memory in flight.
pub(super) fn grown(bytes: usize) -> usize {
    bytes + bytes / 3 + 64
}
