//! Which documents of a run are marked, so that a consumer knows where it is.

use super::reads::{Ready, What};
use crate::{
    event::{Mark, Marks},
    snapshot::Run,
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
        match ready.what {
            What::Last(mark) => self.last(run, mark, &mut marks),
            What::Chunk(range) => {
                firsts(run, range, &mut marks);
                if is_last && ready.is_end {
                    marks.add(Mark::RangeLast);
                    if are_others_done(run, range) {
                        self.last(run, Mark::CollectionLast, &mut marks);
                    }
                }
            }
        }
        marks
    }

    /// There is no document to be marked.
    pub(super) fn give_up(&mut self, what: What) {
        self.collection |= what == What::Last(Mark::CollectionLast);
        self.run |= what == What::Last(Mark::RunLast);
    }

    /// The last one of a collection is the run's where no other collection follows.
    fn last(&mut self, run: &Run, mark: Mark, marks: &mut Marks) {
        marks.add(mark);
        self.collection |= mark == Mark::CollectionLast;
        if run.todo.is_empty() {
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

/// Whether all ranges of the collection are read, but for this one.
fn are_others_done(run: &Run, range: usize) -> bool {
    let ranges = run.current.iter().flat_map(|current| &current.ranges);
    let mut others = ranges.enumerate().filter(|(index, _)| *index != range);
    others.all(|(_, other)| other.is_done)
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
