//! A queue that the engine uses, and declares where it may.

use std::fmt;

use lapin::types::AMQPValue;

use super::arguments::{Arguments, TYPE};

/// A queue, as it is to be where it is declared.
#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// Name, at most 255 bytes.
    pub name: String,
    /// The type that it must have. Where there is none, a queue that is there may have any, and a new one is classic.
    pub kind: Option<QueueType>,
    /// Other arguments of a new one.
    pub arguments: Arguments,
}

/// Types of queue: <https://www.rabbitmq.com/docs/queues>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueType {
    /// One node's queue.
    Classic,
    /// Replicated by Raft.
    Quorum,
    /// An append-only log that many can read.
    Stream,
}

impl Queue {
    /// All arguments of a declaration.
    pub(super) fn all_arguments(&self) -> Arguments {
        let mut arguments = self.arguments.clone();
        // Classic has no name, so that a queue fits which any client declared durable.
        let kind = self.kind.filter(|kind| *kind != QueueType::Classic);
        let name = kind.map(|kind| AMQPValue::LongString(kind.as_str().into()));
        arguments.set(TYPE, name);
        arguments
    }
}

impl QueueType {
    /// The types and their names.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("classic", Self::Classic),
        ("quorum", Self::Quorum),
        ("stream", Self::Stream),
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
            Self::Stream => "stream",
        }
    }
}

impl fmt::Display for QueueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
