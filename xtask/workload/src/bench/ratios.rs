//! Ratios of medians: what holds whatever the machine does beside the bench.

use std::collections::BTreeMap;

use super::{
    number::float,
    report::{Group, PYTHON, Path, QUEUES, Queue, Report, Subject},
    spread::Spread,
    summary::{Figures, Key, Summary},
};

/// A figure that has a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figure {
    /// Of the medians.
    pub(super) value: f64,
    /// The same of each sample, where a sample has all that it takes.
    pub(super) samples: Option<Spread>,
}

impl Figure {
    /// A figure that is no ratio.
    pub(super) fn plain(value: f64) -> Self {
        Self {
            value,
            samples: None,
        }
    }

    /// The median of `spread`.
    pub(super) fn median(spread: Spread) -> Self {
        Self {
            value: spread.median,
            samples: Some(spread),
        }
    }

    /// The largest of `spread`: what must never be passed.
    pub(super) fn largest(spread: Spread) -> Self {
        Self {
            value: spread.max,
            samples: Some(spread),
        }
    }
}

/// Time per event of both floors, one after the other, divided by the engine's.
pub(super) fn parts_to_engine(summary: &Summary, queue: Queue) -> Option<Figure> {
    let source = summary.main(Subject::Source, None)?;
    let sink = summary.main(Subject::Sink, Some(queue))?;
    let engine = summary.main(Subject::Engine, Some(queue))?;
    let samples = engine.times.iter().filter_map(|(sample, time)| {
        Some((source.times.get(sample)? + sink.times.get(sample)?) / time)
    });
    Some(Figure {
        value: (source.time + sink.time) / engine.time,
        samples: Spread::of(samples),
    })
}

/// How many times as fast as `other` the engine is: on `queue`, or on the queue where it is less.
pub(super) fn engine_to(summary: &Summary, other: Subject, queue: Option<Queue>) -> Option<Figure> {
    let queues = queue.map_or(QUEUES.to_vec(), |queue| vec![queue]);
    let figures = queues.into_iter().filter_map(|queue| {
        let engine = summary.main(Subject::Engine, Some(queue))?;
        Some(faster(engine, summary.main(other, Some(queue))?))
    });
    smallest(figures)
}

/// The engine's processor time per event divided by that of the sink alone, most of which is the AMQP library's.
pub(super) fn processor_time(summary: &Summary, queue: Queue) -> Option<Figure> {
    let engine = summary.main(Subject::Engine, Some(queue))?;
    let sink = summary.main(Subject::Sink, Some(queue))?;
    let ratio = engine.cpu_us.median / sink.cpu_us.median;
    ratio.is_finite().then(|| Figure::plain(ratio))
}

/// How many times as fast as the fastest of the Python programs the engine is.
pub(super) fn engine_to_fastest_python(summary: &Summary) -> Option<Figure> {
    smallest(
        PYTHON
            .iter()
            .filter_map(|&python| engine_to(summary, python, None)),
    )
}

/// Latency of the engine's path divided by the floor's: the half, and 99 in 100.
pub(super) fn latency(summary: &Summary, per_second: u32) -> Option<(Figure, Figure)> {
    let engine = summary.latencies.get(&(per_second, Path::Engine))?;
    let floor = summary.latencies.get(&(per_second, Path::Floor))?;
    let (mut p50, mut p99) = (Vec::new(), Vec::new());
    for (sample, above) in &engine.samples {
        if let Some(below) = floor.samples.get(sample) {
            p50.push(above.0 / below.0);
            p99.push(above.1 / below.1);
        }
    }
    let figure = |value, samples: Vec<f64>| Figure {
        value,
        samples: Spread::of(samples),
    };
    Some((
        figure(engine.p50.median / floor.p50.median, p50),
        figure(engine.p99.median / floor.p99.median, p99),
    ))
}

/// Rate and peak memory of `subject` at `to` events divided by those at `from`; the smallest rate and the largest memory
/// of all queues where both were measured.
pub(super) fn growth(
    summary: &Summary,
    subject: Subject,
    from: u64,
    to: u64,
) -> Option<(Figure, Figure)> {
    let pair = |(key, large): (&Key, &Figures)| {
        let mut base = key.clone();
        base.events = from;
        let small = summary.runs.get(&base)?;
        let memory = large.peak_kib.median / small.peak_kib.median;
        Some((faster(large, small), Figure::plain(memory)))
    };
    let runs = summary.group(Group::Events);
    let wanted = runs.filter(|(key, _)| key.subject == subject && key.events == to);
    let (rates, memories): (Vec<_>, Vec<_>) = wanted.filter_map(pair).unzip();
    Some((smallest(rates)?, largest(memories)?))
}

/// `serde_json`'s time divided by our writer's: at the size where it is least.
pub(super) fn writer(report: &Report) -> Option<Figure> {
    let ratios = report.writer.iter();
    smallest(ratios.map(|writer| Figure::plain(writer.serde_json_ns / writer.ours_ns)))
}

/// Bytes per second of documents, in MB.
pub(super) fn megabytes_per_second(document_bytes: u64, rate: Spread) -> Spread {
    rate.times(float(document_bytes) / 1e6)
}

/// How many times as fast as `other` `this` is.
fn faster(this: &Figures, other: &Figures) -> Figure {
    Figure {
        value: other.time / this.time,
        samples: Spread::of(by_sample(&other.times, &this.times)),
    }
}

fn by_sample(above: &BTreeMap<u32, f64>, below: &BTreeMap<u32, f64>) -> Vec<f64> {
    let ratio = |(sample, above): (&u32, &f64)| Some(above / below.get(sample)?);
    above.iter().filter_map(ratio).collect()
}

pub(super) fn smallest(figures: impl IntoIterator<Item = Figure>) -> Option<Figure> {
    figures
        .into_iter()
        .min_by(|one, other| one.value.total_cmp(&other.value))
}

pub(super) fn largest(figures: impl IntoIterator<Item = Figure>) -> Option<Figure> {
    figures
        .into_iter()
        .max_by(|one, other| one.value.total_cmp(&other.value))
}

#[cfg(test)]
mod tests;
