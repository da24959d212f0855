//! Publishes messages on a confirm channel and gives the broker's verdict on each.
//!
//! It never retries; [`Link`](super::Link) makes a new one when its connection is lost.
//! Confirms: <https://www.rabbitmq.com/docs/confirms>.

use std::{fmt, future::poll_fn, pin::Pin, sync::Arc};

use futures_util::{FutureExt as _, Stream, StreamExt as _};
use lapin::{
    Channel, ConnectionState, ErrorKind, options::BasicPublishOptions, types::ShortString,
};

use super::{
    confirm::{Answer, Confirm},
    in_flight::{InFlight, Outcome},
    properties::{self, Marks},
};
use crate::{
    lease::standbys::Questions,
    message::{Message, Target},
    rabbitmq::{Connection, Error, Topology},
    sink::Receipt,
};

/// `mandatory`: a message that matches no queue comes back instead of vanishing with an ack.
const OPTIONS: BasicPublishOptions = BasicPublishOptions {
    mandatory: true,
    immediate: false,
};

/// A confirm channel and the messages in flight on it.
pub(in crate::sink::rabbitmq) struct Publisher {
    connection: Arc<Connection>,
    addresses: Arc<Addresses>,
    in_flight: InFlight<Confirm>,
    /// What ended in the last look, kept for its memory.
    outcomes: Vec<Outcome<Answer>>,
    /// What a sweep found, for the next [`Publisher::verdicts`].
    lost: Option<lapin::Error>,
    events: Pin<Box<dyn Stream<Item = lapin::Event> + Send>>,
    questions: Option<Questions>,
}

/// Where messages go. Shared by all in flight, since a clone of the channel alone costs as much as to encode a message.
struct Addresses {
    channel: Channel,
    exchange: ShortString,
    parking: ShortString,
    marks: Marks,
}

impl Publisher {
    /// Publishes on `channel`, which is in confirm mode, on the connection that has the lock.
    pub(in crate::sink::rabbitmq) fn new(
        (connection, channel): (Connection, Channel),
        questions: Option<Questions>,
        topology: &Topology,
        marks: &Marks,
    ) -> Self {
        let parking = topology.parking.as_ref().map(|queue| queue.name.as_str());
        Self {
            events: Box::pin(connection.events()),
            connection: Arc::new(connection),
            addresses: Arc::new(Addresses {
                channel,
                exchange: topology.exchange.name.as_str().into(),
                parking: parking.unwrap_or_default().into(),
                marks: marks.clone(),
            }),
            in_flight: InFlight::default(),
            outcomes: Vec::new(),
            lost: None,
            questions,
        }
    }

    /// Host and port of the node.
    pub(in crate::sink::rabbitmq) fn address(&self) -> String {
        self.connection.address()
    }

    /// The questions for the lock, once.
    pub(in crate::sink::rabbitmq) fn take_questions(&mut self) -> Option<Questions> {
        self.questions.take()
    }

    /// Checks once more where messages go, without a pause of what is in flight.
    ///
    /// # Errors
    /// As [`Topology::check`].
    pub(in crate::sink::rabbitmq) fn check_again(
        &self,
        topology: Topology,
    ) -> impl Future<Output = Result<(), Error>> + Send + 'static {
        let connection = Arc::clone(&self.connection);
        async move { topology.check(&connection).await }
    }

    /// Puts messages in line for the socket, in order, after everything sent before. A connection that is already lost
    /// is reported by [`Publisher::verdicts`].
    pub(in crate::sink::rabbitmq) fn send(
        &mut self,
        messages: impl Iterator<Item = (u64, Arc<Message>)>,
    ) {
        let addresses = &self.addresses;
        let publishes = messages.map(|(sequence, message)| {
            let addresses = Arc::clone(addresses);
            let properties = properties::of(&message, &addresses.marks);
            let publishing = async move {
                let (exchange, routing_key) = addresses.of(&message);
                let publish = addresses.channel.basic_publish(
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

    /// Waits for at least one verdict and adds all that are there to `receipts`.
    ///
    /// # Errors
    /// The connection or the channel is lost, which is noticed with nothing in flight too; what is still in flight has
    /// to be published again on a new one. `receipts` may have grown all the same.
    ///
    /// # Cancel safety
    /// Cancel safe: no verdict is lost.
    pub(in crate::sink::rabbitmq) async fn verdicts(
        &mut self,
        receipts: &mut Vec<Receipt>,
    ) -> Result<(), Error> {
        if self.lost.is_none() {
            let Self {
                in_flight,
                outcomes,
                events,
                ..
            } = self;
            let broken = tokio::select! {
                biased;
                () = poll_fn(|context| in_flight.poll(context, outcomes)) => None,
                error = broken(events) => Some(error),
            };
            if let Some(error) = broken {
                // A receipt that is there may carry the return of a message that counts as confirmed.
                self.sweep(receipts);
                return Err(self.connection.lost(error));
            }
            self.take_outcomes(receipts);
        }
        if self.lost.is_some() {
            // A verdict behind it may carry the return of a message that counts as confirmed.
            self.sweep(receipts);
        }
        match self.lost.take() {
            Some(error) => {
                let cause = self.cause(error);
                Err(self
                    .connection
                    .exchange_lost(self.addresses.exchange.as_str(), cause))
            }
            None => Ok(()),
        }
    }

    /// Adds every verdict that is there to `receipts`, also those that [`Publisher::verdicts`] would give only after
    /// the ones before them, and the rest of each frame of which one has been seen.
    ///
    /// The library's thread gives the verdicts of one frame in any order, and a return rides on whichever comes first.
    /// So the looks go on until one, taken when no frame was half done, finds nothing.
    pub(in crate::sink::rabbitmq) fn sweep(&mut self, receipts: &mut Vec<Receipt>) {
        loop {
            self.end_frame();
            self.in_flight.sweep(&mut self.outcomes);
            if self.outcomes.is_empty() {
                return;
            }
            self.take_outcomes(receipts);
        }
    }

    /// Waits until the library's thread is through with the frame that it has in hand, if it has one: it holds a lock
    /// meanwhile, which this takes.
    #[expect(clippy::disallowed_methods, reason = "it is not awaited")]
    fn end_frame(&self) {
        let _ = self.addresses.channel.wait_for_confirms().now_or_never();
    }

    /// Tells verdicts from errors, the first of which is kept.
    fn take_outcomes(&mut self, receipts: &mut Vec<Receipt>) {
        for (sequence, outcome) in self.outcomes.drain(..) {
            match outcome {
                Ok(Answer { verdict, returned }) => receipts.push(Receipt {
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
    pub(in crate::sink::rabbitmq) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether the broker has asked us to stop sending for now (memory or disk alarm).
    pub(in crate::sink::rabbitmq) fn blocked(&self) -> bool {
        self.connection.blocked()
    }

    /// Closes the connection politely, within a deadline.
    pub(in crate::sink::rabbitmq) async fn close(self) {
        self.connection.close().await;
    }
}

impl Addresses {
    /// The exchange and the routing key of `message`.
    fn of(&self, message: &Message) -> (ShortString, ShortString) {
        match &message.target {
            Target::Main(key) => (self.exchange.clone(), (&**key).into()),
            Target::Parked => (ShortString::default(), self.parking.clone()),
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
