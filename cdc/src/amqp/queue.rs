//! The queue that the engine declares.

use lapin::types::{AMQPValue, FieldTable};

/// A queue and its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Name, at most 255 bytes.
    pub name: String,
    /// Type.
    pub kind: QueueType,
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

impl QueueType {
    /// The types and their names.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("classic", Self::Classic),
        ("quorum", Self::Quorum),
        ("stream", Self::Stream),
    ];

    /// Arguments of the declaration. Classic has none, so that a queue which any client declared durable fits.
    pub fn arguments(self) -> FieldTable {
        let mut arguments = FieldTable::default();
        let name = match self {
            Self::Classic => return arguments,
            Self::Quorum => "quorum",
            Self::Stream => "stream",
        };
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(name.into()));
        arguments
    }
}
