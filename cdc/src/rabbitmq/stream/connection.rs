//! An open connection: questions and their answers, and what the broker says of its own accord.

use std::{
    collections::HashMap,
    fmt, io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use rabbitmq_stream_protocol::{
    FromResponse, Request, Response, ResponseCode, ResponseKind,
    codec::Decoder as _,
    commands::{
        credit::CreditCommand,
        declare_publisher::DeclarePublisherCommand,
        generic::GenericResponse,
        heart_beat::HeartBeatCommand,
        metadata::{MetadataCommand, MetadataResponse},
        query_publisher_sequence::{QueryPublisherRequest, QueryPublisherResponse},
        subscribe::SubscribeCommand,
        superstream_partitions::{SuperStreamPartitionsRequest, SuperStreamPartitionsResponse},
        unsubscribe::UnSubscribeCommand,
    },
};
use tokio::{
    sync::{Mutex as AsyncMutex, mpsc, oneshot},
    time::timeout,
};
use tokio_util::task::AbortOnDropHandle;
use tracing::info;

use super::{
    Chunk, Offset, Publish,
    dial::{Shaken, Streams},
    wire::{Reader, Writer},
};
use crate::rabbitmq::{Broker, Error, Node, Permission, connect};

/// Longest wait for a polite end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// A connection is given up after so many heartbeats without a word.
const HEARTBEATS_MISSED: u32 = 3;
/// Keys of frames that are read here: the library's decoder stops at chunks it does not know, and at a close of the
/// broker's reason.
const DELIVER: u16 = 8;
const CLOSE: u16 = 22;
/// Events that wait to be looked at; the broker is not listened to while there are more.
const EVENTS_MAX: usize = 1024;
/// The only subscription of a connection.
const SUBSCRIPTION: u8 = 0;

/// An open connection to one node.
pub struct Connection {
    broker: Broker,
    node: Node,
    shared: Arc<Shared>,
    frame_max: usize,
    _tasks: [AbortOnDropHandle<()>; 2],
}

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

struct Shared {
    writer: AsyncMutex<Writer>,
    questions: Mutex<Option<HashMap<u32, oneshot::Sender<Response>>>>,
    last: AtomicU32,
}

impl Connection {
    /// Connects and authenticates, to whichever of the broker's nodes can be used, whose ports are those of the stream
    /// protocol.
    ///
    /// # Errors
    /// [`Error::ConnectStream`].
    ///
    /// # Cancel safety
    /// Cancel safe: dropping it ends what it has begun.
    pub async fn open(broker: &Broker, name: &str) -> Result<(Self, Events), Error> {
        let dial = Streams { broker, name };
        let connected = connect::to_any(&dial, broker.nodes(), broker.connect_timeout()).await;
        let (shaken, node) = connected.map_err(Error::ConnectStream)?;
        info!(node = %node, "connected to rabbitmq by its stream protocol");
        Ok(Self::start(broker.at(node.clone()), node, shaken))
    }

    fn start(broker: Broker, node: Node, shaken: Shaken) -> (Self, Events) {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let shared = Arc::new(Shared {
            writer: AsyncMutex::new(shaken.writer),
            questions: Mutex::new(Some(HashMap::new())),
            last: AtomicU32::new(0),
        });
        let heartbeat = Duration::from_secs(u64::from(shaken.tuned.heartbeat_seconds));
        let listener = Listener {
            reader: shaken.reader,
            shared: Arc::clone(&shared),
            silence: silence(heartbeat),
            address: node.to_string(),
        };
        let beats = beat(Arc::clone(&shared), heartbeat);
        let tasks = [
            AbortOnDropHandle::new(tokio::spawn(listener.listen(sender))),
            AbortOnDropHandle::new(tokio::spawn(beats)),
        ];
        let frame_max = usize::try_from(shaken.tuned.frame_max).unwrap_or(usize::MAX);
        let connection = Self {
            broker,
            node,
            shared,
            frame_max: if frame_max == 0 {
                usize::MAX
            } else {
                frame_max
            },
            _tasks: tasks,
        };
        (connection, events)
    }

    /// The node.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Most bytes of a frame that the broker takes.
    pub fn frame_max(&self) -> usize {
        self.frame_max
    }

    /// The node that leads `stream`, as it wants to be called; none where it is not known now.
    ///
    /// # Errors
    /// [`Error::NoQueue`], and whatever ends the connection.
    pub async fn leader(&self, stream: &str) -> Result<Option<Node>, Error> {
        let ask = |id| MetadataCommand::new(id, vec![stream.to_owned()]);
        let answer: MetadataResponse = self.ask("a stream's leader", ask).await?;
        let Some(found) = answer.stream_metadata.into_iter().next() else {
            return Err(self.broker.no_queue(stream));
        };
        match found.code {
            ResponseCode::Ok => {}
            ResponseCode::StreamDoesNotExist => return Err(self.broker.no_queue(stream)),
            // It has no leader for now.
            _ => return Ok(None),
        }
        let mut nodes = answer.brokers.into_iter();
        let leader = nodes.find(|node| node.reference == found.leader_reference);
        Ok(leader.and_then(|leader| {
            let port = u16::try_from(leader.port).ok()?;
            Some(Node {
                host: leader.host,
                port,
            })
        }))
    }

    /// The streams of the super stream `name`, in their order.
    ///
    /// # Errors
    /// Whatever ends the connection.
    pub async fn partitions(&self, name: &str) -> Result<Vec<String>, Error> {
        let ask = |id| SuperStreamPartitionsRequest::new(id, name.to_owned());
        let answer: SuperStreamPartitionsResponse =
            self.ask("a super stream's partitions", ask).await?;
        Ok(answer.streams)
    }

    /// Declares the publisher `number` of this connection, which has a `name` of its own on `stream`.
    ///
    /// # Errors
    /// [`Error::NoQueue`], [`Error::Denied`], and whatever ends the connection.
    pub async fn declare_publisher(
        &self,
        number: u8,
        name: &str,
        stream: &str,
    ) -> Result<(), Error> {
        let ask =
            |id| DeclarePublisherCommand::new(id, number, Some(name.to_owned()), stream.to_owned());
        let answer: GenericResponse = self.ask("a publisher's declaration", ask).await?;
        self.check(answer.code(), stream, Permission::Write)
    }

    /// The greatest publishing id that `stream` has of the publisher `name`; 0 where it has none.
    ///
    /// # Errors
    /// Whatever ends the connection.
    pub async fn last_id(&self, name: &str, stream: &str) -> Result<u64, Error> {
        let ask = |id| QueryPublisherRequest::new(id, name.to_owned(), stream.to_owned());
        let answer: QueryPublisherResponse = self.ask("a publisher's last id", ask).await?;
        Ok(answer.from_response())
    }

    /// Has `stream` read from `offset` on: chunks come as events, as many as there is `credit` for.
    ///
    /// # Errors
    /// [`Error::NoQueue`], [`Error::Denied`], and whatever ends the connection.
    pub async fn subscribe(&self, stream: &str, offset: Offset, credit: u16) -> Result<(), Error> {
        let ask = |id| {
            let stream = stream.to_owned();
            SubscribeCommand::new(id, SUBSCRIPTION, stream, offset, credit, HashMap::new())
        };
        let answer: GenericResponse = self.ask("a subscription", ask).await?;
        self.check(answer.code(), stream, Permission::Read)
    }

    /// Gives the subscription credit for one more chunk.
    ///
    /// # Errors
    /// Whatever ends the connection.
    pub async fn credit(&self) -> Result<(), Error> {
        self.write(CreditCommand::new(SUBSCRIPTION, 1)).await
    }

    /// Ends the subscription. Chunks that came before may still be among the events.
    ///
    /// # Errors
    /// Whatever ends the connection.
    pub async fn unsubscribe(&self) -> Result<(), Error> {
        let ask = |id| UnSubscribeCommand::new(id, SUBSCRIPTION);
        let _: GenericResponse = self.ask("the end of a subscription", ask).await?;
        Ok(())
    }

    /// Writes a frame of messages, which has to fit into [`Connection::frame_max`].
    ///
    /// # Errors
    /// Whatever ends the connection: nothing may be written to it after that.
    ///
    /// # Cancel safety
    /// Not cancel safe: a frame may be written in part, and the connection is of no use any more.
    pub async fn publish(&self, frame: Publish) -> Result<(), Error> {
        let mut writer = self.shared.writer.lock().await;
        let written = writer.write_bytes(&frame.into_bytes()).await;
        written.map_err(|error| self.lost(error.to_string()))
    }

    /// Closes, within a deadline.
    pub async fn close(&self) {
        let close = async { self.shared.writer.lock().await.close().await };
        let _ = timeout(CLOSE_TIMEOUT, close).await;
    }

    fn check(
        &self,
        code: &ResponseCode,
        stream: &str,
        permission: Permission,
    ) -> Result<(), Error> {
        match code {
            ResponseCode::Ok => Ok(()),
            ResponseCode::StreamDoesNotExist => Err(self.broker.no_queue(stream)),
            ResponseCode::AccessRefused => Err(self.broker.denied_on_stream(stream, permission)),
            code => Err(self.lost(format!("the broker answers {code:?}"))),
        }
    }

    async fn ask<T: FromResponse, R: Into<Request>>(
        &self,
        what: &'static str,
        question: impl FnOnce(u32) -> R,
    ) -> Result<T, Error> {
        let id = self.shared.last.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        if !self.shared.expect(id, sender) {
            return Err(self.lost("the connection is gone".to_owned()));
        }
        let limit = self.broker.answer_timeout();
        let exchange = async {
            self.write(question(id)).await?;
            let gone = |_| self.lost("the connection is gone".to_owned());
            let response = answer.await.map_err(gone)?;
            let other = || self.lost(format!("another answer than one to {what}"));
            response.get().ok_or_else(other)
        };
        timeout(limit, exchange).await.unwrap_or_else(|_| {
            Err(Error::TimedOut {
                address: self.node.to_string(),
                what,
                after: limit,
            })
        })
    }

    async fn write(&self, request: impl Into<Request>) -> Result<(), Error> {
        let written = self.shared.write(&request.into()).await;
        written.map_err(|error| self.lost(error.to_string()))
    }

    fn lost(&self, reason: String) -> Error {
        Error::Stream {
            address: self.node.to_string(),
            reason,
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

impl Shared {
    async fn write(&self, request: &Request) -> io::Result<()> {
        self.writer.lock().await.write(request).await
    }

    /// Whether an answer can still come.
    fn expect(&self, id: u32, sender: oneshot::Sender<Response>) -> bool {
        let mut questions = self
            .questions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_open = questions.is_some();
        if let Some(questions) = &mut *questions {
            questions.insert(id, sender);
        }
        is_open
    }

    fn answer(&self, id: u32, response: Response) {
        let mut questions = self
            .questions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = questions.as_mut().and_then(|waiting| waiting.remove(&id)) {
            let _ = sender.send(response);
        }
    }

    /// No answer comes any more.
    fn end(&self) {
        let mut questions = self
            .questions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *questions = None;
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

/// Says regularly that we are there.
async fn beat(shared: Arc<Shared>, heartbeat: Duration) {
    if heartbeat.is_zero() {
        return;
    }
    loop {
        tokio::time::sleep(heartbeat / 2).await;
        // Whoever reads notices that the connection is lost.
        if shared
            .write(&HeartBeatCommand::default().into())
            .await
            .is_err()
        {
            return;
        }
    }
}

/// Reads what the broker says.
struct Listener {
    reader: Reader,
    shared: Arc<Shared>,
    /// Longest time without a word.
    silence: Duration,
    address: String,
}

impl Listener {
    async fn listen(mut self, events: mpsc::Sender<Event>) {
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
