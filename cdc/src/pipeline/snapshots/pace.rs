//! How much of a snapshot is read at a time: changes go first, and wait for a chunk only briefly.
//!
//! A state machine without I/O, which is told what happened and when.

use std::time::Duration;

use tokio::time::Instant;

/// Longest that a change waits for a chunk; what is not published by then is read again later.
const PATIENCE: Duration = Duration::from_millis(50);
/// The same where even the smallest chunk takes longer, as over a slow network.
const PATIENCE_MAX: Duration = Duration::from_secs(1);
/// How much longer than by itself a change may take beside a snapshot, without the next chunk being smaller; or twice as
/// long, whichever is more.
const SLOWER_MAX: Duration = Duration::from_millis(4);
/// How long a change takes by itself, before it is known.
const ALONE_FIRST: Duration = Duration::from_millis(2);
/// Changes have to be away for so long before chunks follow each other without a pause.
const CALM: Duration = Duration::from_millis(500);
/// Documents of a chunk, at least and at most.
const DOCUMENTS_MIN: usize = 16;
const DOCUMENTS_MAX: usize = 2_000;
/// Documents of the first chunk, and of the first one after a change.
const DOCUMENTS_FIRST: usize = 128;
/// Bytes of a chunk, about.
const BYTES_MAX: usize = 512 << 10;
/// Bytes of a document that is large.
const LARGE_BYTES: usize = 32 << 10;
/// Bytes of a document before any was read, so that the first chunk is small.
const AVERAGE_FIRST: usize = LARGE_BYTES + 1;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Pace {
    documents: usize,
    /// Of the documents that were read last.
    average_bytes: usize,
    patience: Duration,
    /// How long changes take from the source to their confirm, by themselves and beside a snapshot, of late.
    alone: Duration,
    beside: Duration,
    /// When the last change went by.
    last_change: Option<Instant>,
    /// Since when a change is waiting.
    held_since: Option<Instant>,
    /// When the chunks under way were begun.
    round_since: Option<Instant>,
    /// No chunk is begun before.
    rest_until: Option<Instant>,
    /// Most documents a second.
    rate: Option<u32>,
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            documents: DOCUMENTS_FIRST,
            average_bytes: AVERAGE_FIRST,
            patience: PATIENCE,
            alone: ALONE_FIRST,
            beside: ALONE_FIRST,
            last_change: None,
            held_since: None,
            round_since: None,
            rest_until: None,
            rate: None,
        }
    }

    /// At most so many documents a second, if that is limited.
    pub(super) fn limit(&mut self, rate: Option<u32>) {
        self.rate = rate;
    }

    /// Whether changes have come of late, which chunks leave room for.
    pub(super) fn is_live(&self, now: Instant) -> bool {
        let since = |last| now.duration_since(last) < CALM;
        self.last_change.is_some_and(since)
    }

    /// A chunk of so many documents and bytes was read.
    pub(super) fn read(&mut self, documents: usize, bytes: usize) {
        self.average_bytes = bytes / documents.max(1);
    }

    /// Whether documents are so large that chunks are not read ahead: a reply of the server may have 16 MB. So it is as
    /// long as nothing is known of them.
    pub(super) fn are_large(&self) -> bool {
        LARGE_BYTES < self.average_bytes
    }

    /// How many documents the next chunk may have.
    pub(super) fn documents(&self) -> usize {
        let fitting = BYTES_MAX / self.average_bytes.max(1);
        let second = self.rate.map_or(usize::MAX, |rate| rate as usize);
        self.documents.min(fitting).min(second).max(1)
    }

    /// Chunks are begun.
    pub(super) fn begun(&mut self, now: Instant) {
        self.round_since.get_or_insert(now);
    }

    /// When the next chunk may be begun, if not at once.
    pub(super) fn rest_until(&self) -> Option<Instant> {
        self.rest_until
    }

    /// `count` documents were published, of a limited number a second.
    pub(super) fn published(&mut self, count: u32, now: Instant) {
        if let Some(rate) = self.rate {
            let pause = Duration::from_secs(1) * count / rate.max(1);
            let from = self.rest_until.map_or(now, |until| until.max(now));
            self.rest_until = Some(from + pause);
        }
    }

    /// A change waits for what is under way.
    pub(super) fn hold(&mut self, now: Instant) {
        self.held_since.get_or_insert(now);
    }

    /// Since when a change is waiting.
    pub(super) fn held_since(&self) -> Option<Instant> {
        self.held_since
    }

    /// When the change has waited long enough.
    pub(super) fn deadline(&self) -> Option<Instant> {
        Some(self.held_since? + self.patience)
    }

    /// A change goes by.
    pub(super) fn change(&mut self, now: Instant) {
        if !self.is_live(now) {
            self.documents = self.documents.min(DOCUMENTS_FIRST);
        }
        self.last_change = Some(now);
        self.held_since = None;
    }

    /// A change has waited too long, and what was under way is given up.
    pub(super) fn given_up(&mut self) {
        self.held_since = None;
        if self.documents == DOCUMENTS_MIN {
            self.patience = PATIENCE_MAX.min(self.patience * 2);
        }
        self.documents = DOCUMENTS_MIN.max(self.documents / 2);
    }

    /// All that was read is in the window.
    pub(super) fn published_all(&mut self, now: Instant) {
        if !self.is_live(now) && self.round_since.take().is_some() {
            self.documents = DOCUMENTS_MAX.min(self.documents * 2);
            self.patience = PATIENCE;
        }
    }

    /// All that was read is confirmed. While changes come, chunks take half of the time.
    pub(super) fn confirmed_all(&mut self, now: Instant) {
        if !self.is_live(now) {
            return self.published_all(now);
        }
        if let Some(since) = self.round_since.take() {
            let took = now.duration_since(since).min(PATIENCE);
            self.rest_until = self.rest_until.max(Some(now + took));
            self.patience = PATIENCE;
        }
    }

    /// A change took so long from the source to its confirm, beside documents of a snapshot or by itself.
    pub(super) fn took(&mut self, time: Duration, is_beside: bool) {
        let smooth = |before: Duration| before * 4 / 5 + time / 5;
        if !is_beside {
            self.alone = smooth(self.alone);
            return;
        }
        self.beside = smooth(self.beside);
        self.documents = if self.beside <= self.alone + self.alone.max(SLOWER_MAX) {
            self.documents + self.documents / 8
        } else {
            self.documents - self.documents / 8
        };
        self.documents = self.documents.clamp(DOCUMENTS_MIN, DOCUMENTS_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of documents of 100 bytes.
    fn small() -> Pace {
        let mut pace = Pace::new();
        pace.read(10, 1_000);
        pace
    }

    #[test]
    fn chunks_grow_while_no_changes_come_and_are_small_again_when_one_does() {
        let (mut pace, now) = (small(), Instant::now());
        for _ in 0..10 {
            pace.begun(now);
            pace.published_all(now);
        }
        assert_eq!(pace.documents(), DOCUMENTS_MAX);
        assert_eq!(pace.rest_until(), None);
        pace.change(now);
        assert_eq!(pace.documents(), DOCUMENTS_FIRST);
        pace.read(1, 1 << 20);
        assert_eq!((pace.documents(), pace.are_large()), (1, true));
    }

    #[test]
    fn while_changes_come_chunks_take_half_of_the_time() {
        let (mut pace, now) = (small(), Instant::now());
        let took = Duration::from_millis(6);
        pace.change(now);
        pace.begun(now);
        pace.published_all(now);
        pace.confirmed_all(now + took);
        assert_eq!(pace.rest_until(), Some(now + took * 2));
        assert_eq!(pace.documents(), DOCUMENTS_FIRST);
    }

    #[test]
    fn chunks_are_as_large_as_changes_do_not_take_twice_as_long_beside_them() {
        let mut pace = small();
        let after = |pace: &mut Pace, alone: u64, beside: u64| {
            for _ in 0..100 {
                pace.took(Duration::from_millis(alone), false);
                pace.took(Duration::from_millis(beside), true);
            }
            pace.documents()
        };
        assert_eq!(after(&mut pace, 1, 4), DOCUMENTS_MAX);
        assert_eq!(after(&mut pace, 1, 6), DOCUMENTS_MIN);
        assert_eq!(
            after(&mut pace, 40, 70),
            DOCUMENTS_MAX,
            "the machine is slow by itself"
        );
        assert_eq!(after(&mut pace, 40, 90), DOCUMENTS_MIN);
    }

    #[test]
    fn where_even_the_smallest_chunk_is_too_late_changes_wait_longer_until_one_comes_through() {
        let (mut pace, now) = (small(), Instant::now());
        for _ in 0..10 {
            pace.hold(now);
            pace.given_up();
        }
        pace.hold(now);
        assert_eq!(pace.deadline(), Some(now + PATIENCE_MAX));
        pace.change(now);
        pace.begun(now);
        pace.confirmed_all(now + PATIENCE * 3);
        pace.hold(now);
        assert_eq!(pace.deadline(), Some(now + PATIENCE));
    }

    #[test]
    fn a_rate_is_kept_on_average() {
        let (mut pace, now) = (small(), Instant::now());
        pace.limit(Some(100));
        assert_eq!(pace.documents(), 100);
        pace.published(50, now);
        assert_eq!(pace.rest_until(), Some(now + Duration::from_millis(500)));
        pace.published(50, now + Duration::from_millis(100));
        assert_eq!(pace.rest_until(), Some(now + Duration::from_secs(1)));
    }
}
