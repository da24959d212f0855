//! The samples of a report, put together by what was measured.

use std::collections::BTreeMap;

use super::{
    number::{float, mebibytes},
    report::{Delivery, Group, Key, Latency, Path, Queue, Report, Run, Subject},
    spread::Spread,
};

/// The format whose bodies the main comparison is made with.
const FORMAT: &str = "document";

/// The catch-up runs of one key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figures {
    /// Events per second of each sample.
    pub(super) rate: Spread,
    /// Processor time per event in user mode and in the kernel, in microseconds.
    pub(super) cpu_us: Spread,
    /// The part in the kernel.
    pub(super) system_us: Spread,
    /// Peak resident memory in MiB.
    pub(super) peak_mib: Spread,
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

/// A report and its figures.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Summary {
    pub(super) report: Report,
    pub(super) runs: BTreeMap<Key, Figures>,
    /// By inserts per second.
    pub(super) latencies: BTreeMap<(u32, Path), Quantiles>,
    /// Process start to first watch, in milliseconds.
    pub(super) start_ms: Option<Spread>,
    /// Resident memory of the idle engine, in MiB.
    pub(super) idle_mib: Option<Spread>,
    /// Size of the engine's stripped binary, in MB.
    pub(super) binary_mb: Option<Spread>,
}

impl Summary {
    /// Of everything in `report`.
    pub(super) fn of(report: &Report) -> Self {
        let idle = report.idle_memory_kib.iter().copied();
        let binary = Spread::alone(float(report.binary_bytes) / 1e6);
        Self {
            report: report.clone(),
            runs: grouped(&report.runs, |run| run.key.clone(), figures),
            latencies: grouped(
                &report.latencies,
                |one| (one.per_second, one.path),
                quantiles,
            ),
            start_ms: Spread::of(report.starts_ms.iter().copied()),
            idle_mib: Spread::of(idle.map(float).map(mebibytes)),
            binary_mb: (report.binary_bytes > 0).then_some(binary),
        }
    }

    /// The runs of `group`.
    pub(super) fn group(&self, group: Group) -> impl Iterator<Item = (&Key, &Figures)> {
        self.runs.iter().filter(move |(key, _)| key.group == group)
    }

    /// Whether anything was published to this type of queue.
    pub(super) fn has(&self, queue: Queue) -> bool {
        self.runs.keys().any(|key| key.queue == Some(queue))
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

/// What `figures` makes of the items of each key.
fn grouped<K: Ord, T, F>(
    items: &[T],
    key: fn(&T) -> K,
    figures: fn(&[&T]) -> Option<F>,
) -> BTreeMap<K, F> {
    let mut groups: BTreeMap<K, Vec<&T>> = BTreeMap::new();
    for item in items {
        groups.entry(key(item)).or_default().push(item);
    }
    let groups = groups.into_iter();
    let figures = groups.map(|(key, items)| Some((key, figures(&items)?)));
    figures.flatten().collect()
}

fn figures(runs: &[&Run]) -> Option<Figures> {
    let spread = |figure: fn(&Run) -> f64| Spread::of(runs.iter().map(|run| figure(run)));
    // Never 0, so that a rate is a number whatever a report says.
    let seconds_per_event = |run: &Run| run.seconds.max(1e-9) / float(run.key.events.max(1));
    let mut of_samples: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for run in runs {
        let times = of_samples.entry(run.sample).or_default();
        times.push(seconds_per_event(run));
    }
    // Not their median: what slows one short run in five down is in every long run, and has to count on both sides.
    let mean = |times: Vec<f64>| times.iter().sum::<f64>() / float(times.len() as u64);
    let times = of_samples.into_iter();
    let times: BTreeMap<_, _> = times.map(|(sample, times)| (sample, mean(times))).collect();
    let calls = runs
        .iter()
        .map(|run| Some(per_event(run, run.system_calls?)));
    Some(Figures {
        rate: Spread::of(times.values().map(|time| time.recip()))?,
        cpu_us: spread(|run| per_event(run, run.user_us + run.system_us))?,
        system_us: spread(|run| per_event(run, run.system_us))?,
        peak_mib: spread(|run| mebibytes(float(run.peak_memory_kib)))?,
        body_bytes: spread(|run| per_event(run, run.body_bytes))?,
        calls: Spread::of(calls.flatten()),
        delivery: delivery(runs.iter().map(|run| run.delivery)),
        time: Spread::of(times.values().copied())?.value,
        times,
    })
}

fn per_event(run: &Run, total: u64) -> f64 {
    float(total) / float(run.key.events.max(1))
}

/// The sum of all; none if one of them was not checked, or there is none.
pub(super) fn delivery(found: impl Iterator<Item = Option<Delivery>>) -> Option<Delivery> {
    let found: Option<Vec<Delivery>> = found.collect();
    found?.into_iter().reduce(|sum, found| Delivery {
        delivered: sum.delivered + found.delivered,
        missing: sum.missing + found.missing,
        out_of_order: sum.out_of_order + found.out_of_order,
        replayed: sum.replayed + found.replayed,
    })
}

fn quantiles(samples: &[&Latency]) -> Option<Quantiles> {
    let spread = |figure: fn(&Latency) -> f64| Spread::of(samples.iter().map(|one| figure(one)));
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
