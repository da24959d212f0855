//! What becomes of the sending when the target refuses a message.
//!
//! A state machine without I/O. After a refusal the target may have taken later messages already, so nothing is sent
//! until every receipt is there; then there is a pause, and messages go out one at a time, from the refused one on,
//! until one is accepted. So the last copies are in order.

use std::time::Duration;

use tokio::time::Instant;

use crate::retry::Backoff;

/// Why a message was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    /// The target said no.
    Nacked,
    /// It matched no queue; in words.
    Unroutable(String),
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    mode: Mode,
    /// Why, while it is not over.
    reason: Option<Reason>,
    backoff: Backoff,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Sends whatever waits.
    #[default]
    Flowing,
    /// Sends nothing until every receipt is there.
    Settling,
    /// Sends nothing until this moment.
    Holding(Instant),
    /// Sends one message at a time until one is accepted.
    Probing,
}

impl Refusal {
    /// A message was refused. True where the reason is new. An unroutable message stays the reason until it is over:
    /// a person has to mend it.
    pub(super) fn refused(&mut self, reason: Reason) -> bool {
        self.mode = Mode::Settling;
        let is_new = match (&self.reason, &reason) {
            (Some(Reason::Unroutable(_)), _) | (Some(Reason::Nacked), Reason::Nacked) => false,
            (Some(Reason::Nacked) | None, _) => true,
        };
        if is_new {
            self.reason = Some(reason);
        }
        is_new
    }

    /// A message was taken, and nothing came back with its receipt.
    pub(super) fn accepted(&mut self) {
        self.backoff.reset();
        if self.mode == Mode::Probing {
            (self.mode, self.reason) = (Mode::Flowing, None);
        }
    }

    /// Nothing is in flight. After a refusal all is to be sent again from the first message without a confirm on, after
    /// the pause that is returned.
    pub(super) fn settled(&mut self, now: Instant) -> Option<(&Reason, Duration)> {
        if self.mode != Mode::Settling {
            return None;
        }
        let pause = self.backoff.next_delay();
        self.mode = Mode::Holding(now + pause);
        Some((self.reason.as_ref()?, pause))
    }

    /// When the pause ends, while there is one.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        match self.mode {
            Mode::Holding(until) => Some(until),
            Mode::Flowing | Mode::Settling | Mode::Probing => None,
        }
    }

    /// The pause is over.
    pub(super) fn resume(&mut self) {
        if let Mode::Holding(_) = self.mode {
            self.mode = Mode::Probing;
        }
    }

    /// A new connection is there, on which nothing is in flight.
    pub(super) fn reconnected(&mut self) {
        if self.mode == Mode::Settling {
            self.mode = Mode::Probing;
        }
    }

    /// Whether a message may be sent while so many are in flight.
    pub(super) fn may_send(&self, in_flight: usize) -> bool {
        match self.mode {
            Mode::Flowing => true,
            Mode::Settling | Mode::Holding(_) => false,
            Mode::Probing => in_flight == 0,
        }
    }

    /// Whether nothing that was refused waits for its turn.
    pub(super) fn is_over(&self) -> bool {
        self.mode == Mode::Flowing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unroutable() -> Reason {
        Reason::Unroutable("no queue".to_owned())
    }

    #[test]
    fn after_a_refusal_it_waits_pauses_and_goes_on_one_at_a_time() {
        let (mut refusal, now) = (Refusal::default(), Instant::now());
        assert!(refusal.may_send(7) && refusal.settled(now).is_none());
        assert!(refusal.refused(Reason::Nacked));
        assert!(!refusal.may_send(0), "receipts are still to come");
        refusal.accepted();
        assert!(
            !refusal.may_send(0),
            "a confirm of an earlier message ends nothing"
        );
        let (reason, pause) = refusal.settled(now).unwrap();
        assert_eq!(reason, &Reason::Nacked);
        assert_eq!(refusal.paused_until(), Some(now + pause));
        assert!(!refusal.may_send(0) && refusal.settled(now).is_none());
        refusal.resume();
        assert_eq!(refusal.paused_until(), None);
        assert!(refusal.may_send(0) && !refusal.may_send(1));
        refusal.accepted();
        assert!(refusal.may_send(1) && refusal.is_over());
    }

    #[test]
    fn pauses_grow_until_something_is_accepted() {
        let (mut refusal, now) = (Refusal::default(), Instant::now());
        let mut pause = || {
            refusal.refused(Reason::Nacked);
            let (_, pause) = refusal.settled(now).unwrap();
            refusal.resume();
            pause
        };
        let first = pause();
        let later = (0..10).map(|_| pause()).max().unwrap();
        assert!(2 * first < later, "{first:?} {later:?}");
        refusal.accepted();
        refusal.refused(Reason::Nacked);
        assert!(refusal.settled(now).unwrap().1 < later);
    }

    #[test]
    fn an_unroutable_message_stays_the_reason_until_it_is_over() {
        let (mut refusal, now) = (Refusal::default(), Instant::now());
        assert!(refusal.refused(Reason::Nacked));
        assert!(refusal.refused(unroutable()));
        assert!(!refusal.refused(unroutable()) && !refusal.refused(Reason::Nacked));
        assert_eq!(refusal.settled(now).unwrap().0, &unroutable());
        refusal.resume();
        refusal.accepted();
        assert!(refusal.refused(Reason::Nacked), "a new one");
    }

    #[test]
    fn a_lost_connection_ends_the_wait_for_receipts_and_not_the_pause() {
        let (mut refusal, now) = (Refusal::default(), Instant::now());
        refusal.refused(Reason::Nacked);
        refusal.reconnected();
        assert!(refusal.may_send(0) && !refusal.may_send(1));
        refusal.refused(Reason::Nacked);
        refusal.settled(now);
        refusal.reconnected();
        assert!(!refusal.may_send(0) && refusal.paused_until().is_some());
    }
}
