//! Decides whether every change arrived: complete, in order, unaltered, and nothing besides.
//!
//! Pure: it knows what was acknowledged to the writers and what a consumer received, and nothing of
//! the engine between them. A change whose answer was lost may have happened or not, but never twice.
//!
//! What is known of the order: a writer is sequential, so a change that was acknowledged comes before
//! every later change of its writer; changes of one transaction or batch keep their order even if the
//! answer was lost; and the cluster's clock never goes back from one change to the next.

mod notice;
mod order;
mod verdict;

use std::{
    collections::{HashMap, hash_map::Entry},
    ops::Range,
    time::Duration,
};

pub use self::notice::{Answer, Copies, Sighting, Together};
use self::order::Order;
pub use self::verdict::{Flaw, Tally, Violation};
use super::deed::{Deed, DeedId, DocumentId, Verb, Writer};

/// Violations that are kept with their text; all are counted.
const KEPT: usize = 50;

/// The record of all writers' deeds and of all messages.
#[derive(Debug)]
pub struct Ledger {
    judged: Copies,
    writers: Vec<Vec<Record>>,
    deletes: HashMap<DocumentId, u32>,
    messages: HashMap<String, DeedId>,
    groups: u32,
    order: Order,
    received: u64,
    tally: Tally,
    violations: Vec<Violation>,
    outstanding: usize,
}

#[derive(Debug)]
struct Record {
    deed: Deed,
    group: u32,
    together: Together,
    answer: Answer,
    sent: Duration,
    arrived: Option<Arrived>,
}

#[derive(Debug, Clone, Copy)]
struct Arrived {
    /// Place of the copy that counts for the order among all that were received.
    place: u64,
    cluster_time: (u32, u32),
}

impl Ledger {
    /// An empty record for as many writers.
    pub fn new(writers: usize, judged: Copies) -> Self {
        Self {
            judged,
            writers: (0..writers).map(|_| Vec::new()).collect(),
            deletes: HashMap::new(),
            messages: HashMap::new(),
            groups: 0,
            order: Order::new(writers),
            received: 0,
            tally: Tally::default(),
            violations: Vec::new(),
            outstanding: 0,
        }
    }

    /// The number of the writer's next deed.
    ///
    /// # Panics
    /// If a writer has made 2^32 deeds.
    pub fn next_number(&self, writer: Writer) -> u32 {
        u32::try_from(self.writers[usize::from(writer)].len()).expect("fewer than 2^32 deeds")
    }

    /// Notes deeds that are about to be sent in one go, and returns their numbers.
    pub fn sending(
        &mut self,
        writer: Writer,
        deeds: &[Deed],
        together: Together,
        sent: Duration,
    ) -> Range<u32> {
        let first = self.next_number(writer);
        self.groups += 1;
        for deed in deeds {
            let number = self.next_number(writer);
            if deed.verb == Verb::Delete {
                self.deletes.insert(deed.document, number);
            }
            self.writers[usize::from(writer)].push(Record {
                deed: *deed,
                group: self.groups,
                together,
                answer: Answer::Pending,
                sent,
                arrived: None,
            });
        }
        self.tally.written += deeds.len();
        first..self.next_number(writer)
    }

    /// Notes the database's answer to deeds that were sent.
    pub fn answered(&mut self, writer: Writer, numbers: Range<u32>, answer: Answer) {
        for number in numbers {
            let record = &mut self.writers[usize::from(writer)][number as usize];
            record.answer = answer;
            match answer {
                // A message may be faster than the acknowledgement of its change.
                Answer::Acknowledged if record.arrived.is_none() => self.outstanding += 1,
                Answer::Unknown => self.tally.unknown += 1,
                _ => {}
            }
        }
    }

