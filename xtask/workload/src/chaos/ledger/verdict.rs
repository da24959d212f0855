//! What the record comes to once everything has settled.

use std::{collections::BTreeMap, time::Duration};

use super::{Answer, Copies, Ledger, Order, Record, Together};
use crate::chaos::change::{ChangeId, Operation, WriterId};

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// An acknowledged change never arrived, not in every partition where it has to, or only part of a transaction.
    Missing,
    /// A change arrived twice where that must not be.
    Duplicates,
    /// A change arrived after one that happened later, or in another partition than its document's changes before.
    OutOfOrder,
    /// A message that no change of ours explains.
    Unexpected,
    /// A message with another content than was written.
    Altered,
    /// No `message_id`, that of another change, or a new one for a change that had arrived.
    Misnamed,
    /// An engine ended by itself, ended badly, or did not end when asked to.
    EngineFailed,
    /// Nothing arrived for a long time after the last fault, or a snapshot had no end.
    Stuck,
    /// A copy that the messages make is not what the collections are.
    Inexact,
    /// A snapshot read more again than a chunk for each session of an engine.
    ReadAgain,
}

impl Flaw {
    /// Every one, in the order of reports.
    pub const ALL: [Self; 10] = [
        Self::Missing,
        Self::Duplicates,
        Self::OutOfOrder,
        Self::Unexpected,
        Self::Altered,
        Self::Misnamed,
        Self::EngineFailed,
        Self::Stuck,
        Self::Inexact,
        Self::ReadAgain,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Duplicates => "duplicates",
            Self::OutOfOrder => "out_of_order",
            Self::Unexpected => "unexpected",
            Self::Altered => "altered",
            Self::Misnamed => "misnamed",
            Self::EngineFailed => "engine_failed",
            Self::Stuck => "stuck",
            Self::Inexact => "inexact",
            Self::ReadAgain => "read_again",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What.
    pub flaw: Flaw,
    /// When it was noticed, or, for a missing change, when that was sent; from the start of the run.
    pub at: Duration,
    /// In words.
    pub what: String,
}

/// The counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Changes that were asked of the database.
    pub written: usize,
    /// Of these, changes whose answer was lost.
    pub unknown: usize,
    /// Distinct changes that arrived.
    pub delivered: usize,
    /// Further copies, not counting what the broker redelivered.
    pub replayed: usize,
    pub(super) flaws: BTreeMap<Flaw, usize>,
}

impl Tally {
    pub(super) fn count(&mut self, flaw: Flaw) {
        *self.flaws.entry(flaw).or_default() += 1;
    }

    /// How often something is wrong in this way.
    pub fn of(&self, flaw: Flaw) -> usize {
        self.flaws.get(&flaw).copied().unwrap_or_default()
    }

    /// How much is wrong.
    pub fn violations(&self) -> usize {
        self.flaws.values().sum()
    }
}

impl Ledger {
    /// The verdict, once nothing more will arrive.
    pub fn conclude(mut self) -> (Tally, Vec<Violation>) {
        for missing in self.missing() {
            self.violation(Flaw::Missing, missing.0, missing.1);
        }
        if self.judged == Copies::Last {
            self.judge_last_copies();
        }
        (self.tally, self.violations)
    }

    fn missing(&self) -> Vec<(Duration, String)> {
        let mut missing = Vec::new();
        for (writer, records) in self.writers.iter().enumerate() {
            for transaction in records.chunk_by(|one, next| one.group == next.group) {
                let is_one = transaction[0].together == Together::Transaction
                    || transaction[0].change.operation == Operation::Drop;
                let has_happened =
                    is_one && transaction.iter().any(|record| !record.arrived.is_empty());
                let must_arrive = |record: &&Record| {
                    !self.is_whole(record)
                        && (record.answer == Answer::Acknowledged || has_happened)
                };
                missing.extend(transaction.iter().filter(must_arrive).map(|record| {
                    let what = format!(
                        "{} of {} by writer {writer}, {}",
                        record.change.operation.name(),
                        record.change.document.text(),
                        match record.answer {
                            Answer::Acknowledged => "acknowledged",
                            _ => "of which a part arrived, or of its transaction",
                        }
                    );
                    (record.sent, what)
                }));
            }
        }
        missing
    }

    fn judge_last_copies(&mut self) {
        let mut arrivals = Vec::new();
        for (writer, records) in (WriterId::MIN..).zip(&self.writers) {
            for (number, record) in (0..).zip(records) {
                for arrived in &record.arrived {
                    let id = ChangeId { writer, number };
                    let is_final = record.answer == Answer::Acknowledged;
                    arrivals.push((*arrived, id, record.group, is_final, record.sent));
                }
            }
        }
        arrivals.sort_unstable_by_key(|(arrived, ..)| arrived.place);
        let orders = self.orders.iter().map(|_| Order::new(self.writers.len()));
        let mut orders: Vec<Order> = orders.collect();
        for (arrived, id, group, is_final, sent) in arrivals {
            let order = &mut orders[usize::from(arrived.partition)];
            if let Some(disorder) = order.next(id, group, is_final, arrived.cluster_time) {
                self.violation(Flaw::OutOfOrder, sent, disorder);
            }
        }
    }
}
