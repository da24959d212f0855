//! The fault driver with the real engine: a broken one must be caught, the true one must pass.
//!
//! The servers are shared with other tests, so only the engine and its way to the broker are hit.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

use serde_json::Value;

use super::{required, text};

/// A run: exit code, its report and what it told on the way.
struct Run {
    code: Option<i32>,
    report: Value,
    stderr: String,
}

/// One run at a time: they are short, and on a busy machine too little would happen in one.
static TURN: Mutex<()> = Mutex::new(());

/// Runs faults against the engine with this defect (`CDC_TEST_BREAK`), or none.
fn run(label: &str, defect: &str, flags: &[&str]) -> Run {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{label}"));
    // Of an earlier run, if there was one.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_workload"));
    command
        .args(["chaos", "--json"])
        .args(flags)
        .current_dir(&folder)
        .env("CDC_CHAOS_ENGINE", engine())
        .env("CDC_CHAOS_FOLDER", &folder)
        .env("CDC_CHAOS_MONGO_URI", required("CDC_TEST_MONGO_URI"))
        .env("CDC_CHAOS_AMQP_URI", required("CDC_TEST_AMQP_URI"));
    if let Some(address) = stream_address() {
        command.env("CDC_CHAOS_STREAM_ADDRESS", address);
    }
    if !defect.is_empty() {
        command.env("CDC_TEST_BREAK", defect);
    }
    if defect == "early-checkpoint" {
        // What is saved too early is only lost if it was saved before the engine ends.
        command.env("CDC_CHECKPOINT_INTERVAL_MS", "20");
    }
    let output = command.output().unwrap();
    let stderr = text(&output.stderr);
    Run {
        code: output.status.code(),
        report: serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("no report ({error}): {stderr}")),
        stderr,
    }
}

/// Beside our own program; `cargo test --workspace` makes both.
pub(crate) fn engine() -> PathBuf {
    let engine = Path::new(env!("CARGO_BIN_EXE_workload")).with_file_name("cdc");
    let there = engine.display();
    assert!(
        engine.is_file(),
        "{there} is missing\n\nhint: cargo build -p cdc"
    );
    engine
}

/// Of the shared broker, which may be older than streams in their own protocol.
pub(crate) fn stream_address() -> Option<String> {
    std::env::var("CDC_TEST_STREAM_ADDRESS").ok()
}

fn count(report: &Value, name: &str) -> u64 {
    report[name].as_u64().unwrap()
}

/// A violation is told with everything that one needs to look into it.
fn assert_caught(run: &Run, flaw: &str) {
    let Run {
        code,
        report,
        stderr,
    } = run;
    assert_eq!(*code, Some(1), "{stderr}");
    assert!(0 < count(report, flaw), "{report}");
    let violations = report["violations"].as_array().unwrap();
    let is_told = violations.iter().any(|told| told["flaw"] == flaw);
    assert!(is_told, "{report}");
    assert!(stderr.contains("engine1.log:"), "{stderr}");
    let repeat = format!("--seed {} ", report["seed"]);
    assert!(stderr.contains(&repeat), "{stderr}");
}

/// Only a kill that loses what was sent shows this defect, and on a busy machine a run may have none.
#[test]
fn a_checkpoint_saved_one_event_early_is_caught() {
    let early = |seed: &str| {
        let flags = ["--minutes=0.5", seed, "--engines=1", "--faults=engine-kill"];
        run("early", "early-checkpoint", &flags)
    };
    let seeds = ["--seed=1", "--seed=2", "--seed=3", "--seed=4"];
    let caught = seeds.into_iter().map(early).find(|run| run.code == Some(1));
    assert_caught(&caught.expect("one of the runs loses a message"), "missing");
}

#[test]
fn a_returned_message_that_is_dropped_is_caught() {
    let flags = [
        "--minutes=0.2",
        "--seed=1",
        "--engines=1",
        "--faults=unroutable",
    ];
    assert_caught(&run("returned", "drop-returned", &flags), "missing");
}

#[test]
fn the_engine_passes() {
    // On a busy machine the first recoveries take half of that.
    let flags = ["--minutes=1.2", "--seed=2"];
    let Run {
        code,
        report,
        stderr,
    } = run("healthy", "", &flags);
    assert_eq!(code, Some(0), "{stderr}\n{report}");
    assert_eq!(report["violations"], serde_json::json!([]));
    assert!(500 < count(&report, "delivered"), "{report}");
    assert!(4 <= count(&report, "faults_total"), "{report}");
    assert!(0 < count(&report["recovery_ms"], "count"), "{report}");
}

#[test]
fn the_engine_passes_over_partitions() {
    let flags = [
        "--minutes=0.5",
        "--seed=3",
        "--partitions=4",
        "--faults=engine-kill,engine-stop,net-cut",
    ];
    let Run {
        code,
        report,
        stderr,
    } = run("partitions", "", &flags);
    assert_eq!(code, Some(0), "{stderr}\n{report}");
    assert_eq!(report["violations"], serde_json::json!([]));
    assert!(300 < count(&report, "delivered"), "{report}");
    assert!(0 < count(&report, "faults_total"), "{report}");
}

#[test]
fn the_engine_passes_on_a_stream_with_each_change_once() {
    if stream_address().is_none() {
        return;
    }
    let flags = [
        "--minutes=0.7",
        "--seed=4",
        "--queue-type=stream",
        "--faults=engine-kill,engine-stop,net-cut",
    ];
    let Run {
        code,
        report,
        stderr,
    } = run("stream", "", &flags);
    assert_eq!(code, Some(0), "{stderr}\n{report}");
    assert_eq!(report["violations"], serde_json::json!([]));
    assert_eq!(count(&report, "duplicates"), 0, "{report}");
    assert!(300 < count(&report, "delivered"), "{report}");
    assert!(2 <= count(&report, "faults_total"), "{report}");
}

#[test]
fn a_place_that_is_not_read_from_the_stream_is_caught() {
    if stream_address().is_none() {
        return;
    }
    let flags = [
        "--minutes=0.3",
        "--seed=1",
        "--engines=1",
        "--queue-type=stream",
        "--faults=engine-kill",
    ];
    assert_caught(&run("place", "forget-place", &flags), "duplicates");
}

#[test]
fn a_frame_that_never_reaches_the_stream_is_caught() {
    if stream_address().is_none() {
        return;
    }
    let flags = [
        "--minutes=0.2",
        "--seed=1",
        "--engines=1",
        "--queue-type=stream",
        "--faults=engine-kill",
    ];
    assert_caught(&run("frame", "lose-frame", &flags), "missing");
}

#[test]
fn faults_of_queues_are_refused_on_a_stream() {
    let output = Command::new(env!("CARGO_BIN_EXE_workload"))
        .args(["chaos", "--faults=unroutable", "--queue-type=stream"])
        .args(["--engine=x", "--folder=x", "--stream-address=localhost:1"])
        .args([
            "--mongo-uri=mongodb://localhost",
            "--amqp-uri=amqp://localhost",
        ])
        .output()
        .unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("unroutable is no fault of a stream"),
        "{stderr}"
    );
}

#[test]
fn faults_of_servers_that_are_not_ours_are_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_workload"))
        .args(["chaos", "--faults=broker-kill", "--engine=x", "--folder=x"])
        .args([
            "--mongo-uri=mongodb://localhost",
            "--amqp-uri=amqp://localhost",
        ])
        .output()
        .unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(
        stderr.contains("broker-kill needs servers that may be killed"),
        "{stderr}"
    );
}
