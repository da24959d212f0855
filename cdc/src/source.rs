//! Reads the change stream and hands over its events, in order, with bounded memory.
//!
//! A task of its own reads, so that a read is never cut off half-way: dropping the driver's read loses a batch.
//! The task reopens the stream after the last event that it handed over, as often as it must.
//! It skips only what the oplog no longer holds, only where the user chose so, and says what: anything else that it
//! cannot read ends the source with an error.

mod chunk;
mod error;
mod ladder;
mod opener;
mod pace;
mod patience;
mod reader;
mod scope;
mod split;
mod stages;
mod stream;

use std::sync::Arc;

use bson::Timestamp;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::task::AbortOnDropHandle;

pub use self::{
    chunk::Chunk,
    error::{Error, Refusal},
    scope::{
        Absent, Aggregation, Choice, Collections, Databases, Existing, FullDocument,
        FullDocumentBefore, Images, Operations, SYSTEM_DATABASES, Scope, Survey, Unmet,
    },
};
use self::{opener::Opener, reader::Reader};
use crate::{
    event::ChangeEvent, health::Health, metrics::Metrics, mongo::Mongo, position::Position,
};

/// Chunks read ahead of the window, at most.
const PREFETCH_CHUNKS: usize = 2;
/// Bytes of events read ahead of the window, at most; one larger event still passes alone.
const PREFETCH_BYTES: u32 = 2 << 20;

/// What to read.
#[derive(Debug, Clone)]
pub struct Config {
    /// What is watched.
    pub scope: Scope,
    /// What to do when the position to resume from has left the oplog.
    pub on_history_lost: HistoryLost,
}

/// What to do when the changes since the checkpoint are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryLost {
    /// Stop with an error.
    Stop,
    /// Go on from now, and say what was skipped.
    Skip,
    /// The same, and read every document that exists then.
    Snapshot,
}

/// What the source hands over.
#[derive(Debug)]
pub enum Item {
    /// A change that passes the filter.
    Event(ChangeEvent),
    /// A rename that nobody wants to be told of: the names of what is watched change with it.
    Renamed(ChangeEvent),
    /// Nothing passed the filter up to here.
    Idle(Position),
    /// Changes are lost, and reading goes on after them.
    Skipped(Skipped),
}

/// A stretch of history that nobody read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    /// Cluster time of the last position before it, where it is known.
    pub from: Option<Timestamp>,
    /// Cluster time at which reading goes on.
    pub to: Timestamp,
}

/// The reading end of the source.
#[derive(Debug)]
pub struct Source {
    receiver: mpsc::Receiver<Result<Chunk, Error>>,
    behind_seconds: u32,
    _task: AbortOnDropHandle<()>,
}

impl Source {
    /// Opens the stream at `position` and begins to read.
    ///
    /// # Errors
    /// The first opening is not retried here.
    pub async fn open(
        mongo: &Mongo,
        config: Config,
        position: Position,
        (metrics, health): (Metrics, Health),
    ) -> Result<Self, Error> {
        let mut opener = Opener::new(mongo, config, position);
        let stream = opener.open().await?;
        let behind_seconds = opener.position().seconds_before(stream.now());
        let (sender, receiver) = mpsc::channel(PREFETCH_CHUNKS);
        let memory = Arc::new(Semaphore::new(PREFETCH_BYTES as usize));
        let reader = Reader::new(opener, (sender, memory), (metrics, health));
        // The handle ends the task when the source is dropped.
        let task = tokio::spawn(reader.run(stream));
        Ok(Self {
            receiver,
            behind_seconds,
            _task: AbortOnDropHandle::new(task),
        })
    }

    /// A source that hands over these items, some at a time, and then nothing more.
    #[cfg(test)]
    pub(crate) fn scripted(chunks: Vec<Vec<Item>>) -> Self {
        let now = tokio::time::Instant::now();
        Self::timed(chunks.into_iter().map(|items| (now, 0, items)).collect())
    }

