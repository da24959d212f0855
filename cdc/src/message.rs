//! What is published: an envelope and a body. Pure data, no I/O; a sink only translates it.

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use bson::{RawDocument, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::{event::Operation, position::time_text};

/// The header that names the run of the snapshot that read the document.
pub const SNAPSHOT_HEADER: &str = "cdc-snapshot";
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// One message, ready to be published any number of times.
#[derive(Debug, Clone)]
pub struct Message {
    /// Stable identity that consumers deduplicate on.
    pub message_id: MessageId,
    /// Where it goes.
    pub target: Target,
    /// Operation of the change event.
    pub operation: Operation,
    /// `database.collection`, or `database` alone for an operation on the whole database.
    pub namespace: String,
    /// When the change happened, by the cluster's logical clock; for a document that a snapshot read, as of when.
    pub cluster_time: Timestamp,
    /// When the change happened, by the server's wall clock, in milliseconds since 1970; absent before MongoDB 6.0, and
    /// for a document that a snapshot read.
    pub wall_time_ms: Option<i64>,
    /// The document's whole key; absent for an operation that is about no document.
    pub document_key: Option<DocumentKey>,
    /// Media type of the body.
    pub content_type: &'static str,
    /// What the body is compressed with, if it is.
    pub content_encoding: Option<&'static str>,
    /// Headers beside those that every message has; see [`Message::headers`].
    pub more_headers: Vec<Header>,
    /// Headers that a user wants.
    pub own_headers: Vec<OwnHeader>,
    /// The partition that it is for, where changes are spread over several.
    pub partition: Option<Partition>,
    /// Where the same change is told beside this message's place.
    pub further: Vec<Address>,
    /// Whether fields of the document gave way to others of the same names in the body.
    pub replaces_fields: bool,
    /// The body's bytes.
    pub body: Vec<u8>,
}

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Its own place, by this routing key of at most 255 bytes, a limit of AMQP 0-9-1.
    Main(Arc<str>),
    /// The parking queue.
    Parked,
}

/// One of the partitions over which changes are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// Its number, from 0 on.
    pub number: u16,
    /// How many partitions there are, where the change is about no document and told in each of them.
    pub copies: Option<u16>,
}

/// Where a copy of a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// See [`Target::Main`].
    pub routing_key: Arc<str>,
    /// The partition that the copy is for.
    pub partition: Partition,
}

/// Value of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A whole number.
    Number(i64),
}

impl Value<'_> {
    /// The same, without a copy of the text.
    fn borrowed(&self) -> Value<'_> {
        match self {
            Self::Text(text) => Value::Text(Cow::Borrowed(text)),
            Self::Number(number) => Value::Number(*number),
        }
    }
}

/// `_id` and shard key of a document, as canonical Extended JSON, which keeps their types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentKey {
    /// The text, of at most [`DocumentKey::BYTES_MAX`] bytes.
    Whole(String),
    /// The SHA-256 of a longer one.
    Digest(String),
}

/// Name and value of a header.
pub type Header = (&'static str, Value<'static>);

/// Name, of at most 255 bytes, and value of a header that a user wants.
pub type OwnHeader = (Arc<str>, Value<'static>);

/// Kinds of reasons to park a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParkReason {
    /// It matched no queue.
    Unroutable,
    /// It is larger than the broker takes.
    Oversize,
    /// It cannot be encoded.
    Poison,
}

/// 128 bits of the SHA-256 of a resume token, written as 32 hexadecimal digits.
///
/// A resume token names one change and is the same however often the stream is read again,
/// so a replayed change keeps its id, and two changes of one transaction have two.
/// A cryptographic hash, because users choose the `_id` values that tokens contain.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageId([u8; 16]);

