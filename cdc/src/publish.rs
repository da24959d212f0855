//! Publishes messages with publisher confirms and reports the broker's verdict on each.
//!
//! Messages go out in the order of [`Publisher::send`], many in flight; verdicts come in any order.
//! This module never retries and never touches the checkpoint; the pipeline does both.
//!
//! Confirms: <https://www.rabbitmq.com/docs/confirms>.

mod broker;
mod connection;
mod error;
mod greeting;
mod in_flight;
mod judgement;
mod lock;
mod properties;
mod queue;
mod scheduling;
mod standby;
mod window;

use std::{fmt, future::poll_fn, pin::Pin, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, Stream, StreamExt as _};
use lapin::{
    Channel, ConnectionState, ErrorKind, options::BasicPublishOptions, types::ShortString,
};

pub use self::{
    broker::Broker,
    connection::Connection,
    error::Error,
    judgement::{Judgement, Returned},
    lock::{Lock, PIPELINE_BYTES_MAX},
    queue::{Queue, QueueType},
    standby::Standby,
    window::{Bounds, Verdict, Window},
};
use self::{
    in_flight::{InFlight, Outcome},
    judgement::{Confirm, Heard},
};
use crate::message::Message;

/// `mandatory`: a message that matches no queue comes back instead of vanishing with an ack.
const OPTIONS: BasicPublishOptions = BasicPublishOptions {
    mandatory: true,
    immediate: false,
};

/// Where and how to publish.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the broker is.
    pub broker: Broker,
    /// Queue that is declared when messages go to the default exchange.
    pub queue: Queue,
    /// Exchange to publish to; empty for the default exchange. It must exist, we never declare one.
    pub exchange: String,
    /// Queue that is declared for what is parked, where a policy parks anything.
    pub parking: Option<Queue>,
    /// Held while publishing, so that one engine of a pipeline publishes at a time.
    pub lock: Lock,
    /// Longest wait for the broker's verdict while the connection is not blocked.
    pub confirm_timeout: Duration,
}

impl Config {
    /// The queues that are ours to declare.
    fn queues(&self) -> impl Iterator<Item = &Queue> {
        let target = Some(&self.queue).filter(|_| self.exchange.is_empty());
        target.into_iter().chain(&self.parking)
    }
}

/// A confirm channel and the messages in flight on it.
pub struct Publisher {
    new_queues: Vec<String>,
    connection: Arc<Connection>,
    target: Arc<Target>,
    in_flight: InFlight<Confirm>,
    /// What ended in the last look, kept for its memory.
    outcomes: Vec<Outcome<Heard>>,
    /// What a sweep found, for the next [`Publisher::verdicts`].
    lost: Option<lapin::Error>,
    events: Pin<Box<dyn Stream<Item = lapin::Event> + Send>>,
}

/// Where messages go. Shared by all in flight, since a clone of the channel alone costs as much as to encode a message.
struct Target {
    channel: Channel,
    exchange: ShortString,
    parking: ShortString,
}

impl Publisher {
    /// Connects once more after a loss: takes the lock, turns confirms on, and checks that where messages go is still
    /// there.
    ///
    /// # Errors
    /// [`Error::Locked`] when another engine holds the lock, [`Error::NoQueue`] when a queue of ours is gone; see
    /// [`Error::disposition`] for the others.
    pub async fn connect_again(config: &Config) -> Result<Self, Error> {
        let standby = Standby::connect(config).await?;
        if standby.take_lock(config).await? {
            standby.lead_again(config).await
        } else {
            Err(Error::Locked)
        }
    }

    fn new(
        connection: Connection,
        channel: Channel,
        new_queues: Vec<String>,
        config: &Config,
    ) -> Self {
        let parking = config.parking.as_ref().map(|queue| queue.name.as_str());
        Self {
            new_queues,
            events: Box::pin(connection.events()),
            connection: Arc::new(connection),
            target: Arc::new(Target {
                channel,
                exchange: config.exchange.as_str().into(),
                parking: parking.unwrap_or_default().into(),
            }),
            in_flight: InFlight::default(),
            outcomes: Vec::new(),
            lost: None,
        }
    }

    /// Queues that were not there and that this connection declared.
    pub fn new_queues(&self) -> &[String] {
        &self.new_queues
    }

