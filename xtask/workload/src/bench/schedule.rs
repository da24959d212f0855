//! What is measured, and in which order.
//!
//! Everything is measured once in every sample, and each sample begins at another place, so that a machine that gets
//! slower or faster over time favours nobody.

use std::collections::BTreeSet;

use super::report::{Group, Key, Path, QUEUES, Queue, Settings, Subject};

/// Samples in which growth is measured, which takes the longest.
const GROWTH_SAMPLES: u32 = 3;
/// How often the smaller numbers of events are measured on each side of the largest: the runs of 100 k together take as
/// long as one of 1 M, so that what happens once a minute is in both.
const GROWTH_REPEATS: usize = 5;
/// Messages of the Python programs, at most: by connection, confirm and batch; and the same in a short run.
const PYTHON_EVENTS: [u64; 3] = [500, 2_000, 50_000];
const QUICK_PYTHON_EVENTS: [u64; 3] = [100, 300, 50_000];
/// Numbers of events, the largest first, as they grow; and the same in a short run.
const EVENTS: &[u64] = &[1_000_000, 100_000, 10_000];
const QUICK_EVENTS: &[u64] = &[10_000, 1_000];
/// Bytes of documents as they grow, and how many there are of each; and in a short run.
const SIZES: [u64; 5] = [200, 2_000, 20_000, 200_000, 10_000_000];
const SIZE_EVENTS: [u64; 5] = [200_000, 100_000, 20_000, 2_000, 20];
const QUICK_SIZE_EVENTS: [u64; 5] = [10_000, 5_000, 1_000, 100, 5];
/// Inserts per second at which latency is measured, and how often in a sample: the rate that is judged more often, since
/// a machine's pauses decide what 99 in 100 wait for.
const LATENCIES: [(u32, u32); 3] = [(100, 1), (1_000, 4), (5_000, 1)];

/// One catch-up run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) key: Key,
    /// Documents of the backlog that it reads, or reads the first ones of.
    pub(super) backlog: u64,
}

/// Whether its queue is read while it is filled: where the number of events is what counts, the length of a queue must
/// not, since a queue that nobody reads takes messages the more slowly the longer it is.
pub(super) fn is_read_meanwhile(key: &Key) -> bool {
    key.group == Group::Events
}

/// The backlogs of `block` as number and size of documents, in the order in which they are inserted: the largest first,
/// since each is read on to the end of the oplog.
pub(super) fn backlogs(block: &[Task]) -> impl Iterator<Item = (u64, u64)> + use<> {
    let backlogs = block
        .iter()
        .map(|task| (task.backlog, task.key.document_bytes));
    let backlogs: BTreeSet<_> = backlogs.collect();
    backlogs.into_iter().rev()
}

