//! The bench's driver at a tiny size: every subject delivers everything, and the report says so.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Command,
    sync::{Mutex, PoisonError},
};

use workload::bench::report::{self, Queue, Report, Subject};

use super::{
    chaos::{engine, stream_address},
    required, text,
};

/// One run at a time: each keeps all processors busy.
static TURN: Mutex<()> = Mutex::new(());

/// Runs the driver with `flags`, and returns its report.
fn run(label: &str, count: u64, flags: &[&str]) -> Report {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{label}"));
    // Of an earlier run, if there was one.
    let _ = fs::remove_dir_all(&folder);
    let mut command = Command::new(env!("CARGO_BIN_EXE_workload"));
    command
        .args(["bench", "run", "--quick", "--samples=1"])
        .arg(format!("--count={count}"))
        .args(flags)
        .env("CDC_BENCH_ENGINE", engine())
        .env("CDC_BENCH_FOLDER", &folder)
        .env("CDC_BENCH_MONGO_URI", required("CDC_TEST_MONGO_URI"))
        .env("CDC_BENCH_AMQP_URI", required("CDC_TEST_AMQP_URI"));
    if let Some(address) = stream_address() {
        command.env("CDC_BENCH_STREAM_ADDRESS", address);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let latest = fs::read_to_string(folder.join("latest.json")).unwrap();
    serde_json::from_str(&latest).unwrap()
}

/// How often each subject ran on each queue, all of it delivered.
fn subjects(report: &Report) -> BTreeMap<(Subject, Option<Queue>), usize> {
    let mut subjects = BTreeMap::new();
    for run in &report.runs {
        *subjects
            .entry((run.key.subject, run.key.queue))
            .or_default() += 1;
        assert!(0.0 < run.seconds && 0 < run.peak_memory_kib, "{run:?}");
        let Some(found) = run.delivery else {
            assert_eq!(run.key.subject, Subject::Source);
            continue;
        };
        let expected = report::Delivery {
            delivered: run.key.events,
            missing: 0,
            out_of_order: 0,
            replayed: 0,
        };
        assert_eq!(found, expected, "{run:?}");
    }
    subjects
}

#[test]
fn every_subject_delivers_everything_and_floor_and_engine_publish_the_same() {
    let report = run("main", 600, &["--parts=main", "--no-python"]);
    let mut expected = BTreeMap::from([((Subject::Source, None), 1)]);
    // Each format in a classic queue, the first two in a quorum queue, the first one in a stream.
    let stream = stream_address().map(|_| (Queue::Stream, 1));
    let queues = [(Queue::Classic, 5), (Queue::Quorum, 2)];
    for (queue, formats) in queues.into_iter().chain(stream) {
        let subjects = [
            (Subject::Sink, 1),
            (Subject::SinkBare, 1),
            (Subject::Engine, formats),
        ];
        expected.extend(subjects.map(|(subject, runs)| ((subject, Some(queue)), runs)));
    }
    assert_eq!(subjects(&report), expected);
    let documents = report
        .runs
        .iter()
        .filter(|run| run.key.format.as_deref() == Some("document"));
    let bytes: Vec<u64> = documents.map(|run| run.body_bytes).collect();
    assert!(bytes.iter().all(|each| *each == bytes[0]), "{bytes:?}");
    assert!(report.versions.contains_key("mongod"), "{report:?}");
    assert_eq!(report.settings.count, 600);
}

#[test]
fn python_programs_deliver_everything() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench");
    let programs = format!("--programs={}", programs.display());
    let packages = format!("--pythonpath={}", required("CDC_TEST_PYTHONPATH"));
    let report = run("python", 60, &["--parts=main", &packages, &programs]);
    let subjects = subjects(&report);
    for subject in [
        Subject::PythonConnection,
        Subject::PythonConfirm,
        Subject::PythonBatch,
    ] {
        let there = subjects.contains_key(&(subject, Some(Queue::Classic)));
        assert!(there, "{subject:?}");
    }
    assert!(report.versions.contains_key("pika"), "{report:?}");
}

#[test]
fn growth_delivers_everything_while_queues_are_read_and_as_documents_grow() {
    let report = run("growth", 600, &["--parts=growth", "--no-python"]);
    let expected = BTreeMap::from([
        // Two numbers of events, the smaller one five times on each side of the larger, and five sizes of documents.
        ((Subject::Engine, Some(Queue::Classic)), 11 + 5),
        ((Subject::Engine, Some(Queue::Quorum)), 11),
        ((Subject::Sink, Some(Queue::Classic)), 11),
    ]);
    assert_eq!(subjects(&report), expected);
}

#[test]
fn a_latency_has_both_paths_and_a_start_is_measured() {
    let report = run("latency", 600, &["--parts=latency,life", "--seconds=1"]);
    // A pair of both paths at each of three rates, and three pairs more at the rate that is judged.
    assert_eq!(report.latencies.len(), 12);
    for latency in &report.latencies {
        assert_eq!(latency.messages, u64::from(latency.per_second));
        assert!(latency.p50_ms <= latency.p99_ms && latency.p99_ms <= latency.max_ms);
    }
    assert_eq!(report.starts_ms.len(), 5);
    assert_eq!(report.idle_memory_kib.len(), 1);
    assert!(report.runs.is_empty());
}
