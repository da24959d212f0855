//! What the engine has done, for the log.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use tracing::info;

/// Time between progress lines while busy.
const INTERVAL: Duration = Duration::from_secs(10);

/// Counters since the start.
#[derive(Debug)]
pub(super) struct Progress {
    /// Events read from the change stream.
    pub(super) read: u64,
    /// Verdicts "not taken".
    pub(super) nacked: u64,
    published: u64,
    again: u64,
    confirmed: u64,
    last_wall_time_ms: Option<i64>,
    reported: Reported,
}

/// The state at the last line.
#[derive(Debug)]
struct Reported {
    at: Instant,
    confirmed: u64,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            read: 0,
            nacked: 0,
            published: 0,
            again: 0,
            confirmed: 0,
            last_wall_time_ms: None,
            reported: Reported {
                at: Instant::now(),
                confirmed: 0,
            },
        }
    }
}

impl Progress {
    pub(super) fn published(&mut self, again: bool) {
        self.published += 1;
        self.again += u64::from(again);
    }

    pub(super) fn confirmed(&mut self, wall_time_ms: Option<i64>) {
        self.confirmed += 1;
        self.last_wall_time_ms = wall_time_ms.or(self.last_wall_time_ms);
    }

    /// Writes a line every ten seconds, while anything happens.
    pub(super) fn tick(&mut self, in_flight: usize) {
        if self.reported.at.elapsed() >= INTERVAL {
            if self.confirmed != self.reported.confirmed || in_flight > 0 {
                self.report(in_flight);
            }
            self.reported = Reported {
                at: Instant::now(),
                confirmed: self.confirmed,
            };
        }
    }

    /// Writes a line now.
    pub(super) fn report(&self, in_flight: usize) {
        let seconds = self.reported.at.elapsed().as_secs_f64().max(0.001);
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = (self.confirmed - self.reported.confirmed) as f64 / seconds;
        info!(
            read = self.read,
            confirmed = self.confirmed,
            in_flight,
            published_again = self.again,
            nacked = self.nacked,
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
