//! Takes messages from the queue, acknowledges those that were printed, and gives back the others in their places.
//!
//! A subscription's prefetch counts messages, whatever their size, and stays as it is. So each subscription that is full,
//! and on which therefore nothing is on its way, makes room for another one, whose prefetch follows from the size of the
//! bodies so far. With `--peek`, where nothing is acknowledged, this is how more messages come.
//!
//! A classic queue puts what was not acknowledged back in its place when the channel is closed. A quorum queue puts it
//! behind what came back earlier and before everything else, and what is on its way behind everything. So before the end
//! [`Consumer::close`] takes what came back earlier and what is on its way, and everything goes back in order.
//! <https://www.rabbitmq.com/docs/quorum-queues#feature-matrix>

use std::{ops::Range, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _};
use lapin::{
    Channel,
    message::Delivery,
    options::{
        BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions,
        QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Error, headers};
use crate::{
    config::{Begin, TailConfig},
    rabbitmq::{self, Connection, Queue, QueueType},
};

/// The first prefetch. It is small, since what was taken and not printed has to go back, and a quorum queue counts that.
const PREFETCH: u64 = 8;
/// How much larger the next one may be.
const GROWTH: u64 = 4;
/// Bytes of bodies that a prefetch should stay under.
const PREFETCH_BYTES: u64 = 8 << 20;
/// What a message takes beside its body.
const OVERHEAD: u64 = 512;
/// A quorum queue takes back what the subscriptions of a channel hold in the order of their names, if they are not more
/// (RabbitMQ 3.10.8 and 4.0.5, measured).
const SUBSCRIPTIONS_MAX: u32 = 32;
/// Silence after which it is worth asking whether the queue is empty.
const QUIET: Duration = Duration::from_millis(50);
/// How often a queue has to be found empty: a busy broker may answer so in error.
const EMPTY: u32 = 2;
/// The same where only silence tells that a stream has no more.
const QUIET_LOOKS: u32 = 20;
/// Longest wait for one message, or for the answer to a close, when everything is given back: the single active
/// consumer of the queue may be another one.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A channel on which messages are taken.
#[derive(Debug)]
pub(super) struct Consumer {
    connection: Connection,
    channel: Channel,
    queue: Queue,
    /// The queue as it was found: its ready messages and its consumers.
    pub(super) found: lapin::Queue,
    /// Whether nothing is acknowledged.
    peek: bool,
    /// From the next subscription on no more are taken than are wanted, so that no other is touched.
    pub(super) wanted: Option<u64>,
    subscription: Option<lapin::Consumer>,
    subscriptions: u32,
    prefetch: u64,
    /// Messages of the subscription that are not acknowledged.
    held: u64,
    /// All messages and bytes of their bodies so far.
    taken: (u64, u64),
    /// The last delivery tags that were taken, that may be acknowledged, and that are.
    last: u64,
    printed: u64,
    acknowledged: u64,
    /// Whether the next message may be one that came back earlier.
    returned: bool,
    /// Where a stream's reading begins.
    begin: Begin,
    /// The part of a stream that was taken.
    pub(super) offsets: Option<Range<i64>>,
}

impl Consumer {
    /// Connects and opens a channel; goes on after `offsets` in a stream.
    ///
    /// # Errors
    /// The broker cannot be used, or the queue does not exist.
    pub(super) async fn open(
        config: &TailConfig,
        offsets: Option<Range<i64>>,
    ) -> Result<Self, rabbitmq::Error> {
        let connection = Connection::open(&config.broker, "cdc tail").await?;
        let found = connection.check_queue(&config.queue.name).await?;
        Ok(Self {
            channel: connection.channel().await?,
            connection,
            queue: config.queue.clone(),
            found,
            peek: config.peek,
            wanted: None,
            subscription: None,
            subscriptions: 0,
            prefetch: 0,
            held: 0,
            taken: (0, 0),
            last: 0,
            printed: 0,
            acknowledged: 0,
            returned: true,
            begin: config.begin,
            offsets,
        })
    }

    /// The next message; nothing on a stop and, with `until_empty`, where the queue is empty.
    ///
    /// # Errors
    /// The queue is gone, the connection is lost, or a quorum queue takes no more back in order.
    pub(super) async fn wait(
        &mut self,
        stop: &CancellationToken,
        until_empty: bool,
    ) -> Result<Option<Delivery>, Error> {
        let in_order =
            self.queue.kind != Some(QueueType::Quorum) || self.subscriptions < SUBSCRIPTIONS_MAX;
        if self.peek && self.is_full() && !in_order {
            return Err(Error::HoldsEnough {
                queue: self.queue.name.clone(),
                shown: self.taken.0,
            });
        }
        let next = self.next_until(stop, until_empty).await;
        next.map_err(|error| self.lost(error))
    }

    async fn next_until(
        &mut self,
        stop: &CancellationToken,
        until_empty: bool,
    ) -> lapin::Result<Option<Delivery>> {
        let mut empty = 0;
        loop {
            // Not within the select: messages would come to a subscription that was given up half-way.
            self.subscribe().await?;
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(None),
                next = self.next() => if let Some(delivery) = next? {
                    return Ok(Some(delivery));
                },
                () = sleep(QUIET), if until_empty => {
                    if empty == self.looks() {
                        return Ok(None);
                    }
                    empty = if self.is_empty().await? { empty + 1 } else { 0 };
                }
            }
        }
    }

    /// The next message if it is here already. An error comes again with the next operation.
    pub(super) fn ready(&mut self) -> Option<Delivery> {
        self.next().now_or_never()?.ok().flatten()
    }

    /// Acknowledges everything up to `delivery_tag`, or later, or never where messages are to stay.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) async fn printed(&mut self, delivery_tag: u64) -> Result<(), Error> {
        // A stream keeps its messages anyway; there, an acknowledgement only asks for more.
        if self.peek && self.offsets.is_none() {
            return Ok(());
        }
        self.printed = delivery_tag;
        let acknowledged = self.acknowledge_if_safe().await;
        acknowledged.map_err(|error| self.lost(error))
    }

    /// An acknowledgement makes room for as many messages again, which may be more than are wanted.
    async fn acknowledge_if_safe(&mut self) -> lapin::Result<()> {
        if self.is_full() {
            self.unsubscribe().await?;
        }
        if self.subscription.is_none() || self.wanted.is_none() {
            self.acknowledge().await?;
        }
        Ok(())
    }

    /// Acknowledges what was printed and gives back, in its place, everything else.
    ///
    /// # Errors
    /// The connection is lost. It is no matter where messages may be shown again.
    pub(super) async fn close(mut self) -> Result<(), Error> {
        let acknowledged = self.acknowledge().await;
        let acknowledged = acknowledged.map_err(|error| self.lost(error));
        self.peek = true;
        self.wanted = None;
        let none_held = self.acknowledged == self.last && self.subscription.is_none();
        let go_on = CancellationToken::new();
        while self.offsets.is_none() && !none_held && (self.returned || self.may_receive()) {
            let next = timeout(CLOSE_TIMEOUT, self.wait(&go_on, true)).await;
            if !matches!(next, Ok(Ok(Some(_)))) {
                break;
            }
        }
        let _ = timeout(CLOSE_TIMEOUT, self.close_channel()).await;
        self.connection.close().await;
        acknowledged
    }

    /// The channel of a quorum queue may still hold acknowledgements, which its end would drop. When it answers for the
    /// first time, it has heard that all earlier ones were dealt with; when it answers again, it has sent the rest.
    async fn close_channel(&mut self) -> lapin::Result<()> {
        self.unsubscribe().await?;
        for _ in 0..2 {
            self.channel
                .basic_qos(1, BasicQosOptions::default())
                .await?;
        }
        self.channel.close(200, "OK".into()).await
    }

    async fn acknowledge(&mut self) -> lapin::Result<()> {
        if self.printed > self.acknowledged {
            let options = BasicAckOptions { multiple: true };
            self.channel.basic_ack(self.printed, options).await?;
            self.acknowledged = self.printed;
            self.held = self.held.min(self.last - self.acknowledged);
        }
        Ok(())
    }

    /// Sees to it that messages can come.
    async fn subscribe(&mut self) -> lapin::Result<()> {
        if self.may_receive() {
            return Ok(());
        }
        self.unsubscribe().await?;
        self.prefetch =
            next_prefetch(self.prefetch, self.taken).min(self.wanted.unwrap_or(u64::MAX));
        self.held = 0;
        self.subscriptions += 1;
        let prefetch = u16::try_from(self.prefetch).unwrap_or(u16::MAX);
        let qos = self.channel.basic_qos(prefetch, BasicQosOptions::default());
        qos.await?;
        let mut arguments = FieldTable::default();
        if self.queue.kind == Some(QueueType::Stream) {
            let next = self.offsets.as_ref().map(|taken| taken.end);
            let begin = next.map_or(self.begin, Begin::Offset);
            arguments.insert("x-stream-offset".into(), offset(begin));
        }
        let queue = self.queue.name.as_str().into();
        let tag = format!("cdc-tail-{:05}", self.subscriptions).into();
        let options = BasicConsumeOptions::default();
        let consume = self.channel.basic_consume(queue, tag, options, arguments);
        self.subscription = Some(consume.await?);
        Ok(())
    }

    async fn unsubscribe(&mut self) -> lapin::Result<()> {
        match self.subscription.take() {
            Some(subscription) => {
                let options = BasicCancelOptions::default();
                self.channel.basic_cancel(subscription.tag(), options).await
            }
            None => Ok(()),
        }
    }

    /// The next message; nothing where a subscription is needed, perhaps because the queue was deleted.
    ///
    /// # Cancel safety
    /// Cancel safe.
    async fn next(&mut self) -> lapin::Result<Option<Delivery>> {
        let Some(subscription) = &mut self.subscription else {
            return Ok(None);
        };
        let next = subscription.next().await.transpose()?;
        match &next {
            Some(delivery) => self.note(delivery),
            None => self.subscription = None,
        }
        Ok(next)
    }

    fn note(&mut self, delivery: &Delivery) {
        self.held += 1;
        self.last = delivery.delivery_tag;
        self.taken.0 += 1;
        self.taken.1 += delivery.data.len() as u64;
        self.returned = delivery.redelivered && headers::given_out(delivery).is_some();
        if let Some(offset) = headers::integer(delivery, "x-stream-offset") {
            self.offsets.get_or_insert(offset..offset).end = offset + 1;
        }
    }

    /// How often the queue has to be found empty.
    fn looks(&self) -> u32 {
        match self.begin {
            Begin::First => EMPTY,
            _ => QUIET_LOOKS,
        }
    }

    /// Whether the queue has no message that was not taken.
    async fn is_empty(&self) -> lapin::Result<bool> {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let (name, none) = (self.queue.name.as_str().into(), FieldTable::default());
        let found = self.channel.queue_declare(name, options, none).await?;
        if self.queue.kind == Some(QueueType::Stream) && self.begin != Begin::First {
            // The broker tells how many messages it has, not how many come after an offset.
            return Ok(true);
        }
        // A stream keeps what was taken.
        let kept = self
            .offsets
            .as_ref()
            .map_or(0, |taken| taken.end - taken.start);
        Ok(i64::from(found.message_count()) <= kept)
    }

    /// Whether the broker sends no more without an acknowledgement.
    fn is_full(&self) -> bool {
        self.held >= self.prefetch
    }

    fn may_receive(&self) -> bool {
        self.subscription.is_some() && !self.is_full()
    }

    fn lost(&self, error: lapin::Error) -> Error {
        Error::Broker(self.connection.queue_lost(&self.queue.name, error))
    }
}

