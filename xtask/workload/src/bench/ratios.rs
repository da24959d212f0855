//! Ratios of medians: what holds whatever the machine does beside the bench.

use super::{
    number::float,
    report::{Group, Key, PYTHON, Path, QUEUES, Queue, Subject},
    spread::Spread,
    summary::{Figures, Summary},
};

/// Time per event of both floors, one after the other, divided by the engine's.
pub(super) fn parts_to_engine(summary: &Summary, queue: Queue) -> Option<Spread> {
    let source = summary.main(Subject::Source, None)?;
    let sink = summary.main(Subject::Sink, Some(queue))?;
    let engine = summary.main(Subject::Engine, Some(queue))?;
    let samples = engine.times.iter().filter_map(|(sample, time)| {
        Some((source.times.get(sample)? + sink.times.get(sample)?) / time)
    });
    let value = (source.time + sink.time) / engine.time;
    Some(Spread::around(value, samples))
}

/// How many times as fast as `other` the engine is: on `queue`, or on the queue where it is less.
pub(super) fn engine_to(summary: &Summary, other: Subject, queue: Option<Queue>) -> Option<Spread> {
    let queues = queue.map_or(QUEUES.to_vec(), |queue| vec![queue]);
    smallest(queues.into_iter().filter_map(|queue| {
        let engine = summary.main(Subject::Engine, Some(queue))?;
        Some(faster(engine, summary.main(other, Some(queue))?))
    }))
}

/// The engine's processor time per event divided by that of the sink alone, most of which is the AMQP library's.
pub(super) fn processor_time(summary: &Summary, queue: Queue) -> Option<Spread> {
    let engine = summary.main(Subject::Engine, Some(queue))?;
    let sink = summary.main(Subject::Sink, Some(queue))?;
    let ratio = engine.cpu_us.value / sink.cpu_us.value;
    ratio.is_finite().then(|| Spread::alone(ratio))
}

/// How many times as fast as the fastest of the Python programs the engine is.
pub(super) fn engine_to_fastest_python(summary: &Summary) -> Option<Spread> {
    let figures = PYTHON.map(|python| engine_to(summary, python, None));
    smallest(figures.into_iter().flatten())
}

/// How many times as fast as `other` the engine is on a stream.
fn stream_to(summary: &Summary, other: &Figures) -> Option<Spread> {
    let engine = summary.main(Subject::Engine, Some(Queue::Stream))?;
    Some(faster(engine, other))
}

/// The engine's rate on a stream divided by that of the source alone.
pub(super) fn stream_to_source(summary: &Summary) -> Option<Spread> {
    stream_to(summary, summary.main(Subject::Source, None)?)
}

/// The same beside its own on a classic queue.
pub(super) fn stream_to_classic(summary: &Summary) -> Option<Spread> {
    let classic = summary.main(Subject::Engine, Some(Queue::Classic))?;
    stream_to(summary, classic)
}

/// The same beside the fastest of the Python programs, on whichever queue that is.
pub(super) fn stream_to_fastest_python(summary: &Summary) -> Option<Spread> {
    let programs = PYTHON.into_iter();
    let programs = programs.flat_map(|python| QUEUES.map(|queue| (python, queue)));
    let figures = programs.filter_map(|(python, queue)| {
        let python = summary.main(python, Some(queue))?;
        stream_to(summary, python)
    });
    smallest(figures)
}

/// The engine's processor time per event on a stream divided by that on a classic queue.
pub(super) fn stream_processor_time(summary: &Summary) -> Option<Spread> {
    let stream = summary.main(Subject::Engine, Some(Queue::Stream))?;
    let classic = summary.main(Subject::Engine, Some(Queue::Classic))?;
    let ratio = stream.cpu_us.value / classic.cpu_us.value;
    ratio.is_finite().then(|| Spread::alone(ratio))
}

/// Latency of the engine's path divided by the floor's: the half, and 99 in 100.
pub(super) fn latency(summary: &Summary, per_second: u32) -> Option<(Spread, Spread)> {
    let engine = summary.latencies.get(&(per_second, Path::Engine))?;
    let floor = summary.latencies.get(&(per_second, Path::Floor))?;
    let pairs = engine.samples.iter().filter_map(|(sample, above)| {
        let below = floor.samples.get(sample)?;
        Some((above.0 / below.0, above.1 / below.1))
    });
    let (p50, p99): (Vec<f64>, Vec<f64>) = pairs.unzip();
    Some((
        Spread::around(engine.p50.value / floor.p50.value, p50),
        Spread::around(engine.p99.value / floor.p99.value, p99),
    ))
}

/// Rate and peak memory of `subject` at `to` events divided by those at `from`; the smallest rate and the largest memory
/// of all queues where both were measured.
pub(super) fn growth(
    summary: &Summary,
    subject: Subject,
    from: u64,
    to: u64,
) -> Option<(Spread, Spread)> {
    let pair = |(key, large): (&Key, &Figures)| {
        let mut base = key.clone();
        base.events = from;
        let small = summary.runs.get(&base)?;
        let memory = large.peak_mib.value / small.peak_mib.value;
        Some((faster(large, small), Spread::alone(memory)))
    };
    let runs = summary.group(Group::Events);
    let wanted = runs.filter(|(key, _)| key.subject == subject && key.events == to);
    let (rates, memories): (Vec<_>, Vec<_>) = wanted.filter_map(pair).unzip();
    Some((smallest(rates)?, largest(memories)?))
}

/// `serde_json`'s time divided by our writer's: at the size where it is least.
pub(super) fn writer(summary: &Summary) -> Option<Spread> {
    let ratios = summary.report.writer.iter();
    smallest(ratios.map(|writer| Spread::alone(writer.serde_json_ns / writer.ours_ns)))
}

/// Bytes per second of documents, in MB.
pub(super) fn megabytes_per_second(document_bytes: u64, rate: Spread) -> Spread {
    rate.times(float(document_bytes) / 1e6)
}

/// How many times as fast as `other` `this` is.
fn faster(this: &Figures, other: &Figures) -> Spread {
    let samples = other.times.iter();
    let samples = samples.filter_map(|(sample, time)| Some(time / this.times.get(sample)?));
    Spread::around(other.time / this.time, samples)
}

pub(super) fn smallest(figures: impl IntoIterator<Item = Spread>) -> Option<Spread> {
    let figures = figures.into_iter();
    figures.min_by(|one, other| one.value.total_cmp(&other.value))
}

pub(super) fn largest(figures: impl IntoIterator<Item = Spread>) -> Option<Spread> {
    let figures = figures.into_iter();
    figures.max_by(|one, other| one.value.total_cmp(&other.value))
}

#[cfg(test)]
mod tests;
