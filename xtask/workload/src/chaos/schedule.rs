//! Which fault comes when: made from a seed, so that a run can be repeated.

use std::{ops::RangeInclusive, time::Duration};

use rand::{Rng, RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};

use super::fault::Kind;

/// Time from one fault to the next, at least.
const GAP_MS: RangeInclusive<u64> = 3_000..=7_000;
/// The same where the next one shall fall into the one before.
const OVERLAP_MS: RangeInclusive<u64> = 300..=3_000;
/// Every so many faults, one falls into the one before.
const ROUND: usize = 4;

/// One fault to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What happens.
    pub kind: Kind,
    /// How long after the fault before it.
    pub after: Duration,
    /// How long what it hits stays away.
    pub lasts: Duration,
    /// Chooses among several equal targets.
    pub pick: u8,
    /// Whether everything before must have recovered first.
    pub is_alone: bool,
}

/// Faults without end.
///
/// Each kind comes once before any comes twice, in a new order each time. What overlaps are never more
/// than two, so that everything recovers now and then.
#[derive(Debug)]
pub struct Schedule {
    rng: StdRng,
    kinds: Vec<Kind>,
    deck: Vec<Kind>,
    count: usize,
}

impl Schedule {
    /// The faults that belong to `seed`.
    pub fn new(seed: u64, kinds: &[Kind]) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            kinds: kinds.to_vec(),
            deck: Vec::new(),
            count: 0,
        }
    }
}

impl Iterator for Schedule {
    type Item = Fault;

    fn next(&mut self) -> Option<Fault> {
        if self.deck.is_empty() {
            self.deck = self.kinds.clone();
            self.deck.shuffle(&mut self.rng);
        }
        let kind = self.deck.pop()?;
        self.count += 1;
        let is_alone = !self.count.is_multiple_of(ROUND);
        let gap = if is_alone { GAP_MS } else { OVERLAP_MS };
        Some(Fault {
            kind,
            after: Duration::from_millis(self.rng.random_range(gap)),
            lasts: Duration::from_millis(self.rng.random_range(kind.lasts_ms())),
            pick: self.rng.next_u32().to_le_bytes()[0],
            is_alone,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn faults(seed: u64, count: usize) -> Vec<Fault> {
        Schedule::new(seed, &Kind::all().collect::<Vec<_>>())
            .take(count)
            .collect()
    }

    #[test]
    fn the_same_seed_makes_the_same_faults() {
        assert_eq!(faults(7, 200), faults(7, 200));
        assert_ne!(faults(7, 200), faults(8, 200));
    }

    #[test]
    fn each_kind_comes_once_before_any_comes_twice() {
        for round in faults(3, 10 * Kind::all().count()).chunks(Kind::all().count()) {
            let kinds: BTreeSet<_> = round.iter().map(|fault| fault.kind).collect();
            assert_eq!(kinds.len(), Kind::all().count());
        }
    }

    #[test]
    fn a_hundred_faults_fit_into_twenty_minutes() {
        for seed in 0..20 {
            let faults = faults(seed, 100);
            let time: Duration = faults.iter().map(|fault| fault.after + fault.lasts).sum();
            assert!(time < Duration::from_secs(15 * 60), "{time:?}");
        }
    }

    #[test]
    fn a_fault_lasts_as_long_as_its_kind_may() {
        for fault in faults(5, 400) {
            let lasts = u64::try_from(fault.lasts.as_millis()).unwrap();
            assert!(fault.kind.lasts_ms().contains(&lasts), "{fault:?}");
        }
    }

    #[test]
    fn never_more_than_two_faults_overlap() {
        let faults = faults(9, 400);
        assert!(faults.iter().any(|fault| !fault.is_alone));
        assert!(faults[0].is_alone);
        for pair in faults.windows(2) {
            assert!(pair.iter().any(|fault| fault.is_alone), "{pair:?}");
        }
    }

    #[test]
    fn only_the_chosen_kinds_come() {
        let kind = "net-cut".parse().unwrap();
        let mut chosen = Schedule::new(1, &[kind]);
        assert!(chosen.by_ref().take(9).all(|fault| fault.kind == kind));
        assert_eq!(Schedule::new(1, &[]).next(), None);
    }
}