/// The catch-up runs of a sample, in blocks that share backlogs.
pub(super) fn blocks(settings: &Settings, sample: u32) -> Vec<Vec<Task>> {
    let mut main = main_tasks(settings);
    let length = main.len();
    main.rotate_left(length * sample as usize / 3 % length);
    let mut blocks = vec![main];
    if sample < GROWTH_SAMPLES {
        let mut growth = vec![events_block(settings)];
        growth.extend(bytes_blocks(settings));
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

/// `events` of as many documents, of `size` bytes.
fn task(group: Group, subject: Subject, queue: Option<Queue>, (events, size): (u64, u64)) -> Task {
    Task {
        key: Key {
            group,
            subject,
            queue,
            format: queue.map(|_| DOCUMENT.to_owned()),
            document_bytes: size,
            events,
        },
        backlog: events,
    }
}

fn main_tasks(settings: &Settings) -> Vec<Task> {
    let all = (settings.count, settings.size);
    let task = |subject, queue| task(Group::Main, subject, queue, all);
    let mut tasks = vec![task(Subject::Source, None)];
    for queue in QUEUES {
        for subject in [Subject::Sink, Subject::SinkBare, Subject::Engine] {
            tasks.push(task(subject, Some(queue)));
        }
    }
    let others = OTHER_FORMATS.map(|(format, queue)| {
        let mut other = task(Subject::Engine, Some(queue));
        other.key.format = Some(format.to_owned());
        other
    });
    tasks.extend(others);
    let [connection, confirm, batch] = if settings.quick {
        QUICK_PYTHON_EVENTS
    } else {
        PYTHON_EVENTS
    };
    let slow = [
        (Subject::PythonConnection, Queue::Classic, connection),
        (Subject::PythonConnection, Queue::Quorum, connection),
        (Subject::PythonConfirm, Queue::Classic, confirm),
        (Subject::PythonBatch, Queue::Classic, batch),
        (Subject::PythonBatch, Queue::Quorum, batch),
    ];
    tasks.extend(slow.map(|(subject, queue, most)| {
        let mut task = task(subject, Some(queue));
        task.key.events = most.min(settings.count);
        task
    }));
    tasks
}

/// The engine and its sink as the number of events grows.
///
/// Each long run has short ones of the same before and after it: a shared machine has another pace every few minutes,
/// which would else pass for growth.
fn events_block(settings: &Settings) -> Vec<Task> {
    let counts = if settings.quick { QUICK_EVENTS } else { EVENTS };
    let small = counts[1..].repeat(GROWTH_REPEATS);
    let around = [&small, &counts[..1], &small].concat();
    let subjects = [
        (Subject::Engine, Queue::Classic),
        (Subject::Sink, Queue::Classic),
        (Subject::Engine, Queue::Quorum),
    ];
    let tasks = subjects.into_iter().flat_map(|(subject, queue)| {
        let task = |&count| task(Group::Events, subject, Some(queue), (count, settings.size));
        around.iter().map(task).collect::<Vec<_>>()
    });
    tasks.collect()
}

/// The engine as documents grow.
fn bytes_blocks(settings: &Settings) -> impl Iterator<Item = Vec<Task>> + use<> {
    let counts = if settings.quick {
        QUICK_SIZE_EVENTS
    } else {
        SIZE_EVENTS
    };
    let extents = counts.into_iter().zip(SIZES);
    let classic = Some(Queue::Classic);
    extents.map(move |extent| vec![task(Group::Bytes, Subject::Engine, classic, extent)])
}

/// The body format that is the engine's default.
pub(super) const DOCUMENT: &str = "document";
/// The other ones, and the queue that each is measured with.
const OTHER_FORMATS: [(&str, Queue); 5] = [
    ("event", Queue::Classic),
    ("event", Queue::Quorum),
    ("debezium", Queue::Classic),
    ("cloudevents", Queue::Classic),
    ("bson", Queue::Classic),
];

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings {
        count: 200_000,
        size: 400,
        quick: false,
        samples: 3,
    };

    #[test]
    fn each_sample_measures_the_same_and_begins_elsewhere() {
        let samples: Vec<_> = (0..3).map(|sample| blocks(&SETTINGS, sample)).collect();
        let main: Vec<_> = samples.iter().map(|blocks| &blocks[0]).collect();
        assert_eq!(main[0].len(), 20);
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
        let blocks = blocks(&SETTINGS, 0);
        let is_read = |task: &Task| is_read_meanwhile(&task.key);
        assert!(blocks[1].iter().all(is_read));
        assert!(!blocks[0].iter().chain(&blocks[2]).any(is_read));
    }

    #[test]
    fn a_long_run_has_as_many_events_of_the_same_in_short_ones_around_it() {
        let tasks = events_block(&SETTINGS);
        let subject = |task: &Task| (task.key.subject, task.key.queue);
        let subjects = tasks.chunk_by(|one, next| subject(one) == subject(next));
        let mut count = 0;
        for runs in subjects {
            let long = runs.iter().position(|task| task.backlog == 1_000_000);
            let long = long.unwrap();
            let short = |side: &[Task]| side.iter().filter(|task| task.backlog == 100_000).count();
            assert_eq!((short(&runs[..long]), short(&runs[long + 1..])), (5, 5));
            count += 1;
        }
        assert_eq!(count, 3);
        let largest_first = [1_000_000, 100_000, 10_000].map(|count| (count, 400));
        assert_eq!(backlogs(&tasks).collect::<Vec<_>>(), largest_first);
    }

    #[test]
    fn growth_ends_earlier_than_the_rest() {
        assert_eq!(blocks(&SETTINGS, 0).len(), 7);
        assert_eq!(blocks(&SETTINGS, GROWTH_SAMPLES).len(), 1);
    }

    #[test]
    fn nobody_reads_more_than_there_is() {
        let settings = Settings {
            count: 50,
            ..SETTINGS
        };
        for task in blocks(&settings, 0).concat() {
            assert!(task.key.events <= task.backlog, "{task:?}");
        }
    }
}
