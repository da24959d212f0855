//! The connection to the broker, what is declared there, and the meaning of its errors.

use std::{fmt, time::Duration};

use futures_util::{Stream, TryFutureExt as _};
use lapin::{
    Channel, ConnectionProperties, ErrorKind,
    options::{ConfirmSelectOptions, ExchangeDeclareOptions, QueueDeclareOptions},
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
    types::{AMQPValue, FieldTable},
    uri::AMQPUri,
};

use crate::retry::Disposition;

/// Longest wait for a connection, or for the answer to a declaration.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a polite close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Seconds between heartbeats where the URI says nothing: a dead connection is noticed after two.
const HEARTBEAT_SECONDS: u16 = 10;

/// Where the broker is, and who we are there. Never written out as a whole.
#[derive(Clone)]
pub struct Broker(AMQPUri);

/// A queue and its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Name, at most 255 bytes.
    pub name: String,
    /// Type.
    pub kind: QueueType,
}

/// Types of queue: <https://www.rabbitmq.com/docs/queues>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueType {
    /// One node's queue.
    Classic,
    /// Replicated by Raft.
    Quorum,
    /// An append-only log that many can read.
    Stream,
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    inner: lapin::Connection,
    broker: Broker,
}

/// A failure of the broker or of the way to it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection, or a connection that was lost.
    #[error("rabbitmq at {address}")]
    Broker {
        /// Host and port.
        address: String,
        /// The cause.
        #[source]
        source: lapin::Error,
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
    /// The queue exists with other properties.
    #[error("queue `{queue}` exists with other properties: {difference}")]
    QueueDiffers {
        /// The queue.
        queue: String,
        /// What the broker said.
        difference: String,
    },
    /// The exchange does not exist.
    #[error("exchange `{exchange}` does not exist on virtual host `{vhost}`")]
    NoExchange {
        /// The exchange.
        exchange: String,
        /// The virtual host.
        vhost: String,
    },
    /// The queue does not exist.
    #[error("queue `{queue}` does not exist on virtual host `{vhost}`")]
    NoQueue {
        /// The queue.
        queue: String,
        /// The virtual host.
        vhost: String,
    },
}

impl Broker {
    /// Takes a URI; a heartbeat is added where it names none.
    pub fn new(mut uri: AMQPUri) -> Self {
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        Self(uri)
    }

    /// Host and port.
    pub fn address(&self) -> String {
        let authority = &self.0.authority;
        format!("{}:{}", authority.host, authority.port)
    }

    fn user(&self) -> String {
        self.0.authority.userinfo.username.clone()
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.address(), self.0.vhost)
    }
}

impl QueueType {
    /// The types and their names; the first is the default.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("classic", Self::Classic),
        ("quorum", Self::Quorum),
        ("stream", Self::Stream),
    ];

    /// Arguments of the declaration. Classic has none, so that a queue which any client declared durable fits.
    pub fn arguments(self) -> FieldTable {
        let mut arguments = FieldTable::default();
        let name = match self {
            Self::Classic => return arguments,
            Self::Quorum => "quorum",
            Self::Stream => "stream",
        };
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(name.into()));
        arguments
    }
}

impl Connection {
    /// Connects and authenticates.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn open(broker: &Broker, name: &str) -> Result<Self, Error> {
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connect = lapin::Connection::connect_uri(broker.0.clone(), properties);
        let inner = within(
            broker,
            "a connection",
            connect.map_err(|error| broker.name(error)),
        )
        .await?;
        Ok(Self {
            inner,
            broker: broker.clone(),
        })
    }

    /// Declares `queue` durable; does nothing where it exists so.
    ///
    /// # Errors
    /// [`Error::QueueDiffers`] where it exists with other properties.
    pub async fn declare_queue(&self, queue: &Queue) -> Result<(), Error> {
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let declare = async {
            // A channel of its own, because a refusal closes the channel.
            let channel = self.inner.create_channel().await?;
            channel
                .queue_declare(queue.name.as_str().into(), options, queue.kind.arguments())
                .await?;
            channel.close(200, "OK".into()).await
        };
        let declare = declare.map_err(|error| match soft_error(&error) {
            Some((AMQPSoftError::PRECONDITIONFAILED, text)) => Error::QueueDiffers {
                queue: queue.name.clone(),
                difference: difference(&text),
            },
            _ => self.broker.name(error),
        });
        within(&self.broker, "a queue declaration", declare).await
    }

    /// Checks that an exchange exists, without declaring it.
    ///
    /// # Errors
    /// [`Error::NoExchange`] where it does not.
    pub async fn check_exchange(&self, exchange: &str) -> Result<(), Error> {
        let options = ExchangeDeclareOptions {
            passive: true,
            ..ExchangeDeclareOptions::default()
        };
        let check = async {
            let channel = self.inner.create_channel().await?;
            let kind = lapin::ExchangeKind::Topic;
            channel
                .exchange_declare(exchange.into(), kind, options, FieldTable::default())
                .await?;
            channel.close(200, "OK".into()).await
        };
        let check = check.map_err(|error| match soft_error(&error) {
            Some((AMQPSoftError::NOTFOUND, _)) => Error::NoExchange {
                exchange: exchange.to_owned(),
                vhost: self.broker.0.vhost.clone(),
            },
            _ => self.broker.name(error),
        });
        within(&self.broker, "an exchange check", check).await
    }

    /// Checks that a queue exists, without declaring it, and counts its ready messages and its consumers.
    ///
    /// # Errors
    /// [`Error::NoQueue`] where it does not.
    pub async fn check_queue(&self, queue: &str) -> Result<lapin::Queue, Error> {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let check = async {
            let channel = self.inner.create_channel().await?;
            let found = channel
                .queue_declare(queue.into(), options, FieldTable::default())
                .await?;
            channel.close(200, "OK".into()).await?;
            Ok(found)
        };
        let check = check.map_err(|error| self.queue_lost(queue, error));
        within(&self.broker, "a queue check", check).await
    }

    /// Opens a channel on which every publish is confirmed.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn confirm_channel(&self) -> Result<Channel, Error> {
        let open = async {
            let channel = self.inner.create_channel().await?;
            channel
                .confirm_select(ConfirmSelectOptions::default())
                .await?;
            Ok(channel)
        };
        within(
            &self.broker,
            "a channel",
            open.map_err(|error| self.broker.name(error)),
        )
        .await
    }

    /// Opens a plain channel, for a consumer.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn channel(&self) -> Result<Channel, Error> {
        let open = self
            .inner
            .create_channel()
            .map_err(|error| self.broker.name(error));
        within(&self.broker, "a channel", open).await
    }

    /// Whether the broker has asked us to stop sending for now.
    pub fn blocked(&self) -> bool {
        self.inner.status().blocked()
    }

    /// What happens to the connection from now on.
    pub fn events(&self) -> impl Stream<Item = lapin::Event> + Send + 'static {
        self.inner.events_listener()
    }

    /// Gives a channel's or connection's error the names that a person needs.
    pub fn lost(&self, error: lapin::Error) -> Error {
        self.broker.name(error)
    }

    /// As [`Connection::lost`], for an operation on `queue`, which may be what is missing.
    pub fn queue_lost(&self, queue: &str, error: lapin::Error) -> Error {
        match soft_error(&error) {
            Some((AMQPSoftError::NOTFOUND, _)) => self.broker.no_queue(queue),
            _ => self.broker.name(error),
        }
    }

    /// Closes politely, within a deadline.
    pub async fn close(self) {
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.inner.close(200, "OK".into())).await;
    }
}

