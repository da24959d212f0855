//! Where among the changes a document belongs that was read at one cluster time: behind every change up to that time, and
//! before every later one.
//!
//! A state machine without I/O, which is told what is handed over. A transaction's changes have one cluster time, so
//! nothing gets into the middle of one.

use bson::Timestamp;

use crate::{
    position::{Position, earlier},
    source::Item,
};

/// How far the changes were handed over.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// Of the last change.
    last: Option<Timestamp>,
    /// All changes up to here were handed over, as far as is known.
    complete: Option<Timestamp>,
}

/// What is next to be handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pipeline) enum Next {
    /// Nothing is there.
    Nothing,
    /// A change of this cluster time, or the end of a stretch that is lost.
    Change(Timestamp),
    /// There is no change before this cluster time, if it is known.
    Idle(Option<Timestamp>),
    /// The rest of a change that several messages tell of.
    Rest,
}

impl Next {
    /// What `item` is.
    pub(in crate::pipeline) fn of(item: &Item) -> Self {
        match item {
            Item::Event(event) | Item::Renamed(event) => Self::Change(event.cluster_time()),
            Item::Skipped(skipped) => Self::Change(skipped.to),
            // After an event of that time there may be more of it.
            Item::Idle(Position::After {
                cluster_time: Some(time),
                ..
            }) => Self::Change(*time),
            Item::Idle(position) => Self::Idle(position.cluster_time()),
        }
    }
}

impl Gate {
    /// It was handed over.
    pub(super) fn pass(&mut self, next: Next) {
        let complete = match next {
            Next::Change(time) => {
                self.last = self.last.max(Some(time));
                Some(earlier(time))
            }
            Next::Idle(time) => time.map(earlier),
            Next::Nothing | Next::Rest => None,
        };
        self.complete = self.complete.max(complete);
    }

    /// The cluster time at which to read now: the latest change is in it, and none that comes later. None before
    /// anything is known of the stream.
    pub(super) fn time(&self) -> Option<Timestamp> {
        self.last.max(self.complete)
    }

    /// Whether all changes up to `time` are known to have been handed over.
    pub(super) fn is_complete(&self, time: Timestamp) -> bool {
        Some(time) <= self.complete
    }

    /// Whether all changes up to `time` were handed over, with `next` the one to come.
    pub(super) fn is_open(&self, time: Timestamp, next: Next) -> bool {
        match next {
            Next::Rest => false,
            Next::Change(next) if time < next => true,
            _ => Some(time) <= self.complete,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(increment: u32) -> Timestamp {
        Timestamp { time: 7, increment }
    }

    #[test]
    fn nothing_is_read_before_the_stream_has_told_where_it_is() {
        let mut gate = Gate::default();
        assert_eq!(gate.time(), None);
        gate.pass(Next::Idle(None));
        assert_eq!(gate.time(), None);
        gate.pass(Next::Idle(Some(at(5))));
        assert_eq!(gate.time(), Some(at(4)));
        assert!(gate.is_open(at(4), Next::Nothing));
    }

    #[test]
    fn a_gate_at_a_change_opens_with_proof_that_no_more_of_its_transaction_comes() {
        let mut gate = Gate::default();
        gate.pass(Next::Change(at(5)));
        assert_eq!(gate.time(), Some(at(5)));
        for closed in [
            Next::Nothing,
            Next::Change(at(5)),
            Next::Idle(Some(at(5))),
            Next::Rest,
        ] {
            assert!(!gate.is_open(at(5), closed), "{closed:?}");
        }
        assert!(gate.is_open(at(5), Next::Change(at(6))));
        gate.pass(Next::Idle(Some(at(6))));
        assert!(gate.is_open(at(5), Next::Nothing));
        assert!(!gate.is_open(at(5), Next::Rest));
    }

    #[test]
    fn a_gate_is_never_before_the_last_change() {
        let mut gate = Gate::default();
        gate.pass(Next::Idle(Some(at(9))));
        gate.pass(Next::Change(at(3)));
        assert_eq!(gate.time(), Some(at(8)), "what comes again changes nothing");
        gate.pass(Next::Change(at(9)));
        assert_eq!(gate.time(), Some(at(9)));
    }
}
