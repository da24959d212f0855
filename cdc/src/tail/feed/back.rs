//! The way back: acknowledgements, and the return of everything else to its place.

use std::time::Duration;

use lapin::options::{BasicAckOptions, BasicQosOptions};
use tokio::time::timeout;

use super::{Feed, QUIET};
use crate::amqp::Error;

/// Longest wait for one answer of the broker when all is given back.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// How often nothing may come from a queue that is not empty: its single active consumer is another one, say.
const SILENCE_MAX: u32 = 20;

impl Feed {
    /// Acknowledges everything up to `delivery_tag`, or later, or never where messages are to stay; says how many were.
    ///
    /// # Errors
    /// The connection is lost.
    pub(in crate::tail) async fn acknowledge(&mut self, delivery_tag: u64) -> Result<usize, Error> {
        // A stream keeps its messages anyway; there, an acknowledgement only asks for more.
        if self.keep && self.offsets.is_none() {
            return Ok(0);
        }
        self.done = delivery_tag;
        // An acknowledgement makes room for as many messages again, which may be more than are wanted.
        let too_many = delivery_tag.saturating_add(u64::from(self.wave.size())) > self.limit;
        if self.wave_full() && (too_many || self.wants_another_wave()) {
            let ended = self.end_wave().await;
            ended.map_err(|error| self.lost(error))?;
        } else if too_many {
            return Ok(0);
        }
        self.flush().await
    }

    /// Sends the acknowledgements that were put off; says of how many messages.
    ///
    /// # Errors
    /// The connection is lost.
    pub(in crate::tail) async fn flush(&mut self) -> Result<usize, Error> {
        let count = self.done - self.acknowledged;
        if count > 0 {
            let options = BasicAckOptions { multiple: true };
            let sent = self.channel.basic_ack(self.done, options).await;
            sent.map_err(|error| self.lost(error))?;
            self.acknowledged = self.done;
        }
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Gives back, in its place, what was not acknowledged.
    pub(in crate::tail) async fn close(mut self) {
        let _ = self.stand_still().await;
        let close = self.channel.close(200, "OK".into());
        let _ = tokio::time::timeout(ANSWER_TIMEOUT, close).await;
        self.connection.close().await;
    }

    /// Brings about that nothing is on its way, in either direction.
    async fn stand_still(&mut self) -> Result<(), Stop> {
        let all_back = self.acknowledged == self.total.messages();
        let nothing_comes = self.consumer.is_none() || self.ended;
        if self.offsets.is_some() || all_back && nothing_comes {
            return Ok(());
        }
        self.keep = true;
        self.limit = u64::MAX;
        let mut silence = 0;
        while (self.after_returned || self.wave_open()) && silence < SILENCE_MAX {
            let before = self.total.messages();
            if timeout(ANSWER_TIMEOUT, self.take_one()).await?? {
                break;
            }
            silence = if self.total.messages() > before {
                0
            } else {
                silence + 1
            };
        }
        // The channel of a quorum queue may still hold acknowledgements, which its end would drop. When the answer to
        // the cancellation comes, it has heard that all earlier ones were dealt with; when the second answer comes, it
        // has sent the rest.
        timeout(ANSWER_TIMEOUT, self.end_wave()).await??;
        let second = self.channel.basic_qos(1, BasicQosOptions::default());
        timeout(ANSWER_TIMEOUT, second).await??;
        Ok(())
    }

    /// Takes the next message if there is one; says whether there is none.
    async fn take_one(&mut self) -> Result<bool, Error> {
        self.subscribe().await?;
        match timeout(QUIET, self.next()).await {
            Ok(next) => next.map(|_| false),
            Err(_) => self.is_empty().await,
        }
    }
}

/// The broker does not answer, or the connection is lost: it gives everything back then, as well as it can.
struct Stop;

impl<E: std::error::Error> From<E> for Stop {
    fn from(_: E) -> Self {
        Self
    }
}
