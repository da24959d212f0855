//! When each document of a run is due, without drift.

use std::time::Duration;

/// At most this share of a second goes into one batch, so that a slow rate stays even.
const BATCHES_PER_SECOND: u64 = 20;

/// A constant rate from the start of a run, or as fast as possible.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    rate: u64,
}

impl Pace {
    /// `rate` documents a second; 0 is as fast as possible.
    pub fn new(rate: u64) -> Self {
        Self { rate }
    }

    /// When document `index` is due, counted from the start.
    ///
    /// Always reckoned from the start and never from the last batch: a late batch is made up for.
    pub fn due(&self, index: usize) -> Duration {
        if self.rate == 0 {
            return Duration::ZERO;
        }
        let index = index as u64;
        let seconds = Duration::from_secs(index / self.rate);
        seconds + Duration::from_nanos(index % self.rate * 1_000_000_000 / self.rate)
    }

    /// How many documents to insert at once, at most `limit`.
    pub fn batch(&self, limit: usize) -> usize {
        if self.rate == 0 {
            return limit;
        }
        let even = usize::try_from(self.rate / BATCHES_PER_SECOND).unwrap_or(limit);
        limit.min(even.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_millionth_document_is_due_to_the_nanosecond() {
        assert_eq!(
            Pace::new(3).due(1_000_000),
            Duration::new(333_333, 333_333_333)
        );
        assert_eq!(Pace::new(5000).due(50_000), Duration::from_secs(10));
        assert_eq!(Pace::new(5000).due(1), Duration::from_micros(200));
    }

    #[test]
    fn no_rate_is_due_at_once() {
        assert_eq!(Pace::new(0).due(1_000_000), Duration::ZERO);
        assert_eq!(Pace::new(0).batch(100), 100);
    }

    #[test]
    fn a_slow_rate_is_not_saved_up_into_one_batch() {
        assert_eq!(Pace::new(10).batch(100), 1);
        assert_eq!(Pace::new(1000).batch(100), 50);
        assert_eq!(Pace::new(5000).batch(100), 100);
    }
}
