//! A queue of one run: declared, counted, read to its end, deleted.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bson::oid::ObjectId;
use futures_util::StreamExt;
use lapin::{
    Channel, Connection, Consumer, ExchangeKind,
    options::{
        BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions,
        ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
    },
    types::{AMQPValue, FieldTable, ShortString},
    uri::AMQPUri,
};
use tokio::time::timeout;

use super::{report::Queue as Kind, tally::Tally, tell::tell};
use crate::broker;

/// Longest silence of a queue that still has messages.
const READ_LIMIT: Duration = Duration::from_secs(30);
/// Messages on their way to us while a queue is read.
const PREFETCH: u16 = 2_000;
/// Messages that are acknowledged together.
const ACK_EVERY: u64 = 500;
/// Silence after which a queue is taken to be at its end.
const SILENCE: Duration = Duration::from_millis(200);

/// A queue and our connection to it.
pub(super) struct Queue {
    pub(super) name: String,
    pub(super) kind: Kind,
    connection: Connection,
    channel: Channel,
}

impl Queue {
    /// Declares a new one, durable, as the engine would.
    pub(super) async fn declare(amqp_uri: &str, kind: Kind) -> Result<Self> {
        let connection = broker::open(parse(amqp_uri)?).await?;
        let channel = answer("open a channel", connection.create_channel()).await?;
        let mut arguments = FieldTable::default();
        if kind != Kind::Classic {
            let kind = AMQPValue::LongString(kind.name().into());
            arguments.insert("x-queue-type".into(), kind);
        }
        let name = name();
        let options = QueueDeclareOptions::durable();
        let declaring = channel.queue_declare(name.as_str().into(), options, arguments);
        answer("declare a queue", declaring).await?;
        Ok(Self {
            name,
            kind,
            connection,
            channel,
        })
    }

    /// Has what goes to `exchange` with the routing key `key` come here; the exchange is there as long as queues are bound
    /// to it.
    pub(super) async fn bind(&self, exchange: &str, key: &str) -> Result<()> {
        let options = ExchangeDeclareOptions {
            auto_delete: true,
            ..ExchangeDeclareOptions::default()
        };
        let (exchange, kind) = (ShortString::from(exchange), ExchangeKind::Direct);
        let arguments = FieldTable::default;
        let declaring = self
            .channel
            .exchange_declare(exchange.clone(), kind, options, arguments());
        answer("declare an exchange", declaring).await?;
        let (queue, options) = (self.name.as_str().into(), QueueBindOptions::default());
        let binding = self
            .channel
            .queue_bind(queue, exchange, key.into(), options, arguments());
        answer("bind a queue", binding).await
    }

    /// Messages that are ready in it.
    pub(super) async fn count(&self) -> Result<u64> {
        let passive = QueueDeclareOptions::durable().passive();
        let looking =
            self.channel
                .queue_declare(self.name.as_str().into(), passive, FieldTable::default());
        let found = answer("look at a queue", looking).await?;
        Ok(found.message_count().into())
    }

    /// Takes what arrives, at once: the broker waits for no word from us.
    pub(super) async fn listen(&self) -> Result<Consumer> {
        self.consume(true).await
    }

    async fn consume(&self, no_ack: bool) -> Result<Consumer> {
        let qos = self.channel.basic_qos(PREFETCH, BasicQosOptions::default());
        answer("set the prefetch", qos).await?;
        let options = BasicConsumeOptions {
            no_ack,
            ..BasicConsumeOptions::default()
        };
        let mut arguments = FieldTable::default();
        if self.kind == Kind::Stream {
            // Else one sees what comes from now on.
            let first = AMQPValue::LongString("first".into());
            arguments.insert("x-stream-offset".into(), first);
        }
        let (queue, tag) = (self.name.as_str().into(), ShortString::default());
        let consuming = self.channel.basic_consume(queue, tag, options, arguments);
        answer("listen to a queue", consuming).await
    }

    /// Reads it to its end.
    pub(super) async fn drain(&self, tally: Tally) -> Result<Tally> {
        let ready = self.count().await?;
        // The broker counts a stream's messages now and then only: there may be more of them, and on a busy machine they
        // come slowly.
        let is_counted = self.kind != Kind::Stream;
        let is_enough = |tally: &Tally, read| ready <= read && (is_counted || tally.is_complete());
        let (tally, read, _) = self.read(tally, is_enough).await?;
        ensure!(
            ready <= read,
            "the queue held {ready} messages and gave {read}"
        );
        Ok(tally)
    }

    /// Reads it while it is filled, until all that `tally` expects has arrived, or nothing has come for a while. The
    /// moment is that of the last message that it waited for.
    pub(super) async fn follow(&self, tally: Tally) -> Result<(Tally, Instant)> {
        let reading = self.read(tally, |tally, _| tally.is_complete());
        let (tally, _, moment) = reading.await?;
        Ok((tally, moment))
    }

    /// Reads until tally and number of messages are enough, and then what else is there. Tells how many there were, and
    /// when it was enough.
    async fn read(
        &self,
        mut tally: Tally,
        is_enough: impl Fn(&Tally, u64) -> bool,
    ) -> Result<(Tally, u64, Instant)> {
        let mut deliveries = self.consume(false).await?;
        let mut read = 0;
        let mut end = is_enough(&tally, read).then(Instant::now);
        loop {
            // What comes beyond is counted too.
            let limit = if end.is_none() { READ_LIMIT } else { SILENCE };
            let Ok(Some(delivery)) = timeout(limit, deliveries.next()).await else {
                break;
            };
            let delivery = delivery.context("read a queue")?;
            tally.add(&delivery.data);
            read += 1;
            if end.is_none() && is_enough(&tally, read) {
                end = Some(Instant::now());
            }
            if read.is_multiple_of(ACK_EVERY) || end.is_some() {
                let acking = delivery.ack(BasicAckOptions { multiple: true });
                answer("read a queue", acking).await?;
            }
        }
        let tag = deliveries.tag();
        let cancelling = self
            .channel
            .basic_cancel(tag, BasicCancelOptions::default());
        answer("stop listening to a queue", cancelling).await?;
        Ok((tally, read, end.unwrap_or_else(Instant::now)))
    }

    /// Deletes it.
    ///
    /// RabbitMQ 3.10 sometimes fails to answer for a quorum queue because the queue's process has gone already, which is
    /// what was asked for.
    pub(super) async fn delete(self) {
        let options = QueueDeleteOptions::default();
        let deleting = self
            .channel
            .queue_delete(self.name.as_str().into(), options);
        if let Err(error) = answer("delete a queue", deleting).await {
            tell(&format!("{error:#}"));
        }
        let closing = self.connection.close(200, ShortString::from("done"));
        timeout(broker::ANSWER_TIMEOUT, closing).await.ok();
    }
}

/// What the broker answers, within a deadline.
pub(super) async fn answer<T>(
    what: &'static str,
    asking: impl Future<Output = lapin::Result<T>>,
) -> Result<T> {
    let answer = timeout(READ_LIMIT, asking).await;
    let answer = answer.with_context(|| format!("{what}: the broker does not answer"))?;
    answer.context(what)
}

/// Reads the broker's address; the parser's message may repeat it and with it the password.
pub(super) fn parse(amqp_uri: &str) -> Result<AMQPUri> {
    let parsed: Result<AMQPUri, String> = amqp_uri.parse();
    parsed.map_err(|_| anyhow::anyhow!("the broker's address cannot be parsed"))
}

/// A name of its own for everything on servers that others may use too; always of the same length.
pub(super) fn name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("bench_{}_{number:04}", ObjectId::new())
}
