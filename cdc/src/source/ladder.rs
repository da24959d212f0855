//! The way back into the stream when the server refuses the position to resume from.
//!
//! First after the token, then at the token's cluster time, then what the user chose for lost history.
//! A state machine without I/O: it is told what happened and says what to try.

use bson::Timestamp;

use super::HistoryLost;
use crate::position::Position;

/// What to do about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Open the stream once more, at the ladder's next place.
    Again,
    /// Give up what is lost and begin at the cluster's present time.
    Skip,
    /// Only a person can help.
    Stop,
    /// The same again without anything in between: only a person can help.
    Exhausted,
}

/// Where we are on the way down.
#[derive(Debug)]
pub(super) struct Ladder {
    policy: HistoryLost,
    rung: Rung,
    /// Cluster time of the furthest position so far. Only what comes later shows that a recovery worked: opening at a
    /// cluster time gives the events of that time again.
    furthest: Option<Timestamp>,
    has_skipped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rung {
    /// Something came since the last opening, so that the position is newer than it.
    Moved,
    /// The position itself.
    Position,
    /// The cluster time of a position that was refused.
    Time(Timestamp),
    /// Opened at that time, and what came is not further than what was handed over before.
    Replayed,
}

impl Ladder {
    /// At the top, with nothing read yet after `position`.
    pub(super) fn new(policy: HistoryLost, position: &Position) -> Self {
        Self {
            policy,
            rung: Rung::Position,
            furthest: position.cluster_time(),
            has_skipped: false,
        }
    }

    /// The position to open the stream at, when everything before `position` was handed over.
    pub(super) fn place(&mut self, position: &Position) -> Position {
        match self.rung {
            Rung::Time(time) => return Position::At(time),
            Rung::Moved => self.rung = Rung::Position,
            Rung::Position | Rung::Replayed => {}
        }
        position.clone()
    }

    /// Something was read; `position` is after it.
    pub(super) fn arrived(&mut self, position: &Position) {
        let time = position.cluster_time();
        if time > self.furthest {
            self.furthest = time;
            self.rung = Rung::Moved;
            self.has_skipped = false;
        } else if matches!(self.rung, Rung::Time(_)) {
            self.rung = Rung::Replayed;
        }
    }

    /// The server refused the position, when opening or while reading. `is_lost` where it said that its oplog no longer
    /// reaches back so far.
    pub(super) fn refused(&mut self, position: &Position, is_lost: bool) -> Step {
        match (self.rung, position) {
            (Rung::Moved, _) => {
                self.rung = Rung::Position;
                return Step::Again;
            }
            (Rung::Position, Position::After { .. }) => {
                if let Some(time) = position.cluster_time() {
                    self.rung = Rung::Time(time);
                    return Step::Again;
                }
            }
            // It was not about the token, and the oplog still holds that time.
            _ if !is_lost && position.cluster_time().is_some() => return Step::Stop,
            _ => {}
        }
        match self.policy {
            HistoryLost::Stop => Step::Stop,
            HistoryLost::Skip | HistoryLost::Snapshot if self.has_skipped => Step::Exhausted,
            HistoryLost::Skip | HistoryLost::Snapshot => Step::Skip,
        }
    }

    /// The skip is done; reading goes on at `to`.
    pub(super) fn skipped(&mut self, to: Timestamp) {
        self.furthest = Some(to);
        self.rung = Rung::Position;
        self.has_skipped = true;
    }
}

#[cfg(test)]
mod tests;
