//! What a test build can be told to do wrong, so that the tests see that it is noticed. Nothing of it is in a release.
//!
//! `CDC_TEST_CRASH_AT=<point>:<n>` ends the process, without a word, when it comes by `point` for the `n`th time.
//! `CDC_TEST_BREAK=<defect>` makes the engine break its contract.
//! `CDC_TEST_RANGE_DOCUMENTS=<n>` has a snapshot cut collections into ranges of so many documents.

/// A step of the loop at which a test build may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// The lock is taken, the checkpoint not yet claimed.
    AfterLock,
    /// The checkpoint is claimed, nothing is published yet.
    AfterClaim,
    /// A message is on its way, its confirm has not come.
    AfterPublish,
    /// A message is confirmed, the checkpoint does not tell yet.
    AfterConfirm,
    /// The checkpoint's new position is on its way, the answer has not come.
    DuringSave,
    /// A signal has come, messages are still in flight.
    DuringDrain,
}

/// A way to break the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    /// The checkpoint is one event ahead of what is confirmed.
    EarlyCheckpoint,
    /// A message that came back as unroutable counts as delivered.
    DropReturned,
    /// Where to go on is not read from the stream.
    ForgetPlace,
    /// A frame for a stream is not written, and what comes after it is.
    LoseFrame,
}

#[cfg(debug_assertions)]
mod armed {
    use std::{
        env,
        sync::{
            OnceLock,
            atomic::{AtomicU64, Ordering},
        },
    };

    use super::{Defect, Point};

    /// Ends the process here, if a test wants that.
    pub(crate) fn pass(point: Point) {
        static CRASH_AT: OnceLock<Option<(String, u64)>> = OnceLock::new();
        static PASSED: AtomicU64 = AtomicU64::new(0);
        let crash_at = CRASH_AT.get_or_init(|| {
            let text = env::var("CDC_TEST_CRASH_AT").ok()?;
            let (name, count) = text.split_once(':')?;
            Some((name.to_owned(), count.parse().ok()?))
        });
        let Some((name, count)) = crash_at else {
            return;
        };
        if name == point_name(point) && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *count {
            // No destructor runs and nothing is flushed, as after a kill.
            std::process::abort();
        }
    }

    /// Whether a test wants this defect.
    pub(crate) fn has(defect: Defect) -> bool {
        static BREAK: OnceLock<Option<String>> = OnceLock::new();
        let wanted = BREAK.get_or_init(|| env::var("CDC_TEST_BREAK").ok());
        wanted.as_deref() == Some(defect_name(defect))
    }

    /// Documents of a snapshot's range, if a test wants another number of them.
    pub(crate) fn range_documents() -> Option<u64> {
        env::var("CDC_TEST_RANGE_DOCUMENTS").ok()?.parse().ok()
    }

    fn point_name(point: Point) -> &'static str {
        match point {
            Point::AfterLock => "after-lock",
            Point::AfterClaim => "after-claim",
            Point::AfterPublish => "after-publish",
            Point::AfterConfirm => "after-confirm",
            Point::DuringSave => "during-save",
            Point::DuringDrain => "during-drain",
        }
    }

    fn defect_name(defect: Defect) -> &'static str {
        match defect {
            Defect::EarlyCheckpoint => "early-checkpoint",
            Defect::DropReturned => "drop-returned",
            Defect::ForgetPlace => "forget-place",
            Defect::LoseFrame => "lose-frame",
        }
    }
}

#[cfg(not(debug_assertions))]
mod armed {
    use super::{Defect, Point};

    /// Does nothing in a release.
    pub(crate) fn pass(_: Point) {}

    /// Never in a release.
    pub(crate) fn has(_: Defect) -> bool {
        false
    }

    /// None in a release.
    pub(crate) fn range_documents() -> Option<u64> {
        None
    }
}

pub(crate) use armed::{has, pass, range_documents};
