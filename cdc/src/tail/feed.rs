//! The messages of the queue, one after the other, and their way back.
//!
//! What was not acknowledged goes back to its place when the channel is closed. A quorum queue puts what comes back
//! behind what came back earlier and before everything else, so before the end [`Feed::close`] takes what came back
//! earlier too, and everything goes back in order.
//! <https://www.rabbitmq.com/docs/quorum-queues#feature-matrix>

use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use lapin::{
    Channel, Consumer,
    message::Delivery,
    options::{
        BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions,
        QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable, ShortString},
};

use super::wave::{Total, Wave};
use crate::publish::{Connection, Error, Queue, QueueType};

/// Silence after which it is worth asking whether the queue is empty.
pub(super) const QUIET: Duration = Duration::from_millis(50);
/// Longest time for taking what came back earlier.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest wave of messages that are acknowledged, since more do not come faster.
const ACKNOWLEDGED_MAX: u16 = 2048;

/// A channel on which messages arrive in waves.
#[derive(Debug)]
pub(super) struct Feed {
    connection: Connection,
    channel: Channel,
    queue: Queue,
    messages: u32,
    consumers: u32,
    /// Whether nothing is acknowledged.
    keep: bool,
    /// How many messages may be taken.
    limit: u64,
    /// The subscription of the wave that is under way.
    consumer: Option<Consumer>,
    wave: Wave,
    /// Waves so far.
    waves: u32,
    /// Messages taken before this wave.
    before: u64,
    /// Whether the wave was cancelled.
    ended: bool,
    /// A message that was taken out of turn.
    held: Option<Delivery>,
    total: Total,
    /// Whether a message that came back earlier may be next.
    after_returned: bool,
    /// The last delivery tags that may be and that are acknowledged; on a channel they count from 1.
    done: u64,
    acknowledged: u64,
    /// Where a stream goes on; its messages say themselves that they are of one.
    offset: Option<i64>,
}

