//! What a sink of a program's own sees of a message.

use std::sync::Arc;

use bson::Timestamp;

use crate::{
    event::Operation,
    message::{self, DocumentKey, Target, Value as HeaderValue},
};

/// One message, which tells of one change, or of a document that a snapshot read. A clone is the same message.
#[derive(Debug, Clone)]
pub struct Message(Arc<message::Message>);

impl Message {
    pub(super) fn new(message: Arc<message::Message>) -> Self {
        Self(message)
    }

    /// Its id, 32 hexadecimal digits: the same whenever the change is told again, and another for every other change.
    pub fn id(&self) -> String {
        self.0.message_id.to_string()
    }

    /// What happened.
    pub fn operation(&self) -> &Operation {
        &self.0.operation
    }

    /// `database.collection`, or `database` alone for an operation on the whole database.
    pub fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// When the change happened, by the cluster's logical clock. Of a document that a snapshot read, it is the time as of which
    /// it is: after every change up to there.
    pub fn cluster_time(&self) -> Timestamp {
        self.0.cluster_time
    }

    /// When the change happened, in milliseconds since 1970; absent before MongoDB 6.0, and where a snapshot read the
    /// document.
    pub fn wall_time_ms(&self) -> Option<i64> {
        self.0.wall_time_ms
    }

    /// Name of the run of the snapshot that read the document; absent for a change. The headers `cdc-snapshot-mark` and
    /// `cdc-snapshot-range` say where the run or a part of it begins and ends.
    pub fn snapshot(&self) -> Option<&str> {
        self.0.snapshot()
    }

    /// `_id` and shard key of the document as canonical Extended JSON; absent for an operation that is about no document. Of
    /// a key of more than 1,024 bytes it is the SHA-256, in hexadecimal digits.
    pub fn document_key(&self) -> Option<&str> {
        self.0.document_key.as_ref().map(DocumentKey::as_str)
    }

    /// Its routing key, as `RABBITMQ_ROUTING_KEY` says; absent for a message that is to be parked.
    pub fn routing_key(&self) -> Option<&str> {
        match &self.0.target {
            Target::Main(key) => Some(key),
            Target::Parked => None,
        }
    }

    /// Whether it is to be put aside, as only a policy such as `CDC_ON_POISON=park` does: its body may be another than the
    /// others', and its headers `cdc-park-reason` and `cdc-park-detail` say why.
    pub fn is_parked(&self) -> bool {
        self.0.target == Target::Parked
    }

    /// Number of the partition that it is for, where `CDC_PARTITIONS` spreads changes over several. A change that is about
    /// no document is one message for each.
    pub fn partition(&self) -> Option<u16> {
        self.0.partition.map(|partition| partition.number)
    }

    /// All headers with their values, as a message to RabbitMQ would have them.
    pub fn headers(&self) -> impl Iterator<Item = (&str, HeaderValue<'_>)> {
        self.0.headers()
    }

    /// Media type of the body.
    pub fn content_type(&self) -> &str {
        self.0.content_type
    }

    /// What the body is compressed with, as `CDC_COMPRESSION` says: `zstd` or `gzip`.
    pub fn content_encoding(&self) -> Option<&str> {
        self.0.content_encoding
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.0.body
    }
}