    /// Checks once more where messages go, without a pause of what is in flight.
    ///
    /// # Errors
    /// As [`Publisher::connect_again`].
    pub fn check_again(
        &self,
        config: Config,
    ) -> impl Future<Output = Result<(), Error>> + Send + 'static {
        let connection = Arc::clone(&self.connection);
        async move { connection.check(&config).await }
    }

    /// Puts messages in line for the socket, in order, after everything sent before. A connection that is already lost
    /// is reported by [`Publisher::verdicts`].
    pub fn send(&mut self, messages: impl Iterator<Item = (u64, Arc<Message>)>) {
        let target = &self.target;
        let publishes = messages.map(|(sequence, message)| {
            let target = Arc::clone(target);
            let properties = properties::of(&message, target.exchange.as_str());
            let publishing = async move {
                let (exchange, routing_key) = target.place(&message);
                let publish = target.channel.basic_publish(
                    exchange,
                    routing_key,
                    OPTIONS,
                    &message.body,
                    properties,
                );
                publish.await.map(Confirm::from)
            };
            (sequence, publishing)
        });
        self.in_flight.extend(publishes);
    }

    /// Waits for at least one verdict and adds all that are there to `judgements`.
    ///
    /// # Errors
    /// The connection or the channel is lost, which is noticed with nothing in flight too; what is still in flight has
    /// to be published again on a new one. `judgements` may have grown all the same.
    ///
    /// # Cancel safety
    /// Cancel safe: no verdict is lost.
    pub async fn verdicts(&mut self, judgements: &mut Vec<Judgement>) -> Result<(), Error> {
        if self.lost.is_none() {
            let Self {
                in_flight,
                outcomes,
                events,
                ..
            } = self;
            tokio::select! {
                biased;
                () = poll_fn(|context| in_flight.poll(context, outcomes)) => {}
                error = broken(events) => return Err(self.connection.lost(error)),
            }
            self.judge(judgements);
        }
        if self.lost.is_some() {
            // A verdict behind it may carry the return of a message that counts as confirmed.
            self.sweep(judgements);
        }
        match self.lost.take() {
            Some(error) => {
                let cause = self.cause(error);
                Err(self
                    .connection
                    .exchange_lost(self.target.exchange.as_str(), cause))
            }
            None => Ok(()),
        }
    }

    /// Adds every verdict that is there to `judgements`, also those that [`Publisher::verdicts`] would give only after
    /// the ones before them.
    pub fn sweep(&mut self, judgements: &mut Vec<Judgement>) {
        self.in_flight.sweep(&mut self.outcomes);
        self.judge(judgements);
    }

    /// Tells verdicts from errors, the first of which is kept.
    fn judge(&mut self, judgements: &mut Vec<Judgement>) {
        for (sequence, outcome) in self.outcomes.drain(..) {
            match outcome {
                Ok(Heard { verdict, returned }) => judgements.push(Judgement {
                    sequence,
                    verdict,
                    returned,
                }),
                Err(error) => {
                    self.lost.get_or_insert(error);
                }
            }
        }
    }

    /// What closed the channel, where `error` says only that it is closed.
    fn cause(&mut self, error: lapin::Error) -> lapin::Error {
        let is_state = matches!(
            error.kind(),
            ErrorKind::InvalidChannelState(..) | ErrorKind::InvalidConnectionState(_)
        );
        let known = if is_state {
            broken(&mut self.events).now_or_never()
        } else {
            None
        };
        known.filter(lapin::Error::is_amqp_error).unwrap_or(error)
    }

    /// Messages without a verdict.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether the broker has asked us to stop sending for now (memory or disk alarm).
    pub fn blocked(&self) -> bool {
        self.connection.blocked()
    }

    /// Closes the connection politely, within a deadline.
    pub async fn close(self) {
        self.connection.close().await;
    }
}

impl Target {
    /// The exchange and the routing key of `message`.
    fn place(&self, message: &Message) -> (ShortString, ShortString) {
        match &message.parked {
            Some(_) => (ShortString::default(), self.parking.clone()),
            None => (self.exchange.clone(), (&*message.routing_key).into()),
        }
    }
}

/// Waits for the connection's or a channel's end.
async fn broken(events: &mut (impl Stream<Item = lapin::Event> + Unpin)) -> lapin::Error {
    loop {
        match events.next().await {
            Some(lapin::Event::Error(error)) => return error,
            Some(_) => {}
            None => return ErrorKind::InvalidConnectionState(ConnectionState::Closed).into(),
        }
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("in_flight", &self.in_flight.len())
            .finish_non_exhaustive()
    }
}
