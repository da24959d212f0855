//! The order in which changes arrive, as far as it can be known from outside.

use crate::chaos::change::ChangeId;

/// What has passed so far.
#[derive(Debug)]
pub(super) struct Order {
    latest: Vec<Option<Latest>>,
    clock: (u32, u32),
}

/// The latest change of a writer that has passed.
#[derive(Debug, Clone, Copy)]
struct Latest {
    number: u32,
    group: u32,
}

impl Order {
    pub(super) fn new(writers: usize) -> Self {
        Self {
            latest: vec![None; writers],
            clock: (0, 0),
        }
    }

    /// Lets the next change pass; says what is wrong if it comes too late.
    ///
    /// `is_final` means that the database had acknowledged it: then every later change of its writer was
    /// sent after it had happened. One whose answer was lost may have happened after later ones.
    pub(super) fn next(
        &mut self,
        id: ChangeId,
        group: u32,
        is_final: bool,
        clock: (u32, u32),
    ) -> Option<String> {
        let slot = &mut self.latest[usize::from(id.writer)];
        let late =
            slot.filter(|latest| id.number < latest.number && (is_final || latest.group == group));
        let is_newest = slot.is_none_or(|latest| latest.number < id.number);
        if is_newest {
            *slot = Some(Latest {
                number: id.number,
                group,
            });
        }
        let before = self.clock;
        self.clock = before.max(clock);
        let ChangeId { writer, number } = id;
        if let Some(latest) = late {
            return Some(format!(
                "change {number} of writer {writer} came after its change {}",
                latest.number
            ));
        }
        (clock < before).then(|| {
            format!(
                "change {number} of writer {writer} has cluster time {clock:?} and came after {before:?}"
            )
        })
    }
}
