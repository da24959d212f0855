//! Which steps of a snapshot are confirmed: a step counts when every message before it has left the window.

use std::collections::VecDeque;

use crate::snapshot::Step;

/// Steps that wait for messages. Pure.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Messages that went into the window.
    pushed: u64,
    /// Messages that have left it.
    popped: u64,
    /// Each with the number of messages before it.
    steps: VecDeque<(u64, Step)>,
}

impl Log {
    /// A message went into the window.
    pub(super) fn pushed(&mut self) {
        self.pushed += 1;
    }

    /// Messages have left the window.
    pub(super) fn popped(&mut self, count: usize) {
        self.popped += count as u64;
    }

    /// How many messages went into the window, and how many of them have left it.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.pushed, self.popped)
    }

    /// A step that follows what was pushed.
    pub(super) fn add(&mut self, step: Step) {
        self.steps.push_back((self.pushed, step));
    }

    /// The next step that is confirmed.
    pub(super) fn next(&mut self) -> Option<Step> {
        let (after, _) = self.steps.front()?;
        if self.popped < *after {
            return None;
        }
        self.steps.pop_front().map(|(_, step)| step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_confirmed_with_the_last_message_before_it() {
        let mut log = Log::default();
        log.add(Step::CollectionDone);
        assert_eq!(log.next(), Some(Step::CollectionDone));
        log.pushed();
        log.add(Step::RangeDone(1));
        log.pushed();
        log.add(Step::RangeDone(2));
        assert_eq!(log.next(), None);
        log.popped(1);
        assert_eq!(log.next(), Some(Step::RangeDone(1)));
        assert_eq!(log.next(), None);
        log.popped(1);
        assert_eq!(log.next(), Some(Step::RangeDone(2)));
    }
}
