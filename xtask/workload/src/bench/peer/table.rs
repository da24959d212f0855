//! The samples of both programs, as a table with ratios and the bar.

use std::{collections::BTreeMap, fmt};

use super::catch_up::Found;
use crate::bench::{
    bar::{Bound, Unit},
    caption,
    cells::{self, NOTHING},
    grid::{
        Column::{Figures, Words},
        Grid, plain,
    },
    number,
    page::MEDIANS,
    report::{Delivery, QUEUES, Queue, Report},
    schedule::DOCUMENT,
    spread::Spread,
};

/// The engine's format with the same body as Debezium's.
const DEBEZIUM: &str = "debezium";
/// Times Debezium's rate that the engine reaches at least, to a stream in the format that it has unless told otherwise.
const RATE: Bound = Bound::AtLeast(5.0);
const JUDGED: Turn = Turn {
    queue: Queue::Stream,
    program: Program::Cdc(DOCUMENT),
};

/// Who publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Program {
    /// The engine, in a format.
    Cdc(&'static str),
    Debezium,
}

/// Who publishes where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    pub(super) queue: Queue,
    pub(super) program: Program,
}

/// Everything that was measured, a sample for each round.
#[derive(Debug)]
pub(super) struct Samples {
    /// Where, when and of what.
    head: [String; 4],
    found: BTreeMap<Turn, Vec<Found>>,
}

impl Turn {
    /// Those of a round, which begins at the other end than the one before.
    pub(super) fn all(round: u32, has_streams: bool) -> Vec<Self> {
        let queues = QUEUES.into_iter();
        let queues = queues.filter(|queue| has_streams || *queue != Queue::Stream);
        let turns = queues.flat_map(|queue| {
            let same_body = (queue == Queue::Stream).then_some(Program::Cdc(DEBEZIUM));
            let programs = [
                Some(Program::Cdc(DOCUMENT)),
                same_body,
                Some(Program::Debezium),
            ];
            let programs = programs.into_iter().flatten();
            programs.map(move |program| Self { queue, program })
        });
        let mut turns: Vec<_> = turns.collect();
        if !round.is_multiple_of(2) {
            turns.reverse();
        }
        turns
    }

    /// Debezium's with the same queue; none for itself.
    fn other(self) -> Option<Self> {
        (self.program != Program::Debezium).then_some(Self {
            program: Program::Debezium,
            ..self
        })
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, format) = self.program.names();
        write!(f, "{name}, {}, {format}", self.queue.name())
    }
}

impl Program {
    /// Its name, and its format's.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Cdc(format) => ("cdc", format),
            Self::Debezium => ("Debezium Server", DEBEZIUM),
        }
    }
}

impl Samples {
    /// No samples yet of what `report` begins with.
    pub(super) fn of(report: &Report) -> Self {
        Self {
            head: caption::sentences(report),
            found: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, turn: Turn, found: Found) {
        self.found.entry(turn).or_default().push(found);
    }

    /// For a terminal.
    pub(super) fn text(&self) -> String {
        let head = self.head.join("\n");
        let table = self.grid().text();
        format!("{head}\n\ncdc beside Debezium Server\n{table}")
    }

    /// For a page.
    pub(super) fn markdown(&self) -> String {
        let head = self.head.iter().map(|sentence| plain(sentence) + "\n");
        let head: String = head.collect();
        format!("{head}{MEDIANS}\n{}", self.grid().markdown())
    }

    /// The bar, if it was measured and is missed.
    pub(super) fn missed(&self) -> Option<String> {
        let figure = self.ratio(JUDGED, |found| found.rate)?.value;
        let bound = RATE.words(Unit::Times);
        let figure = Some(figure).filter(|figure| !RATE.holds(*figure))?;
        let figure = Unit::Times.text(figure);
        Some(format!(
            "{JUDGED}: {figure} times Debezium Server's rate, must be {bound}"
        ))
    }

    fn grid(&self) -> Grid {
        let head = [
            Words("program"),
            Words("queue"),
            Words("format"),
            Figures("events/s"),
            Figures("CPU µs/event"),
            Figures("peak MiB"),
            Figures("bytes/event"),
            Words("delivery"),
            Figures("rate / Debezium's"),
            Figures("CPU / Debezium's"),
            Figures("memory / Debezium's"),
            Words("bar"),
            Words("verdict"),
        ];
        let turns = Turn::all(0, true).into_iter();
        let turns = turns.filter(|turn| self.found.contains_key(turn));
        Grid::new(head, turns.map(|turn| self.cells(turn)))
    }

    fn cells(&self, turn: Turn) -> [String; 13] {
        let memory = |found: &Found| number::mebibytes(number::float(found.memory_kib));
        let (name, format) = turn.program.names();
        let figure = |of: fn(&Found) -> f64, number| {
            let figure = self.spread(turn, of);
            figure.map_or(NOTHING.to_owned(), |figure| figure.text(number))
        };
        let ratio = |of: fn(&Found) -> f64| {
            let ratio = self.ratio(turn, of);
            ratio.map_or(NOTHING.to_owned(), |ratio| ratio.text(number::ratio))
        };
        let [bar, verdict] = self.verdict(turn);
        [
            name.to_owned(),
            turn.queue.name().to_owned(),
            format.to_owned(),
            figure(|found| found.rate, number::whole),
            figure(|found| found.processor_us, number::short),
            figure(memory, |value| format!("{value:.1}")),
            figure(|found| found.body_bytes, number::whole),
            self.delivery(turn),
            ratio(|found| found.rate),
            ratio(|found| found.processor_us),
            ratio(memory),
            bar,
            verdict,
        ]
    }

    fn verdict(&self, turn: Turn) -> [String; 2] {
        if turn != JUDGED {
            return [NOTHING, NOTHING].map(str::to_owned);
        }
        let verdict = self.missed().map_or("held", |_| "missed");
        [RATE.words(Unit::Times), verdict.to_owned()]
    }

    /// Of all rounds together.
    fn delivery(&self, turn: Turn) -> String {
        let mut total = Delivery::default();
        for Found { delivery, .. } in &self.found[&turn] {
            total.missing += delivery.missing;
            total.out_of_order += delivery.out_of_order;
            total.replayed += delivery.replayed;
        }
        cells::arrived(total)
    }

    fn samples(&self, turn: Turn, of: fn(&Found) -> f64) -> impl Iterator<Item = f64> {
        self.found.get(&turn).into_iter().flatten().map(of)
    }

    fn spread(&self, turn: Turn, of: fn(&Found) -> f64) -> Option<Spread> {
        Spread::of(self.samples(turn, of))
    }

    /// What the engine has for each one that Debezium has, by medians; its range is that of the rounds.
    fn ratio(&self, turn: Turn, of: fn(&Found) -> f64) -> Option<Spread> {
        let other = turn.other()?;
        let value = self.spread(turn, of)?.value / self.spread(other, of)?.value;
        let rounds = self.samples(turn, of).zip(self.samples(other, of));
        Some(Spread::around(
            value,
            rounds.map(|(ours, theirs)| ours / theirs),
        ))
    }
}

#[cfg(test)]
mod tests;
