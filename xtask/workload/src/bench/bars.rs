//! The bars: what a figure must reach.

use super::{
    bar::{
        Bar,
        Bound::{AtLeast, AtMost, Below},
        Outcome,
        Unit::{Calls, Mebibytes, Megabytes, Messages, Micros, Millis, Times},
        bar, big,
    },
    number::{float, mebibytes},
    ratios::{self, Figure, largest},
    report::{Delivery, Group, QUEUES, Queue, Report, Subject},
    summary::Summary,
};

/// All of them.
static BARS: [Bar; 19] = [
    bar(
        "(source + sink) / engine, classic queue",
        AtLeast(0.95),
        Times,
        |_, s| ratios::parts_to_engine(s, Queue::Classic),
    ),
    bar(
        "(source + sink) / engine, quorum queue",
        AtLeast(0.95),
        Times,
        |_, s| ratios::parts_to_engine(s, Queue::Quorum),
    ),
    bar(
        "CPU per event, classic queue",
        AtMost(7.0),
        Micros,
        |_, s| cpu(s, Queue::Classic),
    ),
    bar(
        "CPU per event, quorum queue",
        AtMost(7.0),
        Micros,
        |_, s| cpu(s, Queue::Quorum),
    ),
    bar("system calls per event", AtMost(0.2), Calls, |_, s| {
        calls(s)
    }),
    bar(
        "writer against serde_json, least of all sizes",
        AtLeast(2.5),
        Times,
        |r, _| ratios::writer(r),
    ),
    bar(
        "peak memory, main comparison",
        AtMost(40.0),
        Mebibytes,
        |_, s| peak(s, Group::Main, 0),
    ),
    big(bar(
        "peak memory, documents of 10 MB",
        AtMost(128.0),
        Mebibytes,
        |_, s| peak(s, Group::Bytes, 9_000_000),
    )),
    bar("memory when idle", AtMost(16.0), Mebibytes, |_, s| {
        Some(Figure::largest(s.idle_kib?.times(mebibytes(1.0))))
    }),
    bar(
        "latency / floor, p50 at 1,000/s",
        AtMost(1.1),
        Times,
        |_, s| Some(ratios::latency(s, 1_000)?.0),
    ),
    bar(
        "latency / floor, p99 at 1,000/s",
        AtMost(1.1),
        Times,
        |_, s| Some(ratios::latency(s, 1_000)?.1),
    ),
    big(bar(
        "rate at 1 M events / at 100 k",
        AtLeast(0.95),
        Times,
        |_, s| Some(ratios::growth(s, Subject::Engine, 100_000, 1_000_000)?.0),
    )),
    big(bar(
        "peak memory at 1 M events / at 100 k",
        AtMost(1.05),
        Times,
        |_, s| Some(ratios::growth(s, Subject::Engine, 100_000, 1_000_000)?.1),
    )),
    bar(
        "engine / one connection per message",
        AtLeast(100.0),
        Times,
        |_, s| ratios::engine_to(s, Subject::PythonConnection, None),
    ),
    bar(
        "engine / fastest Python program",
        AtLeast(4.0),
        Times,
        |_, s| ratios::engine_to_fastest_python(s),
    ),
    bar("stripped binary", AtMost(12.0), Megabytes, |r, _| {
        (r.binary_bytes > 0).then(|| Figure::plain(float(r.binary_bytes) / 1e6))
    }),
    bar("start to first watch", Below(100.0), Millis, |_, s| {
        s.start_ms.map(Figure::median)
    }),
    bar(
        "missing, all runs of the engine",
        AtMost(0.0),
        Messages,
        |r, _| delivery(r, |delivery| delivery.missing),
    ),
    bar(
        "out of order, all runs of the engine",
        AtMost(0.0),
        Messages,
        |r, _| delivery(r, |delivery| delivery.out_of_order),
    ),
];

/// Each bar beside what `report` has for it.
pub(super) fn outcomes(report: &Report, summary: &Summary) -> Vec<Outcome> {
    BARS.iter()
        .map(|bar| bar.outcome(report, summary))
        .collect()
}

fn cpu(summary: &Summary, queue: Queue) -> Option<Figure> {
    let engine = summary.main(Subject::Engine, Some(queue))?;
    Some(Figure::median(engine.cpu_us))
}

/// The most of all queues where they were counted.
fn calls(summary: &Summary) -> Option<Figure> {
    let counted = QUEUES.into_iter().filter_map(|queue| {
        let engine = summary.main(Subject::Engine, Some(queue))?;
        engine.calls.map(Figure::median)
    });
    largest(counted)
}

/// The most that the engine ever took in `group`, with documents of so many bytes or more.
fn peak(summary: &Summary, group: Group, document_bytes: u64) -> Option<Figure> {
    let runs = summary.engine(group);
    let large = runs.filter(|(key, _)| key.document_bytes >= document_bytes);
    largest(large.map(|(_, run)| Figure::largest(run.peak_kib.times(mebibytes(1.0)))))
}

/// The sum over all runs of the engine; none if one of them was not checked.
fn delivery(report: &Report, count: fn(&Delivery) -> u64) -> Option<Figure> {
    let mut engine = report
        .runs
        .iter()
        .filter(|run| run.subject == Subject::Engine)
        .peekable();
    engine.peek()?;
    let total: Option<u64> = engine.map(|run| run.delivery.as_ref().map(count)).sum();
    total.map(|total| Figure::plain(float(total)))
}

#[cfg(test)]
mod tests;
