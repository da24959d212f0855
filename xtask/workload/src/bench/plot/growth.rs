//! Rate and memory of the engine over the number of events and over the size of documents.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::{
        caption::Caption,
        number::{self, float, mebibytes},
        ratios::megabytes_per_second,
        report::{Group, Queue, Subject},
        spread::Spread,
        summary::{Figures, Key, Summary},
    },
    curves::{self, Panel, Point},
    scale::Scale,
    svg::Svg,
};

/// Room at both ends of the level axis, so that figures do not run into what is beside them.
const INSET: f64 = 0.09;

/// What a panel shows: its title, the figure, and the kind of its upright axis.
type Sight = (
    &'static str,
    fn(&Key, &Figures) -> Spread,
    fn(Vec<f64>) -> Scale,
);

const RATE: &str = "rate, events/s";
const MEMORY: Sight = ("peak memory, MiB", memory, Scale::linear);

/// The plot over the number of events.
pub(super) fn events(summary: &Summary, caption: &Caption) -> String {
    let over = Over {
        axis: "events in the backlog",
        value: |key| key.events,
        name: number::count,
    };
    let panels = [(RATE, rate as _, Scale::linear as _), MEMORY];
    over.plot(
        super::EVENTS,
        summary.group(Group::Events),
        &panels,
        caption,
    )
}

/// The plot over the size of documents.
pub(super) fn bytes(summary: &Summary, caption: &Caption) -> String {
    let over = Over {
        axis: "size of a document",
        value: |key| key.document_bytes,
        name: number::bytes,
    };
    let throughput: Sight = ("rate, MB/s", megabytes, Scale::linear);
    let panels = [(RATE, rate as _, Scale::log as _), throughput, MEMORY];
    over.plot(super::BYTES, summary.engine(Group::Bytes), &panels, caption)
}

fn rate(_: &Key, run: &Figures) -> Spread {
    run.rate
}

fn megabytes(key: &Key, run: &Figures) -> Spread {
    megabytes_per_second(key.document_bytes, run.rate)
}

fn memory(_: &Key, run: &Figures) -> Spread {
    run.peak_kib.times(mebibytes(1.0))
}

/// What the level axis is: a number of the key.
struct Over {
    axis: &'static str,
    value: fn(&Key) -> u64,
    name: fn(u64) -> String,
}

impl Over {
    fn plot<'a>(
        &self,
        file: &str,
        runs: impl Iterator<Item = (&'a Key, &'a Figures)>,
        sights: &[Sight],
        caption: &Caption,
    ) -> String {
        let mut curves: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for run in runs {
            curves.entry(curve(run.0)).or_default().push(run);
        }
        // What was measured at one place alone is no curve.
        curves.retain(|_, runs| 1 < runs.len());
        let mut legend: Vec<_> = curves
            .keys()
            .map(|(class, name)| ("curve", *class, *name))
            .collect();
        legend.push(("whisker", "", "smallest to largest sample"));
        let svg = Svg::new(super::title(file), &legend);
        let panels = sights.iter().filter(|_| !curves.is_empty());
        let panels: Vec<_> = panels.map(|sight| self.panel(&curves, *sight)).collect();
        curves::plot(svg, &panels, caption)
    }

    fn panel(
        &self,
        curves: &BTreeMap<(&'static str, &str), Vec<(&Key, &Figures)>>,
        (title, of, scale): Sight,
    ) -> Panel {
        let values: BTreeSet<u64> = curves
            .values()
            .flatten()
            .map(|(key, _)| (self.value)(key))
            .collect();
        // Each value has the same room: they are about a decade apart.
        let room = (1.0 - 2.0 * INSET) / float(values.len() as u64 - 1).max(1.0);
        let place = |value| INSET + room * float(values.range(..value).count() as u64);
        let point = |(key, run): &(&Key, &Figures)| {
            let spread = of(key, run);
            Point {
                x: place((self.value)(key)),
                y: spread.median,
                samples: Some(spread),
                text: Some(number::short(spread.median)),
            }
        };
        let series = curves
            .iter()
            .map(|((class, _), runs)| (*class, runs.iter().map(point).collect()));
        let ends = curves.values().flatten().map(|(key, run)| of(key, run));
        Panel {
            title: title.to_owned(),
            axis: self.axis,
            ticks: values
                .iter()
                .map(|value| (place(*value), (self.name)(*value)))
                .collect(),
            scale: scale(ends.flat_map(|spread| [spread.min, spread.max]).collect()),
            series: series.collect(),
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
