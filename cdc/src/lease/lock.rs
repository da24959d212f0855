//! The lock of a pipeline: an exclusive queue on the publishing connection.
//!
//! Only one connection can own an exclusive queue, and the broker deletes it when that connection ends, however it
//! ends; so an engine that can no longer publish no longer holds the lock, and the other way round.
//! <https://www.rabbitmq.com/docs/queues#exclusive-queues>

use lapin::{
    BasicProperties, Channel, Confirmation,
    options::{BasicPublishOptions, QueueDeclareOptions},
    protocol::AMQPSoftError,
    types::{AMQPValue, FieldTable},
};

use crate::rabbitmq::{Connection, Error, soft_error};

/// Longest name of a pipeline in bytes: the lock's name is this much shorter than AMQP's limit.
pub const PIPELINE_BYTES_MAX: usize = 255 - PREFIX.len();
const PREFIX: &str = "cdc.lock.";

/// The lock of one pipeline.
#[derive(Debug, Clone)]
pub struct Lock {
    queue: String,
}

impl Lock {
    /// The lock of `pipeline`.
    pub fn new(pipeline: &str) -> Self {
        Self {
            queue: format!("{PREFIX}{pipeline}"),
        }
    }

    /// The name of its queue.
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// Takes the lock for as long as `connection` lives. False if another connection holds it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn take(&self, connection: &Connection) -> Result<bool, Error> {
        let options = QueueDeclareOptions {
            exclusive: true,
            ..QueueDeclareOptions::default()
        };
        let mut arguments = FieldTable::default();
        // Whoever asks whether the lock is held sends a message here; the leader may read it, and none is kept.
        arguments.insert("x-max-length".into(), AMQPValue::LongInt(0));
        let take = async {
            // A channel of its own, because a refusal closes the channel.
            let channel = connection.channel().await?;
            match channel
                .queue_declare(self.queue.as_str().into(), options, arguments)
                .await
            {
                Ok(_) => {
                    let _ = channel.close(200, "OK".into()).await;
                    Ok(true)
                }
                Err(error) if is_held(&error) => Ok(false),
                Err(error) => Err(connection.lost(error)),
            }
        };
        connection.within("the lock's declaration", take).await
    }

    /// Whether some connection holds the lock, asked on a confirm channel, by the standby `name` if it is one.
    ///
    /// A message to the lock's queue comes back if there is no such queue. Declaring it again and again would tell
    /// the same, and write an error into the broker's log each time.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn is_held(
        &self,
        connection: &Connection,
        channel: &Channel,
        name: Option<&str>,
    ) -> Result<bool, Error> {
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        let ask = async {
            let mut properties = BasicProperties::default();
            if let Some(name) = name {
                properties = properties.with_app_id(name.into());
            }
            let queue = self.queue.as_str().into();
            let asked = channel.basic_publish("".into(), queue, options, &[], properties);
            let answer = async { asked.await?.await }.await;
            answer.map_err(|error| connection.lost(error))
        };
        let answer = connection.within("a question for the lock", ask).await?;
        Ok(!matches!(answer, Confirmation::Ack(Some(_))))
    }
}

fn is_held(error: &lapin::Error) -> bool {
    matches!(soft_error(error), Some((AMQPSoftError::RESOURCELOCKED, _)))
}