impl Broker {
    /// Gives the client library's error the names that a person needs.
    pub fn name(&self, source: lapin::Error) -> Error {
        match refusal(&source) {
            Some(reason) => Error::Refused {
                address: self.address(),
                user: self.user(),
                vhost: self.0.vhost.clone(),
                reason,
            },
            None => Error::Broker {
                address: self.address(),
                source,
            },
        }
    }

    /// Says that `queue` is not there.
    pub fn no_queue(&self, queue: &str) -> Error {
        Error::NoQueue {
            queue: queue.to_owned(),
            vhost: self.0.vhost.clone(),
        }
    }
}

impl Error {
    /// Whether another attempt may help.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Broker { source, .. } => lapin_disposition(source),
            Self::TimedOut { .. } => Disposition::Retry,
            Self::Refused { .. }
            | Self::QueueDiffers { .. }
            | Self::NoExchange { .. }
            | Self::NoQueue { .. } => Disposition::Halt,
        }
    }

    /// What a person can do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Broker { .. } | Self::TimedOut { .. } => Some("cargo xtask local-start"),
            Self::Refused { .. } => Some(
                "correct RABBITMQ_DEFAULT_USERNAME, RABBITMQ_DEFAULT_PASSWORD, RABBITMQ_VHOST or RABBITMQ_URI, \
                 or give the user permissions there",
            ),
            Self::QueueDiffers { .. } => Some(
                "the queue was left as it is: set CDC_QUEUE_TYPE to its type, choose another RABBITMQ_QUEUE_NAME, \
                 or delete the queue once it is empty",
            ),
            Self::NoExchange { .. } => {
                Some("declare the exchange and its bindings, or correct RABBITMQ_EXCHANGE")
            }
            Self::NoQueue { .. } => Some("the engine declares it: cargo xtask local-start-cdc"),
        }
    }
}

async fn within<T>(
    broker: &Broker,
    what: &'static str,
    operation: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(ANSWER_TIMEOUT, operation).await {
        Ok(result) => result,
        Err(_) => Err(Error::TimedOut {
            address: broker.address(),
            what,
            after: ANSWER_TIMEOUT,
        }),
    }
}

fn soft_error(error: &lapin::Error) -> Option<(AMQPSoftError, String)> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => match error.kind() {
            AMQPErrorKind::Soft(kind) => Some((kind.clone(), error.get_message().to_string())),
            AMQPErrorKind::Hard(_) => None,
        },
        _ => None,
    }
}

/// The broker's text where it refuses the user: wrong credentials, no permission, no such virtual host.
fn refusal(error: &lapin::Error) -> Option<String> {
    let ErrorKind::ProtocolError(error) = error.kind() else {
        return None;
    };
    match error.kind() {
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)
        | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => Some(error.get_message().to_string()),
        _ => None,
    }
}

/// `received 'true' but current is 'false'` and the like, without the protocol's frame around it.
fn difference(text: &str) -> String {
    text.trim_start_matches("PRECONDITION_FAILED - ")
        .trim()
        .to_owned()
}

fn lapin_disposition(error: &lapin::Error) -> Disposition {
    let retriable = match error.kind() {
        ErrorKind::IOError(_)
        | ErrorKind::MissingHeartbeatError
        | ErrorKind::InvalidChannel(_)
        | ErrorKind::InvalidChannelState(..)
        | ErrorKind::InvalidConnectionState(_) => true,
        ErrorKind::ProtocolError(error) => match error.kind() {
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
