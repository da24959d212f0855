//! Which documents of a run are marked, so that a consumer knows where it is.

use super::reads::{Ready, What};
use crate::{
    event::{Mark, Marks},
    snapshot::{Range, Run},
};

/// What was marked as a last document. It is not saved: after a crash a mark may be made again.
#[derive(Debug, Default)]
pub(super) struct Marked {
    /// Of the collection that is being read.
    pub(super) collection: bool,
    /// Of the run.
    pub(super) run: bool,
}

impl Marked {
    /// The marks of the document that is next in `ready`, and the last one there or not.
    pub(super) fn of(&mut self, run: &Run, ready: &Ready, is_last: bool) -> Marks {
        let mut marks = Marks::default();
        if let What::Chunk(range) = ready.what {
            firsts(run, range, &mut marks);
        }
        if is_last && let Some(level) = level(run, ready) {
            self.lasts(run, level, &mut marks);
        }
        marks
    }

    fn lasts(&mut self, run: &Run, level: Mark, marks: &mut Marks) {
        let is_run = level == Mark::RunLast || level == Mark::CollectionLast && run.todo.is_empty();
        marks.add(level);
        self.collection |= level == Mark::CollectionLast;
        if is_run {
            marks.add(Mark::RunLast);
            self.run = true;
        }
    }
}

fn firsts(run: &Run, range: usize, marks: &mut Marks) {
    let Some(collection) = &run.current else {
        return;
    };
    let of_range = collection.ranges.get(range).map(|range| range.documents);
    let counts = [
        (Mark::RunFirst, Some(run.documents)),
        (Mark::CollectionFirst, Some(collection.documents)),
        (Mark::RangeFirst, of_range),
    ];
    for (mark, _) in counts.into_iter().filter(|(_, count)| *count == Some(0)) {
        marks.add(mark);
    }
}

/// What ends with the last document of `ready`, if anything does.
fn level(run: &Run, ready: &Ready) -> Option<Mark> {
    match ready.what {
        What::Last(mark) => Some(mark),
        What::Chunk(range) => {
            let ranges = &run.current.as_ref()?.ranges;
            let is_other = |(index, other): (usize, &Range)| index == range || other.is_done;
            let are_done = ranges.iter().enumerate().all(is_other);
            let level = if are_done {
                Mark::CollectionLast
            } else {
                Mark::RangeLast
            };
            ready.is_end.then_some(level)
        }
    }
}

/// Number of the range that `ready` is of, from 1 on, and how many there are.
pub(super) fn range(run: &Run, ready: &Ready) -> (u16, u16) {
    let count = run
        .current
        .as_ref()
        .map_or(1, |current| current.ranges.len());
    let number = ready.range().map_or(count, |range| range + 1);
    let short = |number| u16::try_from(number).unwrap_or(u16::MAX);
    (short(number), short(count))
}
