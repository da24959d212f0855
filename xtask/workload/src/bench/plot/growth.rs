//! Rate and memory of the engine over the number of events and over the size of documents.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{
        number::{self, float},
        ratios::megabytes_per_second,
        report::{Group, Key, Queue, Report, Subject},
        spread::Spread,
        summary::{Figures, Summary},
    },
    WHISKER,
    curves::{self, Panel, Point, Series},
    scale::Scale,
    svg::Svg,
};

/// Room at both ends of the level axis, so that figures do not run into what is beside them.
const INSET: f64 = 0.09;

/// One run of a curve.
type Run<'a> = (&'a Key, &'a Figures);
/// The runs of each curve, by its class and its name.
type Curves<'a> = BTreeMap<(&'static str, &'static str), Vec<Run<'a>>>;
/// What a panel shows: its title, the figure, and the kind of its upright axis.
type Sight = (&'static str, fn(&Run<'_>) -> Spread, fn(Vec<f64>) -> Scale);

const RATE: Sight = ("rate, events/s", |(_, run)| run.rate, Scale::linear);
const LOG_RATE: Sight = ("rate, events/s", |(_, run)| run.rate, Scale::log);
const MEMORY: Sight = ("peak memory, MiB", |(_, run)| run.peak_mib, Scale::linear);
const THROUGHPUT: Sight = ("rate, MB/s", megabytes, Scale::linear);

/// What the level axis is: a number of the key.
struct Over {
    axis: &'static str,
    value: fn(&Key) -> u64,
    name: fn(u64) -> String,
}

/// The plot over the number of events.
pub(super) fn events(summary: &Summary) -> String {
    let over = Over {
        axis: "events in the backlog",
        value: |key| key.events,
        name: number::count,
    };
    let curves = curves(summary.group(Group::Events));
    over.plot(super::EVENTS, &curves, &[RATE, MEMORY], &summary.report)
}

/// The plot over the size of documents.
pub(super) fn bytes(summary: &Summary) -> String {
    let over = Over {
        axis: "size of a document",
        value: |key| key.document_bytes,
        name: number::bytes,
    };
    let (curves, sights) = (
        curves(summary.engine(Group::Bytes)),
        [LOG_RATE, THROUGHPUT, MEMORY],
    );
    over.plot(super::BYTES, &curves, &sights, &summary.report)
}

fn megabytes((key, run): &Run<'_>) -> Spread {
    megabytes_per_second(key.document_bytes, run.rate)
}

fn curves<'a>(runs: impl Iterator<Item = Run<'a>>) -> Curves<'a> {
    let mut curves = Curves::new();
    for run in runs {
        curves.entry(curve(run.0)).or_default().push(run);
    }
    // What was measured at one place alone is no curve.
    curves.retain(|_, runs| 1 < runs.len());
    curves
}

impl Over {
    fn plot(&self, file: &str, curves: &Curves<'_>, sights: &[Sight], report: &Report) -> String {
        let legend = curves.keys().map(|(class, name)| ("curve", *class, *name));
        let legend: Vec<_> = legend.chain([WHISKER]).collect();
        let panels = sights.iter().filter(|_| !curves.is_empty());
        let panels: Vec<_> = panels.map(|sight| self.panel(curves, *sight)).collect();
        curves::plot(Svg::new(file, &legend), &panels, report)
    }

    fn panel(&self, curves: &Curves<'_>, (title, figure, scale): Sight) -> Panel {
        let values = curves.values().flatten().map(|(key, _)| (self.value)(key));
        let values: BTreeSet<u64> = values.collect();
        // Each value has the same room: they are about a decade apart.
        let room = (1.0 - 2.0 * INSET) / float(values.len() as u64 - 1).max(1.0);
        let place = |value| INSET + room * float(values.range(..value).count() as u64);
        let point = |run: &Run<'_>| Point {
            x: place((self.value)(run.0)),
            figure: figure(run),
            is_written: true,
        };
        let series = curves.iter();
        let series = series.map(|((class, _), runs)| (*class, runs.iter().map(point).collect()));
        let series: Vec<Series> = series.collect();
        let ticks = values
            .iter()
            .map(|value| (place(*value), (self.name)(*value)));
        Panel {
            title: title.to_owned(),
            axis: self.axis,
            ticks: ticks.collect(),
            scale: scale(curves::ends(&series)),
            series,
        }
    }
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