impl Feed {
    /// Opens a channel; the queue is there.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) async fn open(
        connection: Connection,
        queue: Queue,
        keep: bool,
        found: &lapin::Queue,
    ) -> Result<Self, Error> {
        let size_max = if keep { u16::MAX } else { ACKNOWLEDGED_MAX };
        Ok(Self {
            channel: connection.channel().await?,
            connection,
            queue,
            messages: found.message_count(),
            consumers: found.consumer_count(),
            keep,
            limit: u64::MAX,
            consumer: None,
            wave: Wave::first(size_max),
            waves: 0,
            before: 0,
            ended: false,
            held: None,
            total: Total::default(),
            after_returned: true,
            done: 0,
            acknowledged: 0,
            offset: None,
        })
    }

    /// Ready messages when it was opened.
    pub(super) fn messages(&self) -> u32 {
        self.messages
    }

    /// Consumers when it was opened.
    pub(super) fn consumers(&self) -> u32 {
        self.consumers
    }

    /// Takes no more than `limit` messages, so that no other is touched.
    pub(super) fn limit(mut self, limit: u64) -> Self {
        self.limit = limit;
        self
    }

    /// Goes on where `lost` was, in a stream; a queue knows by itself.
    pub(super) fn after(mut self, lost: &Self) -> Self {
        let held = i64::from(lost.held.is_some());
        self.offset = lost.offset.map(|offset| offset - held);
        self
    }

    /// Sees to it that messages can arrive.
    ///
    /// # Errors
    /// The queue is gone, or the connection is lost.
    ///
    /// # Cancel safety
    /// Not cancel safe: messages may arrive that nobody takes.
    pub(super) async fn subscribe(&mut self) -> Result<(), Error> {
        let outcome = match &self.consumer {
            None => self.start_wave().await,
            Some(_) if self.keep && self.offset.is_none() && self.wave_full() => {
                self.end_wave().await
            }
            Some(_) => Ok(()),
        };
        outcome.map_err(|error| self.lost(error))
    }

    /// The next message, or nothing where a wave is over and the next one has to be subscribed to.
    ///
    /// # Errors
    /// The connection is lost.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(super) async fn next(&mut self) -> Result<Option<Delivery>, Error> {
        if let Some(held) = self.held.take() {
            return Ok(Some(held));
        }
        let Some(consumer) = &mut self.consumer else {
            return Ok(None);
        };
        match consumer.next().await {
            Some(Ok(delivery)) => {
                self.take(&delivery);
                Ok(Some(delivery))
            }
            Some(Err(error)) => Err(self.lost(error)),
            None => {
                self.consumer = None;
                Ok(None)
            }
        }
    }

    /// The next message if it is here already.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) fn ready(&mut self) -> Result<Option<Delivery>, Error> {
        self.next().now_or_never().unwrap_or(Ok(None))
    }

    /// Whether the queue is empty and nothing is on its way.
    ///
    /// # Errors
    /// The queue is gone, or the connection is lost.
    pub(super) async fn is_empty(&mut self) -> Result<bool, Error> {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let name = self.name();
        let found = self
            .channel
            .queue_declare(name, options, FieldTable::default())
            .await;
        if found.map_err(|error| self.lost(error))?.message_count() > 0 {
            return Ok(false);
        }
        // Whatever the queue gave out before the answer above is here before the answer to this.
        let again = self
            .channel
            .basic_qos(self.wave.size(), BasicQosOptions::default())
            .await;
        again.map_err(|error| self.lost(error))?;
        self.held = self.ready()?;
        Ok(self.held.is_none())
    }

    /// Acknowledges everything up to `delivery_tag`, or later, or never where messages are to stay; says how many were.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) async fn acknowledge(&mut self, delivery_tag: u64) -> Result<usize, Error> {
        // A stream keeps its messages anyway; there, an acknowledgement only asks for more.
        if self.keep && self.offset.is_none() {
            return Ok(0);
        }
        self.done = delivery_tag;
        // An acknowledgement makes room for as many messages again, which may be more than are wanted.
        let too_many = delivery_tag.saturating_add(u64::from(self.wave.size())) > self.limit;
        if self.wave_full() && (too_many || self.wants_another_wave()) {
            let ended = self.end_wave().await;
            ended.map_err(|error| self.lost(error))?;
        } else if too_many {
            return Ok(0);
        }
        self.flush().await
    }

    /// Sends the acknowledgements that were put off; says of how many messages.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) async fn flush(&mut self) -> Result<usize, Error> {
        let count = self.done - self.acknowledged;
        if count > 0 {
            let options = BasicAckOptions { multiple: true };
            let sent = self.channel.basic_ack(self.done, options).await;
            sent.map_err(|error| self.lost(error))?;
            self.acknowledged = self.done;
        }
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Gives back, in its place, what was not acknowledged.
    pub(super) async fn close(mut self) {
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.stand_still()).await;
        let close = self.channel.close(200, "OK".into());
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, close).await;
        self.connection.close().await;
    }

    /// Brings about that nothing is on its way, in either direction.
    async fn stand_still(&mut self) -> Result<(), Error> {
        let all_back = self.acknowledged == self.total.messages();
        let nothing_comes = self.consumer.is_none() || self.ended;
        if self.offset.is_some() || all_back && nothing_comes {
            return Ok(());
        }
        self.keep = true;
        self.limit = u64::MAX;
        while self.after_returned || self.wave_open() {
            self.subscribe().await?;
            match tokio::time::timeout(QUIET, self.next()).await {
                Ok(next) => drop(next?),
                Err(_) if self.is_empty().await? => break,
                Err(_) => {}
            }
        }
        // The channel of a quorum queue may still hold acknowledgements, which its end would drop. When the answer to
        // the cancellation comes, it has heard that all earlier ones were dealt with; when the second answer comes, it
        // has sent the rest.
        let ended = self.end_wave().await;
        ended.map_err(|error| self.lost(error))?;
        let answered = self.channel.basic_qos(1, BasicQosOptions::default()).await;
        answered.map_err(|error| self.lost(error))
    }

    fn take(&mut self, delivery: &Delivery) {
        self.total.add(delivery.data.len());
        self.after_returned = delivery.redelivered && returns(delivery).is_some();
        if let Some(offset) = integer(delivery, "x-stream-offset") {
            self.offset = Some(offset + 1);
        }
    }

    async fn start_wave(&mut self) -> lapin::Result<()> {
        if self.waves > 0 {
            self.wave = self.wave.next(self.total);
        }
        let left = self.limit.saturating_sub(self.total.messages());
        self.wave = self.wave.at_most(left);
        self.channel
            .basic_qos(self.wave.size(), BasicQosOptions::default())
            .await?;
        // Up to 32 consumers of one channel give back in the order of their names.
        let tag = format!("cdc-tail-{:05}", self.waves);
        self.waves += 1;
        self.before = self.total.messages();
        self.ended = false;
        let options = BasicConsumeOptions::default();
        let consumer =
            self.channel
                .basic_consume(self.name(), tag.into(), options, self.arguments());
        self.consumer = Some(consumer.await?);
        Ok(())
    }

    /// Ends a wave on which nothing is on its way: a quorum queue would put that behind all other messages.
    async fn end_wave(&mut self) -> lapin::Result<()> {
        match &self.consumer {
            Some(consumer) if !self.ended => {
                self.ended = true;
                let tag = consumer.tag();
                self.channel
                    .basic_cancel(tag, BasicCancelOptions::default())
                    .await
            }
            _ => Ok(()),
        }
    }

    /// Whether the broker sends no more without an acknowledgement.
    fn wave_full(&self) -> bool {
        let unacknowledged = self.total.messages() - self.acknowledged.max(self.before);
        unacknowledged >= u64::from(self.wave.size())
    }

    /// Whether messages may be on their way.
    fn wave_open(&self) -> bool {
        self.consumer.is_some() && !self.ended && !self.wave_full()
    }

    fn wants_another_wave(&self) -> bool {
        self.offset.is_none() && self.wave.next(self.total) != self.wave
    }

    fn arguments(&self) -> FieldTable {
        let mut arguments = FieldTable::default();
        if self.queue.kind == QueueType::Stream {
            arguments.insert(
                "x-stream-offset".into(),
                AMQPValue::LongLongInt(self.offset.unwrap_or(0)),
            );
        }
        arguments
    }

    fn name(&self) -> ShortString {
        self.queue.name.as_str().into()
    }

    fn lost(&self, error: lapin::Error) -> Error {
        self.connection.queue_lost(&self.queue.name, error)
    }
}

/// How often a quorum queue has given `delivery` out before, where it says.
pub(super) fn returns(delivery: &Delivery) -> Option<i64> {
    integer(delivery, "x-delivery-count").or_else(|| integer(delivery, "x-acquired-count"))
}

/// A header that is a whole number.
pub(super) fn integer(delivery: &Delivery, name: &str) -> Option<i64> {
    let headers = delivery.properties.headers().as_ref()?;
    match headers.inner().get(name)? {
        AMQPValue::LongLongInt(value) => Some(*value),
        AMQPValue::LongInt(value) => Some(i64::from(*value)),
        AMQPValue::LongUInt(value) => Some(i64::from(*value)),
        AMQPValue::Timestamp(value) => i64::try_from(*value).ok(),
        _ => None,
    }
}
