//! What can go wrong with the broker, and whether another attempt may help.

use std::time::Duration;

use lapin::{
    ErrorKind,
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
};

use super::{Failures, QueueType, permissions::Denied};
use crate::retry::Disposition;

/// A failure of the broker or of the way to it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No node can be connected to.
    #[error("rabbitmq at {0}")]
    Connect(Failures),
    /// No node can be connected to by the stream protocol.
    #[error("rabbitmq's stream protocol at {0}")]
    ConnectStream(Failures),
    /// A connection that was lost.
    #[error("rabbitmq at {address}")]
    Broker {
        /// Host and port.
        address: String,
        /// The cause.
        #[source]
        source: lapin::Error,
    },
    /// A connection by the stream protocol that was lost.
    #[error("rabbitmq at {address}: {reason}")]
    Stream {
        /// Host and port.
        address: String,
        /// The cause.
        reason: String,
    },
    /// A stream lost what it had confirmed, or has what this engine did not write.
    #[error("stream `{stream}` ends elsewhere than this engine left it")]
    OtherEnd {
        /// The stream.
        stream: String,
    },
    /// No answer within a deadline.
    #[error("rabbitmq at {address}: no answer to {what} within {} ms", .after.as_millis())]
    TimedOut {
        /// Host and port.
        address: String,
        /// What was asked.
        what: &'static str,
        /// How long we waited.
        after: Duration,
    },
    /// The user is unknown, the password wrong, or the virtual host closed to the user.
    #[error("rabbitmq at {address} refused user `{user}` on virtual host `{vhost}`: {reason}")]
    Refused {
        /// Host and port.
        address: String,
        /// The user.
        user: String,
        /// The virtual host.
        vhost: String,
        /// What the broker said.
        reason: String,
    },
    /// A permission is missing.
    #[error("{0}")]
    Denied(Box<Denied>),
    /// The queue exists and cannot hold messages as it has to.
    #[error("queue `{queue}` {unfit}")]
    Unfit {
        /// The queue.
        queue: String,
        /// Why.
        unfit: Unfit,
    },
    /// The broker does not declare something so.
    #[error("rabbitmq does not declare {what} so: {reason}")]
    Undeclarable {
        /// Kind and name.
        what: String,
        /// What the broker said.
        reason: String,
    },
    /// The queue exists and its node is away.
    #[error("queue `{queue}` is not available now: {reason}")]
    QueueAway {
        /// The queue.
        queue: String,
        /// What the broker said.
        reason: String,
    },
    /// The exchange does not exist.
    #[error("exchange `{exchange}` does not exist on virtual host `{vhost}`")]
    NoExchange {
        /// The exchange.
        exchange: String,
        /// The virtual host.
        vhost: String,
    },
    /// Another engine of the pipeline holds the lock.
    #[error("another engine of this pipeline holds the lock")]
    Locked,
    /// A message is larger than the broker takes.
    #[error("rabbitmq takes messages of at most {limit} bytes, one has {bytes}")]
    Oversize {
        /// Bytes of the message's body.
        bytes: usize,
        /// The broker's limit.
        limit: usize,
    },
    /// The queue does not exist.
    #[error("queue `{queue}` does not exist on virtual host `{vhost}`")]
    NoQueue {
        /// The queue.
        queue: String,
        /// The virtual host.
        vhost: String,
    },
    /// The queue does not exist, and nothing is to be declared.
    #[error(
        "queue `{queue}` does not exist on virtual host `{vhost}`, and the engine is to declare nothing"
    )]
    NotToDeclare {
        /// The queue.
        queue: String,
        /// The virtual host.
        vhost: String,
    },
}

/// Why a queue cannot hold messages as it has to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is gone when the broker restarts.
    #[error("is not durable: it is gone with its messages when the broker restarts")]
    NotDurable,
    /// It belongs to a connection.
    #[error(
        "is exclusive to another connection: it is gone with its messages when that connection ends"
    )]
    Exclusive,
    /// It is gone when its last consumer is.
    #[error("is auto-delete: it is gone with its messages when its last consumer leaves")]
    AutoDelete,
    /// It has another type than it must have.
    #[error("is of type {found}, and has to be of type {wanted}")]
    Type {
        /// The type that it has.
        found: QueueType,
        /// The type that it must have.
        wanted: QueueType,
    },
}

impl Error {
    /// Whether another attempt may help.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Connect(failures) | Self::ConnectStream(failures) => failures.disposition(),
            Self::Broker { source, .. } => lapin_disposition(source),
            Self::Stream { .. } | Self::TimedOut { .. } | Self::QueueAway { .. } => {
                Disposition::Retry
            }
            Self::Locked
            | Self::OtherEnd { .. }
            | Self::Oversize { .. }
            | Self::Refused { .. }
            | Self::Denied(_)
            | Self::Unfit { .. }
            | Self::Undeclarable { .. }
            | Self::NotToDeclare { .. }
            | Self::NoExchange { .. }
            | Self::NoQueue { .. } => Disposition::Halt,
        }
    }
}

pub(super) fn lapin_disposition(error: &lapin::Error) -> Disposition {
    let retriable = match error.kind() {
        ErrorKind::IOError(_)
        | ErrorKind::MissingHeartbeatError
        | ErrorKind::InvalidChannel(_)
        | ErrorKind::InvalidChannelState(..)
        | ErrorKind::InvalidConnectionState(_) => true,
        ErrorKind::ProtocolError(error) => match error.kind() {
            AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => {
                is_limit(error.get_message().as_str())
            }
            AMQPErrorKind::Hard(kind) => matches!(
                kind,
                AMQPHardError::CONNECTIONFORCED
                    | AMQPHardError::INTERNALERROR
                    | AMQPHardError::RESOURCEERROR
            ),
            // The broker closes a consumer's channel after half an hour without an acknowledgement.
            // https://www.rabbitmq.com/docs/consumers#acknowledgement-timeout
            AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => {
                error.get_message().as_str().contains("timed out")
            }
            AMQPErrorKind::Soft(_) => false,
        },
        _ => false,
    };
    if retriable {
        Disposition::Retry
    } else {
        Disposition::Halt
    }
}

/// `connection limit (N) is reached` and the like, for a user, a virtual host or a node.
pub(super) fn is_limit(text: &str) -> bool {
    text.contains("limit")
}

/// The broker's text where it does not know what we asked for, such as a type of exchange, and closed the connection.
pub(super) fn command_invalid(error: &lapin::Error) -> Option<String> {
    let ErrorKind::ProtocolError(error) = error.kind() else {
        return None;
    };
    let is_it = matches!(
        error.kind(),
        AMQPErrorKind::Hard(AMQPHardError::COMMANDINVALID)
    );
    is_it.then(|| error.get_message().to_string())
}

/// The error of a channel and the broker's text, where it is one.
pub(crate) fn soft_error(error: &lapin::Error) -> Option<(AMQPSoftError, String)> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => match error.kind() {
            AMQPErrorKind::Soft(kind) => Some((kind.clone(), error.get_message().to_string())),
            AMQPErrorKind::Hard(_) => None,
        },
        _ => None,
    }
}
