//! Decides whether everything that was written arrived: complete, in order, unaltered.
//!
//! Pure: it knows what one writer sent and had acknowledged, and what a consumer received, and
//! nothing of the engine between them. Order holds within one writer, so each writer has a checker
//! of its own. A document takes some 70 bytes here, whatever its size.

use std::{
    collections::{HashMap, hash_map::Entry},
    ops::Range,
};

use lapin::types::ShortString;

use crate::body::{self, DocumentKey, Fingerprint};

/// The record of one writer's documents.
#[derive(Debug, Default)]
pub struct Checker {
    /// In insertion order.
    documents: Vec<Sent>,
    by_key: HashMap<DocumentKey, u32>,
    by_message: HashMap<MessageId, u32>,
    /// The latest document, in insertion order, whose first copy has arrived.
    latest: Option<usize>,
    /// Acknowledged documents that have not arrived.
    outstanding: usize,
    /// Documents whose first copy was altered.
    mangled: usize,
    report: Report,
}

/// A hash of a `message_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageId(pub u64);

impl MessageId {
    /// That of `id`.
    pub fn of(id: &ShortString) -> Self {
        Self(body::hash(&id.as_str()))
    }
}

/// A message as a consumer sees it.
#[derive(Debug, Clone, Copy)]
pub struct Copy {
    /// Which document it tells of.
    pub document: DocumentKey,
    /// Its `message_id`, if it has one.
    pub message: Option<MessageId>,
    /// What its body says.
    pub body: Fingerprint,
    /// Whether the broker has handed over this very message before.
    pub redelivered: bool,
}

/// What one copy was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The first copy of a document, as it was written.
    First(usize),
    /// A copy with another content than was written.
    Altered(usize),
    /// One more copy of a document that had arrived.
    Replay(usize),
    /// A copy that had arrived, handed over once more because the consumer had to reconnect.
    Again(usize),
    /// A message of somebody else.
    Foreign,
}

/// The verdict so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Documents that were sent.
    pub inserted: usize,
    /// Distinct documents whose first copy arrived unaltered.
    pub delivered: usize,
    /// Documents that were acknowledged and did not arrive, or arrived altered.
    pub missing: usize,
    /// First copies that came after the first copy of a later document.
    pub out_of_order: usize,
    /// Further copies of documents that had arrived, not counting what the broker redelivered.
    pub replayed: usize,
    /// Copies whose content was altered.
    pub altered: usize,
    /// Copies without an identity of their own: no `message_id`, that of another document, or a
    /// new one for a document that had arrived.
    pub misnamed: usize,
}

#[derive(Debug)]
struct Sent {
    body: Fingerprint,
    acknowledged: bool,
    arrived: bool,
}

impl Checker {
    /// Notes a document that is about to be sent, and returns its place in the insertion order.
    ///
    /// # Panics
    /// If the same document is sent twice: a retry is not a new document.
    pub fn sending(&mut self, document: DocumentKey, body: Fingerprint) -> usize {
        let index = self.documents.len();
        let number = u32::try_from(index).expect("fewer than 2^32 documents");
        let twin = self.by_key.insert(document, number);
        assert!(twin.is_none(), "document {index} was sent before");
        self.documents.push(Sent {
            body,
            acknowledged: false,
            arrived: false,
        });
        self.report.inserted += 1;
        index
    }

    /// Notes that the server acknowledged these documents: from now on they must arrive.
    pub fn acknowledged(&mut self, documents: Range<usize>) {
        for sent in &mut self.documents[documents] {
            if !sent.acknowledged {
                sent.acknowledged = true;
                // A message may be faster than the acknowledgement of its insert.
                self.outstanding += usize::from(!sent.arrived);
            }
        }
    }

    /// Takes one message and says what it was.
    pub fn received(&mut self, copy: Copy) -> Arrival {
        let Some(&number) = self.by_key.get(&copy.document) else {
            return Arrival::Foreign;
        };
        let index = number as usize;
        let sent = &mut self.documents[index];
        let first = !sent.arrived;
        let unaltered = sent.body == copy.body;
        if first {
            sent.arrived = true;
            self.outstanding -= usize::from(sent.acknowledged);
            self.report.out_of_order += usize::from(Some(index) < self.latest);
            self.latest = self.latest.max(Some(index));
        }
        self.report.misnamed += usize::from(!self.is_well_named(copy.message, number, first));
        self.count(index, first, copy.redelivered, unaltered)
    }

    /// The verdict so far.
    pub fn report(&self) -> Report {
        Report {
            missing: self.outstanding + self.mangled,
            ..self.report
        }
    }

    /// Whether each acknowledged document has arrived, in whatever condition.
    pub fn is_settled(&self) -> bool {
        self.outstanding == 0
    }

    fn count(&mut self, index: usize, first: bool, again: bool, unaltered: bool) -> Arrival {
        let replay = !first && !again;
        self.report.replayed += usize::from(replay);
        if !unaltered {
            self.report.altered += 1;
            self.mangled += usize::from(first);
            return Arrival::Altered(index);
        }
        if first {
            self.report.delivered += 1;
            return Arrival::First(index);
        }
        if replay {
            Arrival::Replay(index)
        } else {
            Arrival::Again(index)
        }
    }

    /// One document, one `message_id`: the same for each copy, and nobody else's.
    fn is_well_named(&mut self, message: Option<MessageId>, number: u32, first: bool) -> bool {
        let Some(message) = message else {
            return false;
        };
        match self.by_message.entry(message) {
            Entry::Occupied(owner) => *owner.get() == number,
            Entry::Vacant(place) => {
                place.insert(number);
                first
            }
        }
    }
}

#[cfg(test)]
mod tests;
