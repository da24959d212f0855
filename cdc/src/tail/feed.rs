//! The messages of the queue, one after the other, and their way back.
//!
//! What was not acknowledged goes back to its place when the channel is closed. A quorum queue puts what comes back
//! behind what came back earlier and before everything else, so before the end [`Feed::close`] takes what came back
//! earlier too, and everything goes back in order.
//! <https://www.rabbitmq.com/docs/quorum-queues#feature-matrix>

mod back;

use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use lapin::{
    Channel, Consumer,
    message::Delivery,
    options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};

use super::{
    headers,
    wave::{Total, Wave},
};
use crate::amqp::{Connection, Error, Queue, QueueType};

/// Silence after which it is worth asking whether the queue is empty.
pub(super) const QUIET: Duration = Duration::from_millis(50);
/// A quorum queue takes back what the subscriptions of a channel hold in the order of their names, if they are not more
/// (RabbitMQ 3.10.8 and 4.0.5, measured).
const KEPT_WAVES_MAX: u32 = 32;
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
    /// Waves so far, and those among them of which nothing is acknowledged.
    waves: u32,
    kept_waves: u32,
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
    /// Where in a stream; its messages say themselves that they are of one.
    offsets: Option<Offsets>,
}

/// Offsets in a stream.
#[derive(Debug, Clone, Copy)]
struct Offsets {
    /// The first message taken.
    first: i64,
    /// The message to go on with.
    next: i64,
}

impl Offsets {
    fn at(offset: i64) -> Self {
        Self {
            first: offset,
            next: offset,
        }
    }
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
            kept_waves: 0,
            before: 0,
            ended: false,
            held: None,
            total: Total::default(),
            after_returned: true,
            done: 0,
            acknowledged: 0,
            offsets: None,
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
        self.offsets = lost.offsets;
        if let (Some(offsets), Some(_)) = (&mut self.offsets, &lost.held) {
            offsets.next -= 1;
        }
        self
    }

    /// Whether another wave would change the order of what is held.
    pub(super) fn holds_enough(&self) -> bool {
        self.queue.kind == QueueType::Quorum
            && self.keep
            && self.kept_waves >= KEPT_WAVES_MAX
            && self.wave_full()
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
            Some(_) if self.keep && self.offsets.is_none() && self.wave_full() => {
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
        let messages = found.map_err(|error| self.lost(error))?.message_count();
        // A stream keeps what was read.
        let read = self
            .offsets
            .map_or(0, |offsets| offsets.next - offsets.first);
        if i64::from(messages) > read {
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

    fn take(&mut self, delivery: &Delivery) {
        self.total.add(delivery.data.len());
        self.after_returned = delivery.redelivered && headers::given_out(delivery).is_some();
        if let Some(offset) = headers::integer(delivery, "x-stream-offset") {
            self.offsets.get_or_insert(Offsets::at(offset)).next = offset + 1;
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
        let tag = format!("cdc-tail-{:05}", self.waves);
        self.waves += 1;
        self.kept_waves += u32::from(self.keep);
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
        self.wave.next(self.total) != self.wave
    }

    fn arguments(&self) -> FieldTable {
        let mut arguments = FieldTable::default();
        if self.queue.kind == QueueType::Stream {
            arguments.insert(
                "x-stream-offset".into(),
                AMQPValue::LongLongInt(self.offsets.map_or(0, |offsets| offsets.next)),
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
