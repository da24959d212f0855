//! Where messages go: the queues that are ours to declare, and the exchange, which is not.

use futures_util::TryFutureExt as _;
use lapin::{
    options::{ExchangeDeclareOptions, QueueDeclareOptions},
    protocol::AMQPSoftError,
    types::FieldTable,
};

use super::{Connection, Error, Queue, error::soft_error};

/// Where messages go.
#[derive(Debug, Clone)]
pub struct Topology {
    /// Exchange to publish to; empty for the default exchange. It must exist, we never declare one.
    pub exchange: String,
    /// Queue that is declared when messages go to the default exchange.
    pub queue: Queue,
    /// Queue that is declared for what is parked, where a policy parks anything.
    pub parking: Option<Queue>,
}

impl Topology {
    /// The queues that are ours to declare.
    fn queues(&self) -> impl Iterator<Item = &Queue> {
        let target = Some(&self.queue).filter(|_| self.exchange.is_empty());
        target.into_iter().chain(&self.parking)
    }

    /// Declares the queues and checks the exchange. Returns the names of the queues that were not there.
    ///
    /// # Errors
    /// As [`Connection::declare_queue`] and [`Connection::check_exchange`].
    pub async fn declare(&self, connection: &Connection) -> Result<Vec<String>, Error> {
        let mut new = Vec::new();
        for queue in self.queues() {
            match connection.check_queue(&queue.name).await {
                Ok(_) => {}
                Err(Error::NoQueue { queue, .. }) => new.push(queue),
                Err(error) => return Err(error),
            }
            connection.declare_queue(queue).await?;
        }
        self.check_exchange(connection).await?;
        Ok(new)
    }

    /// Checks that all is still there, after [`Topology::declare`] on this or an earlier connection.
    ///
    /// # Errors
    /// [`Error::NoQueue`] where a queue of ours is gone, and with it what it held; else as [`Topology::declare`].
    pub async fn check(&self, connection: &Connection) -> Result<(), Error> {
        for queue in self.queues() {
            connection.check_queue(&queue.name).await?;
            // Somebody may have declared it with other properties meanwhile.
            connection.declare_queue(queue).await?;
        }
        self.check_exchange(connection).await
    }

    async fn check_exchange(&self, connection: &Connection) -> Result<(), Error> {
        if self.exchange.is_empty() {
            Ok(())
        } else {
            connection.check_exchange(&self.exchange).await
        }
    }
}

impl Connection {
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
        self.within("a queue declaration", declare).await
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
        self.within("an exchange check", check).await
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
        self.within("a queue check", check).await
    }
}

/// `received 'true' but current is 'false'` and the like, without the protocol's frame around it.
fn difference(text: &str) -> String {
    text.trim_start_matches("PRECONDITION_FAILED - ")
        .trim()
        .to_owned()
}
