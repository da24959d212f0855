//! Whether the change stream is read in full batches or skimmed.
//!
//! A server sends a batch when it is full or the oplog's end is reached, and tells nothing of how far it has come before.
//! Where millions of entries pass the filter by, that takes minutes. To skim is to ask for single events, and for some
//! that are not wanted among them: each reply is a position. A server that is asked for more than one event looks for
//! 4 MB of them before it sends the first one, so batches of a few are no way between.

/// Wanted events in a row after which full batches are the faster way: with one sample in 20,000 entries, a batch of
/// 1,000 then takes the server some 40,000 entries, well below the time after which a reply counts as slow.
///
/// Where the batches prove slow all the same, since what is wanted ends before a batch is full, the next row is twice as
/// long.
const WANTED_IN_A_ROW: u32 = 500;
/// Longest such row.
const LONGEST_ROW: u32 = 32_000;

/// A state machine without I/O.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Batches, of what is wanted alone.
    Full {
        /// Whether to skim where a reply takes long.
        may_skim: bool,
        /// Wanted events in a row after which batches come again, should it be skimmed.
        row: u32,
    },
    /// Single events, with a sample of what is not wanted.
    Skim {
        /// Events that were wanted since the last one that was not.
        wanted: u32,
        /// So many of them end it.
        row: u32,
    },
}

impl Default for Pace {
    fn default() -> Self {
        Self::Full {
            may_skim: true,
            row: WANTED_IN_A_ROW,
        }
    }
}

impl Pace {
    /// Whether a stream that is slow is to be skimmed.
    pub(super) fn may_skim(self) -> bool {
        matches!(self, Self::Full { may_skim: true, .. })
    }

    /// Whether it is skimmed.
    pub(super) fn is_skimming(self) -> bool {
        matches!(self, Self::Skim { .. })
    }

    /// A reply took long although the server is alive.
    pub(super) fn slow(&mut self) {
        let (Self::Full { row, .. } | Self::Skim { row, .. }) = *self;
        *self = Self::Skim { wanted: 0, row };
    }

    /// Something was read that was wanted or not, and there is more to read before the oplog's end or not. True where
    /// the stream is to be opened again at another pace.
    pub(super) fn read(&mut self, is_wanted: bool, is_behind: bool) -> bool {
        let Self::Skim { wanted, row } = self else {
            return false;
        };
        *wanted = if is_wanted { *wanted + 1 } else { 0 };
        if is_behind && *wanted < *row {
            return false;
        }
        *self = Self::Full {
            may_skim: true,
            row: LONGEST_ROW.min(*row * 2),
        };
        true
    }

    /// The server cannot send an event: it is too large, or has no image that is required. It may be one of the sample, so
    /// the next stream goes without.
    pub(super) fn unsendable(&mut self) -> bool {
        let Self::Skim { row, .. } = *self else {
            return false;
        };
        *self = Self::Full {
            may_skim: false,
            row,
        };
        true
    }

    /// Something was read of a batch.
    pub(super) fn arrived(&mut self) {
        *self = Self::default();
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
        assert!(pace.may_skim());
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
        assert!(pace.may_skim());
    }

    #[test]
    fn batches_that_prove_slow_are_tried_again_after_a_row_twice_as_long() {
        fn row(pace: &mut Pace) -> u32 {
            pace.slow();
            (1..=LONGEST_ROW).find(|_| pace.read(true, true)).unwrap()
        }
        let mut pace = Pace::default();
        assert_eq!([row(&mut pace), row(&mut pace)], [500, 1_000]);
        let rows: Vec<u32> = (0..6).map(|_| row(&mut pace)).collect();
        assert_eq!(rows, [2_000, 4_000, 8_000, 16_000, 32_000, 32_000]);
        pace.arrived();
        assert_eq!(row(&mut pace), WANTED_IN_A_ROW);
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
