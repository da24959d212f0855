//! How often messages were looked at: a quorum queue counts, and drops a message that was given out too often.
//!
//! RabbitMQ from 4.0 on drops a message that comes back for the 21st time, unless the queue or a policy sets another
//! limit; earlier versions have no limit of their own. <https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling>

use std::ops::RangeInclusive;

/// Near the limit where it is the default. A message that was given out more often has no such limit.
const NEAR_LIMIT: RangeInclusive<i64> = 15..=20;

/// The counts of the messages shown so far.
#[derive(Debug, Default)]
pub(super) struct Looks {
    counted: bool,
    /// The highest count near the limit.
    worn: Option<i64>,
}

impl Looks {
    /// Adds a message that was given out `count` times before; true for the first one.
    pub(super) fn add(&mut self, count: i64) -> bool {
        if NEAR_LIMIT.contains(&count) {
            self.worn = self.worn.max(Some(count));
        }
        !std::mem::replace(&mut self.counted, true)
    }

    /// The count of a message that is not to be looked at again.
    pub(super) fn worn(&self) -> Option<i64> {
        self.worn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_count_is_news() {
        let mut looks = Looks::default();
        assert!(looks.add(3));
        assert!(!looks.add(4));
        assert_eq!(looks.worn(), None);
    }

    #[test]
    fn a_message_is_worn_near_the_default_limit_and_not_beyond() {
        let worn = |count| {
            let mut looks = Looks::default();
            looks.add(count);
            looks.worn()
        };
        assert_eq!([14, 15, 20, 21].map(worn), [None, Some(15), Some(20), None]);
    }
}
