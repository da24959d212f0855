//! Which messages were shown, so that a lost connection shows none of them twice.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    mem,
};

use lapin::message::Delivery;

/// After so many, the older ones are forgotten where messages are acknowledged; the last ones may come again, since
/// their acknowledgements may have been lost with the connection.
const REMEMBERED: usize = 1 << 16;

/// The ids of the messages that were shown, as hashes.
#[derive(Debug, Default)]
pub(super) struct Shown {
    recent: HashSet<u64>,
    older: HashSet<u64>,
}

impl Shown {
    /// Adds a message; one without an id cannot be told from others and is not remembered.
    pub(super) fn add(&mut self, delivery: &Delivery, forget: bool) {
        if forget && self.recent.len() >= REMEMBERED {
            self.older = mem::take(&mut self.recent);
        }
        self.recent.extend(key(delivery));
    }

    /// Whether `delivery` was shown before.
    pub(super) fn contains(&self, delivery: &Delivery) -> bool {
        key(delivery).is_some_and(|key| self.recent.contains(&key) || self.older.contains(&key))
    }
}

fn key(delivery: &Delivery) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    delivery.properties.message_id().as_ref()?.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use lapin::BasicProperties;

    use super::*;

    fn delivery(id: usize) -> Delivery {
        let mut delivery = Delivery::mock(1, "".into(), "".into(), true, b"same".to_vec());
        delivery.properties = BasicProperties::default().with_message_id(id.to_string().into());
        delivery
    }

    #[test]
    fn a_message_is_known_by_its_id() {
        let mut shown = Shown::default();
        let anonymous = Delivery::mock(1, "".into(), "".into(), true, b"same".to_vec());
        shown.add(&delivery(1), true);
        shown.add(&anonymous, true);
        let known =
            [&delivery(1), &delivery(2), &anonymous].map(|delivery| shown.contains(delivery));
        assert_eq!(known, [true, false, false]);
    }

    #[test]
    fn acknowledged_messages_are_not_remembered_for_ever() {
        let (mut taken, mut kept) = (Shown::default(), Shown::default());
        for id in 0..=2 * REMEMBERED {
            taken.add(&delivery(id), true);
            kept.add(&delivery(id), false);
        }
        let first = delivery(0);
        assert_eq!(
            [taken.contains(&first), kept.contains(&first)],
            [false, true]
        );
        assert!(taken.contains(&delivery(REMEMBERED)));
    }
}
