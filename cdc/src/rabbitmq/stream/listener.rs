//! Listens to the broker: gives answers to those who asked, and tells what it says of its own accord.

use std::{io, sync::Arc, time::Duration};

use rabbitmq_stream_protocol::{Response, ResponseKind, codec::Decoder as _};
use tokio::sync::mpsc;

use super::{Chunk, shared::Shared, wire::Reader};
use crate::rabbitmq::Error;

/// A connection is given up after so many heartbeats without a word.
const HEARTBEATS_MISSED: u32 = 3;
/// Keys of frames that are read here: the library's decoder stops at chunks it does not know, and at a close of the
/// broker's reason.
const DELIVER: u16 = 8;
const CLOSE: u16 = 22;

/// What the broker says of its own accord, in order.
pub type Events = mpsc::Receiver<Event>;

/// What the broker says of its own accord.
#[derive(Debug)]
pub enum Event {
    /// Messages of a publisher are stored.
    Confirmed {
        /// The publisher's number on the connection.
        publisher: u8,
        /// The messages' publishing ids.
        ids: Vec<u64>,
    },
    /// Messages of a publisher are not stored.
    Refused {
        /// The publisher's number on the connection.
        publisher: u8,
        /// Why.
        reason: String,
    },
    /// A stream is gone from this node, or led by another one.
    Moved,
    /// Messages of the subscription.
    Chunk(Chunk),
    /// The connection is lost. Nothing comes after it.
    Lost(Error),
}

/// Reads what the broker says.
pub(super) struct Listener {
    reader: Reader,
    shared: Arc<Shared>,
    /// Longest time without a word.
    silence: Duration,
    address: String,
}

impl Listener {
    pub(super) fn new(
        reader: Reader,
        shared: Arc<Shared>,
        heartbeat: Duration,
        address: String,
    ) -> Self {
        Self {
            reader,
            shared,
            silence: silence(heartbeat),
            address,
        }
    }

    /// Until the connection is lost, which is the last event.
    pub(super) async fn listen(mut self, events: mpsc::Sender<Event>) {
        let reason = loop {
            match self.next().await {
                Ok(Some(event)) => {
                    if events.send(event).await.is_err() {
                        return;
                    }
                }
                Ok(None) => {}
                Err(reason) => break reason,
            }
        };
        self.shared.end();
        let address = self.address;
        let _ = events
            .send(Event::Lost(Error::Stream { address, reason }))
            .await;
    }

    async fn next(&mut self) -> Result<Option<Event>, String> {
        let frame = self.reader.frame_within(self.silence).await;
        let frame = frame.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => "the broker closed the connection".to_owned(),
            _ => error.to_string(),
        })?;
        match key(frame) {
            Some(DELIVER) => {
                let chunk = Chunk::parse(frame).ok_or("a chunk that cannot be read")?;
                return Ok(Some(Event::Chunk(chunk)));
            }
            Some(CLOSE) => return Err(closing(frame)),
            _ => {}
        }
        let response = Response::decode(frame);
        let (_, response) =
            response.map_err(|error| format!("a frame that cannot be read: {error:?}"))?;
        if let Some(id) = response.correlation_id() {
            self.shared.answer(id, response);
            return Ok(None);
        }
        Ok(event(response.kind()))
    }
}

/// Longest time without a word of the broker's.
fn silence(heartbeat: Duration) -> Duration {
    if heartbeat.is_zero() {
        Duration::MAX
    } else {
        heartbeat * HEARTBEATS_MISSED
    }
}

fn event(kind: ResponseKind) -> Option<Event> {
    match kind {
        ResponseKind::PublishConfirm(confirm) => Some(Event::Confirmed {
            publisher: confirm.publisher_id,
            ids: confirm.publishing_ids,
        }),
        ResponseKind::PublishError(refused) => {
            let first = refused.publishing_errors.first();
            let reason = first.map_or_else(String::new, |error| format!("{:?}", error.error_code));
            Some(Event::Refused {
                publisher: refused.publisher_id,
                reason,
            })
        }
        ResponseKind::MetadataUpdate(_) => Some(Event::Moved),
        _ => None,
    }
}

/// A frame's key, where it is no answer: that one has the highest bit set.
fn key(frame: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(frame.get(4..6)?.try_into().ok()?))
}

/// The reason for which the broker closes the connection: an id and a code stand before it.
fn closing(frame: &[u8]) -> String {
    let text = frame.get(16..).unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    format!("the broker closed the connection: {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brokers_reason_for_a_close_is_told() {
        // Length, key, version, id, code, length of the reason, reason.
        let mut frame = vec![0, 0, 0, 20, 0, 22, 0, 1, 0, 0, 0, 1, 0, 14, 0, 8];
        frame.extend(b"too long");
        assert_eq!(key(&frame), Some(CLOSE));
        assert_eq!(
            closing(&frame),
            "the broker closed the connection: too long"
        );
    }
}
