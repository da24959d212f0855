//! What one stream got of a session: which publishing id is which message of the window, and what is confirmed.

use std::collections::VecDeque;

/// Messages in flight to one stream. Their ids follow each other without a gap.
#[derive(Debug, Clone)]
pub(in crate::sink::rabbitmq) struct Track {
    /// Id of the first message in `slots`, or else of the next one.
    first: u64,
    /// Numbers of the caller's; none for a message that is confirmed.
    slots: VecDeque<Option<u64>>,
    in_flight: usize,
    /// The stream's last id when the session began, while nothing of the session is stored as far as is known.
    before: Option<u64>,
}

impl Track {
    /// Nothing was sent; the stream's last id is `before`, and the first message gets `first`.
    pub(super) fn new(before: u64, first: u64) -> Self {
        Self {
            before: Some(before),
            ..Self::at(first)
        }
    }

    fn at(first: u64) -> Self {
        Self {
            first,
            slots: VecDeque::new(),
            in_flight: 0,
            before: None,
        }
    }

    /// The id for the next message, whose number is `sequence`.
    pub(super) fn push(&mut self, sequence: u64) -> u64 {
        self.slots.push_back(Some(sequence));
        self.in_flight += 1;
        self.next() - 1
    }

    /// The id that comes next.
    fn next(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    /// The number of the message with this id, which is confirmed now; none where it was before.
    pub(super) fn confirm(&mut self, id: u64) -> Option<u64> {
        let index = usize::try_from(id.checked_sub(self.first)?).ok()?;
        let sequence = self.slots.get_mut(index)?.take()?;
        self.in_flight -= 1;
        self.before = None;
        while let Some(None) = self.slots.front() {
            self.slots.pop_front();
            self.first += 1;
        }
        Some(sequence)
    }

    /// What the stream's last id has to be before the first message of the session is written; none after that.
    pub(super) fn expected_last(&self) -> Option<u64> {
        self.before
    }

    /// Messages without a confirm.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Goes on after a lost connection, where the stream's last id is `last`: gives the numbers of the messages that are
    /// stored, and forgets the others, whose ids are given again. None where that id cannot be.
    pub(super) fn resume(&mut self, last: u64) -> Option<Vec<u64>> {
        if self.before == Some(last) {
            *self = Self::new(last, self.first);
            return Some(Vec::new());
        }
        if last + 1 < self.first || self.next() <= last {
            return None;
        }
        let stored = usize::try_from(last + 1 - self.first).ok()?;
        let numbers = self.slots.drain(..stored).flatten().collect();
        *self = Self::at(last + 1);
        Some(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids from 10 on for the numbers 0, 1, 2 and so on; the stream's last id was 4.
    fn track(count: u64) -> Track {
        let mut track = Track::new(4, 10);
        for sequence in 0..count {
            assert_eq!(track.push(sequence), 10 + sequence);
        }
        track
    }

    #[test]
    fn a_confirm_counts_once_and_in_any_order() {
        let mut track = track(3);
        assert_eq!(track.confirm(11), Some(1));
        assert_eq!(track.confirm(11), None);
        assert_eq!(track.confirm(10), Some(0));
        assert_eq!(track.confirm(13), None);
        assert_eq!(track.in_flight(), 1);
        assert_eq!(track.push(3), 13);
    }

    #[test]
    fn after_a_lost_connection_what_is_stored_is_told_and_the_rest_has_its_ids_again() {
        let mut track = track(5);
        track.confirm(10);
        track.confirm(12);
        assert_eq!(track.resume(12), Some(vec![1]));
        assert_eq!(track.in_flight(), 0);
        assert_eq!(track.push(3), 13);
    }

    #[test]
    fn nothing_is_stored_of_what_was_sent_first() {
        let mut track = track(2);
        assert_eq!(track.resume(4), Some(vec![]));
        assert_eq!((track.push(0), track.expected_last()), (10, Some(4)));
    }

    #[test]
    fn nothing_is_stored_of_what_was_sent_later() {
        let mut track = track(2);
        track.confirm(10);
        assert_eq!(track.resume(10), Some(vec![]));
        assert_eq!((track.push(1), track.expected_last()), (11, None));
    }

    #[test]
    fn a_session_that_sent_nothing_goes_on_unless_somebody_else_wrote() {
        assert_eq!(track(0).resume(4), Some(vec![]));
        assert_eq!(track(0).resume(5), None);
        assert_eq!(track(0).resume(10), None);
    }

    #[test]
    fn a_stream_that_lost_what_it_confirmed_or_has_what_was_never_sent_is_not_gone_on_with() {
        let mut track = track(3);
        track.confirm(10);
        for last in [0, 4, 9, 13] {
            assert_eq!(track.clone().resume(last), None, "{last}");
        }
        assert_eq!(track.resume(12), Some(vec![1, 2]));
    }
}
