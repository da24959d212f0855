//! Decides whether every change arrived: complete, in order, unaltered, and nothing besides.
//!
//! Pure: it knows what was acknowledged to the writers and what a consumer received, and nothing of
//! the engine between them. A change whose answer was lost may have happened or not, but never twice.
//!
//! Over several partitions each has its order, a document has one partition, and what is about no document arrives in
//! every one.
//!
//! What is known of the order: a writer is sequential, so a change that was acknowledged comes before
//! every later change of its writer; changes of one transaction or batch keep their order even if the
//! answer was lost; and the cluster's clock never goes back from one change to the next.

mod message;
mod order;
mod verdict;

use std::{
    collections::{HashMap, hash_map::Entry},
    ops::Range,
    time::Duration,
};

pub use self::message::{Answer, Copies, Message, Together};
use self::order::Order;
pub use self::verdict::{Flaw, Tally, Violation};
use super::change::{Change, ChangeId, DocumentId, Operation, WriterId};

/// Violations that are kept with their text; all are counted.
const KEPT: usize = 50;

/// The record of all writers' changes and of all messages.
#[derive(Debug)]
pub struct Ledger {
    judged: Copies,
    /// Whether each change arrives once.
    is_exact: bool,
    writers: Vec<Vec<Record>>,
    deletes: HashMap<DocumentId, u32>,
    messages: HashMap<String, ChangeId>,
    groups: u32,
    /// Of each partition.
    orders: Vec<Order>,
    /// The partitions of documents.
    homes: HashMap<DocumentId, u16>,
    received: u64,
    tally: Tally,
    violations: Vec<Violation>,
    outstanding: usize,
}

#[derive(Debug)]
struct Record {
    change: Change,
    group: u32,
    together: Together,
    answer: Answer,
    sent: Duration,
    /// One copy for each partition in which it arrived.
    arrived: Vec<Arrived>,
}

#[derive(Debug, Clone, Copy)]
struct Arrived {
    partition: u16,
    /// Place of the copy that counts for the order among all that were received.
    place: u64,
    cluster_time: (u32, u32),
}

impl Ledger {
    /// An empty record for as many writers.
    pub fn new(writers: usize, judged: Copies) -> Self {
        Self {
            judged,
            is_exact: false,
            writers: (0..writers).map(|_| Vec::new()).collect(),
            deletes: HashMap::new(),
            messages: HashMap::new(),
            groups: 0,
            orders: vec![Order::new(writers)],
            homes: HashMap::new(),
            received: 0,
            tally: Tally::default(),
            violations: Vec::new(),
            outstanding: 0,
        }
    }

    /// The same for messages in so many partitions.
    #[must_use]
    pub fn over(mut self, partitions: u16) -> Self {
        let orders = (0..partitions).map(|_| Order::new(self.writers.len()));
        self.orders = orders.collect();
        self
    }

    /// The same where a change must not arrive twice.
    #[must_use]
    pub fn exactly_once(self, is_exact: bool) -> Self {
        Self { is_exact, ..self }
    }

    /// Notes changes that are about to be sent in one go, and returns their numbers.
    ///
    /// # Panics
    /// If a writer has made 2^32 changes.
    pub fn sending(
        &mut self,
        writer: WriterId,
        changes: &[Change],
        together: Together,
        sent: Duration,
    ) -> Range<u32> {
        let first = self.next_number(writer);
        self.groups += 1;
        for change in changes {
            let number = self.next_number(writer);
            if change.operation == Operation::Delete {
                self.deletes.insert(change.document, number);
            }
            self.writers[usize::from(writer)].push(Record {
                change: *change,
                group: self.groups,
                together,
                answer: Answer::Pending,
                sent,
                arrived: Vec::new(),
            });
        }
        self.tally.written += changes.len();
        first..self.next_number(writer)
    }

    /// Notes the database's answer to changes that were sent.
    pub fn answered(&mut self, writer: WriterId, numbers: Range<u32>, answer: Answer) {
        for number in numbers {
            let id = ChangeId { writer, number };
            self.record_mut(id).answer = answer;
            match answer {
                // A message may be faster than the acknowledgement of its change.
                Answer::Acknowledged if !self.is_whole(self.record(id)) => self.outstanding += 1,
                Answer::Unknown => self.tally.unknown += 1,
                _ => {}
            }
        }
    }

