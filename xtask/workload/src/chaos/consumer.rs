//! Takes every message out of the queue, in order, and survives whatever happens to the broker.
//!
//! A message is acknowledged after it was recorded. What the broker hands over once more, because the
//! acknowledgement was lost with the connection, was recorded already and says so (`redelivered`).

use std::{rc::Rc, time::Duration};

use anyhow::{Context, Result};
use futures_util::StreamExt;
use lapin::{
    Channel, Connection, Consumer as Deliveries,
    message::Delivery,
    options::{
        BasicAckOptions, BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions,
        ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
    },
    types::FieldTable,
    uri::AMQPUri,
};
use tokio::time::{sleep, timeout};

use super::{
    decode::{self, Raw},
    world::{Stage, World},
};
use crate::broker;

/// Messages that are on their way to us.
const PREFETCH: u16 = 200;
/// Longest silence between two looks at whether the run is over.
const LISTEN: Duration = Duration::from_millis(200);
/// Pause before a lost connection is made anew.
const RETRY: Duration = Duration::from_millis(50);
/// Longest wait for an acknowledgement to leave: where the connection breaks meanwhile, it never does.
const ACK_LIMIT: Duration = Duration::from_secs(1);
/// Longest time for one attempt: a paused broker takes a connection and says nothing.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// The queue, and the exchange that leads to it.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    pub(super) uri: AMQPUri,
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
        let name = self.name.as_str();
        channel
            .queue_declare(name.into(), durable, self.arguments.clone())
            .await
            .context("declare the queue")?;
        if !self.exchange.is_empty() {
            let options = ExchangeDeclareOptions {
                durable: true,
                ..ExchangeDeclareOptions::default()
            };
            let exchange = self.exchange.as_str().into();
            let kind = lapin::ExchangeKind::Direct;
            channel
                .exchange_declare(exchange, kind, options, FieldTable::default())
                .await
                .context("declare the exchange")?;
            self.bind_on(&channel).await?;
        }
        close(connection).await;
        Ok(())
    }

    pub(super) async fn unbind(&self) -> Result<()> {
        let (connection, channel) = self.open().await?;
        let (queue, exchange) = (self.name.as_str(), self.exchange.as_str());
        let arguments = FieldTable::default();
        channel
            .queue_unbind(queue.into(), exchange.into(), queue.into(), arguments)
            .await
            .context("unbind the queue")?;
        close(connection).await;
        Ok(())
    }

    pub(super) async fn bind(&self) -> Result<()> {
        let (connection, channel) = self.open().await?;
        self.bind_on(&channel).await?;
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

    async fn bind_on(&self, channel: &Channel) -> Result<()> {
        let (queue, exchange) = (self.name.as_str(), self.exchange.as_str());
        let options = QueueBindOptions::default();
        channel
            .queue_bind(
                queue.into(),
                exchange.into(),
                queue.into(),
                options,
                FieldTable::default(),
            )
            .await
            .context("bind the queue")
    }

    async fn open(&self) -> Result<(Connection, Channel)> {
        let opening = async {
            let connection = broker::open(self.uri.clone()).await?;
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

    async fn consume(&self) -> Result<(Connection, Deliveries)> {
        let (connection, channel) = self.open().await?;
        let qos = channel.basic_qos(PREFETCH, BasicQosOptions::default());
        qos.await.context("set the prefetch")?;
        let consuming = channel.basic_consume(
            self.name.as_str().into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let deliveries = consuming.await.context("listen to the queue")?;
        Ok((connection, deliveries))
    }
}

/// Records everything that arrives until the run is over.
pub(super) async fn consume(world: Rc<World>, queue: Queue, database: String) -> Result<()> {
    while world.stage.get() < Stage::Over {
        let Ok(Ok((connection, mut deliveries))) = timeout(CONNECT_LIMIT, queue.consume()).await
        else {
            sleep(RETRY).await;
            continue;
        };
        while world.stage.get() < Stage::Over {
            match timeout(LISTEN, deliveries.next()).await {
                Err(_) => {}
                Ok(Some(Ok(delivery))) => {
                    record(&world, &delivery, &database);
                    let ack = delivery.ack(BasicAckOptions::default());
                    if !matches!(timeout(ACK_LIMIT, ack).await, Ok(Ok(_))) {
                        break;
                    }
                }
                Ok(Some(Err(_)) | None) => break,
            }
        }
        close(connection).await;
    }
    Ok(())
}

fn record(world: &World, delivery: &Delivery, database: &str) {
    let properties = &delivery.properties;
    let text = |value: &Option<lapin::types::ShortString>| {
        value.as_ref().map(ToString::to_string).unwrap_or_default()
    };
    let message = text(properties.message_id());
    let operation = text(properties.kind());
    let raw = Raw {
        body: &delivery.data,
        message: &message,
        operation: &operation,
        redelivered: delivery.redelivered,
    };
    let now = world.now();
    let sighting = decode::decode(raw, database);
    let mut ledger = world.ledger.borrow_mut();
    match sighting {
        Ok(sighting) => {
            if let Some(sent) = ledger.received(&sighting, now) {
                world.recovery.borrow_mut().delivered(sent, now);
            }
        }
        Err(what) => ledger.received_foreign(what, now),
    }
}

/// A broker that is gone needs no farewell.
async fn close(connection: Connection) {
    let closing = connection.close(200, "done".into());
    timeout(Duration::from_millis(500), closing).await.ok();
}
