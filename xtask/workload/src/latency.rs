//! From the moment an insert was sent to the moment its message arrived.

use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::time::Instant;

/// Longest latency that is told apart: one hour, in microseconds.
const HIGHEST_US: u64 = 3_600_000_000;

/// The latencies of one run.
#[derive(Debug)]
pub struct Latency {
    /// First document and moment of each batch, in order.
    sent: Vec<(usize, Instant)>,
    histogram: Histogram<u64>,
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            sent: Vec::new(),
            histogram: histogram(),
        }
    }
}

impl Latency {
    /// Notes that the documents from `first` on are sent at `moment`.
    pub fn sent(&mut self, first: usize, moment: Instant) {
        self.sent.push((first, moment));
    }

    /// Notes that document `index` arrived at `moment`, and returns its latency.
    ///
    /// # Panics
    /// If the document was not sent.
    pub fn arrived(&mut self, index: usize, moment: Instant) -> Duration {
        let batch = self.sent.partition_point(|&(first, _)| first <= index);
        let (_, sent) = self.sent[batch
            .checked_sub(1)
            .expect("a document is sent before it arrives")];
        let latency = moment.saturating_duration_since(sent);
        let micros = u64::try_from(latency.as_micros()).unwrap_or(HIGHEST_US);
        self.histogram.saturating_record(micros);
        latency
    }

    /// The latency in milliseconds that `percent` of the documents did not exceed.
    pub fn percentile_ms(&self, percent: f64) -> f64 {
        percentile_ms(&self.histogram, percent)
    }
}

/// An empty histogram of latencies in microseconds.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, HIGHEST_US, 3).expect("the bounds are valid")
}

/// What `percent` of the latencies did not exceed, in milliseconds.
pub(crate) fn percentile_ms(histogram: &Histogram<u64>, percent: f64) -> f64 {
    let micros = u32::try_from(histogram.value_at_percentile(percent));
    f64::from(micros.unwrap_or(u32::MAX)) / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_document_counts_from_its_own_batch() {
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let mut latency = Latency::default();
        latency.sent(0, after(0));
        latency.sent(2, after(100));
        assert_eq!(latency.arrived(1, after(7)), Duration::from_millis(7));
        assert_eq!(latency.arrived(2, after(103)), Duration::from_millis(3));
        assert_eq!(latency.arrived(5, after(105)), Duration::from_millis(5));
        assert!((latency.percentile_ms(50.0) - 5.0).abs() < 0.1);
        assert!((latency.percentile_ms(99.0) - 7.0).abs() < 0.1);
    }
}
