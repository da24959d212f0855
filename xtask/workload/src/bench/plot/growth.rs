//! Rate and memory of the engine over the number of events and over the size of documents.

use std::collections::BTreeMap;

use super::{
    super::{
        caption::Caption,
        number::{self, float, mebibytes},
        ratios::megabytes_per_second,
        report::{Group, Queue, Subject},
        spread::Spread,
        summary::{Figures, Key, Summary},
    },
    curves::{self, Panel, Point, Series},
    scale::Scale,
};

/// Room at both ends of the level axis, so that figures do not run into the numbers beside it.
const INSET: f64 = 0.09;

/// What a curve is over: a number of the key.
type Over = fn(&Key) -> u64;
/// What a curve is.
type Of = fn(&Key, &Figures) -> Spread;

/// The plot over the number of events.
pub(super) fn events(summary: &Summary, caption: &Caption) -> String {
    let runs = curved(summary.group(Group::Events));
    let over: Over = |key| key.events;
    let ticks = ticks(&runs, over, number::count);
    let axis = "events in the backlog";
    let panels = [
        panel("rate, events/s", rate(), Scale::linear),
        panel("peak memory, MiB", memory(), Scale::linear),
    ];
    plot(super::EVENTS, &runs, (over, &ticks, axis), &panels, caption)
}

/// The plot over the size of documents.
pub(super) fn bytes(summary: &Summary, caption: &Caption) -> String {
    let runs = curved(summary.engine(Group::Bytes));
    let over: Over = |key| key.document_bytes;
    let ticks = ticks(&runs, over, number::bytes);
    let throughput: Of = |key, run| megabytes_per_second(key.document_bytes, run.rate);
    let axis = "size of a document";
    let panels = [
        panel("rate, events/s", rate(), Scale::log),
        panel("rate, MB/s", throughput, Scale::linear),
        panel("peak memory, MiB", memory(), Scale::linear),
    ];
    plot(super::BYTES, &runs, (over, &ticks, axis), &panels, caption)
}

/// Without what was measured at one place alone, which is no curve.
fn curved<'a>(runs: impl Iterator<Item = (&'a Key, &'a Figures)>) -> Vec<(&'a Key, &'a Figures)> {
    let runs: Vec<_> = runs.collect();
    let curve = |key: &Key| (key.subject, key.queue);
    let points = |wanted| runs.iter().filter(|(key, _)| curve(key) == wanted).count();
    let several = runs.iter().filter(|(key, _)| points(curve(key)) > 1);
    several.copied().collect()
}

/// What a panel shows, and the kind of its upright axis.
struct Sight {
    title: &'static str,
    of: Of,
    scale: fn(Vec<f64>) -> Scale,
}

fn panel(title: &'static str, of: Of, scale: fn(Vec<f64>) -> Scale) -> Sight {
    Sight { title, of, scale }
}

fn rate() -> Of {
    |_, run| run.rate
}

fn memory() -> Of {
    |_, run| run.peak_kib.times(mebibytes(1.0))
}

fn plot(
    file: &str,
    runs: &[(&Key, &Figures)],
    (over, ticks, axis): (Over, &BTreeMap<u64, (f64, String)>, &'static str),
    sights: &[Sight],
    caption: &Caption,
) -> String {
    let panels = sights.iter().map(|sight| {
        let values = runs.iter().map(|(key, run)| (sight.of)(key, run));
        Panel {
            title: sight.title.to_owned(),
            axis,
            ticks: ticks.values().cloned().collect(),
            scale: (sight.scale)(values.flat_map(|spread| [spread.min, spread.max]).collect()),
            series: series(runs, over, ticks, sight.of),
        }
    });
    let panels: Vec<_> = panels.filter(|_| !runs.is_empty()).collect();
    let mut legend: Vec<(&str, &str)> = Vec::new();
    for (key, _) in runs {
        if legend.iter().all(|(class, _)| *class != curve(key).0) {
            legend.push(curve(key));
        }
    }
    legend.push(("whisker", "smallest to largest sample"));
    curves::plot(super::title(file), &legend, &panels, caption)
}

/// Class and name of a curve.
fn curve(key: &Key) -> (&'static str, &'static str) {
    match (key.subject, key.queue) {
        (Subject::Engine, Some(Queue::Quorum)) => ("engine dashed", "engine, quorum queue"),
        (Subject::Engine, _) => ("engine", "engine, classic queue"),
        (_, Some(Queue::Quorum)) => ("sink dashed", "sink alone, quorum queue"),
        _ => ("sink", "sink alone, classic queue"),
    }
}

fn series(
    runs: &[(&Key, &Figures)],
    over: Over,
    ticks: &BTreeMap<u64, (f64, String)>,
    of: Of,
) -> Vec<Series> {
    let mut curves: BTreeMap<&'static str, Vec<Point>> = BTreeMap::new();
    for (key, run) in runs {
        let spread = of(key, run);
        curves.entry(curve(key).0).or_default().push(Point {
            x: ticks[&over(key)].0,
            y: spread.median,
            ends: (spread.count > 1).then_some((spread.min, spread.max)),
            text: Some(number::short(spread.median)),
        });
    }
    let series = |(class, points)| Series { class, points };
    curves.into_iter().map(series).collect()
}

/// Place and name of each value that was measured; each decade has the same room.
fn ticks(
    runs: &[(&Key, &Figures)],
    over: Over,
    name: fn(u64) -> String,
) -> BTreeMap<u64, (f64, String)> {
    let values: Vec<u64> = runs.iter().map(|(key, _)| over(key).max(1)).collect();
    let low = float(values.iter().copied().min().unwrap_or(1));
    let high = float(values.iter().copied().max().unwrap_or(1));
    let decades = (high / low).log10().max(f64::MIN_POSITIVE);
    let place = |value| INSET + (1.0 - 2.0 * INSET) * (float(value) / low).log10() / decades;
    let tick = |value| (value, (place(value), name(value)));
    values.into_iter().map(tick).collect()
}
