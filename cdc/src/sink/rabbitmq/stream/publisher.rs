//! Publishes messages to the streams of the partitions, and gives a receipt for each that is stored.
//!
//! What is parked goes over the connection that holds the lock, by AMQP.

use std::{fmt, sync::Arc};

use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Connected, Places, Streams, Track,
    connect::not_yet,
    ends::{End, Ends, stored},
    writing::{Expected, Outgoing, Writing},
};
use crate::{
    lease::standbys::Questions,
    message::{Message, Target},
    rabbitmq::{
        Error,
        stream::{Connection, Event, Events},
    },
    sink::{
        Receipt,
        rabbitmq::{Config, amqp},
    },
};

/// Batches on their way to the socket: as many as the largest window has messages.
const BATCHES_MAX: usize = 65_536;

/// Connections by both protocols, and what is in flight by that of streams.
pub(in crate::sink::rabbitmq) struct Publisher {
    lock: amqp::Publisher,
    connection: Arc<Connection>,
    events: Events,
    streams: Vec<String>,
    tracks: Vec<Track>,
    places: Places,
    /// Streams that have messages of ours, and do not tell the last one.
    unknown: u64,
    /// Receipts that are not given yet: what was found stored when the connection was made again.
    settled: Vec<Receipt>,
    outgoing: mpsc::Sender<Vec<Outgoing>>,
    failed: oneshot::Receiver<Error>,
    lost: Option<Error>,
    _writing: AbortOnDropHandle<()>,
}

impl Publisher {
    /// Finds out where each stream ends, and publishes from there on: at the start of a session by its last message, and
    /// where a connection was lost by what was `left` in flight on it.
    ///
    /// # Errors
    /// [`Error::OtherEnd`] where that does not go together; otherwise whatever ends the connection.
    pub(in crate::sink::rabbitmq) async fn open(
        config: &Config,
        streams: &Streams,
        lock: amqp::Publisher,
        (connection, mut events): Connected,
        left: Option<Vec<Track>>,
    ) -> Result<Self, Error> {
        let targets = config.topology.targets.iter();
        let names: Vec<String> = targets.map(|queue| queue.name.clone()).collect();
        let mut ends = Ends::default();
        for (number, stream) in (0..).zip(&names) {
            let name = &streams.publisher;
            let declared = connection.declare_publisher(number, name, stream).await;
            declared.map_err(not_yet)?;
            let last = connection.last_id(name, stream).await?;
            let mut end = End {
                connection: &connection,
                events: &mut events,
                stream,
                last,
            };
            match left.as_ref().map(|left| left[usize::from(number)].clone()) {
                Some(track) => end.resume(track, &mut ends).await?,
                None => end.begin(&mut ends).await?,
            }
        }
        let connection = Arc::new(connection);
        let expected = names.iter().zip(&ends.tracks);
        let expected = expected.filter_map(|(stream, track)| {
            Some(Expected {
                stream: stream.clone(),
                last: track.expected_last()?,
            })
        });
        let writing = Writing {
            connection: Arc::clone(&connection),
            name: streams.publisher.clone(),
            expected: expected.collect(),
            frames: 0,
            message: Vec::new(),
        };
        let (outgoing, batches) = mpsc::channel(BATCHES_MAX);
        let (failure, failed) = oneshot::channel();
        let writing = tokio::spawn(writing.run(batches, failure));
        Ok(Self {
            lock,
            connection,
            events,
            streams: names,
            tracks: ends.tracks,
            places: ends.places,
            unknown: ends.unknown,
            settled: ends.settled,
            outgoing,
            failed,
            lost: None,
            _writing: AbortOnDropHandle::new(writing),
        })
    }

    /// What is in flight to each stream, for the next connection.
    pub(in crate::sink::rabbitmq) fn left(&self) -> Vec<Track> {
        self.tracks.clone()
    }

    /// Where each stream ended at the start of the session.
    pub(in crate::sink::rabbitmq) fn places(&self) -> &Places {
        &self.places
    }

    /// How many streams have messages of ours, and do not tell the last one.
    pub(in crate::sink::rabbitmq) fn unknown(&self) -> u64 {
        self.unknown
    }

    /// Host and port of the node.
    pub(in crate::sink::rabbitmq) fn address(&self) -> String {
        self.connection.node().to_string()
    }

    /// The connection that holds the lock.
    pub(in crate::sink::rabbitmq) fn lock(&self) -> &amqp::Publisher {
        &self.lock
    }

