//! What we publish: a routing key, properties and a body. Pure data, no I/O.

use std::{fmt, sync::Arc};

use bson::{RawDocument, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::event::Operation;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// One message, ready to be published any number of times.
#[derive(Debug, Clone)]
pub struct Message {
    /// Stable identity that consumers deduplicate on.
    pub message_id: MessageId,
    /// At most 255 bytes, a limit of AMQP 0-9-1.
    pub routing_key: Arc<str>,
    /// Operation of the change event.
    pub operation: Operation,
    /// `database.collection`, or `database` alone for an operation on the whole database.
    pub namespace: String,
    /// When the change happened, by the cluster's logical clock.
    pub cluster_time: Timestamp,
    /// When the change happened, by the server's wall clock, in milliseconds since 1970; absent before MongoDB 6.0.
    pub wall_time_ms: Option<i64>,
    /// What the body is.
    pub content: Content,
    /// The body's bytes.
    pub body: Vec<u8>,
    /// How many bytes the body had before the full document was left out of it.
    pub trimmed_bytes: Option<usize>,
    /// Why it goes to the parking queue instead of its own place.
    pub parked: Option<Parked>,
}

/// Form of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Extended JSON, UTF-8.
    Json,
    /// The change event as the server sent it, where it cannot be told as JSON.
    Bson,
}

/// Why a message is parked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// The kind of reason.
    pub reason: ParkReason,
    /// The reason in words, at most a few hundred bytes; never a document's content.
    pub detail: String,
}

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

impl Content {
    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Bson => "application/bson",
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
    fn different_tokens_have_different_ids() {
        let one = MessageId::from_token(&rawdoc! { "_data": "8263" });
        let two = MessageId::from_token(&rawdoc! { "_data": "8264" });
        assert_ne!(one, two);
    }
}
