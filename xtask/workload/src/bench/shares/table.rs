//! The samples of a bench of shares, as a table.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, Write},
};

use crate::bench::{
    bar::Unit,
    grid::{
        Column::{Figures, Words},
        Grid,
    },
    number::{bytes, float, mebibytes, whole},
    spread::Spread,
};

/// What one run gave.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// Events in a second, of all shares together.
    pub(super) rate: f64,
    /// Processor time for each event: of the member that reads the oplog, of all engines, of the broker.
    pub(super) mongodb_us: f64,
    pub(super) engines_us: f64,
    pub(super) rabbitmq_us: f64,
    /// Peak memory of all engines.
    pub(super) memory_kib: f64,
}

/// All runs, by the number of shares.
#[derive(Debug)]
pub(super) struct Samples {
    title: String,
    runs: BTreeMap<u16, Vec<Run>>,
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0}/s; processor time of each event: mongodb {:.1} us, engines {:.1}, rabbitmq {:.1}",
            self.rate, self.mongodb_us, self.engines_us, self.rabbitmq_us
        )
    }
}

impl Samples {
    pub(super) fn new(count: u64, size: u64) -> Self {
        Self {
            title: format!("{} documents of {}", whole(float(count)), bytes(size)),
            runs: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, shares: u16, run: Run) {
        self.runs.entry(shares).or_default().push(run);
    }

    fn rows(&self) -> impl Iterator<Item = [String; 6]> {
        self.runs.iter().map(|(shares, runs)| {
            let of = |figure: fn(&Run) -> f64, unit: Unit| {
                let found = Spread::of(runs.iter().map(figure));
                found.map_or_else(String::new, |found| unit.text(found.value))
            };
            [
                shares.to_string(),
                of(|run| run.rate, Unit::Messages),
                of(|run| run.mongodb_us, Unit::Micros),
                of(|run| run.engines_us, Unit::Micros),
                of(|run| run.rabbitmq_us, Unit::Micros),
                of(|run| mebibytes(run.memory_kib), Unit::Mebibytes),
            ]
        })
    }
}

/// Prints the table; a closed pipe is no reason to stop.
pub(super) fn print(samples: &Samples) {
    let head = [
        Words("shares"),
        Figures("events/s"),
        Figures("mongodb"),
        Figures("engines"),
        Figures("rabbitmq"),
        Figures("memory of engines"),
    ];
    let grid = Grid::new(head, samples.rows());
    let text = format!(
        "\nShares of {}, processor time of each event, medians\n{}",
        samples.title,
        grid.text()
    );
    let _ = io::stdout().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_medians_of_its_runs() {
        let mut samples = Samples::new(1_000, 400);
        for rate in [100.0, 300.0, 200.0] {
            let run = Run {
                rate,
                mongodb_us: 2.0,
                engines_us: 3.0,
                rabbitmq_us: rate / 100.0,
                memory_kib: 2_048.0,
            };
            samples.add(4, run);
        }
        let rows: Vec<_> = samples.rows().collect();
        assert_eq!(rows[0][0], "4");
        assert!(
            rows[0][1].contains("200") && rows[0][4].contains("2.00"),
            "{rows:?}"
        );
        assert!(rows[0][5].starts_with("2.0"), "{rows:?}");
    }
}
