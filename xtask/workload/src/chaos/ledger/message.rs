//! What the ledger is told, by the writers and by the consumer.

use std::fmt;

use crate::chaos::change::{DocumentId, Operation};

/// How the database answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Not yet.
    Pending,
    /// With a majority behind it: it must arrive.
    Acknowledged,
    /// Lost, or an error that leaves it open.
    Unknown,
}

/// Whether changes that are sent together happen together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Together {
    /// One after the other, up to a failure.
    Batch,
    /// All or none.
    Transaction,
}

/// A message as the consumer decoded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What was done.
    pub operation: Operation,
    /// Index of the collection.
    pub collection: u8,
    /// To which document.
    pub document: DocumentId,
    /// The number in the document or in the collection's name; a delete has none.
    pub number: Option<u32>,
    /// Fingerprint of the content; 0 where there is none.
    pub content: u64,
    /// The cluster's clock at the change.
    pub cluster_time: (u32, u32),
    /// Its `message_id`; empty if it has none.
    pub id: String,
    /// Number of the queue that it was in.
    pub partition: u16,
    /// Whether the broker says that it delivered this very message before.
    pub redelivered: bool,
}

/// Which copies the order is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copies {
    /// The first ones, as promised without nacks.
    First,
    /// The last ones, as promised after nacks.
    Last,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} in collection {}, number {:?}, message {}, cluster time {:?}, partition {}",
            self.operation.name(),
            self.document.text(),
            self.collection,
            self.number,
            self.id,
            self.cluster_time,
            self.partition
        )
    }
}
