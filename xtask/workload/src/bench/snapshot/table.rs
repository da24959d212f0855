//! The samples of a bench of snapshots, as a table with bars.

use std::io::{self, Write};

use super::Documents;
use crate::bench::{
    bar::{Bound, Unit},
    grid::{
        Column::{Figures, Words},
        Grid,
    },
    number::{bytes, float, mebibytes, whole},
    spread::Spread,
};

/// Share of what the servers allow that a snapshot reaches at least.
const SHARE: Bound = Bound::AtLeast(0.9);
/// Times as long that changes wait at most while a snapshot is under way.
const DELAY: Bound = Bound::AtMost(2.0);
/// Most memory, in MiB.
const MEMORY: Bound = Bound::AtMost(64.0);

/// Everything that was measured, a sample for each round.
#[derive(Debug, Default)]
pub(super) struct Samples {
    /// What the documents are, small and large.
    documents: [String; 2],
    /// Documents or messages in a second.
    pub(super) reading: Vec<f64>,
    pub(super) publishing: Vec<f64>,
    pub(super) snapshot: Vec<f64>,
    /// For each document.
    pub(super) processor_us: Vec<f64>,
    pub(super) memory_kib: Vec<f64>,
    pub(super) large_memory_kib: Vec<f64>,
    /// p50 and p99 in milliseconds, without a snapshot and beside one.
    pub(super) latencies: [(Vec<f64>, Vec<f64>); 2],
}

/// A figure, and its bar if it has one.
#[derive(Debug)]
pub(super) struct Row {
    name: String,
    figure: Option<Spread>,
    unit: Unit,
    bound: Option<Bound>,
}

impl Samples {
    /// No samples yet.
    pub(super) fn of(small: &Documents, large: &Documents) -> Self {
        let named = |documents: &Documents| {
            let count = whole(float(documents.count));
            format!("{count} documents of {}", bytes(documents.bytes))
        };
        Self {
            documents: [named(small), named(large)],
            ..Self::default()
        }
    }

    /// The table's rows.
    pub(super) fn rows(&self) -> Vec<Row> {
        let row = |name: &str, figure, unit| Row {
            name: name.to_owned(),
            figure,
            unit,
            bound: None,
        };
        let of = |samples: &[f64]| Spread::of(samples.iter().copied());
        let memory = |samples: &[f64]| Some(of(samples)?.largest().times(mebibytes(1.0)));
        let [(calm_middle, calm_late), (busy_middle, busy_late)] = &self.latencies;
        let [small, large] = &self.documents;
        vec![
            row(
                "reading alone, documents/s",
                of(&self.reading),
                Unit::Messages,
            ),
            row(
                "publishing alone, messages/s",
                of(&self.publishing),
                Unit::Messages,
            ),
            row("snapshot, documents/s", of(&self.snapshot), Unit::Messages),
            row(
                "snapshot, processor time per document",
                of(&self.processor_us),
                Unit::Micros,
            ),
            row(
                "(reading + publishing) / snapshot, as times",
                self.share(),
                Unit::Times,
            )
            .bar(SHARE),
            row(
                "changes, p50 without a snapshot",
                of(calm_middle),
                Unit::Millis,
            ),
            row(
                "changes, p50 beside a snapshot",
                of(busy_middle),
                Unit::Millis,
            ),
            row(
                "changes, p99 without a snapshot",
                of(calm_late),
                Unit::Millis,
            ),
            row(
                "changes, p99 beside a snapshot",
                of(busy_late),
                Unit::Millis,
            ),
            row("changes, p99 beside / without", self.delay(), Unit::Times).bar(DELAY),
            row(
                &format!("peak memory, {small}"),
                memory(&self.memory_kib),
                Unit::Mebibytes,
            )
            .bar(MEMORY),
            row(
                &format!("peak memory, {large}"),
                memory(&self.large_memory_kib),
                Unit::Mebibytes,
            )
            .bar(MEMORY),
        ]
    }

    /// Reader and sink one after the other take this many times as long as the engine.
    fn share(&self) -> Option<Spread> {
        let share = |reading: f64, publishing: f64, snapshot: f64| {
            snapshot * (reading.recip() + publishing.recip())
        };
        let middle = |samples: &[f64]| Some(Spread::of(samples.iter().copied())?.value);
        let value = share(
            middle(&self.reading)?,
            middle(&self.publishing)?,
            middle(&self.snapshot)?,
        );
        let floors = self.reading.iter().zip(&self.publishing);
        let rounds = floors.zip(&self.snapshot);
        let rounds =
            rounds.map(|((&reading, &publishing), &engine)| share(reading, publishing, engine));
        Some(Spread::around(value, rounds))
    }

