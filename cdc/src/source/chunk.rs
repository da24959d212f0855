//! Items that are handed over together, since to hand over each by itself costs more than to read it.

use bson::Timestamp;
use tokio::sync::OwnedSemaphorePermit;

use super::Item;

/// Items of a chunk, at most.
const ITEMS_MAX: usize = 512;
/// Bytes of events after which a chunk is full; a quarter of what may be read ahead, so that reading and publishing
/// overlap.
const FULL_BYTES: usize = 512 << 10;

/// Some items in order, and their share of the memory bound, which is given back on drop.
#[derive(Debug, Default)]
pub struct Chunk {
    items: Vec<Item>,
    bytes: usize,
    /// The server's time when the last item was there.
    now: Option<Timestamp>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Chunk {
    /// Adds an item at the end, which was there at the server's time `now`. Of positions without an event in between
    /// only the last one counts.
    pub(super) fn push(&mut self, item: Item, now: Timestamp) {
        if let Item::Event(event) = &item {
            self.bytes += event.raw().len();
        }
        self.now = Some(now);
        match (self.items.last_mut(), &item) {
            (Some(last @ Item::Idle(_)), Item::Idle(_)) => *last = item,
            _ => self.items.push(item),
        }
    }

    /// How many seconds its end is behind the server's time.
    pub fn behind_seconds(&self) -> u32 {
        let (now, last) = (self.now, self.items.last());
        now.zip(last)
            .map_or(0, |(now, last)| last.position().seconds_before(now))
    }

    /// Whether it should be handed over before more is read.
    pub(super) fn is_full(&self) -> bool {
        ITEMS_MAX <= self.items.len() || FULL_BYTES <= self.bytes
    }

    /// Whether it has no item.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The last item.
    pub(super) fn last(&self) -> Option<&Item> {
        self.items.last()
    }

    /// Bytes of its events.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps `permit` for as long as the chunk lives.
    pub(super) fn hold(&mut self, permit: OwnedSemaphorePermit) {
        self.permit = Some(permit);
    }

    /// The items in order, and the permit, to be dropped when all of them have gone on.
    pub fn into_parts(self) -> (std::vec::IntoIter<Item>, Option<OwnedSemaphorePermit>) {
        (self.items.into_iter(), self.permit)
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;
    use crate::{event::ChangeEvent, position::Position};

    fn event(bytes: usize) -> Item {
        let raw = rawdoc! {
            "_id": { "_data": "82" },
            "operationType": "insert",
            "clusterTime": Timestamp { time: 1, increment: 1 },
            "fullDocument": { "text": "x".repeat(bytes) },
        };
        Item::Event(ChangeEvent::parse(raw.into_bytes().into()).unwrap())
    }

    const fn at(time: u32) -> Timestamp {
        Timestamp { time, increment: 1 }
    }

    #[test]
    fn a_chunk_is_full_by_items_or_by_bytes() {
        let mut chunk = Chunk::default();
        for _ in 0..ITEMS_MAX {
            assert!(!chunk.is_full());
            chunk.push(event(1), at(1));
        }
        assert!(chunk.is_full());

        let mut chunk = Chunk::default();
        chunk.push(event(FULL_BYTES / 2), at(1));
        assert!(!chunk.is_full());
        chunk.push(event(FULL_BYTES / 2), at(1));
        assert!(chunk.is_full());
    }

    #[test]
    fn of_positions_in_a_row_the_last_one_is_kept() {
        let mut chunk = Chunk::default();
        for item in [3, 4].map(|time| Item::Idle(Position::At(at(time)))) {
            chunk.push(item, at(9));
        }
        chunk.push(event(1), at(9));
        chunk.push(Item::Idle(Position::At(at(5))), at(20));
        assert_eq!(chunk.behind_seconds(), 15);
        let positions: Vec<_> = chunk.into_parts().0.map(|item| item.position()).collect();
        let times: Vec<_> = positions.iter().map(Position::cluster_time).collect();
        assert_eq!(times, [4, 1, 5].map(|time| Some(at(time))));
    }
}
