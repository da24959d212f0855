//! An open connection.

use std::time::Duration;

use futures_util::{Stream, TryFutureExt as _, future::join_all};
use lapin::{Channel, options::ConfirmSelectOptions, protocol::AMQPSoftError};
use tracing::info;

use super::{
    Action, Broker, Error, Unfit,
    connect::{self, Amqp},
    error::soft_error,
};

/// Longest wait for a polite close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    pub(super) inner: lapin::Connection,
    pub(super) broker: Broker,
}

impl Connection {
    /// Connects and authenticates, to whichever node can be used.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn open(broker: &Broker, name: &str) -> Result<Self, Error> {
        let dial = Amqp { broker, name };
        let connected = connect::to_any(&dial, broker.nodes(), broker.connect_timeout()).await;
        let (inner, node) = connected.map_err(Error::Connect)?;
        let broker = broker.at(node);
        info!(node = broker.address(), "connected to rabbitmq");
        Ok(Self { inner, broker })
    }

    /// Connects to every node at the same time; for each what came of it, in the order in which they were given.
    pub async fn open_each(broker: &Broker, name: &str) -> Vec<Result<Self, Error>> {
        let nodes = broker.nodes().iter().map(|node| broker.at(node.clone()));
        join_all(nodes.map(async |broker| Self::open(&broker, name).await)).await
    }

    /// Host and port of the node.
    pub fn address(&self) -> String {
        self.broker.address()
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

    /// Who is connected and how, for people.
    pub fn way(&self) -> String {
        self.broker.way()
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
    pub(crate) async fn within<T>(
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

    /// As [`Connection::lost`], for a question for `queue` or its consumer; the queue may be what is missing.
    pub fn queue_lost(&self, queue: &str, error: lapin::Error) -> Error {
        match soft_error(&error) {
            Some((AMQPSoftError::NOTFOUND, text)) if is_away(&text) => Error::QueueAway {
                queue: queue.to_owned(),
                reason: text,
            },
            Some((AMQPSoftError::NOTFOUND, _)) => self.broker.no_queue(queue),
            Some((AMQPSoftError::RESOURCELOCKED, _)) => Error::Unfit {
                queue: queue.to_owned(),
                unfit: Unfit::Exclusive,
            },
            _ => self.broker.name_after(error, Action::Consume),
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
