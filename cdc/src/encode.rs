//! Turns a change event into a message: identity, routing key, body. Pure and total: every input gives a message or
//! a clear error, and nothing here waits.

pub mod document;
pub mod event;
pub mod extended_json;
mod routing_key;

use std::sync::Arc;

use bson::RawDocument;

pub use self::routing_key::RoutingKey;
use crate::{
    event::{ChangeEvent, Namespace},
    message::{Content, Message, MessageId, ParkReason, Parked},
    retry::chain,
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
    /// The forms and their names.
    pub const NAMES: [(&'static str, Self); 2] =
        [("document", Self::Document), ("event", Self::Event)];
}

impl JsonMode {
    /// The dialects and their names.
    pub const NAMES: [(&'static str, Self); 2] =
        [("relaxed", Self::Relaxed), ("canonical", Self::Canonical)];
}

/// The message that tells of `event`.
///
/// # Errors
/// An event that cannot be told faithfully is an error, never a message with something left out.
pub fn encode(event: &ChangeEvent, config: &Config) -> Result<Message, Error> {
    let place = event.namespace();
    let mut body;
    match config.format {
        Format::Document => {
            let document = event.full_document();
            body = room_for(document.map_or(0, |document| document.as_bytes().len()));
            write_document(event, place, document, config.mode, &mut body)?;
        }
        Format::Event => {
            body = room_for(event.raw().len());
            event::write(event.raw(), config.mode, &mut body)?;
        }
    }
    let routing_key = config.routing_key.render(place, event.operation())?;
    Ok(message(event, place, routing_key, body))
}

/// The message that tells of `event` without the full document, for a broker that takes no message of
/// `untrimmed_bytes` bytes.
///
/// # Errors
/// As [`encode`].
pub fn trimmed(
    event: &ChangeEvent,
    config: &Config,
    untrimmed_bytes: usize,
) -> Result<Message, Error> {
    let mut body = Vec::new();
    let place = event.namespace();
    match config.format {
        Format::Document => write_document(event, place, None, config.mode, &mut body)?,
        Format::Event => event::write_trimmed(event.raw(), config.mode, &mut body)?,
    }
    let routing_key = config.routing_key.render(place, event.operation())?;
    Ok(Message {
        trimmed_bytes: Some(untrimmed_bytes),
        ..message(event, place, routing_key, body)
    })
}

/// The message that carries `event` as the server sent it, since it cannot be encoded because of `error`.
pub fn poison(event: &ChangeEvent, config: &Config, error: &Error) -> Message {
    let place = event.namespace();
    let routing_key = config.routing_key.render(place, event.operation());
    Message {
        content: Content::Bson,
        parked: Some(Parked {
            reason: ParkReason::Poison,
            detail: chain(error),
        }),
        ..message(
            event,
            place,
            routing_key.unwrap_or_default(),
            event.raw().to_vec(),
        )
    }
}

/// An empty body for so many bytes of BSON.
///
/// Relaxed Extended JSON of a document is rarely more than a third longer than its BSON, and then there are the
/// collection and the id. More would only be memory in flight.
fn room_for(bytes: usize) -> Vec<u8> {
    Vec::with_capacity(bytes + bytes / 3 + 64)
}

fn write_document(
    event: &ChangeEvent,
    place: Namespace<'_>,
    full_document: Option<&RawDocument>,
    mode: JsonMode,
    body: &mut Vec<u8>,
) -> Result<(), extended_json::Error> {
    let collection = place.collection.unwrap_or_default();
    document::write(full_document, event.document_key(), collection, mode, body)
}

/// What its `Display` writes, in one allocation.
fn namespace(
    Namespace {
        database,
        collection,
    }: Namespace<'_>,
) -> String {
    match collection {
        Some(collection) => [database, collection].join("."),
        None => database.to_owned(),
    }
}

fn message(
    event: &ChangeEvent,
    place: Namespace<'_>,
    routing_key: Arc<str>,
    body: Vec<u8>,
) -> Message {
    Message {
        message_id: MessageId::from_token(event.token()),
        routing_key,
        operation: event.operation(),
        namespace: namespace(place),
        cluster_time: event.cluster_time(),
        wall_time_ms: event.wall_time_ms(),
        content: Content::Json,
        body,
        trimmed_bytes: None,
        parked: None,
    }
}
