//! What to do about an error, and how long to wait before the next attempt.
//!
//! Stages classify their own errors with [`Disposition`]; only the pipeline and the application act on it.

use std::{error::Error as StdError, time::Duration};

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

/// First wait of a series, before jitter.
const DELAY_MIN: Duration = Duration::from_millis(100);
/// Longest wait of a series, before jitter (jitter at most doubles it).
const DELAY_MAX: Duration = Duration::from_secs(1);

/// Time until a failure that goes on is said a second time; it doubles from then on, up to the longest.
const SILENCE_MIN: Duration = Duration::from_secs(10);
const SILENCE_MAX: Duration = Duration::from_secs(300);
/// So many wordings of one failure are said when they come up. Servers that fail in turns could go on for ever.
const WORDINGS_MAX: usize = 8;

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

/// When to say again that something fails: at once where it is news, and ever more seldom where it only goes on.
#[derive(Debug, Default)]
pub struct Repeats {
    series: Option<Series>,
}

#[derive(Debug)]
struct Series {
    since: Instant,
    count: u64,
    wordings: Vec<String>,
    silence: Duration,
    silent_until: Instant,
    /// Whether the last that was said is that it fails.
    is_said: bool,
}

/// How often something was tried in vain, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// How often.
    pub count: u64,
    /// Whole seconds since the first time.
    pub seconds: u64,
}

impl Repeats {
    /// It failed, with these words. What to say of it, if anything.
    pub fn failed(&mut self, words: &str, now: Instant) -> Option<Tries> {
        let series = self.series.get_or_insert_with(|| Series::new(now));
        series.count += 1;
        let is_news =
            series.wordings.len() < WORDINGS_MAX && !series.wordings.iter().any(|one| one == words);
        if is_news {
            series.wordings.push(words.to_owned());
        }
        if series.silent_until <= now {
            series.silent_until = now + series.silence;
            series.silence = SILENCE_MAX.min(series.silence * 2);
        } else if !is_news {
            return None;
        }
        series.is_said = true;
        Some(series.tries(now))
    }

    /// It worked. What to say of that: nothing where nothing was said of a failure since the last time.
    pub fn worked(&mut self, now: Instant) -> Option<Tries> {
        let series = self.series.as_mut().filter(|series| series.is_said)?;
        series.is_said = false;
        Some(series.tries(now))
    }

    /// Whether it has failed since it worked for good.
    pub fn is_failing(&self) -> bool {
        self.series.is_some()
    }

    /// It works for good: the next failure is news.
    pub fn reset(&mut self) {
        self.series = None;
    }
}

impl Series {
    fn new(now: Instant) -> Self {
        Self {
            since: now,
            count: 0,
            wordings: Vec::new(),
            silence: SILENCE_MIN,
            silent_until: now,
            is_said: false,
        }
    }

    fn tries(&self, now: Instant) -> Tries {
        Tries {
            count: self.count,
            seconds: now.duration_since(self.since).as_secs(),
        }
    }
}

/// Milliseconds as a number that a log line can hold.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
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
    /// The seconds at which a failure that repeats every second is said.
    fn said(repeats: &mut Repeats, seconds: std::ops::Range<u64>, words: &str) -> Vec<u64> {
        let start = Instant::now();
        let at = |second: &u64| {
            let now = start + Duration::from_secs(*second);
            repeats.failed(words, now).is_some()
        };
        seconds.filter(at).collect()
    }

    #[test]
    fn a_failure_that_goes_on_is_said_ever_more_seldom() {
        let mut repeats = Repeats::default();
        let all = said(&mut repeats, 0..1_500, "refused");
        assert_eq!(all, [0, 10, 30, 70, 150, 310, 610, 910, 1_210]);
        repeats.reset();
        assert_eq!(said(&mut repeats, 0..5, "refused"), [0]);
    }

    #[test]
    fn a_new_wording_is_said_at_once_and_not_for_ever() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        let mut said = 0;
        for number in 0..100 {
            let words = format!("failure {number}");
            said += usize::from(repeats.failed(&words, now).is_some());
        }
        assert_eq!(said, WORDINGS_MAX);
        assert_eq!(repeats.failed("failure 1", now), None);
    }

    #[test]
    fn an_end_is_said_where_the_failure_was_and_with_its_count() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        assert_eq!(repeats.worked(now), None);
        for second in 0..5 {
            repeats.failed("refused", now + Duration::from_secs(second));
        }
        let end = now + Duration::from_secs(5);
        let (count, seconds) = (5, 5);
        assert_eq!(repeats.worked(end), Some(Tries { count, seconds }));
        assert_eq!(repeats.worked(end), None);
        assert_eq!(repeats.failed("refused", end), None, "it only flickers");
        assert_eq!(repeats.worked(end), None, "nobody was told");
    }
}