    /// How many times as long the latest changes take beside a snapshot.
    fn delay(&self) -> Option<Spread> {
        let [(_, calm), (_, busy)] = &self.latencies;
        let middle = |samples: &[f64]| Some(Spread::of(samples.iter().copied())?.value);
        let value = middle(busy)? / middle(calm)?;
        // A round whose snapshot was over early has no pair.
        let pairs = busy.iter().zip(calm).filter(|_| busy.len() == calm.len());
        Some(Spread::around(value, pairs.map(|(busy, calm)| busy / calm)))
    }
}

impl Row {
    fn bar(self, bound: Bound) -> Self {
        Self {
            bound: Some(bound),
            ..self
        }
    }

    /// Whether there is a bar that the figure does not hold.
    fn is_missed(&self) -> bool {
        let holds = |bound: Bound| self.figure.is_some_and(|figure| bound.holds(figure.value));
        self.bound.is_some_and(|bound| !holds(bound))
    }

    fn cells(&self) -> [String; 5] {
        let text = |value| self.unit.text(value);
        let none = || "–".to_owned();
        let (figure, range) = match self.figure {
            Some(found) if 1 < found.count => (
                text(found.value),
                format!("{}–{}", text(found.min), text(found.max)),
            ),
            Some(found) => (text(found.value), none()),
            None => ("none".to_owned(), none()),
        };
        let verdict = match self.bound {
            Some(_) if self.is_missed() => "missed",
            Some(_) => "held",
            None => "–",
        };
        let bound = self.bound.map_or(none(), |bound| bound.words(self.unit));
        [self.name.clone(), figure, range, bound, verdict.to_owned()]
    }
}

/// Names of the figures that miss their bars.
pub(super) fn missed(rows: &[Row]) -> Vec<&str> {
    let missed = rows.iter().filter(|row| row.is_missed());
    missed.map(|row| row.name.as_str()).collect()
}

/// Prints the table; a closed pipe is no reason to stop.
pub(super) fn print(samples: &Samples, rows: &[Row]) {
    let head = [
        Words("figure"),
        Figures("median"),
        Figures("samples"),
        Words("bar"),
        Words("verdict"),
    ];
    let grid = Grid::new(head, rows.iter().map(Row::cells));
    let [small, _] = &samples.documents;
    let text = format!("\nSnapshots of {small}\n{}", grid.text());
    let _ = io::stdout().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Samples {
        Samples {
            reading: vec![100.0, 300.0, 200.0],
            publishing: vec![50.0, 40.0, 60.0],
            snapshot: vec![38.0, 40.0, 36.0],
            latencies: [
                (vec![2.0, 2.0], vec![4.0, 6.0]),
                (vec![3.0, 3.0], vec![8.0, 18.0]),
            ],
            memory_kib: vec![1_024.0, 2_048.0, 1_024.0],
            ..Samples::default()
        }
    }

    #[test]
    fn the_share_is_of_the_times_that_reader_and_sink_take_together() {
        // 1/200 + 1/50 is 25 ms, and 1/38 is 26.3 ms.
        let share = samples().share().unwrap();
        assert!((share.value - 0.95).abs() < 1e-9, "{share:?}");
        assert_eq!(share.count, 3);
        assert!((share.max - 38.0 * (1.0 / 100.0 + 1.0 / 50.0)).abs() < 1e-9);
    }

    #[test]
    fn the_delay_is_of_medians_and_its_range_of_rounds() {
        let delay = samples().delay().unwrap();
        assert!((delay.value - 13.0 / 5.0).abs() < 1e-9);
        assert!((delay.min - 2.0).abs() < 1e-9 && (delay.max - 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_figure_that_was_not_measured_misses_its_bar_and_the_largest_memory_counts() {
        let rows = samples().rows();
        let missed = missed(&rows);
        assert_eq!(missed.len(), 2, "{missed:?}");
        assert!(missed[0].contains("p99") && missed[1].contains("memory"));
        let memory = rows.iter().find(|row| row.name.contains("memory")).unwrap();
        assert!((memory.figure.unwrap().value - 2.0).abs() < 1e-9);
    }
}
