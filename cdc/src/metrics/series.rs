//! What a metric's series are made of.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        gauge::{ConstGauge, Gauge},
    },
    registry,
};

use super::{Kind, Metric};

/// A counter of what is not whole.
pub(super) type RealCounter = Counter<f64, AtomicU64>;
/// A gauge of what is not whole.
pub(super) type RealGauge = Gauge<f64, AtomicU64>;

/// The series of one metric. A clone is the same series.
pub(super) trait Series: registry::Metric + Clone {
    fn new(metric: &Metric) -> Self;
}

impl Series for Counter {
    fn new(_: &Metric) -> Self {
        Self::default()
    }
}

impl Series for RealCounter {
    fn new(_: &Metric) -> Self {
        Self::default()
    }
}

impl Series for Gauge {
    fn new(_: &Metric) -> Self {
        Self::default()
    }
}

impl Series for RealGauge {
    fn new(_: &Metric) -> Self {
        Self::default()
    }
}

/// Series of one name, told apart by one label. All of them are there from the start.
#[derive(Debug, Clone)]
pub struct Labelled<S> {
    label: &'static str,
    series: Arc<[(&'static str, S)]>,
}

impl<S> Labelled<S> {
    /// The series of that value of the label.
    #[expect(clippy::missing_panics_doc, reason = "a test makes all of them")]
    pub fn of(&self, value: &str) -> &S {
        let mut all = self.series.iter();
        let series = all.find(|(known, _)| *known == value);
        let (_, series) = series
            .or(self.series.last())
            .expect("a label has at least one value");
        series
    }

    /// All of them, with their values of the label.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &S)> {
        self.series.iter().map(|(value, series)| (*value, series))
    }
}

impl<S: Series> Series for Labelled<S> {
    fn new(metric: &Metric) -> Self {
        let label = metric.label.expect("it is declared with one");
        let series = label.values.iter().map(|value| (*value, S::new(metric)));
        Self {
            label: label.name,
            series: series.collect(),
        }
    }
}

impl<S: EncodeMetric> EncodeMetric for Labelled<S> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let mut series = self.series.iter();
        series.try_for_each(|(value, series)| {
            series.encode(encoder.encode_family(&[(self.label, *value)])?)
        })
    }

    fn metric_type(&self) -> MetricType {
        let first = self.series.first().map(|(_, series)| series.metric_type());
        first.unwrap_or(MetricType::Unknown)
    }

    fn is_empty(&self) -> bool {
        self.series.iter().all(|(_, series)| series.is_empty())
    }
}

/// A number that is absent while it is not known.
#[derive(Debug, Clone)]
pub struct Known {
    value: Arc<AtomicU64>,
}

impl Known {
    /// What it is now, if that is known.
    pub fn set(&self, value: Option<f64>) {
        let bits = value.unwrap_or(f64::NAN).to_bits();
        self.value.store(bits, Ordering::Relaxed);
    }

    fn get(&self) -> f64 {
        f64::from_bits(self.value.load(Ordering::Relaxed))
    }
}

impl Series for Known {
    fn new(_: &Metric) -> Self {
        let value = Arc::new(f64::NAN.to_bits().into());
        Self { value }
    }
}

impl EncodeMetric for Known {
    fn encode(&self, encoder: MetricEncoder<'_>) -> fmt::Result {
        ConstGauge::new(self.get()).encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }

    fn is_empty(&self) -> bool {
        self.get().is_nan()
    }
}

/// The time since something happened, worked out at each scrape. Absent until it happens.
#[derive(Debug, Clone)]
pub struct Age {
    since: Arc<Mutex<Option<Instant>>>,
}

impl Age {
    /// It happened now.
    pub(super) fn restart(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// How long ago it happened.
    pub(super) fn elapsed(&self) -> Option<Duration> {
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since.map(|since| since.elapsed())
    }
}

impl Series for Age {
    fn new(_: &Metric) -> Self {
        let since = Arc::default();
        Self { since }
    }
}

impl EncodeMetric for Age {
    fn encode(&self, encoder: MetricEncoder<'_>) -> fmt::Result {
        let age = self.elapsed().unwrap_or_default();
        ConstGauge::new(age.as_secs_f64()).encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }

    fn is_empty(&self) -> bool {
        self.elapsed().is_none()
    }
}

/// A number that is looked up at each scrape. Absent where the system does not tell.
#[derive(Debug, Clone)]
pub struct Looked {
    kind: Kind,
    source: fn() -> Option<f64>,
}

impl Series for Looked {
    fn new(metric: &Metric) -> Self {
        let source = metric.source.unwrap_or(|| None);
        let kind = metric.kind;
        Self { kind, source }
    }
}

impl EncodeMetric for Looked {
    fn encode(&self, encoder: MetricEncoder<'_>) -> fmt::Result {
        let value = (self.source)().unwrap_or_default();
        match self.kind {
            Kind::Counter => ConstCounter::new(value).encode(encoder),
            Kind::Gauge | Kind::Histogram(_) => ConstGauge::new(value).encode(encoder),
        }
    }

    fn metric_type(&self) -> MetricType {
        match self.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge | Kind::Histogram(_) => MetricType::Gauge,
        }
    }

    fn is_empty(&self) -> bool {
        (self.source)().is_none()
    }
}