    /// The same, each chunk at its time, and so many seconds behind the server.
    #[cfg(test)]
    pub(crate) fn timed(chunks: Vec<(tokio::time::Instant, u32, Vec<Item>)>) -> Self {
        let (sender, receiver) = mpsc::channel(PREFETCH_CHUNKS);
        let task = tokio::spawn(async move {
            for (at, behind_seconds, items) in chunks {
                tokio::time::sleep_until(at).await;
                let mut chunk = Chunk::default();
                for item in items {
                    let mut now = item.position().cluster_time().unwrap_or(Timestamp {
                        time: 0,
                        increment: 0,
                    });
                    now.time += behind_seconds;
                    chunk.push(item, now);
                }
                let _ = sender.send(Ok(chunk)).await;
            }
            std::future::pending::<()>().await;
        });
        Self {
            receiver,
            behind_seconds: 0,
            _task: AbortOnDropHandle::new(task),
        }
    }

    /// How many seconds it began behind the server's time.
    pub fn behind_seconds(&self) -> u32 {
        self.behind_seconds
    }

    /// Waits for the next items. After an error nothing more comes; `None` where the task is gone.
    ///
    /// # Cancel safety
    /// Cancel safe: nothing is taken unless it is returned.
    pub async fn receive(&mut self) -> Option<Result<Chunk, Error>> {
        self.receiver.recv().await
    }
}

/// Asks the server whether it reads on from `position` at this moment, by opening a stream there and dropping it.
///
/// # Errors
/// [`Error::HistoryLost`] where it does not.
pub async fn probe(mongo: &Mongo, scope: &Scope, position: &Position) -> Result<(), Error> {
    stream::probe(mongo, scope, position).await
}

/// Asks the server whether it takes the options and stages of the change stream.
///
/// # Errors
/// [`Error::Options`] where it does not.
pub async fn check_options(mongo: &Mongo, scope: &Scope) -> Result<(), Error> {
    stream::check_options(mongo, scope).await
}

/// Asks the server whether the source can begin at `position`, and changes nothing. Where it refuses the position and takes
/// its cluster time instead, this gives the refusal: nothing is lost then.
///
/// # Errors
/// As [`Source::open`] with [`HistoryLost::Stop`].
pub async fn rehearse(
    mongo: &Mongo,
    scope: &Scope,
    position: &Position,
) -> Result<Option<Error>, Error> {
    let config = Config {
        scope: scope.clone(),
        on_history_lost: HistoryLost::Stop,
    };
    check_options(mongo, scope).await?;
    drop(Opener::new(mongo, config, position.clone()).open().await?);
    let refused = probe(mongo, scope, position).await.err();
    Ok(refused.filter(|error| matches!(error, Error::HistoryLost { .. })))
}

impl HistoryLost {
    /// The choices and their names.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("stop", Self::Stop),
        ("skip", Self::Skip),
        ("snapshot", Self::Snapshot),
    ];

    /// Whether reading goes on after what was lost.
    pub fn goes_on(self) -> bool {
        self != Self::Stop
    }

    /// What follows where history is skipped, for people.
    fn mend(self) -> &'static str {
        match self {
            Self::Snapshot => {
                "everything is read again; documents that were deleted in between are not told of, so drop what that \
                 snapshot does not bring"
            }
            Self::Skip | Self::Stop => "copy what changed in between",
        }
    }
}

impl Item {
    /// The position after this item.
    pub fn position(&self) -> Position {
        match self {
            Self::Event(event) | Self::Renamed(event) => event.position(),
            Self::Idle(position) => position.clone(),
            Self::Skipped(skipped) => Position::At(skipped.to),
        }
    }
}

impl Skipped {
    /// How long it is, where that is known.
    pub fn seconds(&self) -> Option<u32> {
        let from = self.from?;
        Some(self.to.time.saturating_sub(from.time))
    }
}
