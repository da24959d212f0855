//! Why the change stream cannot be read.

use std::{fmt, time::Duration};

use mongodb::error::{Error as DriverError, ErrorKind};

use crate::{
    event,
    mongo::{self, without_values},
    retry::Disposition,
};

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
    /// The server is alive and did not answer.
    #[error("no answer to a read of the change stream of `{database}` within {} s", .after.as_secs())]
    Slow {
        /// The watched database.
        database: String,
        /// How long we waited.
        after: Duration,
    },
    /// The position to resume from has left the oplog, or the server does not accept it.
    #[error("the change stream of `{database}` cannot resume from the checkpoint, {position}")]
    HistoryLost {
        /// The watched database.
        database: String,
        /// The position.
        position: String,
        /// What the server said.
        #[source]
        source: Refusal,
    },
    /// The position is in the cluster's future: the server would leave out every change up to it without a word.
    #[error(
        "the checkpoint of `{database}`, {position}, is later than the cluster's own time, {now}"
    )]
    Ahead {
        /// The watched database.
        database: String,
        /// The position.
        position: String,
        /// The cluster's present time.
        now: String,
    },
    /// History was skipped, and what the server gave then was lost as well before anything came of it.
    #[error("the change stream was skipped ahead and lost again without an event in between")]
    Exhausted {
        /// The last failure.
        #[source]
        source: Box<Error>,
    },
    /// A change event over 16 MB, on a server that cannot split it.
    #[error("a change event of `{database}` {after} is larger than the server can send")]
    TooLarge {
        /// The watched database.
        database: String,
        /// The position before it.
        after: String,
    },
    /// Parts of a large event that make no whole.
    #[error("put together a large event of `{database}` {after}")]
    Split {
        /// The watched database.
        database: String,
        /// The position before it.
        after: String,
        /// The cause.
        #[source]
        source: super::split::Error,
    },
    /// An event that we do not understand.
    #[error("read an event of `{database}` {after}")]
    Event {
        /// The watched database.
        database: String,
        /// The position before it.
        after: String,
        /// The cause.
        #[source]
        source: event::Error,
    },
    /// A change without the document before or after it, which is required.
    #[error(
        "a change of `{database}` {after} comes without a document that is required: {message}"
    )]
    NoImage {
        /// The watched database.
        database: String,
        /// The position before it.
        after: String,
        /// The server's words.
        message: String,
    },
    /// Documents before or after a change are required, and collections do not keep them.
    #[error(
        "the collection `{database}.{collection}`{} does not keep the documents before and after a change, which are \
         required", and_more(*.more)
    )]
    NoImages {
        /// The database of the first one.
        database: String,
        /// The first one.
        collection: String,
        /// How many more there are.
        more: usize,
    },
    /// A pattern that matches nothing, before there is a checkpoint.
    #[error("the pattern `{pattern}` matches no collection of `{database}`")]
    Nothing {
        /// The watched database.
        database: String,
        /// The pattern.
        pattern: String,
    },
    /// The server does not take what the change stream is asked for, wherever it begins.
    #[error("the server does not take the options and stages of the change stream")]
    Options(#[source] Refusal),
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

/// The server does not go on from a position. Its words without the resume token, which holds a document's `_id`.
#[derive(Debug)]
pub struct Refusal {
    code: i32,
    name: String,
    pub(super) message: String,
}

impl Refusal {
    /// A refusal of the position, among the errors of opening a stream: whatever is wrong with the token gives an error of
    /// its own, and nothing else varies from one opening to the next.
    pub(super) fn of_token(error: &DriverError) -> Option<Self> {
        let ErrorKind::Command(command) = error.kind.as_ref() else {
            return None;
        };
        Some(Self {
            code: command.code,
            name: command.code_name.clone(),
            message: without_values(&command.message).to_owned(),
        })
    }

    /// A refusal of the position, among the errors of reading, and of opening at a cluster time.
    pub(super) fn of_position(error: &DriverError) -> Option<Self> {
        Self::of_token(error).filter(|refusal| matches!(refusal.code, 136 | 260 | 280 | 286))
    }

    /// Whether the oplog no longer reaches back so far.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.code, 136 | 286)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "mongodb: {} (code {}, {})",
            self.message, self.code, self.name
        )
    }
}

impl std::error::Error for Refusal {}

fn and_more(count: usize) -> String {
    match count {
        0 => String::new(),
        _ => format!(", as {count} more,"),
    }
}

impl Error {
    /// Whether [`HistoryLost::Skip`](super::HistoryLost::Skip) goes on after it.
    pub fn is_skipped(&self) -> bool {
        matches!(self, Self::Ahead { .. }) || self.is_lost()
    }

    /// Whether the oplog no longer reaches back to the position.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::HistoryLost { source, .. } if source.is_lost())
    }

    /// Whether another attempt may help.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Mongo { source, .. } => source.disposition(),
            Self::Slow { .. } | Self::Closed { .. } => Disposition::Retry,
            Self::HistoryLost { .. }
            | Self::Ahead { .. }
            | Self::Exhausted { .. }
            | Self::TooLarge { .. }
            | Self::Split { .. }
            | Self::Event { .. }
            | Self::NoImage { .. }
            | Self::NoImages { .. }
            | Self::Nothing { .. }
            | Self::Options(_)
            | Self::Ended => Disposition::Halt,
        }
    }
}