    /// Takes one message; returns when its change was sent if this is its first copy.
    pub fn received(&mut self, sighting: &Sighting, at: Duration) -> Option<Duration> {
        self.received += 1;
        let Some(id) = self.find(sighting) else {
            self.blame(Flaw::Unexpected, at, sighting.to_string());
            return None;
        };
        self.check_name(id, sighting, at);
        let record = &mut self.writers[usize::from(id.writer)][id.number as usize];
        let is_altered = record.deed.content != sighting.content;
        let sent = record.sent;
        let is_first = record.arrived.is_none();
        if is_first || self.judged == Copies::Last {
            record.arrived = Some(Arrived {
                place: self.received,
                cluster_time: sighting.cluster_time,
            });
        }
        if is_altered {
            self.blame(Flaw::Altered, at, sighting.to_string());
        }
        if !is_first {
            self.tally.replayed += usize::from(!sighting.redelivered);
            return None;
        }
        self.tally.delivered += 1;
        let is_awaited = self.answer(id) == Answer::Acknowledged;
        self.outstanding -= usize::from(is_awaited);
        if self.judged == Copies::First {
            self.judge_order(id, sighting.cluster_time, at);
        }
        Some(sent)
    }

    /// Takes a message that says nothing that a writer of ours could have caused.
    pub fn received_foreign(&mut self, what: String, at: Duration) {
        self.received += 1;
        self.blame(Flaw::Unexpected, at, what);
    }

    /// Whether each acknowledged change has arrived.
    pub fn is_settled(&self) -> bool {
        self.outstanding == 0
    }

    /// Whether the last acknowledged change of each writer has arrived.
    pub fn has_newest(&self) -> bool {
        self.writers.iter().all(|records| {
            let mut acknowledged = records
                .iter()
                .rev()
                .filter(|record| record.answer == Answer::Acknowledged);
            acknowledged
                .next()
                .is_none_or(|newest| newest.arrived.is_some())
        })
    }

    /// How many acknowledged changes have not arrived.
    pub fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// How many messages have arrived, copies included.
    pub fn received_count(&self) -> u64 {
        self.received
    }

    /// Adds a violation that somebody else has seen, such as an engine that failed.
    pub fn blame(&mut self, flaw: Flaw, at: Duration, what: String) {
        self.tally.count(flaw);
        if self.violations.len() < KEPT {
            self.violations.push(Violation { flaw, at, what });
        }
    }

    fn answer(&self, id: DeedId) -> Answer {
        self.writers[usize::from(id.writer)][id.number as usize].answer
    }

    /// The deed that a message tells of: same document, collection and verb, sent already.
    fn find(&self, sighting: &Sighting) -> Option<DeedId> {
        let writer = sighting.document.0.writer;
        let number = match sighting.verb {
            Verb::Delete => *self.deletes.get(&sighting.document)?,
            _ => sighting.number?,
        };
        let deed = &self
            .writers
            .get(usize::from(writer))?
            .get(number as usize)?
            .deed;
        let is_same = deed.verb == sighting.verb
            && deed.document == sighting.document
            && deed.collection == sighting.collection;
        is_same.then_some(DeedId { writer, number })
    }

    /// One change, one `message_id`: the same for each copy, and nobody else's.
    fn check_name(&mut self, id: DeedId, sighting: &Sighting, at: Duration) {
        let is_first = self.writers[usize::from(id.writer)][id.number as usize]
            .arrived
            .is_none();
        let is_well_named = !sighting.message.is_empty()
            && match self.messages.entry(sighting.message.clone()) {
                Entry::Occupied(owner) => *owner.get() == id,
                Entry::Vacant(place) => {
                    place.insert(id);
                    is_first
                }
            };
        if !is_well_named {
            self.blame(Flaw::Misnamed, at, sighting.to_string());
        }
    }

    fn judge_order(&mut self, id: DeedId, cluster_time: (u32, u32), at: Duration) {
        let record = &self.writers[usize::from(id.writer)][id.number as usize];
        let is_final = record.answer == Answer::Acknowledged;
        let disorder = self.order.next(id, record.group, is_final, cluster_time);
        if let Some(disorder) = disorder {
            self.blame(Flaw::OutOfOrder, at, disorder);
        }
    }
}

#[cfg(test)]
mod tests;
