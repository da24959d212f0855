//! What a bench run measured: the document under `target/bench/`, which tables, plots and comparisons are made from.
//!
//! Pure data. Everything that was measured is here once, in the order in which it ran; ratios are computed from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Version of this document's form.
pub const FORMAT: u32 = 1;

/// One bench run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// When it began, UTC, as in RFC 3339.
    pub date: String,
    /// Where it ran.
    pub machine: Machine,
    /// Name and version of each program and library that takes part: `cdc`, `mongod`, `rabbitmq`, `python`, ….
    pub versions: BTreeMap<String, String>,
    /// What was asked for.
    pub settings: Settings,
    /// Catch-up runs: a backlog is read, or published, or both.
    pub runs: Vec<Run>,
    /// Latencies at a steady rate of inserts.
    pub latencies: Vec<Latency>,
    /// The Extended JSON writer beside `serde_json`, as the micro-benchmarks measured them.
    pub writer: Vec<Writer>,
    /// Starts of the engine: process start to first watch, in milliseconds.
    pub starts_ms: Vec<f64>,
    /// Resident memory of the idle engine, in KiB, one figure a sample.
    pub idle_memory_kib: Vec<u64>,
    /// Size of the engine's stripped binary, in bytes.
    pub binary_bytes: u64,
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Name of the processor.
    pub processor: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Operating system and kernel.
    pub system: String,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Events of a catch-up run.
    pub count: u64,
    /// Bytes of a document's BSON.
    pub size: u64,
    /// Times that everything was measured, in turns.
    pub samples: u32,
    /// Whether it was the short form.
    pub quick: bool,
}

/// Who does the work in a run, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// Floor: the change stream is drained, nothing else is done.
    Source,
    /// As `Sink`, with the delivery mode as the only property.
    SinkBare,
    /// Floor: the same bodies and properties are published, all confirms awaited.
    Sink,
    /// The engine.
    Engine,
    /// Python: a new connection for each message, the queue declared, one confirm, closed.
    PythonConnection,
    /// Python: one connection, the confirm of each message awaited before the next.
    PythonConfirm,
    /// Python: as fast as it gets with confirms in batches.
    PythonBatch,
}

/// What a user would take instead.
pub(super) const PYTHON: [Subject; 3] = [
    Subject::PythonConnection,
    Subject::PythonConfirm,
    Subject::PythonBatch,
];

/// Which question a run answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// The main comparison: `settings.count` events of `settings.size` bytes (fewer for slow subjects).
    Main,
    /// The engine's rate and memory as the number of events grows.
    Events,
    /// The engine's rate and memory as documents grow.
    Bytes,
}

/// Type of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Queue {
    /// Classic, durable.
    Classic,
    /// Quorum.
    Quorum,
    /// A stream, by the broker's own protocol for it.
    Stream,
}

impl Queue {
    /// Its name, as `CDC_QUEUE_TYPE` has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
            Self::Stream => "stream",
        }
    }
}

/// All types.
pub(super) const QUEUES: [Queue; 3] = [Queue::Classic, Queue::Quorum, Queue::Stream];

/// What is measured: the samples of one figure have it in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Which question it answers.
    pub group: Group,
    /// Who does the work.
    pub subject: Subject,
    /// Where messages go; none for the source alone.
    pub queue: Option<Queue>,
    /// `CDC_FORMAT` of the bodies; none for the source alone.
    pub format: Option<String>,
    /// Bytes of one document's BSON.
    pub document_bytes: u64,
    /// Events that are read or published.
    pub events: u64,
}

/// One catch-up run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// What was measured.
    #[serde(flatten)]
    pub key: Key,
    /// Number of the sample, from 0.
    pub sample: u32,
    /// From the start of the process until the last event is read, or in the queue and confirmed.
    pub seconds: f64,
    /// Processor time of the process in user mode, in microseconds.
    pub user_us: u64,
    /// Processor time of the process in the kernel, in microseconds.
    pub system_us: u64,
    /// Peak resident memory of the process, in KiB.
    pub peak_memory_kib: u64,
    /// System calls of the process, where they could be counted (in a run of its own: counting slows it down).
    pub system_calls: Option<u64>,
    /// Bytes of all bodies, as found in the queue.
    pub body_bytes: u64,
    /// What was found in the queue; none for the source alone.
    pub delivery: Option<Delivery>,
}

/// What was found in the queue after a run, by the same check for every subject.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Distinct documents.
    pub delivered: u64,
    /// Documents that are not there.
    pub missing: u64,
    /// First copies after the first copy of a later document.
    pub out_of_order: u64,
    /// Further copies.
    pub replayed: u64,
}

/// The path of a latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Path {
    /// Insert to consumer, through the engine.
    Engine,
    /// The same path without the engine: insert to change event, plus publish to delivery.
    Floor,
}

/// Latencies of one run, in milliseconds, measured from the moment at which the insert was due.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The path.
    pub path: Path,
    /// Inserts per second.
    pub per_second: u32,
    /// Number of the pair of runs at this rate, from 0; a sample has one or more.
    pub sample: u32,
    /// Messages measured.
    pub messages: u64,
    /// Half were not slower.
    pub p50_ms: f64,
    /// 90 in 100 were not slower.
    pub p90_ms: f64,
    /// 99 in 100 were not slower.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
    /// Points of the distribution: percentile and milliseconds, rising.
    pub distribution: Vec<(f64, f64)>,
}

/// The Extended JSON writer on documents of one size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Writer {
    /// Bytes of the document's BSON.
    pub document_bytes: u64,
    /// Median time of our writer for one document, in nanoseconds.
    pub ours_ns: f64,
    /// Median time of `serde_json::to_writer` over a `RawDocument`, in nanoseconds.
    pub serde_json_ns: f64,
}
