//! What to do about an error, and how long to wait before the next attempt.
//!
//! Stages classify their own errors with [`Disposition`]; only the pipeline and the application act on it.

use std::{error::Error as StdError, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// First wait of a series, before jitter.
const DELAY_MIN: Duration = Duration::from_millis(100);
/// Longest wait of a series, before jitter (jitter at most doubles it).
const DELAY_MAX: Duration = Duration::from_secs(1);

/// What the caller should do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// The same attempt may succeed later: a server that is away, an election, a cut connection.
    Retry,
    /// Only a person can mend it.
    Halt,
}

/// A bounded exponential schedule with jitter that never gives up.
#[derive(Debug)]
pub struct Backoff {
    series: ExponentialBackoff,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { series: series() }
    }
}

impl Backoff {
    /// The wait before the next attempt, from 100 ms up to 2 s.
    pub fn next_delay(&mut self) -> Duration {
        self.series.next().unwrap_or(DELAY_MAX)
    }

    /// Starts over, after a success.
    pub fn reset(&mut self) {
        self.series = series();
    }
}

/// Writes an error and its causes in one line, without saying the same thing twice.
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

fn series() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(DELAY_MIN)
        .with_max_delay(DELAY_MAX)
        .with_factor(2.0)
        .with_jitter()
        .without_max_times()
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_stay_bounded_and_never_end() {
        let mut backoff = Backoff::default();
        for attempt in 0..1_000 {
            let delay = backoff.next_delay();
            assert!(delay >= DELAY_MIN, "attempt {attempt} waits {delay:?}");
            assert!(delay <= 2 * DELAY_MAX, "attempt {attempt} waits {delay:?}");
        }
        assert!(backoff.next_delay() >= DELAY_MAX);
        backoff.reset();
        assert!(backoff.next_delay() <= 2 * DELAY_MIN);
    }
}
