//! Which messages this run has shown, so that a lost connection shows none of them twice.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use lapin::message::Delivery;

/// The messages that were shown and that the queue still holds, by a hash of what identifies them.
#[derive(Debug, Default)]
pub(super) struct Seen {
    held: Vec<u64>,
    /// How often each may come again, after a connection was lost.
    again: HashMap<u64, u32>,
}

impl Seen {
    /// Remembers a message that was shown and not acknowledged.
    pub(super) fn add(&mut self, delivery: &Delivery) {
        self.held.push(key(delivery));
    }

    /// Forgets the `count` oldest, which were acknowledged.
    pub(super) fn forget(&mut self, count: usize) {
        self.held.drain(..count);
    }

    /// From now on the broker gives out again what it still holds.
    pub(super) fn connection_lost(&mut self) {
        for key in self.held.drain(..).rev() {
            *self.again.entry(key).or_default() += 1;
        }
    }

    /// How many shown messages may still come again.
    pub(super) fn expected(&self) -> u64 {
        self.again.values().copied().map(u64::from).sum()
    }

    /// Whether `delivery` is one that was shown before the connection was lost; true once for each time it was shown.
    pub(super) fn comes_again(&mut self, delivery: &Delivery) -> bool {
        if self.again.is_empty() || !delivery.redelivered {
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

    #[test]
    fn what_was_shown_comes_again_once_for_each_time_it_was_shown() {
        let mut seen = Seen::default();
        for id in ["a", "b", "a"] {
            seen.add(&delivery(id, false));
        }
        assert!(!seen.comes_again(&delivery("a", true)), "nothing was lost");
        seen.connection_lost();
        assert_eq!(seen.expected(), 3);
        assert!(!seen.comes_again(&delivery("a", false)), "a copy of it");
        assert!(seen.comes_again(&delivery("a", true)));
        assert!(seen.comes_again(&delivery("a", true)));
        assert!(!seen.comes_again(&delivery("a", true)));
        assert_eq!(seen.expected(), 1);
    }

    #[test]
    fn what_was_acknowledged_is_forgotten() {
        let mut seen = Seen::default();
        seen.add(&delivery("a", false));
        seen.add(&delivery("b", false));
        seen.forget(1);
        seen.connection_lost();
        assert!(!seen.comes_again(&delivery("a", true)));
        assert!(seen.comes_again(&delivery("b", true)));
    }
}
