//! How long a change takes to reach a consumer, at a steady rate of inserts.
//!
//! Every insert is due at a fixed moment, and its latency counts from there: one that had to wait because an earlier
//! one took long is late by that wait too. Nothing here sleeps between a message's arrival and the look at the clock.

mod arrivals;
mod load;
mod paths;

use anyhow::Result;
use bson::RawDocumentBuf;
use lapin::Consumer;
use mongodb::Collection;

pub(super) use self::load::Load;
use super::{
    report::{Latency, Path},
    site::Site,
};
use crate::latency;

/// Percentiles of the distribution.
const PERCENTILES: [f64; 14] = [
    0.0, 10.0, 25.0, 50.0, 75.0, 80.0, 90.0, 95.0, 98.0, 99.0, 99.5, 99.9, 99.99, 100.0,
];

/// Measures one path once.
pub(super) async fn measure(site: &Site, path: Path, load: &Load, sample: u32) -> Result<Latency> {
    let micros = match path {
        Path::Engine => paths::through_engine(site, load).await?,
        Path::Floor => paths::without_engine(site, load).await?,
    };
    Ok(Latency {
        path,
        per_second: load.per_second,
        sample,
        ..figures(&micros[load.warm_up()..])
    })
}

/// Measures inserts into `collection` once, through an engine that works already and whose messages of them are
/// `deliveries`.
pub(super) async fn beside(
    collection: &Collection<RawDocumentBuf>,
    deliveries: Consumer,
    load: &Load,
) -> Result<Latency> {
    let micros = paths::delivered(collection, deliveries, load).await?;
    Ok(figures(&micros[load.warm_up()..]))
}

/// What the latencies in microseconds come to; whose they are is for the caller to say.
fn figures(micros: &[u64]) -> Latency {
    let mut histogram = latency::histogram();
    for latency in micros {
        histogram.saturating_record(*latency);
    }
    let at = |percent| latency::percentile_ms(&histogram, percent);
    Latency {
        path: Path::Engine,
        per_second: 0,
        sample: 0,
        messages: micros.len() as u64,
        p50_ms: at(50.0),
        p90_ms: at(90.0),
        p99_ms: at(99.0),
        max_ms: at(100.0),
        distribution: PERCENTILES.map(|percent| (percent, at(percent))).to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_all_latencies() {
        let micros: Vec<u64> = (1..=100).map(|number| number * 1_000).collect();
        let figures = figures(&micros);
        assert_eq!(figures.messages, 100);
        assert!((figures.p50_ms - 50.0).abs() < 0.1);
        assert!((figures.p99_ms - 99.0).abs() < 0.1);
        assert!((figures.max_ms - 100.0).abs() < 0.1);
        let rising = figures.distribution.windows(2);
        assert!(rising.clone().all(|pair| pair[0].1 <= pair[1].1));
    }
}
