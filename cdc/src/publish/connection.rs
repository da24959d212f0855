//! An open connection, and what is declared or checked on it.

use std::time::Duration;

use futures_util::{Stream, TryFutureExt as _};
use lapin::{
    Channel, ConnectionProperties, ErrorKind,
    options::{ConfirmSelectOptions, ExchangeDeclareOptions, QueueDeclareOptions},
    protocol::{AMQPErrorKind, AMQPSoftError},
    types::FieldTable,
};

use super::{Broker, Config, Error, Queue, greeting, scheduling::in_batch};

/// Longest wait for a polite close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    inner: lapin::Connection,
    broker: Broker,
}

impl Connection {
    /// Connects and authenticates.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn open(broker: &Broker, name: &str) -> Result<Self, Error> {
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connect = async {
            if broker.was_silent() {
                let greeting = greeting::wait(broker.uri()).await;
                greeting.map_err(|error| broker.name(error.into()))?;
            }
            let connect = lapin::Connection::connect_uri(broker.uri().clone(), properties);
            in_batch(connect).await.map_err(|error| broker.name(error))
        };
        let connected = within(broker, "a connection", connect).await;
        broker.note_silent(matches!(connected, Err(Error::TimedOut { .. })));
        let inner = connected?;
        Ok(Self {
            inner,
            broker: broker.clone(),
        })
    }

    /// Declares or checks where messages go. Returns the queues that were not there.
    ///
    /// # Errors
    /// As [`Connection::declare_queue`] and [`Connection::check_exchange`].
    pub async fn prepare(&self, config: &Config) -> Result<Vec<String>, Error> {
        let mut new = Vec::new();
        for queue in config.queues() {
            match self.check_queue(&queue.name).await {
                Ok(_) => {}
                Err(Error::NoQueue { queue, .. }) => new.push(queue),
                Err(error) => return Err(error),
            }
            self.declare_queue(queue).await?;
        }
        self.check_target(config).await?;
        Ok(new)
    }

    /// Checks that where messages go is still there, after [`Connection::prepare`] on this or an earlier connection.
    ///
    /// # Errors
    /// [`Error::NoQueue`] where a queue of ours is gone, and with it what it held; else as [`Connection::prepare`].
    pub async fn check(&self, config: &Config) -> Result<(), Error> {
        for queue in config.queues() {
            self.check_queue(&queue.name).await?;
            // Somebody may have declared it with other properties meanwhile.
            self.declare_queue(queue).await?;
        }
        self.check_target(config).await
    }

    async fn check_target(&self, config: &Config) -> Result<(), Error> {
        if config.exchange.is_empty() {
            Ok(())
        } else {
            self.check_exchange(&config.exchange).await
        }
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
            // A declaration cannot miss the queue; so the broker says that it is not available.
            Some((AMQPSoftError::NOTFOUND, text)) => Error::QueueAway {
                queue: queue.name.clone(),
                reason: text,
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
        let check = check.map_err(|error| self.exchange_lost(exchange, error));
        within(&self.broker, "an exchange check", check).await
    }

    /// Checks that a queue exists, without declaring it, and counts its ready messages and its consumers.
    ///
    /// # Errors
    /// [`Error::NoQueue`] where it does not; [`Error::QueueAway`] where its node is away.
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

    /// Awaits `operation` for as long as an answer of the broker may take.
    pub(super) async fn within<T>(
        &self,
        what: &'static str,
        operation: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        within(&self.broker, what, operation).await
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
            Some((AMQPSoftError::NOTFOUND, text)) if is_away(&text) => Error::QueueAway {
                queue: queue.to_owned(),
                reason: text,
            },
            Some((AMQPSoftError::NOTFOUND, _)) => self.broker.no_queue(queue),
            _ => self.broker.name(error),
        }
    }

    /// As [`Connection::lost`], for an operation on `exchange`, which may be what is missing.
    pub fn exchange_lost(&self, exchange: &str, error: lapin::Error) -> Error {
        match soft_error(&error) {
            Some((AMQPSoftError::NOTFOUND, _)) => Error::NoExchange {
                exchange: exchange.to_owned(),
                vhost: self.broker.vhost(),
            },
            _ => self.broker.name(error),
        }
    }

    /// Closes politely, within a deadline.
    pub async fn close(&self) {
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.inner.close(200, "OK".into())).await;
    }
}

async fn within<T>(
    broker: &Broker,
    what: &'static str,
    operation: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(broker.answer_timeout(), operation).await {
        Ok(result) => result,
        Err(_) => Err(Error::TimedOut {
            address: broker.address(),
            what,
            after: broker.answer_timeout(),
        }),
    }
}

pub(super) fn soft_error(error: &lapin::Error) -> Option<(AMQPSoftError, String)> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => match error.kind() {
            AMQPErrorKind::Soft(kind) => Some((kind.clone(), error.get_message().to_string())),
            AMQPErrorKind::Hard(_) => None,
        },
        _ => None,
    }
}

/// Whether the broker knows the queue, although it says `NOT_FOUND`:
/// `home node 'rabbit@b' of durable queue 'q' in vhost '/' is down or inaccessible` and the like.
fn is_away(text: &str) -> bool {
    let reasons = [
        "is down or inaccessible",
        "has crashed and failed to restart",
        "process is stopped by supervisor",
        "due to timeout",
    ];
    reasons.iter().any(|reason| text.contains(reason))
}

/// `received 'true' but current is 'false'` and the like, without the protocol's frame around it.
fn difference(text: &str) -> String {
    text.trim_start_matches("PRECONDITION_FAILED - ")
        .trim()
        .to_owned()
}
