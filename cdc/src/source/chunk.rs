//! Items that are handed over together, since to hand over each by itself costs more than to read it.

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
    permit: Option<OwnedSemaphorePermit>,
}

impl Chunk {
    /// Adds an item at the end.
    pub(super) fn push(&mut self, item: Item) {
        if let Item::Event(event) = &item {
            self.bytes += event.raw().len();
        }
        self.items.push(item);
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
    use bson::{Timestamp, rawdoc};

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

    #[test]
    fn a_chunk_is_full_by_items_or_by_bytes() {
        let time = Timestamp {
            time: 1,
            increment: 1,
        };
        let mut chunk = Chunk::default();
        for _ in 0..ITEMS_MAX {
            assert!(!chunk.is_full());
            chunk.push(Item::Idle(Position::At(time)));
        }
        assert!(chunk.is_full());

        let mut chunk = Chunk::default();
        chunk.push(event(FULL_BYTES / 2));
        assert!(!chunk.is_full());
        chunk.push(event(FULL_BYTES / 2));
        assert!(chunk.is_full());
    }
}