/// The argument that says where a stream's reading begins.
fn offset(begin: Begin) -> AMQPValue {
    let word = |word: &str| AMQPValue::LongString(word.into());
    match begin {
        Begin::First => word("first"),
        Begin::Last => word("last"),
        Begin::Next => word("next"),
        Begin::Offset(offset) => AMQPValue::LongLongInt(offset),
        Begin::Time(time) => {
            let seconds = time.timestamp_millis().div_euclid(1000);
            AMQPValue::Timestamp(seconds.try_into().unwrap_or_default())
        }
    }
}

/// The prefetch after `previous`, where so many messages had so many bytes of bodies in all.
fn next_prefetch(previous: u64, (messages, bytes): (u64, u64)) -> u64 {
    if messages == 0 {
        return PREFETCH;
    }
    let average = bytes / messages + OVERHEAD;
    let fitting = (PREFETCH_BYTES / average).clamp(1, u64::from(u16::MAX));
    fitting.min(previous * GROWTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefetches(body: u64) -> Vec<u64> {
        let (mut taken, mut prefetch) = ((0, 0), 0);
        let next = || {
            prefetch = next_prefetch(prefetch, taken);
            taken = (taken.0 + prefetch, taken.1 + prefetch * body);
            prefetch
        };
        std::iter::repeat_with(next).take(6).collect()
    }

    #[test]
    fn prefetches_grow_and_stay_under_the_bound_in_bytes() {
        assert_eq!(prefetches(400), [8, 32, 128, 512, 2048, 8192]);
        assert_eq!(prefetches(100_000), [8, 32, 83, 83, 83, 83]);
        assert_eq!(prefetches(16 << 20), [8, 1, 1, 1, 1, 1]);
    }
}
