//! How long until changes leave MongoDB's oplog that are not read and saved yet. It computes, and asks nobody.
//!
//! The oldest entry of a full oplog moves on as new ones come. It reaches the checkpoint after
//!
//! ```text
//! (checkpoint - oldest entry) / (speed of the oldest entry - speed of the checkpoint)
//! ```
//!
//! where both speeds are seconds of oplog in a second. The oldest entry counts as moving at least as fast as the clock, so
//! that for an engine that stands still it is at most the oplog's window less the lag. Where the checkpoint moves as fast, no
//! loss is in sight. The same holds of one at the oplog's end, however small the oplog, and of an oplog that has dropped
//! nothing yet.

mod estimate;

use std::{fmt, sync::Arc};

use tokio::sync::watch;

pub use self::estimate::{Estimate, Sample};

/// Below which headroom somebody hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Worth a look, in seconds, or half of the oplog's window where that is less.
    pub warning: u32,
    /// Not ready any more, in seconds, or a quarter of the oplog's window where that is less.
    pub critical: u32,
}

/// How near a loss is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Far away, or not in sight.
    #[default]
    Well,
    /// Below the first threshold.
    Warning,
    /// Below the second one.
    Critical,
}

/// How things stood when the servers were asked last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report {
    /// Time between the oldest and the newest entry of the oplog.
    pub window_seconds: u32,
    /// How far the checkpoint is behind the newest entry.
    pub behind_seconds: u32,
    /// Time of the checkpoint, in seconds since 1970.
    pub position: u32,
    /// How long until changes are lost; nothing where no loss is in sight.
    pub headroom_seconds: Option<u32>,
    /// The thresholds that hold for an oplog of this size.
    pub thresholds: Thresholds,
    /// What that means.
    pub level: Level,
}

/// The last report. A clone tells the same.
#[derive(Debug, Clone, Default)]
pub struct Headroom {
    report: Arc<watch::Sender<Option<Report>>>,
}

impl Headroom {
    /// The last report; nothing where it is not known.
    pub fn report(&self) -> Option<Report> {
        *self.report.borrow()
    }

    /// This is how things stand, if that is known.
    pub fn set(&self, report: Option<Report>) {
        self.report.send_replace(report);
    }
}

impl Thresholds {
    /// What holds for an oplog of this window: a small one never has much.
    fn within(self, window_seconds: u32) -> Self {
        Self {
            warning: self.warning.min(window_seconds / 2),
            critical: self.critical.min(window_seconds / 4),
        }
    }
}

impl Level {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
