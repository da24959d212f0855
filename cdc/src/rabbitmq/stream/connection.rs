//! An open connection.

use std::{fmt, sync::Arc, time::Duration};

use rabbitmq_stream_protocol::{FromResponse, Request};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::info;

use super::{
    Events, Publish,
    dial::{Shaken, Streams},
    listener::Listener,
    shared::{self, Shared},
};
use crate::rabbitmq::{Broker, Error, Node, connect};

/// Longest wait for a polite end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Events that wait to be looked at; the broker is not listened to while there are more.
const EVENTS_MAX: usize = 1024;

/// An open connection to one node.
pub struct Connection {
    pub(super) broker: Broker,
    node: Node,
    shared: Arc<Shared>,
    frame_max: usize,
    _tasks: [AbortOnDropHandle<()>; 2],
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
        let shared = Arc::new(Shared::new(shaken.writer));
        let heartbeat = Duration::from_secs(u64::from(shaken.tuned.heartbeat_seconds));
        let address = node.to_string();
        let listener = Listener::new(shaken.reader, Arc::clone(&shared), heartbeat, address);
        let beats = shared::beat(Arc::clone(&shared), heartbeat);
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

    /// Writes a frame of messages, which has to fit into [`Connection::frame_max`].
    ///
    /// # Errors
    /// Whatever ends the connection: nothing may be written to it after that.
    ///
    /// # Cancel safety
    /// Not cancel safe: a frame may be written in part, and the connection is of no use any more.
    pub async fn publish(&self, frame: Publish) -> Result<(), Error> {
        let written = self.shared.write_bytes(&frame.into_bytes()).await;
        written.map_err(|error| self.lost(error.to_string()))
    }

    /// Closes, within a deadline.
    pub async fn close(&self) {
        let _ = timeout(CLOSE_TIMEOUT, self.shared.close()).await;
    }

    pub(super) async fn ask<T: FromResponse, R: Into<Request>>(
        &self,
        what: &'static str,
        question: impl FnOnce(u32) -> R,
    ) -> Result<T, Error> {
        let gone = || self.lost("the connection is gone".to_owned());
        let (id, answer) = self.shared.expect_answer().ok_or_else(gone)?;
        let limit = self.broker.answer_timeout();
        let exchange = async {
            self.write(question(id)).await?;
            let response = answer.await.map_err(|_| gone())?;
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

    pub(super) async fn write(&self, request: impl Into<Request>) -> Result<(), Error> {
        let written = self.shared.write(&request.into()).await;
        written.map_err(|error| self.lost(error.to_string()))
    }

    pub(super) fn lost(&self, reason: String) -> Error {
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
