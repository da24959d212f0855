//! The queue that the engine publishes to, and the exchange in front of it.

use std::time::Duration;

use anyhow::{Context, Result};
use lapin::{
    Channel, Connection, Consumer as Deliveries, ExchangeKind,
    options::{
        BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions, ExchangeDeleteOptions,
        QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
    },
    types::FieldTable,
    uri::AMQPUri,
};
use rand::seq::SliceRandom;
use tokio::time::timeout;

use crate::broker;

/// Messages that are on their way to us.
const PREFETCH: u16 = 200;
/// Longest time for one connection: a paused broker takes a connection and says nothing.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// Longest time until the queue has taken a consumer.
const CONSUME_LIMIT: Duration = Duration::from_secs(3);
/// Longest wait for a farewell.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// The queue, and the exchange that leads to it.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    /// Of each node.
    pub(super) uris: Vec<AMQPUri>,
    pub(super) name: String,
    /// Empty if the engine publishes straight to the queue.
    pub(super) exchange: String,
    pub(super) arguments: FieldTable,
}

impl Queue {
    /// Makes what the engine needs to find.
    pub(super) async fn declare(&self) -> Result<()> {
        let (connection, channel) = self.open().await?;
        let durable = QueueDeclareOptions::durable();
        let name = self.name.as_str().into();
        let declaring = channel.queue_declare(name, durable, self.arguments.clone());
        declaring.await.context("declare the queue")?;
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
        let (queue, exchange) = (self.name.as_str(), self.exchange.as_str());
        let arguments = FieldTable::default();
        let unbinding =
            channel.queue_unbind(queue.into(), exchange.into(), queue.into(), arguments);
        unbinding.await.context("unbind the queue")?;
        close(connection).await;
        Ok(())
    }

    /// Leads what is published to the exchange to the queue.
    pub(super) async fn bind(&self) -> Result<()> {
        let (connection, channel) = self.open().await?;
        let (queue, exchange) = (self.name.as_str().into(), self.exchange.as_str().into());
        let key = self.name.as_str().into();
        let options = QueueBindOptions::default();
        let binding = channel.queue_bind(queue, exchange, key, options, FieldTable::default());
        binding.await.context("bind the queue")?;
        close(connection).await;
        Ok(())
    }

    /// Leaves nothing of it on a broker that others use too.
    pub(super) async fn delete(&self) {
        let Ok((connection, channel)) = self.open().await else {
            return;
        };
        let name = self.name.as_str();
        let _ = channel
            .queue_delete(name.into(), QueueDeleteOptions::default())
            .await;
        if !self.exchange.is_empty() {
            let options = ExchangeDeleteOptions::default();
            let _ = channel.exchange_delete(name.into(), options).await;
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

    /// Starts to take from it. A node that is cut off from the queue would keep us waiting.
    pub(super) async fn consume(&self) -> Result<(Connection, Deliveries)> {
        let (connection, channel) = self.open().await?;
        let consuming = async {
            let qos = channel.basic_qos(PREFETCH, BasicQosOptions::default());
            qos.await.context("set the prefetch")?;
            let consuming = channel.basic_consume(
                self.name.as_str().into(),
                "".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
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
