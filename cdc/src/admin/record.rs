//! What is kept of how the engine was, for people who look later. It is made beside the engine: the loop does nothing for it.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use tokio::time::{Instant, MissedTickBehavior};

use super::{
    history::{History, LOOK_EVERY, Look},
    problems::Problems,
};
use crate::{health::Health, metrics::Metrics};

/// The record. A clone is of the same one.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// When it was begun, which is when the process was.
    pub(super) began: SystemTime,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) history: History,
    pub(super) problems: Problems,
}

impl Record {
    pub(super) fn new() -> Self {
        Self {
            began: SystemTime::now(),
            kept: Arc::default(),
        }
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what is seen each second, and every obstacle.
    pub(super) async fn keep(self, metrics: Metrics, health: Health) -> Infallible {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut changes = health.watch();
        changes.mark_changed();
        loop {
            tokio::select! {
                at = looks.tick() => {
                    self.kept().history.add(look(&metrics, at), SystemTime::now());
                }
                Ok(()) = changes.changed() => {
                    let report = changes.borrow_and_update().report();
                    self.kept().problems.note(&report, SystemTime::now());
                }
            }
        }
    }
}

fn look(metrics: &Metrics, at: Instant) -> Look {
    Look {
        at,
        read: metrics.events_read.get(),
        confirmed: metrics.messages_confirmed.get(),
        lag_seconds: metrics.lag_seconds.get(),
        latencies: metrics.end_to_end_latency.buckets().collect(),
    }
}
