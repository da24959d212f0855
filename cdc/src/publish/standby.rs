//! A connection that waits for the pipeline's lock, and becomes the publisher's when it has it.

use lapin::Channel;

use super::{Config, Connection, Error, Publisher};

/// An open connection that does not publish yet, and changes nothing on the broker but the lock.
#[derive(Debug)]
pub struct Standby {
    connection: Connection,
    channel: Channel,
}

impl Standby {
    /// Connects, and turns confirms on.
    ///
    /// # Errors
    /// See [`Error::disposition`].
    pub async fn connect(config: &Config) -> Result<Self, Error> {
        let connection = Connection::open(&config.broker, "cdc run").await?;
        let channel = connection.confirm_channel().await?;
        Ok(Self {
            connection,
            channel,
        })
    }

    /// Checks where messages will go. A queue that is not there is left to whoever has the lock.
    ///
    /// # Errors
    /// As [`Connection::check`], but for a queue that is not there.
    pub async fn check(&self, config: &Config) -> Result<(), Error> {
        match self.connection.check(config).await {
            Err(Error::NoQueue { .. }) => Ok(()),
            outcome => outcome,
        }
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

    /// Declares or checks where messages go, and becomes the publisher. The lock must have been taken.
    ///
    /// # Errors
    /// As [`Connection::prepare`]; a queue that exists with other properties is left as it is.
    pub async fn lead(self, config: &Config) -> Result<Publisher, Error> {
        let new_queues = self.connection.prepare(config).await?;
        Ok(self.publish(new_queues, config))
    }

    /// Becomes the publisher after a lost connection, where all is still there. The lock must have been taken.
    ///
    /// # Errors
    /// As [`Connection::check`].
    pub(super) async fn lead_again(self, config: &Config) -> Result<Publisher, Error> {
        self.connection.check(config).await?;
        Ok(self.publish(Vec::new(), config))
    }

    fn publish(self, new_queues: Vec<String>, config: &Config) -> Publisher {
        Publisher::new(self.connection, self.channel, new_queues, config)
    }
}
