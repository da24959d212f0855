//! Messages that were given up by the user's choice: counted, and said now and then.

use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use crate::metrics::Metrics;

/// Shortest time between two lines of the log.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// What was given up and not said yet.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    unsaid: u64,
    /// The latest one.
    last: String,
    said: Option<Instant>,
}

impl Dropped {
    /// A message was given up; `what` names it.
    pub(super) fn add(&mut self, what: &str, metrics: &Metrics) {
        metrics.messages_dropped.inc();
        self.unsaid += 1;
        what.clone_into(&mut self.last);
        self.tick();
    }

    /// Says what there is to say, if it is time.
    pub(super) fn tick(&mut self) {
        if self.said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
            self.report();
        }
    }

    /// Says what there is to say.
    pub(super) fn report(&mut self) {
        if self.unsaid > 0 {
            let (messages, last) = (self.unsaid, &self.last);
            warn!(messages, last, "dropped what matched no queue");
            (self.unsaid, self.said) = (0, Some(Instant::now()));
        }
    }
}
