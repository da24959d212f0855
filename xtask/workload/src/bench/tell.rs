//! One line for each figure, while the bench runs.

use super::{
    cells,
    number::{float, mebibytes, short},
    report::{Key, Latency, Queue, Run},
};

/// Tells a person.
pub(super) fn tell(text: &str) {
    eprintln!("bench: {text}");
}

/// What is measured.
pub(super) fn name(key: &Key) -> String {
    let queue = key.queue.map(Queue::name);
    let parts = [
        Some(cells::subject(key.subject)),
        queue,
        key.format.as_deref(),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What a run gave.
pub(super) fn run(run: &Run) -> String {
    let key = &run.key;
    let found = run.delivery.unwrap_or_default();
    let flaws = match (found.missing, found.out_of_order) {
        (0, 0) => String::new(),
        (missing, late) => format!(", MISSING {missing}, OUT OF ORDER {late}"),
    };
    format!(
        "{}: {} events of {} bytes in {:.2} s, {:.0}/s, {} us of processor time each, {:.1} MiB{flaws}",
        name(key),
        key.events,
        key.document_bytes,
        run.seconds,
        float(key.events) / run.seconds,
        short(float(run.user_us + run.system_us) / float(key.events)),
        mebibytes(float(run.peak_memory_kib)),
    )
}

/// How many system calls a run took.
pub(super) fn system_calls(key: &Key, calls: Option<u64>) -> String {
    let each = calls.map(|calls| float(calls) / float(key.events));
    let figure = each.map(|each| format!("{each:.2} system calls an event"));
    let none = || "system calls could not be counted".to_owned();
    format!("{}: {}", name(key), figure.unwrap_or_else(none))
}

/// What a latency was.
pub(super) fn latency(latency: &Latency) -> String {
    let (rate, path) = (latency.per_second, cells::path(latency.path));
    format!(
        "latency at {rate}/s, {path}: p50 {:.1} ms, p90 {:.1}, p99 {:.1}, max {:.1}",
        latency.p50_ms, latency.p90_ms, latency.p99_ms, latency.max_ms
    )
}

/// How an engine starts and idles.
pub(super) fn life(starts_ms: &[f64], idle_kib: u64) -> String {
    let starts: Vec<String> = starts_ms.iter().map(|ms| format!("{ms:.0}")).collect();
    let idle = idle_kib / 1024;
    format!("starts in {} ms, idle at {idle} MiB", starts.join(", "))
}
