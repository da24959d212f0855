//! Whether the change stream is read in full batches or skimmed.
//!
//! A server sends a batch when it is full or the oplog's end is reached, and tells nothing of how far it has come before.
//! Where millions of entries pass the filter by, that takes minutes. To skim is to ask for single events, and for some
//! that are not wanted among them: each reply is a position. A server that is asked for more than one event looks for
//! 4 MB of them before it sends the first one, so batches of a few are no way between.

/// Wanted events in a row after which full batches are the faster way: with one sample in 20,000 entries, a batch of
/// 1,000 then takes the server some 40,000 entries, well below the time after which a reply counts as slow.
const WANTED_IN_A_ROW: u32 = 500;

/// A state machine without I/O.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Batches, of what is wanted alone.
    Full {
        /// Whether to skim where a reply takes long.
        may_skim: bool,
    },
    /// Single events, with a sample of what is not wanted.
    Skim {
        /// Events that were wanted since the last one that was not.
        wanted: u32,
    },
}

impl Default for Pace {
    fn default() -> Self {
        Self::Full { may_skim: true }
    }
}

impl Pace {
    /// Whether a stream that is slow is to be skimmed.
    pub(super) fn may_skim(self) -> bool {
        self == Self::default()
    }

    /// Whether it is skimmed.
    pub(super) fn is_skimming(self) -> bool {
        matches!(self, Self::Skim { .. })
    }

    /// A reply took long although the server is alive.
    pub(super) fn slow(&mut self) {
        *self = Self::Skim { wanted: 0 };
    }

    /// Something was read that was wanted or not, and there is more to read before the oplog's end or not. True where
    /// the stream is to be opened again at another pace.
    pub(super) fn read(&mut self, is_wanted: bool, is_behind: bool) -> bool {
        let Self::Skim { wanted } = self else {
            return false;
        };
        *wanted = if is_wanted { *wanted + 1 } else { 0 };
        if is_behind && *wanted < WANTED_IN_A_ROW {
            return false;
        }
        *self = Self::default();
        true
    }

    /// The server cannot send an event: it is too large, or has no image that is required. It may be one of the sample, so
    /// the next stream goes without.
    pub(super) fn unsendable(&mut self) -> bool {
        let was_skimming = self.is_skimming();
        if was_skimming {
            *self = Self::Full { may_skim: false };
        }
        was_skimming
    }

    /// Something was read, whatever the pace.
    pub(super) fn arrived(&mut self) {
        if let Self::Full { may_skim } = self {
            *may_skim = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skimming() -> Pace {
        let mut pace = Pace::default();
        assert!(pace.may_skim());
        pace.slow();
        assert!(pace.is_skimming() && !pace.may_skim());
        pace
    }

    #[test]
    fn it_skims_until_it_has_caught_up() {
        let mut pace = skimming();
        assert!(!pace.read(false, true));
        assert!(pace.read(false, false));
        assert_eq!(pace, Pace::default());
        assert!(!pace.read(true, false), "there is nothing to change");
    }

    #[test]
    fn it_skims_until_there_is_more_that_is_wanted_than_that_is_not() {
        let mut pace = skimming();
        for _ in 1..WANTED_IN_A_ROW {
            assert!(!pace.read(true, true));
        }
        assert!(!pace.read(false, true), "the row begins anew");
        for _ in 1..WANTED_IN_A_ROW {
            assert!(!pace.read(true, true));
        }
        assert!(pace.read(true, true));
        assert_eq!(pace, Pace::default());
    }

    #[test]
    fn an_event_that_cannot_be_sent_is_tried_once_without_a_sample() {
        let mut pace = skimming();
        assert!(pace.unsendable());
        assert!(!pace.is_skimming() && !pace.may_skim());
        assert!(!pace.unsendable(), "it is one that was asked for");
        pace.arrived();
        assert!(pace.may_skim());
    }
}
