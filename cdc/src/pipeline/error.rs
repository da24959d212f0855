//! Why a running pipeline stops, and what a person can do about it.

use std::time::Duration;

use crate::{
    checkpoint, encode,
    event::{self, ChangeEvent},
    message::{Message, MessageId},
    projection, sink, source,
};

/// Why the pipeline stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The change stream.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// An event that has no message.
    #[error("cannot encode message {message_id}, a change of `{namespace}` {position}")]
    Encode {
        /// The message's id.
        message_id: String,
        /// Namespace of the change.
        namespace: String,
        /// Its position.
        position: String,
        /// The cause.
        #[source]
        source: encode::Error,
    },
    /// An event whose fields cannot be masked or left out.
    #[error("cannot mask message {message_id}, a change of `{namespace}` {position}")]
    Project {
        /// The message's id.
        message_id: String,
        /// Namespace of the change.
        namespace: String,
        /// Its position.
        position: String,
        /// The cause.
        #[source]
        source: projection::Error,
    },
    /// A document that a snapshot read.
    #[error("cannot read a document of a snapshot")]
    Document(#[source] event::Error),
    /// The broker, or a sink of the program's own.
    #[error("publish to {}", .0.target())]
    Publish(#[from] sink::Error),
    /// The checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] checkpoint::Error),
    /// A message that matched no queue.
    #[error("message {message_id} matched no queue ({reason}): {target}")]
    Unroutable {
        /// Its id.
        message_id: String,
        /// The broker's reason.
        reason: String,
        /// Exchange, routing key and namespace.
        target: String,
    },
    /// A message that the broker does not take because of its size.
    #[error(
        "message {message_id}, a change of `{namespace}` at cluster time {cluster_time}, is too large: it has {bytes} \
         bytes, rabbitmq takes at most {limit} bytes"
    )]
    Oversize {
        /// Its id.
        message_id: String,
        /// Namespace of the change.
        namespace: String,
        /// `seconds:increment`.
        cluster_time: String,
        /// Bytes of its body.
        bytes: usize,
        /// The broker's limit.
        limit: usize,
    },
    /// The drain took longer than it may.
    #[error("not drained within {} ms: {}", .grace.as_millis(), undrained(*.unconfirmed))]
    NotDrained {
        /// Messages without a confirm.
        unconfirmed: usize,
        /// The time that was allowed.
        grace: Duration,
    },
}

/// What was left to do.
fn undrained(unconfirmed: usize) -> String {
    match unconfirmed {
        0 => "all is confirmed, and the checkpoint could not be saved in time".to_owned(),
        _ => format!("{unconfirmed} messages unconfirmed"),
    }
}

impl Error {
    /// Names the event that has no message, without its document's `_id`, which belongs to the document.
    pub(super) fn encode(event: &ChangeEvent, source: encode::Error) -> Self {
        Self::Encode {
            message_id: MessageId::from_token(event.token()).to_string(),
            namespace: event.namespace().to_string(),
            position: event.position().to_string(),
            source,
        }
    }

    /// Names the event that cannot be masked.
    pub(super) fn project(event: &ChangeEvent, source: projection::Error) -> Self {
        Self::Project {
            message_id: MessageId::from_token(event.token()).to_string(),
            namespace: event.namespace().to_string(),
            position: event.position().to_string(),
            source,
        }
    }

    /// Names the message that is too large.
    pub(super) fn oversize(message: &Message, limit: usize) -> Self {
        let time = message.cluster_time;
        Self::Oversize {
            message_id: message.message_id.to_string(),
            namespace: message.namespace.clone(),
            cluster_time: format!("{}:{}", time.time, time.increment),
            bytes: message.body.len(),
            limit,
        }
    }
}
