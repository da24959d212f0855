//! When to save which position.
//!
//! A state machine without I/O, which is told what happened and when. A position that was noted is one up to which
//! everything is confirmed. One save is under way at a time, and what is noted meanwhile waits for the next one.

use std::time::Duration;

use bson::Timestamp;
use tokio::time::Instant;

use crate::{position::Position, retry::Backoff};

/// A save that takes this much longer than the interval is late.
const LATE: Duration = Duration::from_secs(2);
/// Longest time between checkpoints while nothing passes the filter, by our clock and by the cluster's.
const IDLE_INTERVAL: Duration = Duration::from_secs(10);

/// Longest time between checkpoints while a snapshot is read, which waits for them.
const SNAPSHOT_INTERVAL: Duration = Duration::from_millis(100);

/// See the module's text.
#[derive(Debug)]
pub(super) struct Saver {
    interval: Duration,
    /// The last position that was noted.
    current: Position,
    /// The newest position that no save has begun with, and when its turn comes.
    latest: Option<(Position, Instant)>,
    /// The position that is being saved.
    saving: Option<Position>,
    is_frozen: bool,
    is_hurried: bool,
    last_start: Option<Instant>,
    /// Cluster time of the position whose save began last.
    last_time: Option<Timestamp>,
    /// Messages confirmed since the last save began that succeeded.
    unsaved: usize,
    /// How long the first of them has been waiting.
    unsaved_since: Option<Instant>,
    /// Their number, as it was when the save under way began.
    unsaved_at_start: usize,
    backoff: Backoff,
}

impl Saver {
    pub(super) fn new(interval: Duration, position: Position) -> Self {
        Self {
            interval,
            current: position,
            latest: None,
            saving: None,
            is_frozen: false,
            is_hurried: false,
            last_start: None,
            last_time: None,
            unsaved: 0,
            unsaved_since: None,
            unsaved_at_start: 0,
            backoff: Backoff::default(),
        }
    }

    /// Everything up to `position` is confirmed, `count` messages more than before.
    pub(super) fn confirmed(&mut self, position: Position, count: usize, now: Instant) {
        self.unsaved += count;
        self.unsaved_since.get_or_insert(now);
        self.note(position, self.interval, now);
    }

    /// `count` messages more are confirmed, which end no change that several messages tell of.
    pub(super) fn confirmed_in_part(&mut self, count: usize, now: Instant) {
        if 0 < count {
            self.unsaved += count;
            self.unsaved_since.get_or_insert(now);
        }
    }

    /// Nothing was to publish up to `position`.
    pub(super) fn idle(&mut self, position: Position, now: Instant) {
        let is_far = self
            .last_time
            .is_some_and(|last| IDLE_INTERVAL.as_secs() <= position.seconds_since(last).into());
        let interval = if is_far {
            self.interval
        } else {
            IDLE_INTERVAL.max(self.interval)
        };
        self.note(position, interval, now);
    }

    /// More of a snapshot is confirmed, at the same position.
    pub(super) fn progressed(&mut self, now: Instant) {
        let position = self.current.clone();
        self.note(position, self.interval.min(SNAPSHOT_INTERVAL), now);
    }

    fn note(&mut self, position: Position, interval: Duration, now: Instant) {
        if self.is_frozen {
            return;
        }
        self.current.clone_from(&position);
        let regular = self
            .last_start
            .map_or(now, |start| now.max(start + interval));
        let due = if self.is_hurried { now } else { regular };
        let due = match &self.latest {
            Some((_, earlier)) => due.min(*earlier),
            None => due,
        };
        self.latest = Some((position, due));
    }

    /// From now on every save is due at once.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.is_hurried = true;
        if let Some((_, due)) = &mut self.latest {
            *due = now;
        }
    }

    /// Nothing more is to be saved: a position that was noted proved wrong, or cannot be saved.
    pub(super) fn freeze(&mut self) {
        self.latest = None;
        self.is_frozen = true;
    }

    /// Whether everything noted is saved.
    pub(super) fn is_clean(&self) -> bool {
        self.latest.is_none() && self.saving.is_none()
    }

    /// Whether so much is unsaved, because saves fail or hang, that nothing more should be published: it would all be
    /// sent again after a crash.
    pub(super) fn is_behind(&self, limit: usize, now: Instant) -> bool {
        let is_late = |since| self.interval + LATE < now.duration_since(since);
        limit <= self.unsaved && self.unsaved_since.is_some_and(is_late)
    }

    /// When the next save is to begin; `None` while one is under way, and where there is nothing to save.
    pub(super) fn due(&self) -> Option<Instant> {
        let due = self.latest.as_ref().map(|(_, due)| *due);
        due.filter(|_| self.saving.is_none())
    }

    /// The position to save now, where a save is due. It ends with [`Saver::saved`] or [`Saver::failed`].
    pub(super) fn start(&mut self, now: Instant) -> Option<Position> {
        self.due().filter(|due| *due <= now)?;
        let (position, _) = self.latest.take()?;
        self.last_start = Some(now);
        self.last_time = position.cluster_time();
        self.unsaved_at_start = self.unsaved;
        self.saving = Some(position.clone());
        Some(position)
    }

    /// The save under way has succeeded.
    pub(super) fn saved(&mut self) {
        self.saving = None;
        self.backoff.reset();
        self.unsaved -= self.unsaved_at_start;
        self.unsaved_since = self.last_start.filter(|_| 0 < self.unsaved);
    }

    /// The save under way has failed, and is to be tried again, with what was noted meanwhile.
    pub(super) fn failed(&mut self, now: Instant) {
        let Some(position) = self.saving.take() else {
            return;
        };
        if self.is_frozen {
            return;
        }
        let position = self.latest.take().map_or(position, |(newer, _)| newer);
        self.latest = Some((position, now + self.backoff.next_delay()));
    }
}

#[cfg(test)]
mod tests;
