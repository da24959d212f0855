//! A connection that waits for the pipeline's lock, and becomes the publisher's when it has it.

use lapin::Channel;

use super::{Config, Connection, Error, Publisher};

/// An open connection that does not publish yet.
#[derive(Debug)]
pub struct Standby {
    connection: Connection,
    channel: Channel,
    new_queues: Vec<String>,
}

impl Standby {
    /// Connects, declares or checks where messages go, and turns confirms on.
    ///
    /// # Errors
    /// See [`Error::disposition`]; a queue that exists with other properties is left as it is.
    pub async fn connect(config: &Config) -> Result<Self, Error> {
        let connection = Connection::open(&config.broker, "cdc run").await?;
        let new_queues = connection.prepare(config).await?;
        Self::on(connection, new_queues).await
    }

    /// Connects after a loss, checks that where messages go is still there, and turns confirms on.
    ///
    /// # Errors
    /// [`Error::NoQueue`] when a queue of ours is gone; else as [`Standby::connect`].
    pub async fn connect_again(config: &Config) -> Result<Self, Error> {
        let connection = Connection::open(&config.broker, "cdc run").await?;
        connection.check(config).await?;
        Self::on(connection, Vec::new()).await
    }

    async fn on(connection: Connection, new_queues: Vec<String>) -> Result<Self, Error> {
        let channel = connection.confirm_channel().await?;
        Ok(Self {
            connection,
            channel,
            new_queues,
        })
    }

    /// Takes the lock for as long as the connection lives. False if another engine holds it.
    ///
    /// # Errors
    /// See [`Error::disposition`].
    pub async fn take_lock(&self, config: &Config) -> Result<bool, Error> {
        config.lock.take(&self.connection).await
    }

    /// Whether some engine holds the lock.
    ///
    /// # Errors
    /// See [`Error::disposition`].
    pub async fn is_locked(&self, config: &Config) -> Result<bool, Error> {
        config.lock.is_held(&self.connection, &self.channel).await
    }

    /// Becomes the publisher. The lock must have been taken.
    pub fn publish(self, config: &Config) -> Publisher {
        Publisher::new(self.connection, self.channel, self.new_queues, config)
    }
}
