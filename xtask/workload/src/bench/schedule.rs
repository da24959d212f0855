//! What is measured, and in which order.
//!
//! Everything is measured once in every sample, and each sample begins at another place, so that a machine that gets
//! slower or faster over time favours nobody.

use super::report::{Group, Path, Queue, Subject};

/// Samples in which growth is measured, which takes the longest.
const GROWTH_SAMPLES: u32 = 3;
/// How often the smaller numbers of events are measured on each side of the largest: the runs of 100 k together take as
/// long as one of 1 M, so that what happens once a minute is in both.
const GROWTH_REPEATS: usize = 5;
/// Messages of the slow Python programs, at most.
const CONNECTION_EVENTS: u64 = 500;
const CONFIRM_EVENTS: u64 = 2_000;
const BATCH_EVENTS: u64 = 50_000;
/// The same in a short run.
const QUICK_CONNECTION_EVENTS: u64 = 100;
const QUICK_CONFIRM_EVENTS: u64 = 300;
/// Inserts per second at which latency is measured, and how often in a sample: the rate that is judged more often, since
/// a machine's pauses decide what 99 in 100 wait for.
const LATENCIES: [(u32, u32); 3] = [(100, 1), (1_000, 4), (5_000, 1)];

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scope {
    /// Events of the main comparison.
    pub(super) count: u64,
    /// Bytes of a document there.
    pub(super) size: u64,
    /// Whether to be short.
    pub(super) quick: bool,
    /// Whether to measure Python programs too.
    pub(super) python: bool,
    /// Whether to measure growth too.
    pub(super) growth: bool,
}

/// Backlogs, and the runs that share them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    /// In the order in which they are inserted: the largest first, since each is read on to the end of the oplog.
    pub(super) extents: Vec<Extent>,
    pub(super) tasks: Vec<Task>,
}

/// How large a backlog is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// Documents.
    pub(super) count: u64,
    /// Bytes of one document's BSON.
    pub(super) size: u64,
}

/// One catch-up run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) group: Group,
    pub(super) subject: Subject,
    pub(super) queue: Option<Queue>,
    pub(super) format: Option<&'static str>,
    /// Which of its block's backlogs it reads.
    pub(super) backlog: usize,
    /// How many events of it.
    pub(super) events: u64,
}

impl Task {
    /// Whether its queue is read while it is filled: where the number of events is what counts, the length of a queue
    /// must not, since a queue that nobody reads takes messages the more slowly the longer it is.
    pub(super) fn is_read_meanwhile(&self) -> bool {
        self.group == Group::Events
    }
}

/// The catch-up runs of a sample.
pub(super) fn blocks(scope: &Scope, sample: u32) -> Vec<Block> {
    let mut main = main_tasks(scope);
    let turns = main.len() * sample as usize / 3;
    let length = main.len();
    main.rotate_left(turns % length);
    let (count, size) = (scope.count, scope.size);
    let mut blocks = vec![Block {
        extents: vec![Extent { count, size }],
        tasks: main,
    }];
    if scope.growth && sample < GROWTH_SAMPLES {
        let mut growth = vec![events_block(scope)];
        growth.extend(bytes_blocks(scope));
        if !sample.is_multiple_of(2) {
            growth.reverse();
        }
        blocks.extend(growth);
    }
    blocks
}

/// One latency run. Those of the two paths that have the same rate and pair belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LatencyTask {
    pub(super) per_second: u32,
    pub(super) pair: u32,
    pub(super) path: Path,
}

/// The latency runs of a sample; each pair begins with the other path than the pair before.
pub(super) fn latencies(sample: u32) -> Vec<LatencyTask> {
    let pairs = LATENCIES.into_iter().flat_map(|(per_second, pairs)| {
        (sample * pairs..(sample + 1) * pairs).map(move |pair| (per_second, pair))
    });
    let tasks = pairs.flat_map(|(per_second, pair)| {
        let mut paths = [Path::Engine, Path::Floor];
        if !pair.is_multiple_of(2) {
            paths.reverse();
        }
        paths.map(|path| LatencyTask {
            per_second,
            pair,
            path,
        })
    });
    tasks.collect()
}

fn main_tasks(scope: &Scope) -> Vec<Task> {
    let task = |subject, queue, format| Task {
        group: Group::Main,
        subject,
        queue,
        format,
        backlog: 0,
        events: scope.count,
    };
    let mut tasks = vec![task(Subject::Source, None, None)];
    for queue in [Queue::Classic, Queue::Quorum] {
        for subject in [Subject::Sink, Subject::SinkBare] {
            tasks.push(task(subject, Some(queue), Some(DOCUMENT)));
        }
        for format in [DOCUMENT, "event"] {
            tasks.push(task(Subject::Engine, Some(queue), Some(format)));
        }
    }
    if scope.python {
        let (connection, confirm) = if scope.quick {
            (QUICK_CONNECTION_EVENTS, QUICK_CONFIRM_EVENTS)
        } else {
            (CONNECTION_EVENTS, CONFIRM_EVENTS)
        };
        let slow = [
            (Subject::PythonConnection, Queue::Classic, connection),
            (Subject::PythonConnection, Queue::Quorum, connection),
            (Subject::PythonConfirm, Queue::Classic, confirm),
            (Subject::PythonBatch, Queue::Classic, BATCH_EVENTS),
            (Subject::PythonBatch, Queue::Quorum, BATCH_EVENTS),
        ];
        tasks.extend(slow.map(|(subject, queue, most)| Task {
            events: most.min(scope.count),
            ..task(subject, Some(queue), Some(DOCUMENT))
        }));
    }
    tasks
}

