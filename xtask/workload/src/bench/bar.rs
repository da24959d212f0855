//! One bar: what a figure must reach, and what became of it.

use super::{number, report::Queue, spread::Spread, summary::Summary};

/// What a figure must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bound {
    AtLeast(f64),
    AtMost(f64),
    Below(f64),
}

/// How a figure is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unit {
    Times,
    Micros,
    Millis,
    Mebibytes,
    Megabytes,
    Calls,
    Messages,
}

/// One bar.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bar {
    /// What is measured.
    pub(super) name: &'static str,
    bound: Bound,
    unit: Unit,
    /// Whether it takes runs that a quick bench leaves out.
    big: bool,
    /// Whether it takes a broker that has streams in their own protocol.
    stream: bool,
    figure: fn(&Summary) -> Option<Spread>,
}

/// What became of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Held,
    Missed,
    NotMeasured,
}

/// A bar beside its figure.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) bar: &'static Bar,
    pub(super) figure: Option<Spread>,
    pub(super) verdict: Verdict,
}

/// A bar that every bench measures.
pub(super) const fn bar(
    name: &'static str,
    bound: Bound,
    unit: Unit,
    figure: fn(&Summary) -> Option<Spread>,
) -> Bar {
    Bar {
        name,
        bound,
        unit,
        big: false,
        stream: false,
        figure,
    }
}

/// A bar whose runs a quick bench leaves out.
pub(super) const fn big(bar: Bar) -> Bar {
    Bar { big: true, ..bar }
}

/// A bar that only a broker with streams in their own protocol measures.
pub(super) const fn stream(bar: Bar) -> Bar {
    Bar {
        stream: true,
        ..bar
    }
}

impl Bound {
    pub(super) fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(bound) => value >= bound,
            Self::AtMost(bound) => value <= bound,
            Self::Below(bound) => value < bound,
        }
    }

    /// In words, of a figure of this unit.
    pub(super) fn words(self, unit: Unit) -> String {
        let (words, bound) = match self {
            Self::AtLeast(bound) => ("at least", bound),
            Self::AtMost(bound) => ("at most", bound),
            Self::Below(bound) => ("below", bound),
        };
        let text = unit.text(bound);
        let (number, unit) = text.split_once(' ').unwrap_or((&text, ""));
        format!("{words} {} {unit}", number::without_zeros(number))
            .trim_end()
            .to_owned()
    }
}

impl Unit {
    pub(super) fn text(self, value: f64) -> String {
        match self {
            Self::Times => number::ratio(value),
            Self::Micros => format!("{value:.2} µs"),
            Self::Millis => format!("{} ms", number::short(value)),
            Self::Mebibytes => format!("{value:.1} MiB"),
            Self::Megabytes => format!("{value:.2} MB"),
            Self::Calls => format!("{value:.3}"),
            Self::Messages => number::whole(value),
        }
    }
}

impl Bar {
    /// Where it means something: a ratio, a size or a count anywhere, a time with this processor alone.
    pub(super) fn scope(&self) -> &'static str {
        match self.unit {
            Unit::Micros | Unit::Millis => "this machine",
            _ => "any machine",
        }
    }

    /// What became of it in `summary`.
    pub(super) fn outcome(&'static self, summary: &Summary) -> Outcome {
        // What is not a number holds no bar.
        let figure = (self.figure)(summary).filter(|figure| figure.value.is_finite());
        let verdict = match figure {
            Some(figure) if self.bound.holds(figure.value) => Verdict::Held,
            None if self.big && summary.report.settings.quick => Verdict::NotMeasured,
            None if self.stream && !summary.has(Queue::Stream) => Verdict::NotMeasured,
            _ => Verdict::Missed,
        };
        Outcome {
            bar: self,
            figure,
            verdict,
        }
    }

    /// The bound, in words.
    pub(super) fn bound(&self) -> String {
        self.bound.words(self.unit)
    }
}

impl Outcome {
    /// The figure, or that there is none.
    pub(super) fn figure(&self) -> String {
        self.figure
            .map_or("none".to_owned(), |figure| self.bar.unit.text(figure.value))
    }

    /// Smallest and largest of the samples.
    pub(super) fn spread(&self) -> String {
        match self.figure {
            Some(samples) if samples.count > 1 => {
                let text = |value| self.bar.unit.text(value);
                format!("{}–{}", text(samples.min), text(samples.max))
            }
            _ => "–".to_owned(),
        }
    }

    /// On one line, for people.
    pub(super) fn line(&self) -> String {
        let (name, figure, bound) = (self.bar.name, self.figure(), self.bar.bound());
        format!("{name}: {figure}, must be {bound}")
    }

    /// In a word or two.
    pub(super) fn verdict(&self) -> &'static str {
        match self.verdict {
            Verdict::Held => "held",
            Verdict::Missed => "missed",
            Verdict::NotMeasured => "not measured",
        }
    }
}
