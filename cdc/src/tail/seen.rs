//! Which messages this run has shown, so that a lost connection shows none of them twice.

use std::{
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use lapin::message::Delivery;

/// How many acknowledged messages are remembered: their acknowledgements may have been lost with the connection.
const ACKNOWLEDGED_MAX: usize = 4096;

/// The messages that were shown and may come again, by a hash of what identifies them.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// In the order in which they were shown; the oldest are acknowledged.
    shown: VecDeque<u64>,
    acknowledged: usize,
    /// How often each may come again, after a connection was lost.
    again: HashMap<u64, u32>,
}

impl Seen {
    /// Remembers a message that was shown and not acknowledged.
    pub(super) fn add(&mut self, delivery: &Delivery) {
        self.shown.push_back(key(delivery));
    }

    /// The `count` oldest that were not acknowledged are so now.
    pub(super) fn acknowledged(&mut self, count: usize) {
        self.acknowledged += count;
        let excess = self.acknowledged.saturating_sub(ACKNOWLEDGED_MAX);
        self.shown.drain(..excess);
        self.acknowledged -= excess;
    }

    /// From now on the broker gives out again what it still holds.
    pub(super) fn connection_lost(&mut self) {
        self.acknowledged = 0;
        for key in self.shown.drain(..) {
            *self.again.entry(key).or_default() += 1;
        }
    }

    /// How many shown messages may still come again.
    pub(super) fn expected(&self) -> u64 {
        self.again.values().copied().map(u64::from).sum()
    }

    /// Whether `delivery` is one that was shown before the connection was lost; true once for each time it was shown.
    pub(super) fn comes_again(&mut self, delivery: &Delivery) -> bool {
        if !delivery.redelivered {
            // What comes again comes first.
            self.again.clear();
        }
        if self.again.is_empty() {
            return false;
        }
        let key = key(delivery);
        match self.again.get_mut(&key) {
            Some(left) => {
                *left -= 1;
                if *left == 0 {
                    self.again.remove(&key);
                }
                true
            }
            None => false,
        }
    }
}

/// A message without an id is known by its body.
fn key(delivery: &Delivery) -> u64 {
    let mut hasher = DefaultHasher::new();
    match delivery.properties.message_id() {
        Some(id) => id.as_str().hash(&mut hasher),
        None => delivery.data.hash(&mut hasher),
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use lapin::BasicProperties;

    use super::*;

    fn delivery(id: &str, redelivered: bool) -> Delivery {
        let mut delivery = Delivery::mock(1, "".into(), "".into(), redelivered, b"same".to_vec());
        delivery.properties = BasicProperties::default().with_message_id(id.into());
        delivery
    }

    fn seen(ids: &[&str]) -> Seen {
        let mut seen = Seen::default();
        for id in ids {
            seen.add(&delivery(id, false));
        }
        seen
    }

    #[test]
    fn what_was_shown_comes_again_once_for_each_time_it_was_shown() {
        let mut seen = seen(&["a", "b", "a"]);
        assert!(!seen.comes_again(&delivery("a", true)), "nothing was lost");
        seen.connection_lost();
        assert_eq!(seen.expected(), 3);
        assert!(seen.comes_again(&delivery("a", true)));
        assert!(seen.comes_again(&delivery("a", true)));
        assert!(!seen.comes_again(&delivery("a", true)));
        assert_eq!(seen.expected(), 1);
    }

    #[test]
    fn nothing_comes_again_after_a_new_message() {
        let mut seen = seen(&["a", "b"]);
        seen.connection_lost();
        assert!(seen.comes_again(&delivery("a", true)));
        assert!(!seen.comes_again(&delivery("b", false)), "a copy of b");
        assert!(!seen.comes_again(&delivery("b", true)));
    }

    #[test]
    fn an_acknowledged_message_may_come_again_since_the_broker_confirms_none() {
        let mut seen = seen(&["a", "b"]);
        seen.acknowledged(1);
        seen.connection_lost();
        assert!(seen.comes_again(&delivery("a", true)));
        assert!(seen.comes_again(&delivery("b", true)));
    }

    #[test]
    fn acknowledged_messages_are_not_remembered_for_ever() {
        let mut seen = seen(&["a", "b"]);
        seen.acknowledged(2);
        for _ in 0..ACKNOWLEDGED_MAX - 1 {
            seen.add(&delivery("c", false));
            seen.acknowledged(1);
        }
        seen.connection_lost();
        assert!(!seen.comes_again(&delivery("a", true)));
        assert!(seen.comes_again(&delivery("b", true)));
    }
}
