//! A report made by hand, for tests: every figure is easy to work out, and every bar is held.

use std::collections::BTreeMap;

use crate::bench::{
    number::float,
    report::{
        Delivery, FORMAT, Group, Key, Latency, Machine, Path, Queue, Report, Run, Settings,
        Subject, Writer,
    },
};

/// How fast each sample is beside the median.
const PACE: [f64; 3] = [1.0, 0.9, 1.2];

/// Microseconds per event in the main comparison: the floors add up to the engine's.
const MAIN: [(Subject, f64); 7] = [
    (Subject::Source, 10.0),
    (Subject::Sink, 20.0),
    (Subject::SinkBare, 15.0),
    (Subject::Engine, 30.0),
    (Subject::PythonConnection, 6_000.0),
    (Subject::PythonConfirm, 600.0),
    (Subject::PythonBatch, 150.0),
];

/// The same on a stream.
const STREAM: [(Subject, f64); 3] = [
    (Subject::Sink, 3.0),
    (Subject::SinkBare, 2.0),
    (Subject::Engine, 12.0),
];

/// The report.
pub(in crate::bench) fn report() -> Report {
    Report {
        format: FORMAT,
        date: "2026-02-03T04:05:06Z".to_owned(),
        machine: Machine {
            processor: "Odd & <Sons> \"1\"".to_owned(),
            cores: 2,
            memory_mib: 8_192,
            system: "Linux | 6".to_owned(),
        },
        versions: BTreeMap::from([("cdc", "0.1.0"), ("mongod", "6.0.5")])
            .into_iter()
            .map(|(name, version)| (name.to_owned(), version.to_owned()))
            .collect(),
        settings: Settings {
            count: 200_000,
            size: 400,
            samples: 3,
            quick: false,
        },
        runs: runs(),
        latencies: latencies(),
        writer: [300, 3_000, 300_000].map(writer).to_vec(),
        starts_ms: vec![50.0, 40.0, 60.0],
        idle_memory_kib: vec![10_240, 12_288],
        binary_bytes: 9_000_000,
    }
}

fn runs() -> Vec<Run> {
    let mut runs = Vec::new();
    for sample in 0..3 {
        for (subject, micros) in MAIN {
            let queues = match subject {
                Subject::Source => vec![None],
                Subject::PythonConnection | Subject::PythonConfirm | Subject::PythonBatch => {
                    vec![Some(Queue::Classic)]
                }
                _ => vec![Some(Queue::Classic), Some(Queue::Quorum)],
            };
            for queue in queues {
                runs.push(run(subject, queue, sample, micros));
            }
        }
        runs.extend(STREAM.map(|(subject, micros)| streaming(subject, sample, micros)));
        for events in [10_000, 100_000, 1_000_000] {
            runs.push(growing(Group::Events, sample, events, 400));
        }
        for bytes in [200, 2_000, 20_000, 200_000, 10_000_000] {
            runs.push(growing(Group::Bytes, sample, 1_000, bytes));
        }
    }
    let mut engine = runs
        .iter_mut()
        .filter(|run| run.key.subject == Subject::Engine);
    if let Some(first) = engine.next() {
        first.system_calls = Some(20_000);
    }
    runs
}

/// A run of the main comparison.
pub(in crate::bench) fn run(
    subject: Subject,
    queue: Option<Queue>,
    sample: u32,
    micros: f64,
) -> Run {
    let events = 200_000;
    let pace = PACE.get(sample as usize).copied().unwrap_or(1.0);
    Run {
        key: Key {
            group: Group::Main,
            subject,
            queue,
            format: queue.map(|_| "document".to_owned()),
            document_bytes: 400,
            events,
        },
        sample,
        seconds: float(events) * micros * pace / 1e6,
        user_us: events * 4,
        system_us: events * 2,
        peak_memory_kib: 20 * 1_024,
        system_calls: None,
        body_bytes: events * 500,
        delivery: queue.map(|_| Delivery {
            delivered: events,
            missing: 0,
            out_of_order: 0,
            replayed: 0,
        }),
    }
}

/// A run on a stream, which takes half the processor time.
fn streaming(subject: Subject, sample: u32, micros: f64) -> Run {
    let run = run(subject, Some(Queue::Stream), sample, micros);
    Run {
        user_us: run.user_us / 2,
        system_us: run.system_us / 2,
        ..run
    }
}

fn growing(group: Group, sample: u32, events: u64, document_bytes: u64) -> Run {
    let micros = 20.0 + float(document_bytes) / 40.0;
    let mut run = run(Subject::Engine, Some(Queue::Classic), sample, micros);
    run.seconds *= float(events) / float(run.key.events);
    run.key.group = group;
    run.key.events = events;
    run.key.document_bytes = document_bytes;
    run
}

fn latencies() -> Vec<Latency> {
    let mut latencies = Vec::new();
    for per_second in [100, 1_000, 5_000] {
        for sample in 0..3 {
            for (path, base) in [(Path::Engine, 10.5), (Path::Floor, 10.0)] {
                let millis = base * PACE[sample as usize];
                latencies.push(latency(path, per_second, sample, millis));
            }
        }
    }
    latencies
}

fn latency(path: Path, per_second: u32, sample: u32, millis: f64) -> Latency {
    let factors = [
        (0.0, 0.5),
        (50.0, 1.0),
        (90.0, 1.5),
        (99.0, 2.0),
        (100.0, 4.0),
    ];
    Latency {
        path,
        per_second,
        sample,
        messages: 10_000,
        p50_ms: millis,
        p90_ms: millis * 1.5,
        p99_ms: millis * 2.0,
        max_ms: millis * 4.0,
        distribution: factors.map(|(at, factor)| (at, millis * factor)).to_vec(),
    }
}

fn writer(document_bytes: u64) -> Writer {
    Writer {
        document_bytes,
        ours_ns: float(document_bytes),
        serde_json_ns: float(document_bytes) * 3.0,
    }
}
