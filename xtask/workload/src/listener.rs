//! Listens to the engine's queue without taking anything from it.
//!
//! Nothing is acknowledged and the broker takes every message back when the channel closes. Measured
//! on 3.10.8 and 4.0.5, classic and quorum: none is lost and the order is kept. It must be the close
//! of the channel: a quorum queue of 3.10 moves a message that was nacked to its end.
//!
//! Quorum queues set two limits. They hand over at most 65,535 messages ([`QUORUM_PREFETCH`]), and
//! from 4.0 on they drop a message that was put back more than 20 times (`x-delivery-limit`), so the
//! listener counts what it holds and notes how often that was put back before.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use futures_util::{StreamExt, stream::ReadyChunks};
use lapin::{
    Channel, Connection, Consumer,
    message::Delivery,
    options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    broker,
    settings::{QueueType, Settings},
};

/// Most messages that are taken in one go, and stamped with one moment of arrival.
const CHUNK: usize = 512;

/// Longest time that a lost broker may stay away.
const PATIENCE: Duration = Duration::from_secs(60);

/// Pause before the broker is tried again.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// Silence after which the backlog counts as read, if somebody else holds part of it.
const BACKLOG_SILENCE: Duration = Duration::from_secs(1);

/// Above the consumers of other programs (0): ours sees each message first.
const PRIORITY: i32 = 100;

/// The most that a quorum queue hands over; without a number it would be 2,000 (measured).
pub const QUORUM_PREFETCH: u16 = u16::MAX;

/// Messages of a stream that are on their way; it needs a bound and frees a place by an ack.
const STREAM_PREFETCH: u16 = 1_000;

/// An open ear at the queue.
pub struct Listener {
    settings: Settings,
    /// When we began; a stream is read from there, also after a lost connection.
    since: SystemTime,
    connection: Connection,
    channel: Channel,
    deliveries: ReadyChunks<Consumer>,
    /// Consumers that were there before us.
    pub other_consumers: u32,
    /// Messages that were ready in the queue before us.
    pub backlog: u32,
    /// The most times that one of the messages was delivered and put back before.
    pub put_back: i64,
    /// Messages that we hold now.
    pub held: usize,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}

impl Listener {
    /// Starts listening; the queue is declared if it does not exist.
    ///
    /// # Errors
    /// If the broker cannot be reached or does not let us listen.
    pub async fn open(settings: &Settings) -> Result<Self> {
        Self::open_since(settings, SystemTime::now()).await
    }

    async fn open_since(settings: &Settings, since: SystemTime) -> Result<Self> {
        let connection = broker::connect(settings).await?;
        let (channel, queue) = broker::queue(&connection, settings).await?;
        let consumer = consume(&channel, settings, since).await?;
        Ok(Self {
            settings: settings.clone(),
            since,
            connection,
            channel,
            deliveries: consumer.ready_chunks(CHUNK),
            other_consumers: queue.consumer_count(),
            backlog: queue.message_count(),
            put_back: 0,
            held: 0,
        })
    }

    /// Skips the messages that were in the queue before.
    ///
    /// # Errors
    /// If the broker is lost for good.
    pub async fn skip_backlog(&mut self) -> Result<()> {
        let is_stream = self.settings.cdc_queue_type == QueueType::Stream;
        while !is_stream && self.held < self.backlog as usize {
            let Ok(chunk) = timeout(BACKLOG_SILENCE, self.next()).await else {
                break;
            };
            chunk?;
        }
        Ok(())
    }

    /// The next messages, and the moment of their arrival.
    ///
    /// A lost connection is opened again; the broker then delivers everything once more.
    ///
    /// # Errors
    /// If the broker is not back after a minute.
    pub async fn next(&mut self) -> Result<(Instant, Vec<Delivery>)> {
        loop {
            let chunk = self.deliveries.next().await;
            let moment = Instant::now();
            let messages: Vec<Delivery> =
                chunk.into_iter().flatten().map_while(Result::ok).collect();
            if messages.is_empty() {
                self.reopen().await?;
                continue;
            }
            self.held += messages.len();
            let counts = messages.iter().filter_map(delivery_count);
            self.put_back = counts.fold(self.put_back, i64::max);
            if self.settings.cdc_queue_type == QueueType::Stream {
                // In a stream this asks for more and removes nothing.
                for message in &messages {
                    message.ack(BasicAckOptions::default()).await.ok();
                }
            }
            return Ok((moment, messages));
        }
    }

    /// Whether the queue hands over `more` messages while we hold what we have.
    pub fn can_hold(&self, more: usize) -> bool {
        self.settings.cdc_queue_type != QueueType::Quorum
            || self.held + more <= usize::from(QUORUM_PREFETCH)
    }

    /// Stops listening and returns when every message is back in its place.
    pub async fn close(self) {
        // The broker puts messages back before it confirms the close. If it is gone, it has.
        let closing = async {
            let done = || ShortString::from("done");
            self.channel.close(200, done()).await.ok();
            self.connection.close(200, done()).await.ok();
        };
        timeout(broker::ANSWER_TIMEOUT, closing).await.ok();
    }

    async fn reopen(&mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        // The broker may have closed the channel alone, and would keep the rest for us.
        let reason = ShortString::from("reconnecting");
        let closing = self.connection.close(200, reason);
        timeout(RETRY_DELAY, closing).await.ok();
        loop {
            sleep(RETRY_DELAY).await;
            match Self::open_since(&self.settings, self.since).await {
                Ok(listener) => {
                    *self = listener;
                    return Ok(());
                }
                Err(error) if deadline <= Instant::now() => {
                    return Err(error).context("the broker did not come back");
                }
                Err(_) => {}
            }
        }
    }
}

/// How often a quorum queue has delivered this message and got it back.
fn delivery_count(message: &Delivery) -> Option<i64> {
    let headers = message.properties.headers().as_ref()?;
    headers.inner().get("x-delivery-count")?.as_long_long_int()
}

async fn consume(channel: &Channel, settings: &Settings, since: SystemTime) -> Result<Consumer> {
    let mut arguments = FieldTable::default();
    let prefetch = match settings.cdc_queue_type {
        // No bound.
        QueueType::Classic => 0,
        QueueType::Quorum => QUORUM_PREFETCH,
        QueueType::Stream => {
            let since = since.duration_since(UNIX_EPOCH).unwrap_or_default();
            let offset = AMQPValue::Timestamp(since.as_secs());
            arguments.insert("x-stream-offset".into(), offset);
            STREAM_PREFETCH
        }
    };
    if settings.cdc_queue_type != QueueType::Stream {
        arguments.insert("x-priority".into(), AMQPValue::LongInt(PRIORITY));
    }
    let qos = channel.basic_qos(prefetch, BasicQosOptions::default());
    qos.await.context("set the prefetch")?;
    let name = settings.rabbitmq_queue_name.as_str();
    let (tag, options) = (ShortString::default(), BasicConsumeOptions::default());
    let consuming = channel.basic_consume(name.into(), tag, options, arguments);
    let consumer = consuming.await;
    consumer.with_context(|| format!("listen to queue `{name}`"))
}
