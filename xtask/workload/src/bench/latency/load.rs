//! When each document is due.

use std::{
    ops::Range,
    thread,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

/// Inserts a second above which documents go in groups.
const SINGLES: u32 = 1_000;
/// Time that does not count: caches, connections and collections come into being.
const WARM_UP: Duration = Duration::from_secs(1);

/// A steady rate of documents.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Load {
    pub(in super::super) per_second: u32,
    /// Time that counts.
    pub(in super::super) seconds: u32,
    /// Bytes of a document.
    pub(in super::super) size: u64,
}

impl Load {
    /// All documents.
    pub(super) fn count(&self) -> usize {
        self.warm_up() + self.per_second as usize * self.seconds as usize
    }

    /// Documents that do not count.
    pub(super) fn warm_up(&self) -> usize {
        self.per_second as usize * usize::try_from(WARM_UP.as_secs()).unwrap_or(1)
    }

    /// Documents that are due together.
    fn group(&self) -> usize {
        self.per_second.div_ceil(SINGLES).max(1) as usize
    }

    /// When document `number` is due, from the start on: with the first one of its group.
    pub(super) fn due(&self, number: usize) -> Duration {
        let first = number - number % self.group();
        Duration::from_secs(1) * u32::try_from(first).unwrap_or(u32::MAX) / self.per_second
    }

    /// Gives the numbers of each group at the moment when it is due.
    ///
    /// From a thread of its own: the runtime's clock has milliseconds only.
    pub(super) fn ticks(&self, start: Instant) -> mpsc::Receiver<Range<usize>> {
        let load = *self;
        let (sender, receiver) = mpsc::channel(load.count());
        thread::spawn(move || {
            for first in (0..load.count()).step_by(load.group()) {
                let due = start + load.due(first);
                // A sleep may end early.
                while let Some(left) = due.checked_duration_since(Instant::now()) {
                    if left.is_zero() {
                        break;
                    }
                    thread::sleep(left);
                }
                let end = load.count().min(first + load.group());
                // Nobody listens any more: the run has failed.
                if sender.blocking_send(first..end).is_err() {
                    break;
                }
            }
        });
        receiver
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(per_second: u32) -> Load {
        Load {
            per_second,
            seconds: 2,
            size: 400,
        }
    }

    #[test]
    fn documents_are_due_evenly_and_never_late() {
        assert_eq!(load(100).due(250), Duration::from_millis(2_500));
        assert_eq!(load(1_000).due(1), Duration::from_millis(1));
        assert_eq!(load(5_000).due(4), Duration::ZERO);
        assert_eq!(load(5_000).due(5), Duration::from_millis(1));
        assert_eq!(load(5_000).due(14_999), Duration::from_millis(2_999));
        assert_eq!(load(5_000).count(), 15_000);
    }

    #[tokio::test]
    async fn every_document_is_in_one_tick_and_none_is_early() {
        let load = Load {
            seconds: 0,
            ..load(5_000)
        };
        let start = Instant::now();
        let mut ticks = load.ticks(start);
        let mut next = 0;
        while let Some(numbers) = ticks.recv().await {
            assert_eq!(numbers.start, next);
            assert!(load.due(next) <= start.elapsed());
            next = numbers.end;
        }
        assert_eq!(next, load.count());
    }
}
