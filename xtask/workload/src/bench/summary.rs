//! The samples of a report, put together by what was measured.

use std::collections::BTreeMap;

use super::{
    number::float,
    report::{Delivery, Group, Latency, Path, Queue, Report, Run, Subject},
    spread::Spread,
};

/// The format whose bodies the main comparison is made with.
const FORMAT: &str = "document";

/// What the samples of one figure have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) group: Group,
    pub(super) subject: Subject,
    pub(super) queue: Option<Queue>,
    pub(super) format: Option<String>,
    pub(super) document_bytes: u64,
    pub(super) events: u64,
}

/// The catch-up runs of one key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figures {
    /// Events per second of each sample.
    pub(super) rate: Spread,
    /// Processor time per event in user mode and in the kernel, in microseconds.
    pub(super) cpu_us: Spread,
    /// The part in the kernel.
    pub(super) system_us: Spread,
    /// Peak resident memory in KiB.
    pub(super) peak_kib: Spread,
    /// System calls per event, where they were counted.
    pub(super) calls: Option<Spread>,
    /// Bytes of bodies per event.
    pub(super) body_bytes: Spread,
    /// All that was found in the queue; none if a run was not checked.
    pub(super) delivery: Option<Delivery>,
    /// Seconds per event of each sample: of all its runs together.
    pub(super) times: BTreeMap<u32, f64>,
    /// The median of the samples.
    pub(super) time: f64,
}

/// The latencies of one path at one rate, in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quantiles {
    pub(super) p50: Spread,
    pub(super) p90: Spread,
    pub(super) p99: Spread,
    pub(super) max: Spread,
    /// Half and 99 in 100 of each sample.
    pub(super) samples: BTreeMap<u32, (f64, f64)>,
}

/// A report's figures.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Summary {
    pub(super) runs: BTreeMap<Key, Figures>,
    /// By inserts per second.
    pub(super) latencies: BTreeMap<(u32, Path), Quantiles>,
    /// Process start to first watch, in milliseconds.
    pub(super) start_ms: Option<Spread>,
    /// Resident memory of the idle engine, in KiB.
    pub(super) idle_kib: Option<Spread>,
}

impl Summary {
    /// Of everything in `report`.
    pub(super) fn of(report: &Report) -> Self {
        let mut runs: BTreeMap<Key, Vec<&Run>> = BTreeMap::new();
        for run in &report.runs {
            runs.entry(key(run)).or_default().push(run);
        }
        let figures = |(key, runs): (Key, Vec<&Run>)| Some((key, figures(&runs)?));
        Self {
            runs: runs.into_iter().filter_map(figures).collect(),
            latencies: latencies(report),
            start_ms: Spread::of(report.starts_ms.iter().copied()),
            idle_kib: Spread::of(report.idle_memory_kib.iter().copied().map(float)),
        }
    }

    /// The runs of `group`.
    pub(super) fn group(&self, group: Group) -> impl Iterator<Item = (&Key, &Figures)> {
        self.runs.iter().filter(move |(key, _)| key.group == group)
    }

    /// The engine's runs of `group`.
    pub(super) fn engine(&self, group: Group) -> impl Iterator<Item = (&Key, &Figures)> {
        self.group(group)
            .filter(|(key, _)| key.subject == Subject::Engine)
    }

    /// `subject` in the main comparison, with the bodies that it is made with.
    pub(super) fn main(&self, subject: Subject, queue: Option<Queue>) -> Option<&Figures> {
        self.group(Group::Main)
            .filter(|(key, _)| key.subject == subject && key.queue == queue)
            .filter(|(key, _)| key.format.as_deref().unwrap_or(FORMAT) == FORMAT)
            .max_by_key(|(key, _)| key.events)
            .map(|(_, figures)| figures)
    }
}

fn key(run: &Run) -> Key {
    Key {
        group: run.group,
        subject: run.subject,
        queue: run.queue,
        format: run.format.clone(),
        document_bytes: run.document_bytes,
        events: run.events,
    }
}

fn figures(runs: &[&Run]) -> Option<Figures> {
    let spread = |figure: fn(&Run) -> f64| Spread::of(runs.iter().map(|run| figure(run)));
    let mut of_samples: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for run in runs {
        let times = of_samples.entry(run.sample).or_default();
        times.push(seconds_per_event(run));
    }
    // Not their median: what slows one short run in five down is in every long run, and has to count on both sides.
    let mean = |times: Vec<f64>| times.iter().sum::<f64>() / float(times.len() as u64);
    let times = of_samples
        .into_iter()
        .map(|(sample, times)| (sample, mean(times)));
    let times: BTreeMap<_, _> = times.collect();
    Some(Figures {
        rate: Spread::of(times.values().map(|time| time.recip()))?,
        cpu_us: spread(|run| per_event(run, run.user_us + run.system_us))?,
        system_us: spread(|run| per_event(run, run.system_us))?,
        peak_kib: spread(|run| float(run.peak_memory_kib))?,
        body_bytes: spread(|run| per_event(run, run.body_bytes))?,
        calls: Spread::of(runs.iter().filter_map(|run| calls(run))),
        delivery: delivery(runs),
        time: Spread::of(times.values().copied())?.median,
        times,
    })
}

/// Never 0, so that a rate is a number whatever a report says.
fn seconds_per_event(run: &Run) -> f64 {
    run.seconds.max(1e-9) / float(run.events.max(1))
}

fn per_event(run: &Run, total: u64) -> f64 {
    float(total) / float(run.events.max(1))
}

fn calls(run: &Run) -> Option<f64> {
    Some(per_event(run, run.system_calls?))
}

/// The sum of all; none if a run was not checked.
fn delivery(runs: &[&Run]) -> Option<Delivery> {
    let found: Option<Vec<Delivery>> = runs.iter().map(|run| run.delivery).collect();
    found?.into_iter().reduce(|sum, found| Delivery {
        delivered: sum.delivered + found.delivered,
        missing: sum.missing + found.missing,
        out_of_order: sum.out_of_order + found.out_of_order,
        replayed: sum.replayed + found.replayed,
    })
}

fn latencies(report: &Report) -> BTreeMap<(u32, Path), Quantiles> {
    let mut of_keys: BTreeMap<_, Vec<&Latency>> = BTreeMap::new();
    for latency in &report.latencies {
        let key = (latency.per_second, latency.path);
        of_keys.entry(key).or_default().push(latency);
    }
    let quantiles = |(key, samples): (_, Vec<_>)| Some((key, quantiles(&samples)?));
    of_keys.into_iter().filter_map(quantiles).collect()
}

fn quantiles(samples: &[&Latency]) -> Option<Quantiles> {
    let spread =
        |figure: fn(&Latency) -> f64| Spread::of(samples.iter().map(|latency| figure(latency)));
    let of_sample = |latency: &&Latency| (latency.sample, (latency.p50_ms, latency.p99_ms));
    Some(Quantiles {
        p50: spread(|latency| latency.p50_ms)?,
        p90: spread(|latency| latency.p90_ms)?,
        p99: spread(|latency| latency.p99_ms)?,
        max: spread(|latency| latency.max_ms)?,
        samples: samples.iter().map(of_sample).collect(),
    })
}

#[cfg(test)]
mod tests;
