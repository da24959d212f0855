//! What a writer chooses to do next: pure, from its seed.

use std::time::Duration;

use rand::{RngExt, rngs::StdRng};

use super::{
    deed::{COLLECTIONS, Deed, DocumentId, Verb},
    ledger::Together,
};

/// Documents that one writer keeps at most, so that the database does not grow without end.
const MOST_DOCUMENTS: usize = 400;
/// Below this there is too little to change.
const FEWEST_DOCUMENTS: usize = 10;
/// Length of a document of the pulse.
const PULSE_LENGTH: usize = 100;

/// One change to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Act {
    pub(super) verb: Verb,
    pub(super) collection: u8,
    /// Of an insert, the one to come.
    pub(super) document: Option<DocumentId>,
    /// Bytes of its content.
    pub(super) length: usize,
}

/// How a writer writes for a while.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mood {
    pub(super) turns: usize,
    /// Most documents in one insert.
    pub(super) batch: usize,
    /// After each turn.
    pub(super) pause: Duration,
    /// After all of them.
    pub(super) lull: Duration,
}

/// The documents of one writer that certainly exist and that it may change.
#[derive(Debug, Default)]
pub(super) struct Work {
    documents: Vec<(u8, DocumentId)>,
}

impl Mood {
    pub(super) fn choose(rng: &mut StdRng) -> Self {
        let is_burst = rng.random_ratio(1, 4);
        let lull_ms = if rng.random_ratio(1, 5) { 2_000 } else { 0 };
        Self {
            turns: rng.random_range(10..80),
            batch: if is_burst { 60 } else { 5 },
            pause: Duration::from_millis(if is_burst { 0 } else { rng.random_range(5..50) }),
            lull: Duration::from_millis(lull_ms),
        }
    }
}

impl Act {
    pub(super) fn pulse() -> Self {
        Self {
            verb: Verb::Insert,
            collection: 0,
            document: None,
            length: PULSE_LENGTH,
        }
    }
}

impl Work {
    /// What to do in one go. The documents it touches are taken out until [`Work::keep`].
    pub(super) fn choose(&mut self, rng: &mut StdRng, batch: usize) -> (Vec<Act>, Together) {
        match rng.random_range(0..10) {
            0..=1 if self.documents.len() < MOST_DOCUMENTS => {
                let collection = any_collection(rng);
                let count = rng.random_range(2..=batch);
                let acts = (0..count).map(|_| insert(rng, collection));
                (acts.collect(), Together::Batch)
            }
            2 => {
                let count = rng.random_range(2..6);
                let acts = (0..count).map(|_| self.act(rng));
                (acts.collect(), Together::Transaction)
            }
            _ => (vec![self.act(rng)], Together::Batch),
        }
    }

    /// Gives the documents back, now that what was done to them is certain.
    pub(super) fn keep(&mut self, deeds: &[Deed]) {
        let living = deeds.iter().filter(|deed| deed.verb != Verb::Delete);
        self.documents
            .extend(living.map(|deed| (deed.collection, deed.document)));
    }

    fn act(&mut self, rng: &mut StdRng) -> Act {
        let verb = match self.documents.len() {
            ..FEWEST_DOCUMENTS => Verb::Insert,
            MOST_DOCUMENTS.. => Verb::Delete,
            _ => match rng.random_range(0..10) {
                0..4 => Verb::Insert,
                4..7 => Verb::Update,
                7..8 => Verb::Replace,
                _ => Verb::Delete,
            },
        };
        if verb == Verb::Insert {
            let collection = any_collection(rng);
            return insert(rng, collection);
        }
        let chosen = rng.random_range(0..self.documents.len());
        let (collection, document) = self.documents.swap_remove(chosen);
        Act {
            verb,
            collection,
            document: Some(document),
            length: length(rng),
        }
    }
}

fn insert(rng: &mut StdRng, collection: u8) -> Act {
    Act {
        verb: Verb::Insert,
        collection,
        document: None,
        length: length(rng),
    }
}

fn any_collection(rng: &mut StdRng) -> u8 {
    let count = u8::try_from(COLLECTIONS.len()).unwrap_or(u8::MAX);
    rng.random_range(0..count)
}

/// Mostly a few hundred bytes, now and then 20 KB, and rarely one or two MB.
fn length(rng: &mut StdRng) -> usize {
    match rng.random_range(0..1_000) {
        0..3 => rng.random_range(1_000_000..2_000_000),
        3..40 => rng.random_range(15_000..25_000),
        _ => rng.random_range(150..550),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::SeedableRng;

    use super::*;
    use crate::chaos::deed::DeedId;

    #[test]
    fn every_verb_comes_and_no_document_is_touched_twice_at_once() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut work = Work::default();
        let (mut verbs, mut number) = (HashSet::new(), 0);
        for _ in 0..2_000 {
            let (acts, _) = work.choose(&mut rng, 60);
            let touched: Vec<_> = acts.iter().filter_map(|act| act.document).collect();
            let distinct: HashSet<_> = touched.iter().copied().collect();
            assert_eq!(distinct.len(), touched.len());
            let deeds: Vec<Deed> = acts
                .iter()
                .map(|act| {
                    number += 1;
                    Deed {
                        verb: act.verb,
                        collection: act.collection,
                        document: act
                            .document
                            .unwrap_or(DocumentId(DeedId { writer: 0, number })),
                        content: 0,
                    }
                })
                .collect();
            verbs.extend(deeds.iter().map(|deed| deed.verb));
            work.keep(&deeds);
            assert!(work.documents.len() < MOST_DOCUMENTS + 100);
        }
        assert_eq!(verbs.len(), 4);
    }

    #[test]
    fn sizes_are_mixed() {
        let mut rng = StdRng::seed_from_u64(1);
        let lengths: Vec<_> = (0..10_000).map(|_| length(&mut rng)).collect();
        let share = |range: std::ops::Range<usize>| {
            lengths
                .iter()
                .filter(|length| range.contains(length))
                .count()
        };
        assert!(share(150..550) > 9_000);
        assert!((200..600).contains(&share(15_000..25_000)));
        assert!((5..100).contains(&share(1_000_000..2_000_000)));
    }
}
