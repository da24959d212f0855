//! Turns a change event into a message: identity, routing key, body. Pure and total: every input gives a message or
//! a clear error, and nothing here waits.

pub mod cloudevents;
pub mod compression;
pub mod debezium;
pub mod document;
pub mod event;
pub mod extended_json;
mod headers;
pub mod own;
mod partitions;
pub mod raw_event;
mod routing_key;
#[cfg(test)]
mod samples;
mod shape;
mod snapshot;
mod template;
mod transaction;

use std::sync::Arc;

pub use self::{
    compression::Compression,
    headers::Headers,
    partitions::Partitions,
    routing_key::RoutingKey,
    shape::{Format, Options, Shape, Written},
    template::TemplateError,
};
use crate::{
    event::{ChangeEvent, Namespace, Operation},
    message::{
        Address, DocumentKey, Header, Message, MessageId, ParkReason, Partition, Target, Value,
    },
    raw_bson::Mended,
    retry::chain,
};

/// Longest reason in words that a parked message tells.
const DETAIL_CHARACTERS_MAX: usize = 512;

/// What messages look like.
#[derive(Debug, Clone)]
pub struct Config {
    /// Form of the body.
    pub shape: Arc<dyn Shape>,
    /// Dialect of Extended JSON.
    pub mode: JsonMode,
    /// Which bodies are compressed.
    pub compression: Compression,
    /// Routing key of every message.
    pub routing_key: RoutingKey,
    /// Exchange that messages are meant for, which those that are parked tell.
    pub exchange: String,
    /// Whether the document of an update was looked up later.
    pub looks_up: bool,
    /// Over how many partitions changes are spread.
    pub partitions: Partitions,
    /// Headers that a user wants on every message.
    pub headers: Headers,
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
    /// The shape of bodies knows no change of this kind.
    #[error("there is no body of this format for the operation `{0}`")]
    Untold(Operation),
    /// An encoder of the program's own has no message for it.
    #[error("the program's encoder has no message for it")]
    Own(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Documents to the default exchange with an empty routing key.
impl Default for Config {
    fn default() -> Self {
        Self {
            shape: Arc::new(document::Document),
            compression: Compression::default(),
            mode: JsonMode::Relaxed,
            routing_key: RoutingKey::default(),
            exchange: String::new(),
            looks_up: true,
            partitions: Partitions::default(),
            headers: Headers::default(),
        }
    }
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
    let shape = &config.shape;
    let mut body = Vec::with_capacity(shape.room(event));
    let written = shape.write(event, config.mode, &mut body)?;
    let mut message = message(event, config, body)?;
    message.replaces_fields = written == Written::FieldsReplaced;
    Ok(message)
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
    let shape = &config.shape;
    shape.write_trimmed(event, config.mode, &mut body)?;
    let mut message = message(event, config, body)?;
    let bytes = i64::try_from(untrimmed_bytes).unwrap_or(i64::MAX);
    let header = ("cdc-trimmed-bytes", Value::Number(bytes));
    message.more_headers.push(header);
    Ok(message)
}

/// The message for the parking queue that carries `event` as it is, since it cannot be encoded because of `error`.
pub fn poison(
    event: &ChangeEvent,
    config: &Config,
    error: &(dyn std::error::Error + 'static),
) -> Message {
    // What goes to every partition is parked once, for none of them.
    let partition = config.partitions.of(event);
    let partition = partition.filter(|partition| partition.copies.is_none());
    let key = routing_key(event, config, partition);
    let message = Message {
        document_key: document_key(event).unwrap_or_default(),
        content_type: raw_event::BSON,
        more_headers: snapshot::headers(event).collect(),
        own_headers: config.headers.render(event).unwrap_or_default(),
        partition,
        ..envelope(
            event,
            config,
            Target::Main(key.unwrap_or_default()),
            event.raw().to_vec(),
        )
    };
    // A program's own error may be of any length, and all headers have to fit into one frame.
    let detail: String = chain(error).chars().take(DETAIL_CHARACTERS_MAX).collect();
    message.park(ParkReason::Poison, detail, &config.exchange)
}

/// A copy of `event` in which every text is UTF-8, and the header that tells where one was not; none where something else
/// is wrong with the event.
pub fn mended(event: &ChangeEvent) -> Option<(ChangeEvent, Header)> {
    let Mended { bytes, paths } = Mended::copy(event.raw()).ok()?;
    let event = ChangeEvent::parse(bytes.into())
        .ok()?
        .known_as(event.token());
    let header = ("cdc-replaced-paths", Value::Text(list(&paths).into()));
    Some((event, header))
}

/// `paths` as a JSON array, without what would be too much for a header.
fn list(paths: &[String]) -> String {
    const PATHS_MAX: usize = 16;
    const PATH_CHARACTERS_MAX: usize = 200;
    let shown = paths.iter().take(PATHS_MAX);
    let mut shown: Vec<String> = shown
        .map(|path| path.chars().take(PATH_CHARACTERS_MAX).collect())
        .collect();
    if PATHS_MAX < paths.len() {
        shown.push("…".to_owned());
    }
    serde_json::Value::from(shown).to_string()
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

fn message(event: &ChangeEvent, config: &Config, body: Vec<u8>) -> Result<Message, Error> {
    let partition = config.partitions.of(event);
    let key = routing_key(event, config, partition)?;
    let further = partition.into_iter().flat_map(Partition::further);
    let further = further.map(|partition| {
        Ok(Address {
            routing_key: routing_key(event, config, Some(partition))?,
            partition,
        })
    });
    let mut message = Message {
        document_key: document_key(event)?,
        content_type: config.shape.content_type(),
        more_headers: config.shape.headers(event)?,
        own_headers: config.headers.render(event)?,
        partition,
        further: further.collect::<Result<_, Error>>()?,
        ..envelope(event, config, Target::Main(key), body)
    };
    message.more_headers.extend(image(event, config));
    message.more_headers.extend(transaction::headers(event));
    message.more_headers.extend(snapshot::headers(event));
    Ok(message)
}

/// Tells an update's document as of the change from one that was looked up later.
fn image(event: &ChangeEvent, config: &Config) -> Option<Header> {
    let has_image = *event.operation() == Operation::Update && event.full_document().is_some();
    let state = if config.looks_up {
        "looked_up"
    } else {
        "as_of_change"
    };
    has_image.then(|| ("cdc-document", Value::Text(state.into())))
}

fn routing_key(
    event: &ChangeEvent,
    config: &Config,
    partition: Option<Partition>,
) -> Result<Arc<str>, extended_json::Error> {
    let number = partition.map(|partition| partition.number);
    config.routing_key.render(event, number)
}

fn document_key(event: &ChangeEvent) -> Result<Option<DocumentKey>, extended_json::Error> {
    let Some(key) = event.document_key() else {
        return Ok(None);
    };
    Ok(Some(DocumentKey::new(extended_json::text(key)?)))
}

fn envelope(event: &ChangeEvent, config: &Config, target: Target, body: Vec<u8>) -> Message {
    let (body, content_encoding) = config.compression.apply(body);
    Message {
        message_id: MessageId::from_token(event.token()),
        target,
        operation: event.operation().clone(),
        namespace: namespace(event.namespace()),
        cluster_time: event.cluster_time(),
        wall_time_ms: event.wall_time_ms(),
        document_key: None,
        replaces_fields: false,
        content_type: "",
        content_encoding,
        more_headers: Vec::new(),
        own_headers: Vec::new(),
        partition: None,
        further: Vec::new(),
        body,
    }
}

#[cfg(test)]
mod tests;
