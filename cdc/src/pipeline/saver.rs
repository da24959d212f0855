//! Saves the checkpoint beside the publishing, never in its way.

use std::{fmt, pin::Pin, time::Duration};

use bson::Timestamp;
use tokio::time::Instant;
use tracing::warn;

use crate::{
    checkpoint::{Error, Store},
    health::{Cause, Health},
    metrics::Metrics,
    position::Position,
    retry::{Backoff, Disposition, chain},
    sabotage::{self, Point},
};

/// Time between a position's confirm and its save. The client library resolves the confirms of one frame in any
/// order and attaches a returned message to any of them; after this time all of them have been looked at.
pub(super) const SETTLE: Duration = Duration::from_millis(10);
/// A save that takes this much longer than the interval is late.
const LATE: Duration = Duration::from_secs(2);
/// Longest time between checkpoints while nothing passes the filter, by our clock and by the cluster's.
const IDLE_INTERVAL: Duration = Duration::from_secs(10);

/// Keeps the latest position and saves it when it is due.
pub(super) struct Saver {
    interval: Duration,
    /// The newest position, and when its turn comes.
    latest: Option<Pending>,
    /// The position whose turn has come, and when it has settled.
    settling: Option<Pending>,
    state: State,
    last_start: Option<Instant>,
    /// Cluster time of the position whose save began last.
    last_time: Option<Timestamp>,
    /// Cluster time of the newest message that is on its way.
    sent_until: Option<Timestamp>,
    /// Positions noted since the last save began that succeeded.
    unsaved: usize,
    /// How long the first of them has been waiting.
    unsaved_since: Option<Instant>,
    /// Their number, as it was when the save under way began.
    unsaved_at_start: usize,
    hurry: bool,
    backoff: Backoff,
    metrics: Metrics,
    health: Health,
}

struct Pending {
    position: Position,
    at: Instant,
}

enum State {
    Ready(Store),
    Saving(Pin<Box<dyn Future<Output = Saved> + Send>>),
    /// Nothing is saved any more.
    Frozen,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A position's turn has come, or a save has ended.
    Done,
    /// A position has settled. The caller looks at every verdict that is there, then calls [`Saver::start`].
    Settled,
}

struct Saved {
    store: Store,
    position: Position,
    outcome: Result<(), Error>,
}

impl Saver {
    pub(super) fn new(store: Store, interval: Duration, metrics: Metrics, health: Health) -> Self {
        Self {
            interval,
            latest: None,
            settling: None,
            sent_until: store.sent_until(),
            state: State::Ready(store),
            last_start: None,
            last_time: None,
            unsaved: 0,
            unsaved_since: None,
            unsaved_at_start: 0,
            hurry: false,
            backoff: Backoff::default(),
            metrics,
            health,
        }
    }

    /// A message of this cluster time is on its way.
    pub(super) fn sent(&mut self, cluster_time: Timestamp) {
        self.sent_until = Some(cluster_time);
    }

    /// Everything up to `position` is confirmed, `count` more than before.
    pub(super) fn confirmed(&mut self, position: Position, count: usize) {
        self.unsaved += count;
        self.unsaved_since.get_or_insert_with(Instant::now);
        self.note(position, self.interval);
    }

    /// Nothing was to publish up to `position`.
    pub(super) fn idle(&mut self, position: Position) {
        let is_far = self
            .last_time
            .is_some_and(|last| u64::from(position.seconds_since(last)) >= IDLE_INTERVAL.as_secs());
        self.note(
            position,
            if is_far {
                self.interval
            } else {
                IDLE_INTERVAL.max(self.interval)
            },
        );
    }

    /// From now on every save is due at once.
    pub(super) fn hurry(&mut self) {
        self.hurry = true;
        if let Some(pending) = &mut self.latest {
            pending.at = Instant::now();
        }
    }

    /// Saves nothing more: a position that was noted proved wrong.
    pub(super) fn freeze(&mut self) {
        (self.latest, self.settling) = (None, None);
        self.state = State::Frozen;
    }

    /// Whether everything noted is saved.
    pub(super) fn is_clean(&self) -> bool {
        self.latest.is_none() && self.settling.is_none() && !matches!(self.state, State::Saving(_))
    }

