//! How long to wait for a reply of a server that may be busy or may be dead.
//!
//! A server that looks through millions of oplog entries for the next event does not answer meanwhile, and no time limit
//! cuts that short. So silence alone says nothing: the server is asked for a sign of life beside the wait, and while it
//! gives one, the wait goes on. It has an end all the same, since the one connection that waits may be dead; the next
//! wait is then twice as long, so that however long a scan takes, one wait outlasts it.

use std::time::Duration;

use bson::doc;
use tokio::time::Instant;
use tracing::info;

use super::Error;
use crate::{mongo::Mongo, retry::millis};

/// Silence after which the server is asked for a sign of life, and the time between such questions. Longer than a read
/// waits for new events.
const SLOW_AFTER: Duration = Duration::from_secs(2);
/// The first wait for a server that is alive, and the longest.
const WAIT_MIN: Duration = Duration::from_secs(30);
const WAIT_MAX: Duration = Duration::from_secs(60 * 60);

/// The longest wait for one reply of a living server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patience(Duration);

/// Why not to wait any longer.
pub(super) enum Overdue {
    /// The server gives no sign of life, or did not answer in the longest wait.
    Gone(Error),
    /// The server is alive and busy.
    Busy,
}

impl Default for Patience {
    fn default() -> Self {
        Self(WAIT_MIN)
    }
}

impl Patience {
    /// A wait was in vain although the server is alive.
    pub(super) fn grow(&mut self) {
        self.0 = WAIT_MAX.min(self.0 * 2);
    }

    /// Returns when a reply is overdue; one of a busy server at once where `may_skim`, which is the way to get replies.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub(super) async fn overdue(self, mongo: &Mongo, database: &str, may_skim: bool) -> Overdue {
        let started = Instant::now();
        loop {
            tokio::time::sleep(SLOW_AFTER).await;
            if let Err(source) = mongo.run("a ping", "admin", doc! { "ping": 1 }).await {
                return Overdue::Gone(Error::Mongo {
                    database: database.to_owned(),
                    source,
                });
            }
            if may_skim {
                return Overdue::Busy;
            }
            let waited = started.elapsed();
            info!(
                waited_ms = millis(waited),
                "mongodb is alive and has not answered a read yet"
            );
            if self.0 <= waited {
                return Overdue::Gone(Error::Slow {
                    database: database.to_owned(),
                    after: self.0,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_in_vain_doubles_the_next_one_up_to_an_hour() {
        let mut patience = Patience::default();
        let mut waits = vec![patience.0.as_secs()];
        for _ in 0..8 {
            patience.grow();
            waits.push(patience.0.as_secs());
        }
        assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
    }
}
