//! One line for each figure, while the bench runs.

use super::{
    report::{Latency, Path, Queue, Run, Subject},
    schedule::Task,
};

/// Tells a person.
pub(super) fn tell(text: &str) {
    eprintln!("bench: {text}");
}

/// What a task is.
pub(super) fn task(task: &Task) -> String {
    name(task.subject, task.queue, task.format)
}

/// What a run gave.
pub(super) fn run(run: &Run) -> String {
    let name = name(run.subject, run.queue, run.format.as_deref());
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let (events, used) = (run.events as f64, (run.user_us + run.system_us) as f64);
    let delivery = run.delivery.map_or(String::new(), |found| {
        let (missing, late) = (found.missing, found.out_of_order);
        if missing == 0 && late == 0 {
            return String::new();
        }
        format!(", MISSING {missing}, OUT OF ORDER {late}")
    });
    format!(
        "{name}: {} events of {} bytes in {:.2} s, {:.0}/s, {:.1} us of processor time each, {:.1} MiB{delivery}",
        run.events,
        run.document_bytes,
        run.seconds,
        events / run.seconds,
        used / events,
        f64::from(u32::try_from(run.peak_memory_kib).unwrap_or(u32::MAX)) / 1024.0
    )
}

/// How many system calls a run took.
pub(super) fn system_calls(task: &Task, calls: Option<u64>) -> String {
    let name = self::task(task);
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let each = |calls: u64| calls as f64 / task.events as f64;
    match calls {
        Some(calls) => format!("{name}: {:.2} system calls an event", each(calls)),
        None => format!("{name}: system calls could not be counted"),
    }
}

/// What a latency was.
pub(super) fn latency(latency: &Latency) -> String {
    let path = match latency.path {
        Path::Engine => "engine",
        Path::Floor => "floor",
    };
    format!(
        "latency at {}/s, {path}: p50 {:.1} ms, p90 {:.1}, p99 {:.1}, max {:.1}",
        latency.per_second, latency.p50_ms, latency.p90_ms, latency.p99_ms, latency.max_ms
    )
}

/// How an engine starts and idles.
pub(super) fn life(starts_ms: &[f64], idle_kib: u64) -> String {
    let starts: Vec<String> = starts_ms.iter().map(|ms| format!("{ms:.0}")).collect();
    let idle = idle_kib / 1024;
    format!("starts in {} ms, idle at {idle} MiB", starts.join(", "))
}

fn name(subject: Subject, queue: Option<Queue>, format: Option<&str>) -> String {
    let subject = match subject {
        Subject::Source => "source",
        Subject::Sink => "sink",
        Subject::SinkBare => "bare sink",
        Subject::Engine => "engine",
        Subject::PythonConnection => "python, a connection each",
        Subject::PythonConfirm => "python, a confirm each",
        Subject::PythonBatch => "python, confirms in batches",
    };
    let queue = match queue {
        Some(Queue::Classic) => " classic",
        Some(Queue::Quorum) => " quorum",
        None => "",
    };
    let format = format.map_or(String::new(), |format| format!(" {format}"));
    format!("{subject}{queue}{format}")
}
