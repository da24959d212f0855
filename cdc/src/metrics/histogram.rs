//! How long things take, counted by bounds.
//!
//! The engine observes some ten thousand latencies a second, and most of them in rows of equal ones. So a row is one
//! observation, of which the library's own histogram, with a lock for each value, knows nothing.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::{MetricType, counter::Counter},
};

use super::{Kind, Metric, series::Series};

/// A histogram of latencies. A clone counts into the same series.
#[derive(Debug, Clone)]
pub struct Histogram {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    bounds: &'static [f64],
    /// For each bound what is at most as large, and larger than the bound before; and then the rest.
    counts: Box<[AtomicU64]>,
    sum: Counter<f64, AtomicU64>,
}

impl Histogram {
    /// `times` times this latency.
    pub fn observe(&self, latency: Duration, times: u32) {
        let Inner {
            bounds,
            counts,
            sum,
        } = &*self.inner;
        let seconds = latency.as_secs_f64();
        let place = bounds.partition_point(|bound| *bound < seconds);
        counts[place].fetch_add(times.into(), Ordering::Relaxed);
        sum.inc_by(seconds * f64::from(times));
    }

    /// How many latencies were observed.
    pub fn count(&self) -> u64 {
        self.buckets().map(|(_, count)| count).sum()
    }

    /// How many latencies there were for each bound, and then beyond the last one.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let Inner { bounds, counts, .. } = &*self.inner;
        // The encoder writes the largest number as infinity.
        let bounds = bounds.iter().copied().chain([f64::MAX]);
        bounds.zip(counts.iter().map(|count| count.load(Ordering::Relaxed)))
    }
}

impl Series for Histogram {
    fn new(metric: &Metric) -> Self {
        let bounds = match metric.kind {
            Kind::Histogram(bounds) => bounds,
            Kind::Counter | Kind::Gauge => &[],
        };
        let counts = (0..=bounds.len()).map(|_| AtomicU64::default());
        let inner = Inner {
            bounds,
            counts: counts.collect(),
            sum: Counter::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let buckets: Vec<_> = self.buckets().collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = self.inner.sum.get();
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// Latencies of which those from one moment are observed together.
#[derive(Debug)]
pub struct Row<T> {
    histogram: Histogram,
    /// How long ago a moment was.
    age: fn(T) -> Duration,
    from: Option<T>,
    times: u32,
}

impl<T: Copy + PartialEq> Row<T> {
    /// A row of what ends in `histogram`.
    pub fn new(histogram: Histogram, age: fn(T) -> Duration) -> Self {
        Self {
            histogram,
            age,
            from: None,
            times: 0,
        }
    }

    /// What began at this moment is over.
    pub fn over(&mut self, from: T) {
        if self.from != Some(from) {
            self.flush();
            self.from = Some(from);
        }
        self.times += 1;
    }

    /// Observes what is collected. Until then it is not seen, and its latency grows.
    pub fn flush(&mut self) {
        if let Some(from) = self.from.take() {
            let times = std::mem::take(&mut self.times);
            self.histogram.observe((self.age)(from), times);
        }
    }
}
