//! How long it takes until changes arrive again once a fault is over.
//!
//! Recovery is the time from the moment when what the fault hit is back, to the first delivery of a
//! change that was made after that moment. So it includes catching up with what was left undone.
//! "Back" is: the process answers again, runs again, or is unblocked; for a fault of MongoDB, which
//! elects a primary by itself, the first acknowledged write that was sent after the old primary was
//! gone.
//! A takeover is measured in the same way, from the leader's end on.
//!
//! Only a fault that is alone is measured: another one before, during or after it would blur it.

use std::{fmt, time::Duration};

use super::fault::Kind;

/// Whose time is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// What the fault hit comes back.
    Recovery,
    /// Another engine takes the place of the one that ended.
    Takeover,
}

/// One measured time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The fault.
    pub kind: Kind,
    /// Which time.
    pub measure: Measure,
    /// The time.
    pub took: Duration,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.measure {
            Measure::Recovery => "recovered",
            Measure::Takeover => "taken over",
        };
        let millis = self.took.as_millis();
        write!(f, "{what} after {millis} ms, {}", self.kind.name())
    }
}

/// The times of one run.
#[derive(Debug, Default)]
pub struct Recovery {
    active: usize,
    /// When the last fault was over.
    ended: Duration,
    /// When the latest change that has arrived was sent.
    fresh: Duration,
    waiting: Option<Waiting>,
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Waiting {
    kind: Kind,
    measure: Measure,
    begun: Duration,
    back: Option<Duration>,
}

impl Recovery {
    /// Notes that a fault begins.
    pub fn begin(&mut self, kind: Kind, at: Duration) {
        let is_alone = self.has_recovered();
        self.active += 1;
        self.waiting = is_alone.then_some(Waiting {
            kind,
            measure: Measure::Recovery,
            begun: at,
            back: None,
        });
    }

    /// Notes that the fault has its effect from now on: what was acknowledged before says nothing.
    pub fn takes_effect(&mut self, kind: Kind, at: Duration) {
        if let Some(waiting) = self.waiting.as_mut().filter(|waiting| waiting.kind == kind) {
            waiting.begun = at;
            waiting.back = None;
        }
    }

    /// Notes that what the fault hit is back since `at`.
    pub fn back(&mut self, kind: Kind, measure: Measure, at: Duration) {
        if let Some(waiting) = self.waiting.as_mut().filter(|waiting| waiting.kind == kind) {
            waiting.measure = measure;
            waiting.back.get_or_insert(at);
        }
    }

    /// Notes that the fault hit what nobody misses, so that there is nothing to measure.
    pub fn forget(&mut self, kind: Kind) {
        self.waiting.take_if(|waiting| waiting.kind == kind);
    }

    /// Notes that the fault is over and done with.
    pub fn end(&mut self, at: Duration) {
        self.active -= 1;
        self.ended = at;
    }

    /// Notes that the database acknowledged a write that was sent at `sent`.
    pub fn written(&mut self, sent: Duration, at: Duration) {
        let elects = |waiting: &&mut Waiting| {
            waiting.kind.target() == super::fault::Target::Mongo && waiting.begun < sent
        };
        if let Some(waiting) = self.waiting.as_mut().filter(elects) {
            waiting.back.get_or_insert(at);
        }
    }

    /// Notes the first delivery of a change that was sent at `sent`; returns the time if that ends a measurement.
    pub fn delivered(&mut self, sent: Duration, at: Duration) -> Option<Sample> {
        self.fresh = self.fresh.max(sent);
        let waiting = self.waiting.as_ref()?;
        let back = waiting.back.filter(|back| *back <= sent)?;
        let sample = Sample {
            kind: waiting.kind,
            measure: waiting.measure,
            took: at.saturating_sub(back),
        };
        self.samples.push(sample);
        self.waiting = None;
        Some(sample)
    }

    /// Whether no fault goes on or is still measured, and a change has arrived that was made after the last one.
    pub fn has_recovered(&self) -> bool {
        self.active == 0 && self.waiting.is_none() && self.ended <= self.fresh
    }

    /// Whether a fault goes on that is alone.
    pub fn is_measuring(&self) -> bool {
        self.active == 1 && self.waiting.is_some()
    }

    /// Everything that was measured.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The times of one measure, sorted.
    pub fn times(&self, measure: Measure) -> Vec<Duration> {
        let samples = self.samples.iter();
        let mut times: Vec<_> = samples
            .filter(|sample| sample.measure == measure)
            .map(|sample| sample.took)
            .collect();
        times.sort_unstable();
        times
    }
}

/// The time that `percent` of the sorted `times` do not exceed.
pub fn percentile(times: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (times.len() * percent).div_ceil(100).max(1);
    times.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn kind(name: &str) -> Kind {
        name.parse().unwrap()
    }

    #[test]
    fn only_a_change_made_after_the_return_counts() {
        let mut recovery = Recovery::default();
        recovery.begin(kind("broker-kill"), s(1));
        recovery.delivered(s(1), s(2));
        recovery.back(kind("broker-kill"), Measure::Recovery, s(5));
        recovery.end(s(5));
        recovery.delivered(s(4), s(6));
        assert!(!recovery.has_recovered());
        recovery.delivered(s(5), s(8));
        assert_eq!(recovery.times(Measure::Recovery), [s(3)]);
        assert!(recovery.has_recovered());
    }

    #[test]
    fn mongodb_is_back_with_the_first_write_that_is_acknowledged() {
        let mut recovery = Recovery::default();
        recovery.begin(kind("mongo-kill"), s(1));
        recovery.written(s(1), s(2));
        recovery.written(s(3), s(7));
        recovery.written(s(7), s(8));
        recovery.end(s(3));
        // Sent after the fault, but before anybody knew that there was a primary.
        recovery.delivered(s(3), s(7));
        assert!(!recovery.has_recovered());
        recovery.delivered(s(8), s(9));
        assert_eq!(recovery.times(Measure::Recovery), [s(2)]);
        assert!(recovery.has_recovered());
    }

    #[test]
    fn overlapping_faults_are_not_measured() {
        let mut recovery = Recovery::default();
        recovery.begin(kind("net-cut"), s(1));
        recovery.back(kind("net-cut"), Measure::Recovery, s(2));
        recovery.begin(kind("engine-kill"), s(3));
        recovery.back(kind("engine-kill"), Measure::Takeover, s(3));
        recovery.end(s(3));
        recovery.end(s(3));
        recovery.delivered(s(4), s(5));
        assert_eq!(recovery.samples(), []);
        assert!(recovery.has_recovered());
    }

    #[test]
    fn a_fault_into_what_has_not_recovered_is_not_measured() {
        let mut recovery = Recovery::default();
        recovery.begin(kind("net-cut"), s(1));
        recovery.end(s(2));
        recovery.begin(kind("engine-kill"), s(3));
        recovery.back(kind("engine-kill"), Measure::Recovery, s(3));
        recovery.delivered(s(4), s(5));
        assert_eq!(recovery.samples(), []);
    }

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let times: Vec<_> = (1..=200).map(s).collect();
        assert_eq!(percentile(&times, 50), Some(s(100)));
        assert_eq!(percentile(&times, 99), Some(s(198)));
        assert_eq!(percentile(&times, 100), Some(s(200)));
        assert_eq!(percentile(&[], 50), None);
        assert_eq!(percentile(&[s(4)], 1), Some(s(4)));
    }
}