/// The engine and its sink as the number of events grows.
///
/// Each long run has short ones of the same before and after it: a shared machine has another pace every few minutes,
/// which would else pass for growth.
fn events_block(scope: &Scope) -> Block {
    let counts: &[u64] = if scope.quick {
        &[10_000, 1_000]
    } else {
        &[1_000_000, 100_000, 10_000]
    };
    let extents = counts.iter().map(|&count| Extent {
        count,
        size: scope.size,
    });
    let subjects = [
        (Subject::Engine, Queue::Classic),
        (Subject::Sink, Queue::Classic),
        (Subject::Engine, Queue::Quorum),
    ];
    let small: Vec<usize> = (1..counts.len()).collect();
    let small = small.repeat(GROWTH_REPEATS);
    let around: Vec<usize> = [small.as_slice(), &[0], &small].concat();
    let tasks = subjects.into_iter().flat_map(|(subject, queue)| {
        around.iter().map(move |&backlog| Task {
            group: Group::Events,
            subject,
            queue: Some(queue),
            format: Some(DOCUMENT),
            backlog,
            events: counts[backlog],
        })
    });
    Block {
        tasks: tasks.collect(),
        extents: extents.collect(),
    }
}

/// The engine as documents grow.
fn bytes_blocks(scope: &Scope) -> impl Iterator<Item = Block> {
    let sizes: &[(u64, u64)] = if scope.quick {
        &[
            (200, 10_000),
            (2_000, 5_000),
            (20_000, 1_000),
            (200_000, 100),
            (10_000_000, 5),
        ]
    } else {
        &[
            (200, 200_000),
            (2_000, 100_000),
            (20_000, 20_000),
            (200_000, 2_000),
            (10_000_000, 20),
        ]
    };
    sizes.iter().map(|&(size, count)| {
        let task = Task {
            group: Group::Bytes,
            subject: Subject::Engine,
            queue: Some(Queue::Classic),
            format: Some(DOCUMENT),
            backlog: 0,
            events: count,
        };
        Block {
            extents: vec![Extent { count, size }],
            tasks: vec![task],
        }
    })
}

/// The body format that is the engine's default.
pub(super) const DOCUMENT: &str = "document";

#[cfg(test)]
mod tests {
    use super::*;

    const SCOPE: Scope = Scope {
        count: 200_000,
        size: 400,
        quick: false,
        python: true,
        growth: true,
    };

    #[test]
    fn each_sample_measures_the_same_and_begins_elsewhere() {
        let samples: Vec<_> = (0..3).map(|sample| blocks(&SCOPE, sample)).collect();
        let main: Vec<_> = samples.iter().map(|blocks| &blocks[0].tasks).collect();
        assert_eq!(main[0].len(), 14);
        assert_ne!(main[0][0], main[1][0]);
        assert_ne!(main[1][0], main[2][0]);
        for tasks in &main {
            assert!(main[0].iter().all(|task| tasks.contains(task)));
        }
    }

    #[test]
    fn every_latency_is_measured_in_pairs_that_begin_in_turn() {
        let tasks: Vec<_> = (0..3).flat_map(latencies).collect();
        for (per_second, pairs) in LATENCIES {
            let of_rate = tasks.iter().filter(|task| task.per_second == per_second);
            let of_rate: Vec<_> = of_rate.collect();
            assert_eq!(of_rate.len(), 2 * 3 * pairs as usize);
            for (number, both) in of_rate.chunks(2).enumerate() {
                assert!(both.iter().all(|task| task.pair as usize == number));
                let first = [Path::Engine, Path::Floor][number % 2];
                assert_eq!(both[0].path, first);
                assert_ne!(both[1].path, first);
            }
        }
    }

    #[test]
    fn growth_in_events_is_measured_with_queues_that_are_read() {
        let blocks = blocks(&SCOPE, 0);
        assert!(blocks[1].tasks.iter().all(Task::is_read_meanwhile));
        let others = blocks[0].tasks.iter().chain(&blocks[2].tasks);
        assert!(others.into_iter().all(|task| !task.is_read_meanwhile()));
    }

    #[test]
    fn a_long_run_has_as_many_events_of_the_same_in_short_ones_around_it() {
        let Block { extents, tasks } = events_block(&SCOPE);
        let subjects =
            tasks.chunk_by(|one, next| (one.subject, one.queue) == (next.subject, next.queue));
        let mut count = 0;
        for runs in subjects {
            let long = runs
                .iter()
                .position(|task| task.events == 1_000_000)
                .unwrap();
            let short = |side: &[Task]| side.iter().filter(|task| task.events == 100_000).count();
            assert_eq!((short(&runs[..long]), short(&runs[long + 1..])), (5, 5));
            count += 1;
        }
        assert_eq!(count, 3);
        assert!(extents.windows(2).all(|pair| pair[1].count < pair[0].count));
    }

    #[test]
    fn growth_ends_earlier_than_the_rest() {
        assert_eq!(blocks(&SCOPE, 0).len(), 7);
        assert_eq!(blocks(&SCOPE, GROWTH_SAMPLES).len(), 1);
    }

    #[test]
    fn nobody_reads_more_than_there_is() {
        let scope = Scope { count: 50, ..SCOPE };
        for Block { extents, tasks } in blocks(&scope, 0) {
            let fits = |task: &Task| task.events <= extents[task.backlog].count;
            assert!(tasks.iter().all(fits));
        }
    }
}
