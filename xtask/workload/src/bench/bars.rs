//! The bars: what a figure must reach.

use super::{
    bar::{
        Bar,
        Bound::{AtLeast, AtMost, Below},
        Outcome,
        Unit::{Calls, Mebibytes, Megabytes, Messages, Micros, Millis, Times},
        bar, big, stream,
    },
    number::float,
    ratios::{self, largest},
    report::{
        Delivery, Group, QUEUES,
        Queue::{self, Classic, Quorum, Stream},
        Subject,
    },
    spread::Spread,
    summary::{self, Summary},
};

/// All of them.
#[rustfmt::skip] // A table is read by its rows.
static BARS: [Bar; 25] = [
    bar("(source + sink) / engine, classic queue", AtLeast(0.95), Times, |s| ratios::parts_to_engine(s, Classic)),
    bar("(source + sink) / engine, quorum queue", AtLeast(0.95), Times, |s| ratios::parts_to_engine(s, Quorum)),
    stream(bar("(source + sink) / engine, stream", AtLeast(0.95), Times, |s| ratios::parts_to_engine(s, Stream))),
    stream(bar("engine, stream / source alone", AtLeast(0.6), Times, ratios::stream_to_source)),
    stream(bar("engine, stream / engine, classic queue", AtLeast(2.0), Times, ratios::stream_to_classic)),
    stream(bar("engine, stream / fastest Python program", AtLeast(4.0), Times, ratios::stream_to_fastest_python)),
    stream(bar("CPU per event, stream / classic queue", AtMost(0.75), Times, ratios::stream_processor_time)),
    stream(bar("peak memory, stream", AtMost(64.0), Mebibytes, |s| {
        Some(s.main(Subject::Engine, Some(Stream))?.peak_mib.largest())
    })),
    bar("CPU per event, classic queue", AtMost(7.0), Micros, |s| cpu(s, Classic)),
    bar("CPU per event, quorum queue", AtMost(7.0), Micros, |s| cpu(s, Quorum)),
    bar("system calls per event", AtMost(0.2), Calls, calls),
    bar("writer against serde_json, least of all sizes", AtLeast(2.5), Times, ratios::writer),
    bar("peak memory, main comparison by AMQP", AtMost(40.0), Mebibytes, |s| peak(s, Group::Main, 0)),
    big(bar("peak memory, documents of 10 MB", AtMost(128.0), Mebibytes, |s| peak(s, Group::Bytes, 9_000_000))),
    bar("memory when idle", AtMost(16.0), Mebibytes, |s| s.idle_mib.map(Spread::largest)),
    bar("latency / floor, p50 at 1,000/s", AtMost(1.1), Times, |s| Some(ratios::latency(s, 1_000)?.0)),
    bar("latency / floor, p99 at 1,000/s", AtMost(1.1), Times, |s| Some(ratios::latency(s, 1_000)?.1)),
    big(bar("rate at 1 M events / at 100 k", AtLeast(0.95), Times, |s| Some(growth(s)?.0))),
    big(bar("peak memory at 1 M events / at 100 k", AtMost(1.05), Times, |s| Some(growth(s)?.1))),
    bar("engine / one connection per message", AtLeast(100.0), Times, |s| {
        ratios::engine_to(s, Subject::PythonConnection, None)
    }),
    bar("engine / fastest Python program", AtLeast(4.0), Times, ratios::engine_to_fastest_python),
    bar("stripped binary", AtMost(12.0), Megabytes, |s| s.binary_mb),
    bar("start to first watch", Below(100.0), Millis, |s| s.start_ms),
    bar("missing, all runs of the engine", AtMost(0.0), Messages, |s| delivery(s, |found| found.missing)),
    bar("out of order, all runs of the engine", AtMost(0.0), Messages, |s| delivery(s, |found| found.out_of_order)),
];

/// Each bar beside what `summary` has for it.
pub(super) fn outcomes(summary: &Summary) -> Vec<Outcome> {
    BARS.iter().map(|bar| bar.outcome(summary)).collect()
}

fn cpu(summary: &Summary, queue: Queue) -> Option<Spread> {
    Some(summary.main(Subject::Engine, Some(queue))?.cpu_us)
}

/// The most of all queues where they were counted.
fn calls(summary: &Summary) -> Option<Spread> {
    let calls = |queue| summary.main(Subject::Engine, Some(queue))?.calls;
    largest(QUEUES.into_iter().filter_map(calls))
}

/// The most that the engine ever took in `group` by AMQP, with documents of so many bytes or more.
fn peak(summary: &Summary, group: Group, document_bytes: u64) -> Option<Spread> {
    let runs = summary.engine(group);
    let runs = runs.filter(|(key, _)| key.queue != Some(Stream));
    let large = runs.filter(|(key, _)| key.document_bytes >= document_bytes);
    largest(large.map(|(_, run)| run.peak_mib.largest()))
}

fn growth(summary: &Summary) -> Option<(Spread, Spread)> {
    ratios::growth(summary, Subject::Engine, 100_000, 1_000_000)
}

/// The sum over all runs of the engine; none if one of them was not checked.
fn delivery(summary: &Summary, count: fn(&Delivery) -> u64) -> Option<Spread> {
    let runs = summary.runs.iter();
    let engine = runs.filter(|(key, _)| key.subject == Subject::Engine);
    let found = summary::delivery(engine.map(|(_, run)| run.delivery))?;
    Some(Spread::alone(float(count(&found))))
}

#[cfg(test)]
mod tests;
