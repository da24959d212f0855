//! Reads the change stream and hands over its events, in order, with bounded memory.
//!
//! A task of its own reads, so that a read is never cut off half-way: dropping the driver's read loses a batch.
//! The task reopens the stream after the last event that it handed over, as often as it must.
//! It never skips: what it cannot read ends the source with an error.

mod stream;

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use self::stream::Stream;
use crate::{
    event::{self, ChangeEvent, Operation},
    mongo::{self, Mongo},
    position::Position,
    retry::{Backoff, Disposition, chain},
};

/// Events read ahead of the window, at most.
const PREFETCH_EVENTS: usize = 256;
/// Bytes of events read ahead of the window, at most; one larger event still passes alone.
const PREFETCH_BYTES: u32 = 4 << 20;

/// What is watched.
#[derive(Debug, Clone)]
pub struct Config {
    /// Database to watch.
    pub database: String,
    /// Collections to watch; empty for all.
    pub collections: Vec<String>,
    /// Operations to hand over.
    pub operations: Vec<Operation>,
}

/// What the source hands over.
#[derive(Debug)]
pub enum Item {
    /// A change that passes the filter.
    Event(ChangeEvent),
    /// Nothing passed the filter up to here.
    Idle(Position),
}

/// Why the stream cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// MongoDB failed.
    #[error("read the change stream of `{database}`")]
    Mongo {
        /// The watched database.
        database: String,
        /// The cause.
        #[source]
        source: mongo::Error,
    },
    /// The place to resume from has left the oplog, or the server does not accept it.
    #[error("the change stream of `{database}` cannot resume from the checkpoint")]
    HistoryLost {
        /// The watched database.
        database: String,
        /// What the server said.
        #[source]
        source: mongo::Error,
    },
    /// An event that we do not understand.
    #[error("read an event of `{database}` after {after}")]
    Event {
        /// The watched database.
        database: String,
        /// The position before it.
        after: String,
        /// The cause.
        #[source]
        source: event::Error,
    },
    /// The task that reads is gone without a word, which only a defect explains.
    #[error("reading the change stream ended unexpectedly")]
    Ended,
    /// The server ended the stream.
    #[error("the server closed the change stream of `{database}`")]
    Closed {
        /// The watched database.
        database: String,
    },
}

/// The reading end of the source.
#[derive(Debug)]
pub struct Source {
    receiver: mpsc::Receiver<Result<Prefetched, Error>>,
    _task: AbortOnDropHandle<()>,
}

/// An item and its share of the memory bound, given back on drop.
#[derive(Debug)]
pub struct Prefetched {
    /// The item.
    pub item: Item,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Source {
    /// Opens the stream at `position` and begins to read.
    ///
    /// # Errors
    /// The first opening is not retried here.
    pub async fn open(mongo: &Mongo, config: Config, position: Position) -> Result<Self, Error> {
        let stream = Stream::open(mongo, &config, &position).await?;
        let (sender, receiver) = mpsc::channel(PREFETCH_EVENTS);
        let reader = Reader {
            mongo: mongo.clone(),
            config,
            position,
            sender,
            memory: Arc::new(Semaphore::new(PREFETCH_BYTES as usize)),
        };
        // The handle ends the task when the source is dropped.
        let task = tokio::spawn(reader.run(stream));
        Ok(Self {
            receiver,
            _task: AbortOnDropHandle::new(task),
        })
    }

    /// Receives up to `limit` items; waits for the first. After an error nothing more comes.
    ///
    /// # Cancel safety
    /// Cancel safe: nothing is taken unless it is returned in `items`.
    pub async fn receive(
        &mut self,
        items: &mut Vec<Result<Prefetched, Error>>,
        limit: usize,
    ) -> usize {
        self.receiver.recv_many(items, limit).await
    }
}

impl Error {
    /// Whether another attempt may help.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Mongo { source, .. } => source.disposition(),
            Self::Closed { .. } => Disposition::Retry,
            Self::HistoryLost { .. } | Self::Event { .. } | Self::Ended => Disposition::Halt,
        }
    }

    /// What a person can do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Mongo { source, .. } => source.hint(),
            Self::HistoryLost { .. } => Some(
                "the changes since the checkpoint are no longer in the oplog: copy what is missing, then delete the \
                 checkpoint document or choose another CDC_PIPELINE to start from now; a larger oplog prevents this",
            ),
            Self::Event { .. } => {
                Some("the event stays first in line; report it with the server's version")
            }
            Self::Ended => Some("start again, and report it with the log"),
            Self::Closed { .. } => None,
        }
    }
}

/// The task behind a [`Source`].
struct Reader {
    mongo: Mongo,
    config: Config,
    /// After the last item that was handed over.
    position: Position,
    sender: mpsc::Sender<Result<Prefetched, Error>>,
    memory: Arc<Semaphore>,
}

/// The receiver is gone; nobody waits for more.
struct Gone;

impl Reader {
    async fn run(mut self, stream: Stream) {
        let mut stream = Some(stream);
        let mut backoff = Backoff::default();
        loop {
            let outcome = match stream.take() {
                Some(stream) => self.follow(stream, &mut backoff).await,
                None => Stream::open(&self.mongo, &self.config, &self.position)
                    .await
                    .map(|opened| stream = Some(opened)),
            };
            match outcome {
                Ok(()) if stream.is_some() => info!("change stream open again"),
                Ok(()) => {}
                Err(error) if error.disposition() == Disposition::Retry => {
                    let delay = backoff.next_delay();
                    warn!(
                        error = chain(&error),
                        retry_ms = delay.as_millis(),
                        "change stream lost"
                    );
                    tokio::time::sleep(delay).await;
                }
                Err(error) => {
                    let _ = self.sender.send(Err(error)).await;
                    return;
                }
            }
            if self.sender.is_closed() {
                return;
            }
        }
    }

    /// Hands over what `stream` gives until it fails or ends.
    async fn follow(&mut self, mut stream: Stream, backoff: &mut Backoff) -> Result<(), Error> {
        loop {
            let Some(item) = stream.next(&self.config.database, &self.position).await? else {
                continue;
            };
            backoff.reset();
            let reopen =
                matches!(&item, Item::Event(event) if event.operation() == Operation::Invalidate);
            self.position = item.position();
            if self.wanted(&item) {
                if self.hand_over(item).await.is_err() {
                    return Ok(());
                }
            } else if self
                .hand_over(Item::Idle(self.position.clone()))
                .await
                .is_err()
            {
                return Ok(());
            }
            if reopen {
                return Ok(());
            }
        }
    }

    /// Invalidate events are always read, because the stream can only be reopened after them.
    fn wanted(&self, item: &Item) -> bool {
        match item {
            Item::Event(event) => self.config.operations.contains(&event.operation()),
            Item::Idle(_) => true,
        }
    }

    async fn hand_over(&self, item: Item) -> Result<(), Gone> {
        let permit = match &item {
            Item::Event(event) => {
                let bytes = u32::try_from(event.raw().as_bytes().len())
                    .unwrap_or(u32::MAX)
                    .min(PREFETCH_BYTES);
                Some(
                    Arc::clone(&self.memory)
                        .acquire_many_owned(bytes)
                        .await
                        .map_err(|_| Gone)?,
                )
            }
            Item::Idle(_) => None,
        };
        self.sender
            .send(Ok(Prefetched {
                item,
                _permit: permit,
            }))
            .await
            .map_err(|_| Gone)
    }
}

impl Item {
    /// The position after this item.
    pub fn position(&self) -> Position {
        match self {
            Self::Event(event) => event.position(),
            Self::Idle(position) => position.clone(),
        }
    }
}
