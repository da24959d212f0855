//! What the engine has done, for the log.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use tracing::info;

use crate::{
    health::Health,
    metrics::{Metrics, Row},
    position::CATCHING_UP_SECONDS,
};

/// Time between progress lines while busy.
const INTERVAL: Duration = Duration::from_secs(10);

/// The counters, and what the last line said of them.
#[derive(Debug)]
pub(super) struct Progress {
    metrics: Metrics,
    health: Health,
    last_wall_time_ms: Option<i64>,
    /// Messages confirmed in this session.
    confirmed: u64,
    /// How many it were at the last look.
    looked_at: u64,
    /// Since when the oldest change waits that is not confirmed, at the last look, or else when the last one happened that
    /// was confirmed since the look before; nothing where there is nothing to be late with.
    late_since_ms: Option<i64>,
    /// How many seconds the reading is behind, where that is far.
    behind_seconds: Option<u32>,
    /// From when they were handed over.
    confirms: Row<Instant>,
    /// From when they happened, in milliseconds since 1970.
    changes: Row<i64>,
    reported: Reported,
}

/// The state at the last line.
#[derive(Debug)]
struct Reported {
    at: Instant,
    confirmed: u64,
}

impl Progress {
    pub(super) fn new(metrics: Metrics, health: Health) -> Self {
        let reported = Reported {
            at: Instant::now(),
            confirmed: 0,
        };
        let changes = metrics.end_to_end_latency.clone();
        Self {
            confirms: Row::new(metrics.confirm_latency.clone(), |sent| sent.elapsed()),
            changes: Row::new(changes, |time_ms| now().saturating_sub(at(time_ms))),
            metrics,
            health,
            last_wall_time_ms: None,
            confirmed: 0,
            looked_at: 0,
            late_since_ms: None,
            behind_seconds: None,
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

    /// The target took a message that was handed over then.
    pub(super) fn accepted(&mut self, sent: Option<Instant>) {
        if let Some(sent) = sent {
            self.confirms.over(sent);
        }
    }

    /// A message and all before it are confirmed: everything up to one time is told, and a change of another time.
    pub(super) fn confirmed(&mut self, told_ms: Option<i64>, happened_ms: Option<i64>) {
        self.metrics.messages_confirmed.inc();
        self.confirmed += 1;
        self.last_wall_time_ms = told_ms.or(self.last_wall_time_ms);
        if let Some(time_ms) = happened_ms {
            self.changes.over(time_ms);
        }
    }

    /// Counts the latencies of what was accepted and confirmed since the last call.
    pub(super) fn count(&mut self) {
        self.confirms.flush();
        self.changes.flush();
    }

    /// Updates the gauges; the first of what is in flight waits since `waits_since_ms`. Writes a line every ten seconds, while
    /// anything happens.
    pub(super) fn tick(
        &mut self,
        (in_flight, bytes): (usize, usize),
        waits_since_ms: Option<i64>,
        behind_seconds: u32,
    ) {
        let as_gauge = |number| i64::try_from(number).unwrap_or(i64::MAX);
        self.metrics.messages_in_flight.set(as_gauge(in_flight));
        self.metrics.bytes_in_flight.set(as_gauge(bytes));
        let is_news = self.confirmed != self.looked_at;
        let confirmed_ms = self.last_wall_time_ms.filter(|_| is_news);
        self.late_since_ms = waits_since_ms.or(confirmed_ms);
        self.looked_at = self.confirmed;
        self.note_behind(behind_seconds);
        #[expect(clippy::cast_precision_loss, reason = "seconds for people")]
        self.metrics.lag_seconds.set(self.lag_ms() as f64 / 1000.0);
        if self.reported.at.elapsed() >= INTERVAL {
            if self.confirmed != self.reported.confirmed
                || in_flight > 0
                || self.behind_seconds.is_some()
            {
                self.report(in_flight);
            }
            self.reported = Reported {
                at: Instant::now(),
                confirmed: self.confirmed,
            };
        }
    }

    /// Says when the reading is far behind the server's time, and when it no longer is.
    fn note_behind(&mut self, behind_seconds: u32) {
        let far = Some(behind_seconds).filter(|seconds| CATCHING_UP_SECONDS <= *seconds);
        match (self.behind_seconds, far) {
            (None, Some(seconds)) => info!(behind_seconds = seconds, "catching up"),
            (Some(_), None) => info!("caught up"),
            _ => {}
        }
        self.behind_seconds = far;
        self.health.set_behind(far);
    }

    /// Writes a line now.
    pub(super) fn report(&self, in_flight: usize) {
        let seconds = self.reported.at.elapsed().as_secs_f64().max(0.001);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a rate for people"
        )]
        let rate = ((self.confirmed - self.reported.confirmed) as f64 / seconds).round() as u64;
        info!(
            read = self.metrics.events_read.get(),
            confirmed = self.metrics.messages_confirmed.get(),
            in_flight,
            published_again = self.metrics.messages_retried.get(),
            nacked = self.metrics.messages_nacked.get(),
            per_second = rate,
            lag_ms = self.lag_ms(),
            behind_seconds = self.behind_seconds,
            "progress"
        );
    }

