//! How many messages the broker may send before the next subscription: a wave.
//!
//! A consumer's prefetch counts messages, whatever their size, and cannot be changed. So tail reads in waves: each is
//! a subscription of its own whose prefetch follows from the size of the bodies so far. The first waves are small,
//! since what was sent and not shown has to go back, and a quorum queue counts that.

/// Messages of the first wave.
const FIRST: u64 = 8;
/// How much larger the next wave may be.
const GROWTH: u64 = 4;
/// Bytes of bodies that a wave should stay under.
const BYTES: u64 = 8 << 20;
/// What a message takes beside its body.
const OVERHEAD: u64 = 512;

/// The size of a wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wave {
    size: u64,
    size_max: u64,
}

/// All messages so far.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Total {
    messages: u64,
    bytes: u64,
}

impl Wave {
    /// The first wave; no wave is larger than `size_max`.
    pub(super) fn first(size_max: u16) -> Self {
        Self {
            size: FIRST.min(u64::from(size_max)),
            size_max: u64::from(size_max),
        }
    }

    /// The prefetch.
    pub(super) fn size(&self) -> u16 {
        u16::try_from(self.size).unwrap_or(u16::MAX)
    }

    /// The next wave, which is smaller than this one where bodies turned out larger.
    pub(super) fn next(&self, total: Total) -> Self {
        let average = (total.bytes / total.messages.max(1)) + OVERHEAD;
        let fitting = (BYTES / average).clamp(1, self.size_max);
        Self {
            size: fitting.min(self.size * GROWTH),
            ..*self
        }
    }

    /// This wave, with at most `limit` messages.
    pub(super) fn at_most(self, limit: u64) -> Self {
        Self {
            size: self.size.min(limit).max(1),
            ..self
        }
    }
}

impl Total {
    /// Adds a message with a body of `bytes`.
    pub(super) fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }

    /// Messages so far.
    pub(super) fn messages(self) -> u64 {
        self.messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(bytes: usize, size_max: u16) -> Vec<u16> {
        let mut wave = Wave::first(size_max);
        let mut total = Total::default();
        let mut sizes = Vec::new();
        for _ in 0..6 {
            sizes.push(wave.size());
            (0..wave.size()).for_each(|_| total.add(bytes));
            wave = wave.next(total);
        }
        sizes
    }

    #[test]
    fn waves_grow_up_to_the_bound_in_messages() {
        assert_eq!(sizes(400, 2048), [8, 32, 128, 512, 2048, 2048]);
        assert_eq!(sizes(400, 4), [4; 6]);
    }

    #[test]
    fn waves_stay_under_the_bound_in_bytes() {
        assert_eq!(sizes(100_000, u16::MAX), [8, 32, 83, 83, 83, 83]);
        assert_eq!(sizes(16 << 20, u16::MAX), [8, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn a_limit_makes_a_wave_smaller_but_never_empty() {
        assert_eq!(Wave::first(2048).at_most(3).size(), 3);
        assert_eq!(Wave::first(2048).at_most(0).size(), 1);
    }
}
