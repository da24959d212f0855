//! How much there was to do, and how long it took: now, and in the last hour.

use std::{
    collections::VecDeque,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::latency::{Counts, percentile};

/// Time between two looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks to a sample.
const LOOKS: u64 = 10;
/// What a sample is of, in seconds.
pub(super) const SAMPLE_SECONDS: u64 = LOOKS * LOOK_EVERY.as_secs();
/// Samples that are kept: an hour.
const SAMPLES: usize = 360;
/// Looks that what holds now is made of.
const NOW: usize = 5;

/// What was counted up to a moment.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) at: Instant,
    pub(super) read: u64,
    pub(super) confirmed: u64,
    pub(super) lag_seconds: f64,
    pub(super) latencies: Counts,
}

/// What a stretch of time was like.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) read_per_second: f64,
    pub(super) confirmed_per_second: f64,
    /// The largest of it.
    pub(super) lag_seconds: f64,
    pub(super) p50_seconds: Option<f64>,
    pub(super) p99_seconds: Option<f64>,
}

/// The last hour. Its size is bounded: some 30 KB.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Those of the last sample's length, oldest first.
    looks: VecDeque<Look>,
    count: u64,
    /// With the end of each.
    samples: VecDeque<(SystemTime, Rates)>,
}

impl History {
    /// Takes the next look; each tenth makes a sample.
    pub(super) fn add(&mut self, look: Look, now: SystemTime) {
        if usize::try_from(LOOKS).is_ok_and(|most| most < self.looks.len()) {
            self.looks.pop_front();
        }
        self.looks.push_back(look);
        self.count += 1;
        // The first look is the begin of the first sample.
        if 1 < self.count && self.count % LOOKS == 1 {
            if SAMPLES <= self.samples.len() {
                self.samples.pop_front();
            }
            self.samples.push_back((now, self.rates(self.looks.len())));
        }
    }

    /// What holds now.
    pub(super) fn now(&self) -> Rates {
        let latencies = self.rates(self.looks.len());
        Rates {
            p50_seconds: latencies.p50_seconds,
            p99_seconds: latencies.p99_seconds,
            ..self.rates(1 + NOW)
        }
    }

    /// The last hour's samples, oldest first.
    pub(super) fn samples(&self) -> impl Iterator<Item = &(SystemTime, Rates)> {
        self.samples.iter()
    }

    /// What the last `looks` looks tell.
    fn rates(&self, looks: usize) -> Rates {
        let begin = self.looks.len().saturating_sub(looks);
        let mut seen = self.looks.range(begin..);
        let (Some(first), Some(last)) = (seen.next(), self.looks.back()) else {
            return Rates::default();
        };
        let seconds = last.at.duration_since(first.at).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = |from: u64, to: u64| match seconds {
            0.0 => 0.0,
            seconds => to.saturating_sub(from) as f64 / seconds,
        };
        let latency = |share| percentile(&first.latencies, &last.latencies, share);
        Rates {
            read_per_second: rate(first.read, last.read),
            confirmed_per_second: rate(first.confirmed, last.confirmed),
            lag_seconds: seen.map(|look| look.lag_seconds).fold(0.0, f64::max),
            p50_seconds: latency(0.5),
            p99_seconds: latency(0.99),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A history of so many seconds, in each of which as much more is confirmed as `confirmed` says.
    fn history(seconds: u64, confirmed: impl Fn(u64) -> u64) -> History {
        let (begin, mut history, mut total) = (Instant::now(), History::default(), 0);
        for second in 0..=seconds {
            let new = if second == 0 { 0 } else { confirmed(second) };
            total += new;
            let look = Look {
                at: begin + LOOK_EVERY * u32::try_from(second).unwrap(),
                read: 2 * total,
                confirmed: total,
                lag_seconds: if second == 7 { 3.0 } else { 0.5 },
                latencies: vec![(1.0, total), (f64::MAX, 0)],
            };
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
            history.add(look, now);
        }
        history
    }

    #[test]
    fn ten_looks_make_a_sample_with_the_largest_lag() {
        let history = history(25, |_| 100);
        let samples: Vec<_> = history.samples().copied().collect();
        let seconds = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let ends: Vec<_> = samples
            .iter()
            .map(|(at, _)| seconds(*at).as_secs())
            .collect();
        assert_eq!(ends, [10, 20]);
        let expected = Rates {
            read_per_second: 200.0,
            confirmed_per_second: 100.0,
            lag_seconds: 3.0,
            p50_seconds: Some(0.5),
            p99_seconds: Some(0.99),
        };
        assert_eq!(samples[0].1, expected);
        assert!((samples[1].1.lag_seconds - 0.5).abs() < 1e-9);
    }

    #[test]
    fn what_holds_now_is_what_the_last_seconds_were_like() {
        let history = history(20, |second| if 15 < second { 7 } else { 0 });
        let now = history.now();
        assert!((now.confirmed_per_second - 7.0).abs() < 1e-9, "{now:?}");
        assert_eq!(now.p50_seconds, Some(0.5));
    }

    #[test]
    fn an_hour_is_kept_and_no_more() {
        let history = history(2 * 3_600, |_| 1);
        assert_eq!(history.samples().count(), SAMPLES);
        assert_eq!(history.looks.len(), 11);
    }

    #[test]
    fn without_a_look_nothing_is_known() {
        assert_eq!(History::default().now(), Rates::default());
    }
}