    /// Age of the oldest change that waits for its confirm by the server's wall clock, in milliseconds, and at least what the
    /// reading is behind. 0 where there is nothing to be late with.
    fn lag_ms(&self) -> i64 {
        let behind_ms = self
            .behind_seconds
            .map_or(0, |seconds| i64::from(seconds) * 1000);
        let age = |since_ms| now().saturating_sub(at(since_ms));
        let age_ms = self
            .late_since_ms
            .and_then(|since_ms| i64::try_from(age(since_ms).as_millis()).ok());
        age_ms.unwrap_or(0).max(behind_ms)
    }
}

/// The time since 1970.
fn now() -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default()
}

fn at(time_ms: i64) -> Duration {
    Duration::from_millis(time_ms.try_into().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress() -> Progress {
        Progress::new(Metrics::new("p"), Health::default())
    }

    #[test]
    fn the_lag_is_at_least_what_the_reading_is_behind() {
        let mut progress = progress();
        progress.tick((0, 0), None, CATCHING_UP_SECONDS);
        assert_eq!(progress.lag_ms(), i64::from(CATCHING_UP_SECONDS) * 1000);
        let behind = progress.health.report().behind_seconds;
        assert_eq!(behind, Some(CATCHING_UP_SECONDS));
        progress.tick((0, 0), None, CATCHING_UP_SECONDS - 1);
        assert_eq!(progress.lag_ms(), 0);
        assert_eq!(progress.health.report().behind_seconds, None);
    }

    #[test]
    fn with_nothing_in_flight_and_nothing_new_there_is_no_lag() {
        let mut progress = progress();
        progress.confirmed(Some(0), None);
        progress.tick((0, 0), None, 0);
        assert!(
            progress.lag_ms() > 0,
            "it was confirmed since the last look"
        );
        progress.tick((0, 0), None, 0);
        assert_eq!(progress.lag_ms(), 0);
    }

    #[test]
    fn the_lag_is_how_long_the_oldest_change_waits_also_before_the_first_confirm() {
        let mut progress = progress();
        let now_ms = i64::try_from(now().as_millis()).unwrap();
        progress.tick((1, 100), Some(now_ms - 60_000), 0);
        assert!((60_000..70_000).contains(&progress.lag_ms()));
        // After an idle hour the first change is not an hour late.
        progress.confirmed(Some(now_ms - 3_600_000), None);
        progress.tick((1, 100), Some(now_ms), 0);
        assert!(progress.lag_ms() < 10_000);
    }

    #[tokio::test(start_paused = true)]
    async fn latencies_are_counted_from_the_sending_and_from_the_change() {
        let mut progress = progress();
        let (sent, now_ms) = (Instant::now(), now().as_millis().try_into().unwrap());
        tokio::time::advance(Duration::from_millis(20)).await;
        progress.accepted(Some(sent));
        progress.accepted(Some(sent));
        progress.accepted(Some(Instant::now()));
        progress.confirmed(None, Some(now_ms));
        progress.confirmed(Some(now_ms), None);
        let counts = |progress: &Progress| {
            let metrics = &progress.metrics;
            let (confirms, changes) = (&metrics.confirm_latency, &metrics.end_to_end_latency);
            (confirms.count(), changes.count())
        };
        assert_eq!(counts(&progress), (2, 0), "those of the last moment wait");
        progress.count();
        assert_eq!(counts(&progress), (3, 1));
        let page = progress.metrics.encode();
        assert!(
            page.contains("cdc_confirm_latency_seconds_sum{pipeline=\"p\"} 0.04\n"),
            "{page}"
        );
    }
}