    /// Whether so much is unsaved, because saves fail or hang, that nothing more should be published: it would all be
    /// replayed after a crash.
    pub(super) fn is_behind(&self, limit: usize) -> bool {
        let is_late = |since: Instant| since.elapsed() > self.interval + LATE;
        self.unsaved >= limit && self.unsaved_since.is_some_and(is_late)
    }

    /// Waits until a save is due, or for the one under way. Returns after each step of it.
    ///
    /// # Errors
    /// A failure that only a person can mend. Others are said, and tried again soon.
    ///
    /// # Cancel safety
    /// Cancel safe: everything that is under way stays in `self`.
    pub(super) async fn step(&mut self) -> Result<Step, Error> {
        match &mut self.state {
            State::Saving(save) => {
                let saved = save.as_mut().await;
                self.finish(saved)?;
            }
            State::Ready(_) => match (&self.settling, &self.latest) {
                (Some(settling), _) => {
                    tokio::time::sleep_until(settling.at).await;
                    return Ok(Step::Settled);
                }
                (None, Some(pending)) => {
                    tokio::time::sleep_until(pending.at).await;
                    let position = self.latest.take().map(|pending| pending.position);
                    let at = Instant::now() + SETTLE;
                    self.settling = position.map(|position| Pending { position, at });
                }
                (None, None) => std::future::pending().await,
            },
            State::Frozen => std::future::pending().await,
        }
        Ok(Step::Done)
    }

    /// Saves what is noted, now, whose verdicts have been looked at.
    pub(super) async fn flush(&mut self) -> Result<(), Error> {
        self.hurry();
        while !self.is_clean() && !matches!(self.state, State::Frozen) {
            if self.step().await? == Step::Settled {
                self.start();
            }
        }
        Ok(())
    }

    fn note(&mut self, position: Position, interval: Duration) {
        if matches!(self.state, State::Frozen) {
            return;
        }
        let now = Instant::now();
        let regular = self
            .last_start
            .map_or(now, |start| now.max(start + interval));
        let at = if self.hurry { now } else { regular };
        let at = self
            .latest
            .as_ref()
            .map_or(at, |pending| pending.at.min(at));
        self.latest = Some(Pending { position, at });
    }

    /// Begins to save the position that has settled, unless everything is frozen since.
    pub(super) fn start(&mut self) {
        let State::Ready(mut store) = std::mem::replace(&mut self.state, State::Frozen) else {
            return;
        };
        let position = self
            .settling
            .take()
            .expect("a save starts from a settled position")
            .position;
        if let Some(cluster_time) = self.sent_until {
            store.sent(cluster_time);
        }
        self.last_start = Some(Instant::now());
        self.last_time = position.cluster_time();
        self.unsaved_at_start = self.unsaved;
        self.state = State::Saving(Box::pin(async move {
            let outcome = store.save(&position).await;
            sabotage::pass(Point::DuringSave);
            Saved {
                store,
                position,
                outcome,
            }
        }));
    }

    fn finish(
        &mut self,
        Saved {
            store,
            position,
            outcome,
        }: Saved,
    ) -> Result<(), Error> {
        self.state = State::Ready(store);
        match outcome {
            Ok(()) => {
                self.backoff.reset();
                self.unsaved -= self.unsaved_at_start;
                self.unsaved_since = self.last_start.filter(|_| self.unsaved > 0);
                self.metrics.checkpoint_saved();
                self.health.clear(Cause::Checkpoint);
                Ok(())
            }
            Err(error) if error.disposition() == Disposition::Retry => {
                self.metrics.checkpoint_save_failures.inc();
                self.health.hinder(Cause::Checkpoint, chain(&error));
                warn!(error = chain(&error), "checkpoint not saved, trying again");
                let position = self.latest.take().map_or(position, |newer| newer.position);
                self.latest = Some(Pending {
                    position,
                    at: Instant::now() + self.backoff.next_delay(),
                });
                Ok(())
            }
            Err(error) => {
                // Nothing can be saved until a person has mended it.
                self.metrics.checkpoint_save_failures.inc();
                self.freeze();
                Err(error)
            }
        }
    }
}

impl fmt::Debug for Saver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Saver")
            .field("clean", &self.is_clean())
            .finish_non_exhaustive()
    }
}
