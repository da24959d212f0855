//! Turns a change event into a message: identity, routing key, body. Pure and total: every input gives a message or
//! a clear error, and nothing here waits.

pub mod document;
pub mod event;
pub mod extended_json;
mod routing_key;

pub use self::routing_key::RoutingKey;
use crate::{
    event::ChangeEvent,
    message::{Message, MessageId},
};

/// What messages look like.
#[derive(Debug, Clone)]
pub struct Config {
    /// Form of the body.
    pub format: Format,
    /// Dialect of Extended JSON.
    pub mode: JsonMode,
    /// Routing key of every message.
    pub routing_key: RoutingKey,
}

/// Form of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The document, its collection and its id.
    Document,
    /// The whole change event.
    Event,
}

/// Dialect of Extended JSON v2:
/// <https://github.com/mongodb/specifications/blob/master/source/extended-json/extended-json.md>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonMode {
    /// Plain JSON where a reader can still tell what was meant.
    Relaxed,
    /// Every BSON type is spelled out.
    Canonical,
}

/// Why an event has no message.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The document is not valid BSON.
    #[error("the document cannot be written as Extended JSON")]
    Json(#[from] extended_json::Error),
    /// AMQP allows 255 bytes.
    #[error("the routing key is {0} bytes long, AMQP allows 255")]
    RoutingKeyTooLong(usize),
}

impl Format {
    /// The forms and their names; the first is the default.
    pub const NAMES: [(&'static str, Self); 2] =
        [("document", Self::Document), ("event", Self::Event)];
}

impl JsonMode {
    /// The dialects and their names; the first is the default.
    pub const NAMES: [(&'static str, Self); 2] =
        [("relaxed", Self::Relaxed), ("canonical", Self::Canonical)];
}

/// The message that tells of `event`.
///
/// # Errors
/// An event that cannot be told faithfully is an error, never a message with something left out.
pub fn encode(event: &ChangeEvent, config: &Config) -> Result<Message, Error> {
    let namespace = event.namespace();
    // Relaxed Extended JSON of a document is rarely more than a third longer than its BSON.
    let mut body = Vec::with_capacity(event.raw().as_bytes().len());
    match config.format {
        Format::Document => document::write(
            event.full_document(),
            event.document_key(),
            namespace.collection.unwrap_or_default(),
            config.mode,
            &mut body,
        )?,
        Format::Event => event::write(event.raw(), config.mode, &mut body)?,
    }
    Ok(Message {
        message_id: MessageId::from_token(event.token()),
        routing_key: config.routing_key.render(namespace, event.operation())?,
        operation: event.operation(),
        namespace: namespace.to_string(),
        cluster_time: event.cluster_time(),
        wall_time_ms: event.wall_time_ms(),
        body,
    })
}
