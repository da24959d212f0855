//! Saves the checkpoint beside the publishing, never in its way.

use std::{fmt, pin::Pin, sync::PoisonError, time::Duration};

use bson::Timestamp;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{Reached, saver::Saver};
use crate::{
    checkpoint::{self, Error},
    health::{Cause, Health},
    metrics::Metrics,
    position::Position,
    retry::{Disposition, Repeats, chain},
    sabotage::{self, Point},
    snapshot::{Progress, Step},
};

/// Where checkpoints are saved.
#[derive(Debug)]
pub(super) enum Store {
    /// MongoDB.
    Mongo(Box<checkpoint::Store>),
    /// Memory, which the next session of this process shares.
    Shared(Reached),
    /// What a test looks at.
    #[cfg(test)]
    Scripted(Box<super::scripted::Store>),
}

/// Does what [`Saver`] says.
pub(super) struct Checkpointer {
    /// What is to be saved, and when.
    pub(super) saver: Saver,
    /// Absent while a save is under way.
    store: Option<Store>,
    save: Option<Save>,
    /// Cluster time of the newest message that is on its way.
    sent_until: Option<Timestamp>,
    /// How far snapshots are confirmed, where there may be some.
    snapshot: Option<Progress>,
    /// How many of their documents are, were when the save under way began, and when the last one did that worked.
    documents: [u64; 3],
    failures: Repeats,
    metrics: Metrics,
    health: Health,
}

type Save = Pin<Box<dyn Future<Output = (Store, Result<(), Error>)> + Send>>;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// A save is due. The caller looks at every receipt that is there, since any may carry the return of a message that
    /// counts as confirmed, then calls [`Checkpointer::start`].
    Due,
    /// A save has ended.
    Ended,
}

impl Checkpointer {
    pub(super) fn new(
        store: Store,
        snapshot: Option<Progress>,
        interval: Duration,
        (metrics, health): (Metrics, Health),
    ) -> Self {
        Self {
            saver: Saver::new(interval, store.position()),
            sent_until: store.sent_until(),
            snapshot,
            documents: [0; 3],
            store: Some(store),
            save: None,
            failures: Repeats::default(),
            metrics,
            health,
        }
    }

    /// A message of this cluster time is on its way.
    pub(super) fn sent(&mut self, cluster_time: Timestamp) {
        self.sent_until = Some(cluster_time);
    }

    /// More of a snapshot is confirmed: these steps, and `documents` documents since the session began.
    pub(super) fn take(&mut self, steps: Vec<Step>, documents: u64, now: Instant) {
        let snapshot = self.snapshot.get_or_insert_default();
        for step in steps {
            snapshot.take(step);
        }
        self.documents[0] = documents;
        self.saver.progressed(now);
    }

    /// How many documents of snapshots are saved, since the session began.
    pub(super) fn saved_documents(&self) -> u64 {
        self.documents[2]
    }

    /// Waits until a save is due, or for the one under way.
    ///
    /// # Errors
    /// A failure that only a person can mend. Others are said, and tried again soon.
    ///
    /// # Cancel safety
    /// Cancel safe: everything that is under way stays in `self`.
    pub(super) async fn step(&mut self) -> Result<Turn, Error> {
        if let Some(save) = &mut self.save {
            let (store, outcome) = save.as_mut().await;
            (self.save, self.store) = (None, Some(store));
            return self.finish(outcome).map(|()| Turn::Ended);
        }
        match self.saver.due() {
            Some(due) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
        Ok(Turn::Due)
    }

    /// Begins the save that is due, if it still is.
    pub(super) fn start(&mut self) {
        let Some(mut store) = self.store.take() else {
            return;
        };
        let Some(position) = self.saver.start(Instant::now()) else {
            self.store = Some(store);
            return;
        };
        let sent_until = self.sent_until;
        self.documents[1] = self.documents[0];
        if let Some(snapshot) = &self.snapshot {
            store.keep(snapshot);
        }
        self.save = Some(Box::pin(async move {
            let outcome = store.save(&position, sent_until).await;
            sabotage::pass(Point::DuringSave);
            (store, outcome)
        }));
    }

    /// Saves what is noted, now. The caller has looked at every receipt.
    pub(super) async fn flush(&mut self) -> Result<(), Error> {
        self.saver.hurry(Instant::now());
        while !self.saver.is_clean() {
            if self.step().await? == Turn::Due {
                self.start();
            }
        }
        Ok(())
    }

    fn finish(&mut self, outcome: Result<(), Error>) -> Result<(), Error> {
        let Err(error) = outcome else {
            self.saver.saved();
            self.documents[2] = self.documents[1];
            self.metrics.checkpoint_saved();
            self.health.clear(Cause::Checkpoint);
            if let Some(tries) = self.failures.worked(Instant::now()) {
                info!(
                    tried = tries.count,
                    after_seconds = tries.seconds,
                    "checkpoint saved again"
                );
            }
            self.failures.reset();
            return Ok(());
        };
        self.metrics.checkpoint_save_failures.inc();
        if error.disposition() == Disposition::Halt {
            self.saver.freeze();
        }
        self.saver.failed(Instant::now());
        if error.disposition() == Disposition::Halt {
            return Err(error);
        }
        let reason = chain(&error);
        if let Some(tries) = self.failures.failed(&reason, Instant::now()) {
            warn!(
                error = reason,
                tried = tries.count,
                for_seconds = tries.seconds,
                "checkpoint not saved, trying again"
            );
        }
        self.health.add_obstacle(Cause::Checkpoint, reason);
        Ok(())
    }
}

impl Store {
    pub(super) fn sent_until(&self) -> Option<Timestamp> {
        match self {
            Self::Mongo(store) => store.sent_until(),
            Self::Shared(_) => None,
            #[cfg(test)]
            Self::Scripted(_) => None,
        }
    }

    /// The position from which the session reads.
    pub(super) fn position(&self) -> Position {
        match self {
            Self::Mongo(store) => store.position(),
            Self::Shared(reached) => reached
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            #[cfg(test)]
            Self::Scripted(store) => store.position(),
        }
    }

    /// From the next save on snapshots are so far.
    fn keep(&mut self, snapshot: &Progress) {
        match self {
            Self::Mongo(store) => store.keep(snapshot.document(), snapshot.is_under_way()),
            Self::Shared(_) => {}
            #[cfg(test)]
            Self::Scripted(store) => store.keep(snapshot.clone()),
        }
    }

    async fn save(
        &mut self,
        position: &Position,
        sent_until: Option<Timestamp>,
    ) -> Result<(), Error> {
        match self {
            Self::Mongo(store) => {
                if let Some(cluster_time) = sent_until {
                    store.sent(cluster_time);
                }
                store.save(position).await
            }
            Self::Shared(reached) => {
                *reached.lock().unwrap_or_else(PoisonError::into_inner) = position.clone();
                Ok(())
            }
            #[cfg(test)]
            Self::Scripted(store) => store.save(position).await,
        }
    }
}

impl fmt::Debug for Checkpointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkpointer")
            .field("saver", &self.saver)
            .finish_non_exhaustive()
    }
}
