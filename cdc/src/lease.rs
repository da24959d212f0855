//! Who may publish: one connection of a pipeline holds its lock, others stand by.

mod lock;
pub(crate) mod standbys;

use lapin::Channel;

pub use self::lock::{Lock, PIPELINE_BYTES_MAX};
use self::standbys::Questions;
use crate::rabbitmq::{Broker, Connection, Error, Topology};

/// An open connection that wants the lock, or has it. It changes nothing else on the broker.
#[derive(Debug)]
pub struct Contender {
    connection: Connection,
    channel: Channel,
    lock: Lock,
    /// As which engine it asks for the lock; nothing where it only looks.
    name: Option<String>,
}

impl Contender {
    /// Connects, and turns confirms on.
    ///
    /// # Errors
    /// See [`Error::disposition`].
    pub async fn connect(broker: &Broker, lock: &Lock) -> Result<Self, Error> {
        let connection = Connection::open(broker, "cdc run").await?;
        let channel = connection.confirm_channel().await?;
        Ok(Self {
            connection,
            channel,
            lock: lock.clone(),
            name: None,
        })
    }

    /// Tells whoever has the lock that this engine stands by for it, with each question.
    #[must_use]
    pub fn standing_by(mut self) -> Self {
        self.name = Some(standbys::name());
        self
    }

    /// Checks where messages will go. A queue that is not there is left to whoever has the lock.
    ///
    /// # Errors
    /// As [`Topology::check`], but for a queue that is not there.
    pub async fn check(&self, topology: &Topology) -> Result<(), Error> {
        match topology.check(&self.connection).await {
            Err(Error::NoQueue { .. }) => Ok(()),
            outcome => outcome,
        }
    }

    /// Takes the lock for as long as the connection lives. False if another engine holds it.
    ///
    /// # Errors
    /// See [`Error::disposition`].
    pub async fn take_lock(&self) -> Result<bool, Error> {
        self.lock.take(&self.connection).await
    }

    /// Whether some engine holds the lock.
    ///
    /// # Errors
    /// See [`Error::disposition`].
    pub async fn is_locked(&self) -> Result<bool, Error> {
        self.is_held(&self.lock).await
    }

    /// Whether some engine holds `lock`, which may be another one.
    ///
    /// # Errors
    /// See [`Error::disposition`].
    pub(crate) async fn is_held(&self, lock: &Lock) -> Result<bool, Error> {
        let name = self.name.as_deref();
        lock.is_held(&self.connection, &self.channel, name).await
    }

    /// The questions of those who stand by for the lock, where this one has it; nothing where the user may not read them.
    /// A refusal is an error of the connection to whoever listens to it by then.
    pub(crate) async fn questions(&self) -> Option<Questions> {
        standbys::questions(&self.connection, &self.lock).await
    }

    /// Gives the lock back, if it has it, and closes politely.
    pub async fn close(self) {
        self.connection.close().await;
    }

    /// The connection, and the channel on which every publish is confirmed. The lock lives as long as the former.
    pub(crate) fn into_parts(self) -> (Connection, Channel) {
        (self.connection, self.channel)
    }
}
