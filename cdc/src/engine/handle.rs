//! How a program stops an engine, and sees how it is.

use tokio_util::sync::CancellationToken;

use crate::{
    health::{Health, Report},
    metrics::Metrics,
};

/// Stops an engine and tells how it is. A clone is of the same engine.
#[derive(Debug, Clone)]
pub struct Handle {
    metrics: Metrics,
    pub(super) health: Health,
    shutdown: CancellationToken,
    /// The engine is gone.
    ended: CancellationToken,
}

/// Says that the engine is gone when it is dropped.
#[derive(Debug)]
pub(super) struct Ends(Handle);

impl Handle {
    /// A handle, and what the engine has to keep for as long as it is there.
    pub(super) fn new(metrics: Metrics) -> (Self, Ends) {
        let handle = Self {
            metrics,
            health: Health::default(),
            shutdown: CancellationToken::new(),
            ended: CancellationToken::new(),
        };
        (handle.clone(), Ends(handle))
    }

    pub(super) fn parts(&self) -> ((Metrics, Health), CancellationToken) {
        let vitals = (self.metrics.clone(), self.health.clone());
        (vitals, self.shutdown.clone())
    }

    /// Asks the engine to deliver what it has read and to end. [`Engine::run`](crate::Engine::run) returns when it has.
    pub fn stop(&self) {
        self.shutdown.cancel();
    }

    /// Whether the engine works, or stands by while another one of its pipeline works.
    pub fn is_ready(&self) -> bool {
        self.health.report().ready
    }

    /// Waits until [`Handle::is_ready`], and gives `true`; or `false` where the engine ends before, or was dropped.
    pub async fn ready(&self) -> bool {
        let mut changes = self.health.watch();
        tokio::select! {
            biased;
            () = self.ended.cancelled() => false,
            ready = changes.wait_for(|status| status.report().ready) => ready.is_ok(),
        }
    }

    /// What is in the engine's way now, a line each: a server that is away, a sink that fails.
    pub fn obstacles(&self) -> Vec<String> {
        let Report { obstacles, .. } = self.health.report();
        let lines = obstacles.iter();
        lines
            .map(|obstacle| format!("{}: {}", obstacle.cause, obstacle.reason))
            .collect()
    }

    /// All that the engine counts, in the `OpenMetrics` text format, as the admin port has it on `/metrics`.
    pub fn metrics(&self) -> String {
        self.metrics.encode()
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.health.restart();
        self.0.ended.cancel();
    }
}