    /// The questions for the lock, once.
    pub(in crate::sink::rabbitmq) fn take_questions(&mut self) -> Option<Questions> {
        self.lock.take_questions()
    }

    /// Puts messages in line for the socket, those of a stream in order. A connection that is already lost is reported by
    /// [`Publisher::verdicts`].
    pub(in crate::sink::rabbitmq) fn send(
        &mut self,
        messages: impl Iterator<Item = (u64, Arc<Message>)>,
    ) {
        let (mut batch, mut parked) = (Vec::new(), Vec::new());
        for (sequence, message) in messages {
            if message.target == Target::Parked {
                parked.push((sequence, message));
                continue;
            }
            let number = message.partition.map_or(0, |partition| partition.number);
            let id = self.tracks[usize::from(number)].push(sequence);
            batch.push(Outgoing {
                publisher: u8::try_from(number).unwrap_or(u8::MAX),
                id,
                message,
            });
        }
        if !batch.is_empty() {
            // An error means that nothing is written any more, which `failed` says.
            let _ = self.outgoing.try_send(batch);
        }
        if !parked.is_empty() {
            self.lock.send(parked.into_iter());
        }
    }

    /// Waits for at least one verdict and adds all that are there to `receipts`.
    ///
    /// # Errors
    /// As the one by AMQP.
    ///
    /// # Cancel safety
    /// Cancel safe: no verdict is lost.
    pub(in crate::sink::rabbitmq) async fn verdicts(
        &mut self,
        receipts: &mut Vec<Receipt>,
    ) -> Result<(), Error> {
        if !self.settled.is_empty() {
            receipts.append(&mut self.settled);
            return Ok(());
        }
        if self.lost.is_none() {
            tokio::select! {
                biased;
                event = self.events.recv() => self.on_event(event, receipts),
                Ok(error) = &mut self.failed => self.lost = Some(error),
                outcome = self.lock.verdicts(receipts) => self.lost = outcome.err(),
            }
        }
        self.drain(receipts);
        let Some(error) = self.lost.take() else {
            return Ok(());
        };
        self.lock.sweep(receipts);
        Err(error)
    }

    /// Adds every verdict that is there to `receipts`.
    pub(in crate::sink::rabbitmq) fn sweep(&mut self, receipts: &mut Vec<Receipt>) {
        receipts.append(&mut self.settled);
        self.drain(receipts);
        self.lock.sweep(receipts);
    }

    /// Takes what the broker has said by now.
    fn drain(&mut self, receipts: &mut Vec<Receipt>) {
        while let Ok(event) = self.events.try_recv() {
            self.on_event(Some(event), receipts);
        }
    }

    fn on_event(&mut self, event: Option<Event>, receipts: &mut Vec<Receipt>) {
        let reason = match event {
            Some(Event::Confirmed { publisher, ids }) => {
                let Some(track) = self.tracks.get_mut(usize::from(publisher)) else {
                    return;
                };
                let confirmed = ids.into_iter().filter_map(|id| track.confirm(id));
                receipts.extend(confirmed.map(stored));
                return;
            }
            Some(Event::Chunk(_)) => return,
            Some(Event::Lost(error)) => {
                self.lost.get_or_insert(error);
                return;
            }
            Some(Event::Refused { publisher, reason }) => {
                let stream = self.streams.get(usize::from(publisher));
                let stream = stream.map_or("", String::as_str);
                format!("it refused a message for stream `{stream}`: {reason}")
            }
            Some(Event::Moved) => "a stream is gone, or led by another node".to_owned(),
            None => "the connection is gone".to_owned(),
        };
        let address = self.address();
        self.lost.get_or_insert(Error::Stream { address, reason });
    }

    /// Messages without a verdict.
    pub(in crate::sink::rabbitmq) fn in_flight(&self) -> usize {
        let streams = self.tracks.iter().map(Track::in_flight);
        streams.sum::<usize>() + self.lock.in_flight()
    }

    /// Whether the broker has asked us to stop sending for now.
    pub(in crate::sink::rabbitmq) fn blocked(&self) -> bool {
        self.lock.blocked()
    }

    /// Closes the connections politely, within a deadline.
    pub(in crate::sink::rabbitmq) async fn close(self) {
        self.connection.close().await;
        self.lock.close().await;
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("connection", &self.connection)
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}
