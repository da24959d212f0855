//! Writes messages to the socket, in frames as large as is useful, and nothing after one that failed.

use std::{mem, sync::Arc};

use rabbitmq_stream_protocol::codec::Encoder as _;
use tokio::sync::{mpsc, oneshot};

use super::properties;
use crate::{
    message::Message,
    rabbitmq::{
        Error,
        stream::{Connection, PublishedMessage},
    },
    sabotage::{self, Defect},
};

/// Bytes of a frame with more than one message: larger ones are not faster, and take more memory.
const FRAME_BYTES: usize = 64 << 10;
/// Bytes of a frame beside its messages: length, key, version, publisher and number of messages.
const FRAME_EXTRA: usize = 4 + 2 + 2 + 1 + 4;
/// Bytes of a message in a frame beside itself: id and length.
const MESSAGE_EXTRA: usize = 8 + 4;

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
}

/// Messages of one publisher.
#[derive(Default)]
struct Frame {
    publisher: u8,
    messages: Vec<PublishedMessage>,
    bytes: usize,
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
        let mut frame = Frame::default();
        for Outgoing {
            publisher,
            id,
            message,
        } in batch
        {
            let stored = properties::of(&message, id);
            let size = usize::try_from(stored.encoded_size()).unwrap_or(usize::MAX);
            let bytes = size.saturating_add(MESSAGE_EXTRA);
            if publisher != frame.publisher || limit.min(FRAME_BYTES) < frame.size() + bytes {
                self.publish(&mut frame).await?;
            }
            if limit < FRAME_EXTRA + bytes {
                let body = message.body.len();
                return Err(Error::Oversize {
                    bytes: body,
                    limit: limit.saturating_sub(FRAME_EXTRA + bytes - body),
                });
            }
            frame.publisher = publisher;
            frame.bytes += bytes;
            frame.messages.push(PublishedMessage::new(id, stored, None));
        }
        self.publish(&mut frame).await
    }

    async fn publish(&mut self, frame: &mut Frame) -> Result<(), Error> {
        let Frame {
            publisher,
            messages,
            ..
        } = mem::take(frame);
        if messages.is_empty() {
            return Ok(());
        }
        self.frames += 1;
        if self.frames == LOST_FRAME && sabotage::has(Defect::LoseFrame) {
            return Ok(());
        }
        self.connection.publish(publisher, messages).await
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

impl Frame {
    fn size(&self) -> usize {
        FRAME_EXTRA + self.bytes
    }
}
