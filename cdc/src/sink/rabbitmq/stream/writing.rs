//! Writes messages to the socket, in frames as large as is useful, and nothing after one that failed.

use std::{mem, sync::Arc};

use tokio::sync::{mpsc, oneshot};

use super::properties;
use crate::{
    message::Message,
    rabbitmq::{
        Error,
        stream::{Connection, Publish},
    },
    sabotage::{self, Defect},
};

/// Bytes of a frame with more than one message: larger ones are not faster, and take more memory.
const FRAME_BYTES: usize = 64 << 10;

/// Number of the frame of each connection that a test build may leave out.
const LOST_FRAME: u64 = 5;

/// A message on its way to the socket.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// The publisher's number on the connection.
    pub(super) publisher: u8,
    /// The publishing id.
    pub(super) id: u64,
    pub(super) message: Arc<Message>,
}

/// What a stream's last id has to be before the first message is written.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) stream: String,
    pub(super) last: u64,
}

/// The task that writes.
pub(super) struct Writing {
    pub(super) connection: Arc<Connection>,
    /// The publisher's name.
    pub(super) name: String,
    /// Looked at once, right before the first message.
    pub(super) expected: Vec<Expected>,
    /// Frames that were written, or were to be.
    pub(super) frames: u64,
    /// The message that is made, kept for its memory.
    pub(super) message: Vec<u8>,
}

impl Writing {
    /// Writes what comes, until something fails, which ends it.
    pub(super) async fn run(
        mut self,
        mut batches: mpsc::Receiver<Vec<Outgoing>>,
        failed: oneshot::Sender<Error>,
    ) {
        while let Some(batch) = batches.recv().await {
            if let Err(error) = self.write(batch).await {
                let _ = failed.send(error);
                return;
            }
        }
    }

    async fn write(&mut self, mut batch: Vec<Outgoing>) -> Result<(), Error> {
        self.check_ends().await?;
        // Messages of one stream keep their order.
        batch.sort_by_key(|outgoing| outgoing.publisher);
        let limit = self.connection.frame_max();
        let mut frame = Publish::new(0);
        let mut publisher_before = 0;
        for Outgoing {
            publisher,
            id,
            message,
        } in batch
        {
            self.message.clear();
            properties::write(&message, id, &mut self.message);
            let bytes = Publish::bytes_of(self.message.len());
            let is_full = limit.min(FRAME_BYTES) < frame.len() + bytes;
            if publisher != publisher_before || is_full {
                self.publish(mem::replace(&mut frame, Publish::new(publisher)))
                    .await?;
                publisher_before = publisher;
            }
            if limit < frame.len() + bytes {
                return Err(oversize(&message, frame.len() + bytes, limit));
            }
            frame.push(id, &self.message);
        }
        self.publish(frame).await
    }

    async fn publish(&mut self, frame: Publish) -> Result<(), Error> {
        if frame.is_empty() {
            return Ok(());
        }
        self.frames += 1;
        if self.frames == LOST_FRAME && sabotage::has(Defect::LoseFrame) {
            return Ok(());
        }
        self.connection.publish(frame).await
    }

    /// An engine before this one may have written after its end was looked at.
    async fn check_ends(&mut self) -> Result<(), Error> {
        for Expected { stream, last } in mem::take(&mut self.expected) {
            if self.connection.last_id(&self.name, &stream).await? != last {
                return Err(Error::OtherEnd { stream });
            }
        }
        Ok(())
    }
}

/// A message whose frame has `bytes` bytes, where the broker takes `limit`.
fn oversize(message: &Message, bytes: usize, limit: usize) -> Error {
    let body = message.body.len();
    Error::Oversize {
        bytes: body,
        limit: limit.saturating_sub(bytes - body),
    }
}
