//! What the engine counts, for a scrape: each metric is declared once, in `catalogue`, and every series carries its
//! pipeline.
//!
//! Names and units follow the conventions of Prometheus. A series whose value is not known is absent; every other one is
//! there from the start, so that it is a zero on a graph and not a gap.

pub mod catalogue;
mod declaration;
mod histogram;
mod process;
mod reference;
mod series;

use std::{ops::Deref, sync::Arc, time::Duration};

use prometheus_client::{encoding::text, registry::Registry};

pub use self::{
    catalogue::{ALL, All},
    declaration::{Kind, Label, Metric, Unit},
    histogram::{Histogram, Row},
    reference::reference,
    series::Labelled,
};
use crate::{event::Operation, health::Report, message::ParkReason};

/// The engine's metrics. A clone counts into the same series.
#[derive(Debug, Clone)]
pub struct Metrics {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    all: All,
    registry: Registry,
}

/// A server that a connection was lost to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// Where changes are read.
    Mongodb,
    /// Where messages go.
    Rabbitmq,
}

impl Metrics {
    /// All series at zero, labelled with the pipeline.
    pub fn new(pipeline: &str) -> Self {
        let label = ("pipeline".into(), pipeline.to_owned().into());
        let mut registry = Registry::with_labels([label].into_iter());
        let all = All::new(&mut registry);
        let shared = Arc::new(Shared { all, registry });
        let metrics = Self { shared };
        metrics.build_info.of(env!("CARGO_PKG_VERSION")).set(1);
        metrics
    }

    /// The engine begins anew: it leads nobody, and nothing is in flight.
    pub fn restart(&self) {
        for gauge in [
            &self.leader,
            &self.blocked,
            &self.messages_in_flight,
            &self.bytes_in_flight,
            &self.snapshot_running,
            &self.snapshot_run_documents,
            &self.snapshot_run_documents_estimated,
        ] {
            gauge.set(0);
        }
        for (_, gauge) in self.snapshot_waiting.all() {
            gauge.set(0);
        }
        self.lag_seconds.set(0.0);
    }

    /// What the engine's health is now.
    pub fn note_health(&self, report: &Report) {
        self.ready.set(report.ready.into());
        let standbys = report.standbys.as_ref();
        let count = standbys.and_then(|standbys| u32::try_from(standbys.len()).ok());
        self.standbys.set(count.map(f64::from));
        for (cause, gauge) in self.obstacle.all() {
            let mut obstacles = report.obstacles.iter();
            let is_there = obstacles.any(|obstacle| obstacle.cause.as_str() == cause);
            gauge.set(is_there.into());
        }
    }

    /// A message was made of an event.
    pub fn encoded(&self, operation: &Operation) {
        self.events_encoded.of(operation.as_str()).inc();
    }

    /// A checkpoint was saved now.
    pub fn checkpoint_saved(&self) {
        self.checkpoint_saves.inc();
        self.checkpoint_age.restart();
    }

    /// The time since the last save, where there was one.
    pub fn checkpoint_age(&self) -> Option<Duration> {
        self.checkpoint_age.elapsed()
    }

    /// What the snapshot under way waits for.
    pub fn snapshot_waits_for(&self) -> Option<&'static str> {
        let mut all = self.snapshot_waiting.all();
        all.find_map(|(what, gauge)| (0 < gauge.get()).then_some(what))
    }

    /// A connection to `server` was made again.
    pub fn reconnected(&self, server: Server) {
        let server = match server {
            Server::Mongodb => "mongodb",
            Server::Rabbitmq => "rabbitmq",
        };
        self.reconnects.of(server).inc();
    }

    /// A message was put aside.
    pub fn parked(&self, reason: ParkReason) {
        self.messages_parked.of(reason.as_str()).inc();
    }

    /// Every series as `OpenMetrics` text.
    #[expect(clippy::missing_panics_doc, reason = "writing to a string never fails")]
    pub fn encode(&self) -> String {
        let mut page = String::new();
        text::encode(&mut page, &self.shared.registry).expect("a string takes every write");
        page
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new("default")
    }
}

impl Deref for Metrics {
    type Target = All;

    fn deref(&self) -> &All {
        &self.shared.all
    }
}

#[cfg(test)]
mod tests;
