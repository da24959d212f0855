//! What a snapshot waits for, for metrics, the log and people.

use tracing::info;

use super::Snapshots;
use crate::snapshot::Run;

/// A reason to read nothing just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// The stream is far behind the server's time.
    CatchingUp,
    /// MongoDB cannot be read.
    Mongodb,
    /// Somebody asked for a pause.
    Paused,
}

impl Waiting {
    const ALL: [Self; 3] = [Self::CatchingUp, Self::Mongodb, Self::Paused];

    /// Its name in metrics.
    fn name(self) -> &'static str {
        match self {
            Self::CatchingUp => "catching_up",
            Self::Mongodb => "mongodb",
            Self::Paused => "paused",
        }
    }

    /// In words.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::CatchingUp => "it waits until the changes are caught up with",
            Self::Mongodb => "it waits for mongodb; the engine's log says why",
            Self::Paused => "somebody paused it",
        }
    }
}

impl Snapshots {
    /// What it waits for now, if for anything. Says where that is news.
    pub(super) fn note_waiting(&mut self, waiting: Option<Waiting>) {
        let waiting = waiting.filter(|_| self.progress.run.is_some());
        if waiting == self.waiting {
            return;
        }
        match waiting {
            Some(Waiting::CatchingUp) => {
                info!("the snapshot waits: {}", Waiting::CatchingUp.text());
            }
            None => info!("the snapshot goes on"),
            // They were said where they came up.
            Some(Waiting::Mongodb | Waiting::Paused) => {}
        }
        self.waiting = waiting;
        for one in Waiting::ALL {
            let value = i64::from(waiting == Some(one));
            self.metrics.snapshot_waiting.of(one.name()).set(value);
        }
    }

    /// How the run is, for metrics.
    pub(super) fn note_run(&self) {
        let run = self.progress.run.as_ref();
        let number = |count: fn(&Run) -> u64| {
            let count = run.map(count).unwrap_or_default();
            i64::try_from(count).unwrap_or(i64::MAX)
        };
        let metrics = &self.metrics;
        metrics.snapshot_running.set(i64::from(run.is_some()));
        metrics
            .snapshot_run_documents
            .set(number(|run| run.documents));
        metrics
            .snapshot_run_documents_estimated
            .set(number(|run| run.total));
    }
}
