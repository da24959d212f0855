//! Readiness as metrics.

use tokio_util::task::AbortOnDropHandle;

use crate::{health::Health, metrics::Metrics};

/// Keeps the metrics of readiness as `health` is, until the task is dropped.
pub(super) fn mirror(metrics: Metrics, health: &Health) -> AbortOnDropHandle<()> {
    let mut changes = health.watch();
    changes.mark_changed();
    AbortOnDropHandle::new(tokio::spawn(async move {
        while changes.changed().await.is_ok() {
            let report = changes.borrow_and_update().report();
            metrics.note_health(&report);
        }
    }))
}
