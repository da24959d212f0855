//! One line for each figure, while the bench runs.

use super::{
    cells,
    number::{float, mebibytes, short},
    report::{Latency, Queue, Run, Subject},
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
    let flaws = run
        .delivery
        .filter(|found| 0 < found.missing + found.out_of_order);
    let flaws = flaws.map(|found| {
        let (missing, late) = (found.missing, found.out_of_order);
        format!(", MISSING {missing}, OUT OF ORDER {late}")
    });
    format!(
        "{name}: {} events of {} bytes in {:.2} s, {:.0}/s, {} us of processor time each, {:.1} MiB{}",
        run.events,
        run.document_bytes,
        run.seconds,
        float(run.events) / run.seconds,
        short(float(run.user_us + run.system_us) / float(run.events)),
        mebibytes(float(run.peak_memory_kib)),
        flaws.unwrap_or_default()
    )
}

/// How many system calls a run took.
pub(super) fn system_calls(task: &Task, calls: Option<u64>) -> String {
    let name = self::task(task);
    match calls {
        Some(calls) => {
            let each = float(calls) / float(task.events);
            format!("{name}: {each:.2} system calls an event")
        }
        None => format!("{name}: system calls could not be counted"),
    }
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

fn name(subject: Subject, queue: Option<Queue>, format: Option<&str>) -> String {
    let queue = queue.map(|queue| cells::queue(Some(queue)));
    let parts = [Some(cells::subject(subject)), queue, format];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
