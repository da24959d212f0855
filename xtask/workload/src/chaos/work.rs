//! What a writer chooses to do next: pure, from its seed.

use std::time::Duration;

use bson::{Document, doc};
use rand::{RngExt, rngs::StdRng};

use super::{
    change::{self, COLLECTIONS, Change, ChangeId, DocumentId, Operation, WriterId},
    ledger::Together,
};

/// Documents that one writer keeps at most, so that the database does not grow without end.
const MOST_DOCUMENTS: usize = 400;
/// Below this there is too little to change.
const FEWEST_DOCUMENTS: usize = 10;
/// Length of a document of the pulse.
const PULSE_LENGTH: usize = 100;

/// One change with its content.
#[derive(Debug)]
pub(super) struct Write {
    number: u32,
    content: String,
    pub(super) change: Change,
}

/// How a writer writes for a while.
#[derive(Debug, Clone, Copy)]
pub(super) struct Phase {
    pub(super) turns: usize,
    /// Most documents in one insert.
    pub(super) batch: usize,
    /// After each turn.
    pub(super) pause: Duration,
    /// After all of them.
    pub(super) lull: Duration,
}

/// What one writer does, and the documents that certainly exist and that it may change.
#[derive(Debug)]
pub(super) struct Work {
    writer: WriterId,
    /// Number of its next change.
    next: u32,
    documents: Vec<(u8, DocumentId)>,
    /// Bytes of the longest content.
    longest: usize,
}

impl Phase {
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

impl Work {
    pub(super) fn new(writer: WriterId) -> Self {
        Self {
            writer,
            next: 0,
            documents: Vec::new(),
            longest: usize::MAX,
        }
    }

    /// The same with no content longer than this.
    pub(super) fn up_to(self, longest: usize) -> Self {
        Self { longest, ..self }
    }

    fn length(&self, rng: &mut StdRng) -> usize {
        length(rng).min(self.longest)
    }

    /// One small document.
    pub(super) fn pulse(&mut self) -> Write {
        self.write(Operation::Insert, 0, None, PULSE_LENGTH)
    }

    /// A collection to make and drop.
    pub(super) fn drop_collection(&mut self) -> Write {
        self.write(Operation::Drop, 0, None, 0)
    }

    /// What to do in one go. The documents it touches are taken out until [`Work::keep`].
    pub(super) fn choose(&mut self, rng: &mut StdRng, batch: usize) -> (Vec<Write>, Together) {
        match rng.random_range(0..10) {
            0..=1 if self.documents.len() < MOST_DOCUMENTS => {
                let collection = any_collection(rng);
                let count = rng.random_range(2..=batch);
                let inserts = (0..count).map(|_| {
                    let length = self.length(rng);
                    self.write(Operation::Insert, collection, None, length)
                });
                (inserts.collect(), Together::Batch)
            }
            2 => {
                let count = rng.random_range(2..6);
                let writes = (0..count).map(|_| self.any_write(rng));
                (writes.collect(), Together::Transaction)
            }
            _ => (vec![self.any_write(rng)], Together::Batch),
        }
    }

    /// Gives the documents back, now that what was done to them is certain.
    pub(super) fn keep(&mut self, changes: &[Change]) {
        let living = changes
            .iter()
            .filter(|change| !matches!(change.operation, Operation::Delete | Operation::Drop));
        self.documents
            .extend(living.map(|change| (change.collection, change.document)));
    }

    fn any_write(&mut self, rng: &mut StdRng) -> Write {
        let operation = match self.documents.len() {
            ..FEWEST_DOCUMENTS => Operation::Insert,
            MOST_DOCUMENTS.. => Operation::Delete,
            _ => match rng.random_range(0..10) {
                0..4 => Operation::Insert,
                4..7 => Operation::Update,
                7..8 => Operation::Replace,
                _ => Operation::Delete,
            },
        };
        if operation == Operation::Insert {
            let collection = any_collection(rng);
            let length = self.length(rng);
            return self.write(operation, collection, None, length);
        }
        let chosen = rng.random_range(0..self.documents.len());
        let (collection, document) = self.documents.swap_remove(chosen);
        let length = self.length(rng);
        self.write(operation, collection, Some(document), length)
    }

    /// The next change; without a document, of one that it makes.
    fn write(
        &mut self,
        operation: Operation,
        collection: u8,
        document: Option<DocumentId>,
        length: usize,
    ) -> Write {
        let id = ChangeId {
            writer: self.writer,
            number: self.next,
        };
        self.next += 1;
        let content = match operation {
            Operation::Delete | Operation::Drop => String::new(),
            _ => change::content(id, length),
        };
        let fingerprint = match operation {
            Operation::Delete | Operation::Drop => 0,
            _ => change::fingerprint(&content),
        };
        Write {
            number: id.number,
            content,
            change: Change {
                operation,
                collection,
                document: document.unwrap_or(DocumentId(id)),
                content: fingerprint,
            },
        }
    }
}

impl Write {
    /// What an update sets.
    pub(super) fn fields(&self) -> Document {
        doc! { "number": i64::from(self.number), "content": &self.content }
    }

    /// What an insert adds.
    pub(super) fn document(&self) -> Document {
        let mut document = doc! { "_id": self.change.document.text() };
        document.extend(self.fields());
        document
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

    #[test]
    fn every_operation_comes_and_no_document_is_touched_twice_at_once() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut work = Work::new(0);
        let (mut operations, mut number) = (HashSet::new(), 0);
        for _ in 0..2_000 {
            let (writes, _) = work.choose(&mut rng, 60);
            let changes: Vec<_> = writes.iter().map(|write| write.change).collect();
            let documents: HashSet<_> = changes.iter().map(|change| change.document).collect();
            assert_eq!(documents.len(), changes.len());
            assert!(
                (number..)
                    .zip(&writes)
                    .all(|(number, write)| write.number == number)
            );
            number = work.next;
            operations.extend(changes.iter().map(|change| change.operation));
            work.keep(&changes);
            assert!(work.documents.len() < MOST_DOCUMENTS + 100);
        }
        assert_eq!(operations.len(), 4);
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