impl Message {
    /// The headers, those that every message has first.
    pub fn headers(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        let cluster_time = time_text(self.cluster_time);
        let wall_time = self.wall_time_ms.map(Value::Number);
        let document_key = self.document_key.as_ref().map(DocumentKey::header);
        let own = self.own_headers.iter();
        let own = own.map(|(name, value)| (&**name, value.borrowed()));
        let more = self.more_headers.iter();
        let more = more.map(|(name, value)| (*name, value.borrowed()));
        [
            ("cdc-namespace", Value::Text(self.namespace.as_str().into())),
            ("cdc-operation", Value::Text(self.operation.as_str().into())),
            ("cdc-cluster-time", Value::Text(cluster_time.into())),
        ]
        .into_iter()
        .chain(wall_time.map(|value| ("cdc-wall-time-ms", value)))
        .chain(document_key)
        .chain(self.partition.into_iter().flat_map(Partition::headers))
        .chain(more)
        .chain(own)
    }

    /// Name of the run of the snapshot that read the document.
    pub fn snapshot(&self) -> Option<&str> {
        self.more_headers.iter().find_map(|header| match header {
            (SNAPSHOT_HEADER, Value::Text(run)) => Some(&**run),
            _ => None,
        })
    }

    /// Bytes that it takes in memory, about: the body, and the headers that a user wants.
    pub fn bytes(&self) -> usize {
        let own = self.own_headers.iter();
        let own = own.map(|(name, value)| match value {
            Value::Text(text) => name.len() + text.len(),
            Value::Number(_) => name.len(),
        });
        self.body.len() + own.sum::<usize>()
    }

    /// Wall time in whole seconds since 1970; the cluster time's seconds where the server gives no wall time.
    pub fn seconds(&self) -> u64 {
        let seconds = self.wall_time_ms.map(|millis| millis.div_euclid(1000));
        seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .unwrap_or_else(|| u64::from(self.cluster_time.time))
    }

    /// When the change happened, in milliseconds since 1970: in whole seconds where the server gives no wall time, and not
    /// at all for a document that a snapshot read.
    pub fn happened_ms(&self) -> Option<i64> {
        let seconds = || i64::from(self.cluster_time.time) * 1_000;
        let is_change = self.operation != Operation::Read;
        is_change.then(|| self.wall_time_ms.unwrap_or_else(seconds))
    }

    /// Up to when everything is told with it, in milliseconds since 1970, in whole seconds where the server gives no wall
    /// time: a document that a snapshot read comes after every change up to its time.
    pub fn told_ms(&self) -> i64 {
        let seconds = || i64::from(self.cluster_time.time) * 1_000;
        self.wall_time_ms.unwrap_or_else(seconds)
    }

    /// The same for another place.
    #[must_use]
    pub fn copy_to(&self, address: Address) -> Self {
        Self {
            target: Target::Main(address.routing_key),
            partition: Some(address.partition),
            further: Vec::new(),
            ..self.clone()
        }
    }

    /// The same for the parking queue, with why, and with the place that it was meant for. What is told in several
    /// places is parked once, for no partition.
    ///
    /// `detail` is the reason in words, at most a few hundred bytes; never a document's content.
    #[must_use]
    pub fn park(&self, reason: ParkReason, detail: impl Into<String>, exchange: &str) -> Self {
        let routing_key = match &self.target {
            Target::Main(key) => key.to_string(),
            Target::Parked => String::new(),
        };
        let headers = [
            ("cdc-park-reason", reason.as_str().to_owned()),
            ("cdc-park-detail", detail.into()),
            ("cdc-park-exchange", exchange.to_owned()),
            ("cdc-park-routing-key", routing_key),
        ];
        let mut parked = self.clone();
        parked.target = Target::Parked;
        if !parked.further.is_empty() {
            parked.further.clear();
            parked.partition = None;
        }
        let headers = headers.map(|(name, text)| (name, Value::Text(text.into())));
        parked.more_headers.extend(headers);
        parked
    }
}

impl Partition {
    /// The partitions after this one in which the same change is told.
    pub fn further(self) -> impl Iterator<Item = Self> {
        let numbers = self.number + 1..self.copies.unwrap_or_default();
        numbers.map(move |number| Self { number, ..self })
    }

