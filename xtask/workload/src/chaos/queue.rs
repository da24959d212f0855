//! The queues that the engine publishes to, and the exchange in front of it.

use std::time::Duration;

use anyhow::{Context, Result};
use lapin::{
    Channel, Connection, Consumer as Deliveries, ExchangeKind,
    options::{
        BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions, ExchangeDeleteOptions,
        QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
    },
    types::{AMQPValue, FieldTable},
    uri::AMQPUri,
};
use rand::seq::SliceRandom;
use tokio::time::timeout;

use super::QueueType;
use crate::broker;

/// Where to begin in a stream, and where in it a message is.
pub(super) const OFFSET: &str = "x-stream-offset";
/// Messages that are on their way to us.
const PREFETCH: u16 = 200;
/// Longest time for one connection: a paused broker takes a connection and says nothing.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// Longest time until the queue has taken a consumer.
const CONSUME_LIMIT: Duration = Duration::from_secs(3);
/// Longest wait for a farewell.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// The queues, and the exchange that leads to them.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    /// Of each node.
    pub(super) uris: Vec<AMQPUri>,
    /// Of the queue, or what each partition's name begins with.
    pub(super) name: String,
    /// How many queues there are.
    pub(super) partitions: u16,
    /// Empty if the engine publishes straight to the queues.
    pub(super) exchange: String,
    pub(super) arguments: FieldTable,
    pub(super) kind: QueueType,
}

impl Queue {
    /// The name of a partition's queue.
    pub(super) fn of(&self, partition: u16) -> String {
        if self.partitions == 1 {
            return self.name.clone();
        }
        format!("{}.{partition}", self.name)
    }

    fn names(&self) -> impl Iterator<Item = String> {
        (0..self.partitions).map(|partition| self.of(partition))
    }

    /// Makes what the engine needs to find.
    pub(super) async fn declare(&self) -> Result<()> {
        let (connection, channel) = self.open().await?;
        let durable = QueueDeclareOptions::durable();
        for name in self.names() {
            let name = name.as_str().into();
            let declaring = channel.queue_declare(name, durable, self.arguments.clone());
            declaring.await.context("declare the queue")?;
        }
        if !self.exchange.is_empty() {
            let options = ExchangeDeclareOptions {
                durable: true,
                ..ExchangeDeclareOptions::default()
            };
            let (name, kind) = (self.exchange.as_str().into(), ExchangeKind::Direct);
            let declaring = channel.exchange_declare(name, kind, options, FieldTable::default());
            declaring.await.context("declare the exchange")?;
        }
        close(connection).await;
        if self.exchange.is_empty() {
            return Ok(());
        }
        self.bind().await
    }

    /// From now on what the engine publishes goes nowhere.
    pub(super) async fn unbind(&self) -> Result<()> {
        let (connection, channel) = self.open().await?;
        for queue in self.names() {
            let (queue, exchange) = (queue.as_str(), self.exchange.as_str());
            let arguments = FieldTable::default();
            let unbinding =
                channel.queue_unbind(queue.into(), exchange.into(), queue.into(), arguments);
            unbinding.await.context("unbind the queue")?;
        }
        close(connection).await;
        Ok(())
    }

    /// Leads what is published to the exchange to the queue that the key names.
    pub(super) async fn bind(&self) -> Result<()> {
        let (connection, channel) = self.open().await?;
        for name in self.names() {
            let (queue, key) = (name.as_str().into(), name.as_str().into());
            let (exchange, options) = (self.exchange.as_str().into(), QueueBindOptions::default());
            let binding = channel.queue_bind(queue, exchange, key, options, FieldTable::default());
            binding.await.context("bind the queue")?;
        }
        close(connection).await;
        Ok(())
    }

    /// Leaves nothing of it on a broker that others use too.
    pub(super) async fn delete(&self) {
        let Ok((connection, channel)) = self.open().await else {
            return;
        };
        for name in self.names() {
            let options = QueueDeleteOptions::default();
            let _ = channel.queue_delete(name.as_str().into(), options).await;
        }
        if !self.exchange.is_empty() {
            let options = ExchangeDeleteOptions::default();
            let name = self.exchange.as_str().into();
            let _ = channel.exchange_delete(name, options).await;
        }
        close(connection).await;
    }

    /// Connects to any node, each time another one first.
    async fn open(&self) -> Result<(Connection, Channel)> {
        let mut uris = self.uris.clone();
        uris.shuffle(&mut rand::rng());
        let mut outcome = Err(anyhow::anyhow!("there is no node"));
        for uri in uris {
            outcome = open(uri).await;
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    /// Starts to take from a partition's queue, in a stream from the offset `next` on. A node that is cut off from it
    /// would keep us waiting.
    pub(super) async fn consume(
        &self,
        partition: u16,
        next: i64,
    ) -> Result<(Connection, Deliveries)> {
        let (connection, channel) = self.open().await?;
        let name = self.of(partition);
        let mut arguments = FieldTable::default();
        if self.kind == QueueType::Stream {
            arguments.insert(OFFSET.into(), AMQPValue::LongLongInt(next));
        }
        let consuming = async {
            let qos = channel.basic_qos(PREFETCH, BasicQosOptions::default());
            qos.await.context("set the prefetch")?;
            let consuming = channel.basic_consume(
                name.as_str().into(),
                "".into(),
                BasicConsumeOptions::default(),
                arguments,
            );
            consuming.await.context("listen to the queue")
        };
        let deliveries = timeout(CONSUME_LIMIT, consuming).await;
        Ok((connection, deliveries.context("no answer")??))
    }
}

async fn open(uri: AMQPUri) -> Result<(Connection, Channel)> {
    let opening = async {
        let connection = broker::open(uri).await?;
        let channel = connection
            .create_channel()
            .await
            .context("open a channel")?;
        Ok((connection, channel))
    };
    timeout(CONNECT_LIMIT, opening)
        .await
        .context("the broker does not answer")?
}

/// A broker that is gone needs no farewell.
pub(super) async fn close(connection: Connection) {
    let closing = connection.close(200, "done".into());
    timeout(CLOSE_LIMIT, closing).await.ok();
}
