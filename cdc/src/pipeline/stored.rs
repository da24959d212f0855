//! What the target has already of what is read again: nothing of it is sent twice.
//!
//! A target that tells its last message has everything before it, of the same partition, in the order of the change
//! stream. So messages are passed over up to that one. Only changes of one cluster time, those of a transaction, need its
//! id; where it does not come, as after a change of the filter, nobody knows which of them are there.

use bson::Timestamp;

use crate::{
    message::{Message, MessageId},
    position::Position,
    sink::{Place, Places, UpTo},
};

/// For each partition, what is still to be passed over.
#[derive(Debug, Default)]
pub(super) struct Stored {
    partitions: Vec<Option<Rest>>,
}

#[derive(Debug, Clone, Copy)]
struct Rest {
    place: Place,
    /// Whether messages of the place's own time were passed over, and its own has not come.
    is_undecided: bool,
}

/// What is known of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// The target does not have it.
    New,
    /// The target has it.
    Stored,
    /// It is passed over until the last message comes, or something later.
    Undecided,
}

/// The last message did not come among those of its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Missed;

impl Stored {
    /// What comes after `position` is passed over up to the places.
    pub(super) fn new(places: Places, position: &Position) -> Self {
        let last = match position {
            Position::After { token, .. } => Some(MessageId::from_token(token)),
            Position::At(_) => None,
        };
        // Where the position is right after the last message, there is nothing to pass over.
        let is_ahead = |place: &Place| match place.up_to {
            UpTo::Message(id) => Some(id) != last,
            UpTo::Time | UpTo::Before => true,
        };
        let rest = |place| Rest {
            place,
            is_undecided: false,
        };
        let places = places.into_iter();
        Self {
            partitions: places
                .map(|place| place.filter(is_ahead).map(rest))
                .collect(),
        }
    }

    /// Whether anything is still to be passed over.
    pub(super) fn has_rest(&self) -> bool {
        self.partitions.iter().any(Option::is_some)
    }

    /// What comes next is of `time`: every message before that time was looked at.
    pub(super) fn reach(&mut self, time: Timestamp) -> Result<(), Missed> {
        for partition in &mut self.partitions {
            if let Some(rest) = partition
                && rest.place.cluster_time < time
            {
                if rest.is_undecided {
                    return Err(Missed);
                }
                *partition = None;
            }
        }
        Ok(())
    }

    /// Whether the target has `message`.
    pub(super) fn look(&mut self, message: &Message) -> Look {
        let number = message.partition.map_or(0, |partition| partition.number);
        let Some(partition) = self.partitions.get_mut(usize::from(number)) else {
            return Look::New;
        };
        let Some(rest) = partition else {
            return Look::New;
        };
        let place = rest.place;
        if message.cluster_time < place.cluster_time {
            return Look::Stored;
        }
        if place.cluster_time < message.cluster_time {
            return Look::New;
        }
        match place.up_to {
            UpTo::Time => Look::Stored,
            UpTo::Before => Look::New,
            UpTo::Message(id) if id == message.message_id => {
                *partition = None;
                Look::Stored
            }
            UpTo::Message(_) => {
                rest.is_undecided = true;
                Look::Undecided
            }
        }
    }

    /// Whether a message may still turn out not to be there, so that no position may pass it.
    pub(super) fn is_undecided(&self) -> bool {
        let rests = self.partitions.iter().flatten();
        rests.into_iter().any(|rest| rest.is_undecided)
    }
}

#[cfg(test)]
mod tests;
