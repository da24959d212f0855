//! What the engine has done, for the log.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use tracing::info;

use crate::metrics::Metrics;

/// Time between progress lines while busy.
const INTERVAL: Duration = Duration::from_secs(10);

/// The counters, and what the last line said of them.
#[derive(Debug)]
pub(super) struct Progress {
    metrics: Metrics,
    last_wall_time_ms: Option<i64>,
    /// How many were confirmed at the last look.
    looked_at: u64,
    reported: Reported,
}

/// The state at the last line.
#[derive(Debug)]
struct Reported {
    at: Instant,
    confirmed: u64,
}

impl Progress {
    pub(super) fn new(metrics: Metrics) -> Self {
        let reported = Reported {
            at: Instant::now(),
            confirmed: metrics.messages_confirmed.get(),
        };
        Self {
            metrics,
            last_wall_time_ms: None,
            looked_at: 0,
            reported,
        }
    }

    pub(super) fn published(&self, bytes: usize, again: bool) {
        self.metrics.messages_published.inc();
        self.metrics.bytes_published.inc_by(bytes as u64);
        if again {
            self.metrics.messages_retried.inc();
        }
    }

    pub(super) fn confirmed(&mut self, wall_time_ms: Option<i64>) {
        self.metrics.messages_confirmed.inc();
        self.last_wall_time_ms = wall_time_ms.or(self.last_wall_time_ms);
    }

    /// Updates the gauges. Writes a line every ten seconds, while anything happens.
    pub(super) fn tick(&mut self, in_flight: usize, bytes: usize) {
        let as_gauge = |number| i64::try_from(number).unwrap_or(i64::MAX);
        self.metrics.messages_in_flight.set(as_gauge(in_flight));
        self.metrics.bytes_in_flight.set(as_gauge(bytes));
        let confirmed = self.metrics.messages_confirmed.get();
        // With nothing in flight and nothing new since the last look there is nothing to be behind of.
        let is_idle = in_flight == 0 && confirmed == self.looked_at;
        self.looked_at = confirmed;
        let lag_ms = self.lag_ms().filter(|_| !is_idle).unwrap_or(0);
        #[expect(clippy::cast_precision_loss, reason = "seconds for people")]
        self.metrics.lag_seconds.set(lag_ms as f64 / 1000.0);
        if self.reported.at.elapsed() >= INTERVAL {
            if confirmed != self.reported.confirmed || in_flight > 0 {
                self.report(in_flight);
            }
            self.reported = Reported {
                at: Instant::now(),
                confirmed,
            };
        }
    }

    /// Writes a line now.
    pub(super) fn report(&self, in_flight: usize) {
        let confirmed = self.metrics.messages_confirmed.get();
        let seconds = self.reported.at.elapsed().as_secs_f64().max(0.001);
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = (confirmed - self.reported.confirmed) as f64 / seconds;
        info!(
            read = self.metrics.events_read.get(),
            confirmed,
            in_flight,
            published_again = self.metrics.messages_retried.get(),
            nacked = self.metrics.messages_nacked.get(),
            per_second = format_args!("{rate:.0}"),
            lag_ms = self.lag_ms(),
            "progress"
        );
    }

    /// Age of the last confirmed change by the server's wall clock, in milliseconds.
    fn lag_ms(&self) -> Option<i64> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let now_ms = i64::try_from(now.as_millis()).ok()?;
        self.last_wall_time_ms
            .map(|wall_time_ms| (now_ms - wall_time_ms).max(0))
    }
}