    /// Takes one message; returns when its change was sent if that has arrived now, in all partitions where it has to.
    pub fn received(&mut self, message: &Message, at: Duration) -> Option<Duration> {
        self.received += 1;
        let Some(id) = self.find(message) else {
            self.violation(Flaw::Unexpected, at, message.to_string());
            return None;
        };
        self.check_name(id, message, at);
        self.check_home(message, at);
        let partition = message.partition;
        let arrived = Arrived {
            partition,
            place: self.received,
            cluster_time: message.cluster_time,
        };
        let (judged, was_whole) = (self.judged, self.is_whole(self.record(id)));
        let record = self.record_mut(id);
        let is_altered = record.change.content != message.content;
        let sent = record.sent;
        let mut copies = record.arrived.iter_mut();
        let copy = copies.find(|copy| copy.partition == partition);
        let is_first = copy.is_none();
        match copy {
            Some(copy) if judged == Copies::Last => *copy = arrived,
            Some(_) => {}
            None => record.arrived.push(arrived),
        }
        if is_altered {
            self.violation(Flaw::Altered, at, message.to_string());
        }
        if !is_first {
            self.note_copy(message, at);
            return None;
        }
        if judged == Copies::First {
            self.judge_order(id, partition, message.cluster_time, at);
        }
        if was_whole || !self.is_whole(self.record(id)) {
            return None;
        }
        self.tally.delivered += 1;
        let is_awaited = self.record(id).answer == Answer::Acknowledged;
        self.outstanding -= usize::from(is_awaited);
        Some(sent)
    }

    /// Notes another copy of what has arrived.
    fn note_copy(&mut self, message: &Message, at: Duration) {
        if message.redelivered {
            return;
        }
        self.tally.replayed += 1;
        if self.is_exact {
            self.violation(Flaw::Duplicates, at, message.to_string());
        }
    }

    /// Takes a message that says nothing that a writer of ours could have caused.
    pub fn received_foreign(&mut self, what: String, at: Duration) {
        self.received += 1;
        self.violation(Flaw::Unexpected, at, what);
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
                .is_none_or(|newest| self.is_whole(newest))
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
    pub fn violation(&mut self, flaw: Flaw, at: Duration, what: String) {
        self.tally.count(flaw);
        if self.violations.len() < KEPT {
            self.violations.push(Violation { flaw, at, what });
        }
    }

    fn next_number(&self, writer: WriterId) -> u32 {
        u32::try_from(self.writers[usize::from(writer)].len()).expect("fewer than 2^32 changes")
    }

    fn record(&self, id: ChangeId) -> &Record {
        &self.writers[usize::from(id.writer)][id.number as usize]
    }

    fn record_mut(&mut self, id: ChangeId) -> &mut Record {
        &mut self.writers[usize::from(id.writer)][id.number as usize]
    }

    /// Whether it has arrived wherever it has to.
    fn is_whole(&self, record: &Record) -> bool {
        let copies = match record.change.operation {
            Operation::Drop => self.orders.len(),
            _ => 1,
        };
        copies <= record.arrived.len()
    }

    /// All changes of a document are in one partition.
    fn check_home(&mut self, message: &Message, at: Duration) {
        if message.operation == Operation::Drop {
            return;
        }
        let home = *self
            .homes
            .entry(message.document)
            .or_insert(message.partition);
        if home != message.partition {
            let what = format!("{message}, and its document was in partition {home}");
            self.violation(Flaw::OutOfOrder, at, what);
        }
    }

    /// The change that a message tells of: same document, collection and operation, sent already.
    fn find(&self, message: &Message) -> Option<ChangeId> {
        let writer = message.document.0.writer;
        let number = match message.operation {
            Operation::Delete => *self.deletes.get(&message.document)?,
            _ => message.number?,
        };
        let change = &self
            .writers
            .get(usize::from(writer))?
            .get(number as usize)?
            .change;
        let is_same = change.operation == message.operation
            && change.document == message.document
            && change.collection == message.collection;
        is_same.then_some(ChangeId { writer, number })
    }

    /// One change, one `message_id`: the same for each copy, and nobody else's.
    fn check_name(&mut self, id: ChangeId, message: &Message, at: Duration) {
        let is_first = self.record(id).arrived.is_empty();
        let is_well_named = !message.id.is_empty()
            && match self.messages.entry(message.id.clone()) {
                Entry::Occupied(owner) => *owner.get() == id,
                Entry::Vacant(place) => {
                    place.insert(id);
                    is_first
                }
            };
        if !is_well_named {
            self.violation(Flaw::Misnamed, at, message.to_string());
        }
    }

    fn judge_order(
        &mut self,
        id: ChangeId,
        partition: u16,
        cluster_time: (u32, u32),
        at: Duration,
    ) {
        let record = self.record(id);
        let (group, is_final) = (record.group, record.answer == Answer::Acknowledged);
        let order = &mut self.orders[usize::from(partition)];
        if let Some(disorder) = order.next(id, group, is_final, cluster_time) {
            self.violation(Flaw::OutOfOrder, at, disorder);
        }
    }
}

#[cfg(test)]
mod tests;
