//! Speeds, and what follows from them.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{Level, Report, Thresholds};

/// From this distance on the checkpoint is behind the oplog's end. An idle one is up to half a minute.
const BEHIND_SECONDS: u32 = 60;
/// Over how long the checkpoint's speed is taken.
const RECENT: Duration = Duration::from_secs(60);
/// Over how many cuts the speed of the oldest entry is taken. An oplog is cut in pieces of about a hundredth.
const CUTS: usize = 4;
/// A level is left when there is so much more headroom than its threshold.
const MARGIN: f64 = 1.1;

/// What the servers said at one moment, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When they were asked.
    pub at: Instant,
    /// Time of the oldest entry.
    pub oldest: u32,
    /// Time of the newest entry.
    pub newest: u32,
    /// Time of the checkpoint.
    pub position: u32,
    /// Whether the oplog has dropped nothing yet.
    pub is_whole: bool,
}

/// Makes reports of samples.
#[derive(Debug)]
pub struct Estimate {
    thresholds: Thresholds,
    /// The samples of the recent past, the present one last.
    recent: VecDeque<Sample>,
    /// When the oldest entry was found to be another one, and its time.
    cuts: VecDeque<(Instant, u32)>,
    /// Whether the next sample is the first one of its oplog.
    is_other: bool,
    level: Level,
}

impl Estimate {
    /// Nothing is known yet.
    pub fn new(thresholds: Thresholds) -> Self {
        Self {
            thresholds,
            recent: VecDeque::new(),
            cuts: VecDeque::new(),
            is_other: false,
            level: Level::Well,
        }
    }

    /// The next sample is of another member's oplog, which begins elsewhere and is cut at other times.
    pub fn of_another_member(&mut self) {
        self.cuts.clear();
        // The last sample's oldest entry tells nothing of the next one's.
        self.is_other = true;
    }

    /// What follows from the next sample.
    pub fn take(&mut self, sample: Sample) -> Report {
        self.remember(sample);
        let window_seconds = sample.newest.saturating_sub(sample.oldest);
        let behind_seconds = sample.newest.saturating_sub(sample.position);
        let seconds = if BEHIND_SECONDS <= behind_seconds {
            self.seconds_to_loss(sample)
        } else {
            None
        };
        let thresholds = self.thresholds.within(window_seconds);
        self.level = if BEHIND_SECONDS <= behind_seconds {
            let by_time = seconds.map_or(Level::Well, |left| self.level_at(left, thresholds));
            // Who gets away from a loss is near it until there is room: the next burst of writes decides.
            let distance = sample.position.saturating_sub(sample.oldest);
            let by_distance = self.level_at(distance.into(), thresholds);
            by_time.max(by_distance.min(self.level))
        } else {
            Level::Well
        };
        Report {
            window_seconds,
            behind_seconds,
            position: sample.position,
            headroom_seconds: seconds.and_then(whole),
            thresholds,
            level: self.level,
        }
    }

    fn remember(&mut self, sample: Sample) {
        let is_other = std::mem::take(&mut self.is_other);
        if let Some(last) = self.recent.back()
            && !is_other
            && last.oldest < sample.oldest
        {
            self.cuts.push_back((sample.at, sample.oldest));
            if CUTS < self.cuts.len() {
                self.cuts.pop_front();
            }
        }
        self.recent.push_back(sample);
        // The first one is at least as old as the stretch that is looked at.
        while let Some(second) = self.recent.get(1)
            && RECENT <= sample.at.duration_since(second.at)
        {
            self.recent.pop_front();
        }
    }

    fn seconds_to_loss(&self, sample: Sample) -> Option<f64> {
        let distance = f64::from(sample.position.saturating_sub(sample.oldest));
        let closing = self.speed_of_oldest(sample) - self.speed_of_position(sample)?;
        (0.0 < closing).then(|| distance / closing)
    }

    /// Measured from cut to cut, since between two of them it stands. A stretch without cuts that is longer than between
    /// the others counts too.
    fn speed_of_oldest(&self, sample: Sample) -> f64 {
        if sample.is_whole {
            return 0.0;
        }
        let (Some((first, from)), Some((last, to))) = (self.cuts.front(), self.cuts.back()) else {
            return 1.0;
        };
        let (cuts, span) = (self.cuts.len(), last.duration_since(*first));
        let silence = sample.at.duration_since(*last);
        let is_slower = span < silence * u32::try_from(cuts - 1).unwrap_or(u32::MAX);
        let span = if is_slower { span + silence } else { span };
        let speed = f64::from(to.saturating_sub(*from)) / span.as_secs_f64();
        // A number greater than one, of which one cut alone makes none.
        if 1.0 < speed { speed } else { 1.0 }
    }

    /// Nothing where it is not known yet.
    fn speed_of_position(&self, sample: Sample) -> Option<f64> {
        let first = self.recent.front()?;
        let span = sample.at.duration_since(first.at);
        let moved = sample.position.saturating_sub(first.position);
        (!span.is_zero()).then(|| f64::from(moved) / span.as_secs_f64())
    }

    fn level_at(&self, seconds: f64, thresholds: Thresholds) -> Level {
        // A quarter of an oplog of seconds is none.
        if seconds < 1.0 {
            return Level::Critical;
        }
        let is_below = |level: Level, threshold: u32| {
            let margin = if level <= self.level { MARGIN } else { 1.0 };
            seconds < f64::from(threshold) * margin
        };
        if is_below(Level::Critical, thresholds.critical) {
            Level::Critical
        } else if is_below(Level::Warning, thresholds.warning) {
            Level::Warning
        } else {
            Level::Well
        }
    }
}

/// Whole seconds; nothing for what is centuries away.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is in the range"
)]
fn whole(seconds: f64) -> Option<u32> {
    (seconds < f64::from(u32::MAX)).then_some(seconds as u32)
}

#[cfg(test)]
mod tests;