    fn headers<'a>(self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        let value = |number: u16| Value::Number(number.into());
        let copies = self
            .copies
            .map(|copies| ("cdc-partition-copies", value(copies)));
        [("cdc-partition", value(self.number))]
            .into_iter()
            .chain(copies)
    }
}

impl DocumentKey {
    /// Longest text that goes into a header: all headers of a message have to fit into one frame.
    pub const BYTES_MAX: usize = 1024;

    /// The key that this text is, or its digest.
    pub fn new(text: String) -> Self {
        if text.len() <= Self::BYTES_MAX {
            Self::Whole(text)
        } else {
            Self::Digest(format!("{:x}", Sha256::digest(text)))
        }
    }

    /// The text, or the digits of the digest.
    pub fn as_str(&self) -> &str {
        let (Self::Whole(text) | Self::Digest(text)) = self;
        text
    }

    /// The same as a text of its own.
    pub fn into_text(self) -> String {
        let (Self::Whole(text) | Self::Digest(text)) = self;
        text
    }

    fn header(&self) -> (&'static str, Value<'_>) {
        match self {
            Self::Whole(text) => ("cdc-document-key", Value::Text(text.into())),
            Self::Digest(text) => ("cdc-document-key-sha256", Value::Text(text.into())),
        }
    }
}

impl ParkReason {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Unroutable, Self::Oversize, Self::Poison];

    /// Its name in headers and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unroutable => "unroutable",
            Self::Oversize => "oversize",
            Self::Poison => "poison",
        }
    }
}

impl MessageId {
    /// The id of the change that `token` names.
    pub fn from_token(token: &RawDocument) -> Self {
        let digest = Sha256::digest(token.as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self(id)
    }
}

impl FromStr for MessageId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = u128::from_str_radix(text, 16).ok();
        let number = number.filter(|_| text.len() == 32 && !text.starts_with('+'));
        number
            .map(|number| Self(number.to_be_bytes()))
            .ok_or("a message id has 32 hexadecimal digits")
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self
            .0
            .map(|byte| [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]));
        f.write_str(std::str::from_utf8(digits.as_flattened()).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn an_id_is_32_hexadecimal_digits_of_the_tokens_sha256() {
        let token = rawdoc! { "_data": "82" };
        // printf "\x13\0\0\0\x02_data\0\x03\0\0\0\x38\x32\0\0" | sha256sum | cut -c1-32
        assert_eq!(
            MessageId::from_token(&token).to_string(),
            "3b5cb7fe5131e4a99af7362c93a81387"
        );
    }

    #[test]
    fn an_id_is_read_as_it_was_written_and_nothing_else_is() {
        let id = MessageId::from_token(&rawdoc! { "_data": "82" });
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in [
            "",
            "3b5cb7fe",
            "3b5cb7fe5131e4a99af7362c93a8138x",
            "+b5cb7fe5131e4a99af7362c93a81387",
        ] {
            assert!(text.parse::<MessageId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_that_is_too_long_for_a_header_is_told_by_its_digest() {
        let longest = "x".repeat(DocumentKey::BYTES_MAX);
        let whole = DocumentKey::new(longest.clone());
        assert_eq!(
            whole.header(),
            ("cdc-document-key", Value::Text(longest.clone().into()))
        );
        // head -c 1025 /dev/zero | tr '\0' x | sha256sum
        let digest = "c6d8e9905300876046729949cc95c2385221270d389176f7234fe7ac00c4e430";
        let header = ("cdc-document-key-sha256", Value::Text(digest.into()));
        assert_eq!(DocumentKey::new(longest + "x").header(), header);
    }

    #[test]
    fn different_tokens_have_different_ids() {
        let one = MessageId::from_token(&rawdoc! { "_data": "8263" });
        let two = MessageId::from_token(&rawdoc! { "_data": "8264" });
        assert_ne!(one, two);
    }
}
