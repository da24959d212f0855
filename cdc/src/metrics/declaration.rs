//! What is known of a metric, and how all of them are declared.

use std::fmt;

use prometheus_client::registry::{self, Registry};

/// One metric: a name in a scrape, with all its series.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Title of its group.
    pub group: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// What its values are in, where its name ends with that.
    pub unit: Option<Unit>,
    /// What tells its series apart, beside the pipeline.
    pub label: Option<Label>,
    /// Where its value is looked up at each scrape.
    pub(super) source: Option<fn() -> Option<f64>>,
    stem: &'static str,
    help: &'static str,
}

/// What the values of a metric are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A number that only grows, from zero at each start of the process.
    Counter,
    /// A number of this moment.
    Gauge,
    /// How many values are at most as large as each of these bounds.
    Histogram(&'static [f64]),
}

/// What values are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
}

/// What tells the series of a metric apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Its values. What is none of them counts as the last one.
    pub values: &'static [&'static str],
}

pub(super) const fn counter(stem: &'static str) -> Metric {
    Metric {
        group: "",
        kind: Kind::Counter,
        unit: None,
        label: None,
        source: None,
        stem,
        help: "",
    }
}

pub(super) const fn gauge(stem: &'static str) -> Metric {
    Metric {
        kind: Kind::Gauge,
        ..counter(stem)
    }
}

pub(super) const fn histogram(stem: &'static str, bounds: &'static [f64]) -> Metric {
    Metric {
        kind: Kind::Histogram(bounds),
        ..counter(stem)
    }
}

impl Metric {
    /// Its name in queries. A histogram's series add `_bucket`, `_sum` and `_count` to it.
    pub fn name(&self) -> String {
        let unit = self.unit.map_or("", Unit::suffix);
        let total = match self.kind {
            Kind::Counter => "_total",
            Kind::Gauge | Kind::Histogram(_) => "",
        };
        [self.stem, unit, total].concat()
    }

    /// What it is, a sentence without a full stop, and then more, if there is more to say. Markdown.
    pub fn help(&self) -> impl Iterator<Item = String> {
        let paragraphs = self.help.split("\n\n");
        paragraphs.map(|text| text.replace('\n', "").trim().to_owned())
    }

    pub(super) const fn seconds(mut self) -> Self {
        self.unit = Some(Unit::Seconds);
        self
    }

    pub(super) const fn bytes(mut self) -> Self {
        self.unit = Some(Unit::Bytes);
        self
    }

    pub(super) const fn by(mut self, name: &'static str, values: &'static [&'static str]) -> Self {
        self.label = Some(Label { name, values });
        self
    }

    pub(super) const fn from(mut self, source: fn() -> Option<f64>) -> Self {
        self.source = Some(source);
        self
    }

    pub(super) const fn described(mut self, group: &'static str, help: &'static str) -> Self {
        (self.group, self.help) = (group, help);
        self
    }

    /// Has `series` written at each scrape.
    pub(super) fn register(&self, registry: &mut Registry, series: impl registry::Metric) {
        let help = self.help().next().unwrap_or_default().replace('`', "");
        match self.unit {
            Some(unit) => registry.register_with_unit(self.stem, help, unit.into(), series),
            None => registry.register(self.stem, help, series),
        }
    }
}

/// As in a query.
impl fmt::Display for Metric {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name())
    }
}

impl Unit {
    fn suffix(self) -> &'static str {
        match self {
            Self::Seconds => "_seconds",
            Self::Bytes => "_bytes",
        }
    }
}

impl From<Unit> for registry::Unit {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Seconds => Self::Seconds,
            Unit::Bytes => Self::Bytes,
        }
    }
}

/// Declares all metrics, in groups: a constant for each, the list of them, and the struct of their series. Each metric is
///
/// ```text
/// /// What it is, a sentence without a full stop; a scrape has it as help
/// ///
/// /// More for the documents, if there is more to say.
/// field: Series = CONSTANT(kind("name").unit()),
/// ```
macro_rules! metrics {
    ($($group:literal { $(
        $(#[doc = $help:literal])+
        $field:ident: $series:ty = $constant:ident($metric:expr),
    )+ })+) => {
        $($(
            $(#[doc = $help])+
            pub const $constant: Metric = $metric.described($group, concat!($($help, "\n"),+));
        )+)+

        /// Every metric, in the order of a scrape.
        pub const ALL: &[Metric] = &[$($($constant),+),+];

        /// The series of all metrics.
        #[derive(Debug)]
        pub struct All {
            $($($(#[doc = $help])+ pub $field: $series,)+)+
        }

        impl All {
            /// All of them at zero, registered for a scrape.
            pub(super) fn new(registry: &mut Registry) -> Self {
                $($(
                    let $field = <$series>::new(&$constant);
                    $constant.register(registry, $field.clone());
                )+)+
                Self { $($($field,)+)+ }
            }
        }
    };
}
pub(super) use metrics;
