//! The loop: source, encode, publish, checkpoint. The only module that names every stage.
//!
//! Events are encoded and published in order, as many in flight as the window holds. The checkpoint follows the last
//! event of the contiguous confirmed prefix. When the broker's connection is lost, everything from the first
//! unconfirmed event on is published again on the next one.
//!
//! One run is one session: it ends for good when it is drained or failed, and otherwise says why the next session has
//! to begin from the checkpoint ([`Outcome`]).

mod checkpointer;
mod dropped;
mod error;
mod filter;
mod flow;
mod intake;
mod policy;
mod progress;
mod receipts;
mod refusal;
mod returns;
mod saver;
mod snapshots;
mod stored;
mod window;

#[cfg(test)]
mod scripted;
#[cfg(test)]
mod tests;

use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex},
    time::Duration,
};

use bson::Timestamp;
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use self::{
    checkpointer::{Checkpointer, Store},
    dropped::Dropped,
    intake::Intake,
    progress::Progress,
    refusal::Refusal,
    snapshots::Snapshots,
    stored::Stored,
};
pub use self::{
    error::Error,
    filter::Filter,
    policy::{OnOversize, OnPoison, OnUnroutable, Policies},
    snapshots::Parts as SnapshotParts,
    window::{Bounds, Window},
};
use crate::{
    checkpoint, encode,
    health::{Health, Role},
    message::Message,
    metrics::Metrics,
    position::Position,
    projection::Projection,
    retry::{chain, millis},
    sabotage::{self, Point},
    sink::{Places, Sink},
    source::Source,
};

/// Time between looks at deadlines.
const TICK: Duration = Duration::from_secs(1);
/// Longest wait for the last save when a session does not end by a drain.
const LAST_SAVE_TIMEOUT: Duration = Duration::from_secs(3);

/// Bounds and intervals of the loop.
#[derive(Debug, Clone)]
pub struct Config {
    /// Most messages in flight.
    pub window_events: usize,
    /// Most bytes of bodies in flight.
    pub window_bytes: usize,
    /// Longest time between checkpoints while busy.
    pub checkpoint_interval: Duration,
    /// Longest drain.
    pub shutdown_grace: Duration,
    /// What to do with what cannot be delivered.
    pub policies: Policies,
    /// Which fields of documents leave the process; all of them where there is none.
    pub projection: Option<Projection>,
    /// Which changes the program wants; all of them where there is none.
    pub filter: Option<Filter>,
}

/// How a session ends when nothing failed for good.
#[derive(Debug)]
pub enum Outcome {
    /// Everything that was read is confirmed and saved.
    Drained,
    /// Another engine of the pipeline has the lock, or wrote the checkpoint.
    Superseded(Error),
    /// Everything from the checkpoint on has to be read and encoded anew.
    Reread(Why),
}

/// Why all has to be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The target may have forgotten what it confirmed.
    Forgotten,
    /// The target takes no larger body than this.
    TooLarge(usize),
    /// What the target has last did not come again, so that nobody knows how much of its cluster time is there.
    Missed,
}

/// A position that outlives the session.
pub type Reached = Arc<Mutex<Position>>;

/// How a session ends.
type End = Result<Outcome, Error>;

/// A message in the window.
#[derive(Debug)]
struct Entry {
    message: Arc<Message>,
    /// The position once this message is confirmed; absent where later messages tell of the same change.
    position: Option<Position>,
    /// When it was handed over last.
    sent: Option<Instant>,
}

/// The running engine.
#[derive(Debug)]
pub struct Pipeline {
    config: Config,
    intake: Intake,
    window: Window<Entry>,
    sink: Sink,
    checkpoint: Checkpointer,
    refusal: Refusal,
    snapshots: Option<Snapshots>,
    progress: Progress,
    max_message_bytes: Option<usize>,
    drain: Option<Drain>,
    /// What the target has last did not come again.
    has_missed: bool,
    dropped: Dropped,
    ticker: Interval,
    metrics: Metrics,
    health: Health,
}

/// The loop is ending.
#[derive(Debug)]
struct Drain {
    deadline: Instant,
    reason: Option<Error>,
}

/// The stages of a pipeline, open and ready.
#[derive(Debug)]
pub struct Stages {
    /// The open change stream.
    pub source: Source,
    /// How events become messages.
    pub encode: encode::Config,
    /// Where messages go.
    pub sink: Sink,
    /// The last message that the sink has of each partition, where that is known.
    pub places: Places,
    /// For snapshots, where there may be some.
    pub snapshots: Option<SnapshotParts>,
    /// Largest body that the sink takes, where an earlier session has learnt it.
    pub max_message_bytes: Option<usize>,
    /// What the engine counts.
    pub metrics: Metrics,
    /// What is in its way.
    pub health: Health,
}

impl Pipeline {
    /// Puts the stages and the claimed checkpoint together.
    pub fn new(config: Config, stages: Stages, store: checkpoint::Store) -> Self {
        Self::assemble(config, stages, Store::Mongo(Box::new(store)))
    }

    /// The same without a checkpoint: reads up to `until`, delivers what was before, and ends. What stays in `reached` is
    /// the position up to which everything is confirmed, from which another session can go on. Messages say that they
    /// are replayed.
    pub fn replay(config: Config, stages: Stages, reached: Reached, until: Timestamp) -> Self {
        let mut pipeline = Self::assemble(config, stages, Store::Shared(reached));
        pipeline.intake.end_before(until);
        pipeline
    }

    fn assemble(config: Config, stages: Stages, store: Store) -> Self {
        let mut ticker = tokio::time::interval(TICK);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (metrics, health) = (stages.metrics, stages.health);
        let stored = Stored::new(stages.places, &store.position());
        let progress = stages
            .snapshots
            .as_ref()
            .map(|parts| parts.progress.clone());
        let snapshots = stages
            .snapshots
            .map(|parts| Snapshots::new(parts, metrics.clone()));
        Self {
            snapshots,
            intake: Intake::new(
                stages.source,
                stages.encode,
                (
                    config.policies,
                    config.projection.clone(),
                    config.filter.clone(),
                ),
                stages.max_message_bytes,
                (store.sent_until(), stored),
                metrics.clone(),
            ),
            window: Window::new(Bounds {
                events: config.window_events,
                bytes: config.window_bytes,
            })
            .keep_confirmed(stages.sink.is_exact()),
            sink: stages.sink,
            checkpoint: Checkpointer::new(
                store,
                progress,
                config.checkpoint_interval,
                (metrics.clone(), health.clone()),
            ),
            progress: Progress::new(metrics.clone(), health.clone()),
            max_message_bytes: stages.max_message_bytes,
            drain: None,
            has_missed: false,
            dropped: Dropped::default(),
            refusal: Refusal::default(),
            ticker,
            config,
            metrics,
            health,
        }
    }

    /// Runs until `shutdown`, then drains; until a failure that only a person can mend; or until another session has
    /// to begin.
    ///
    /// # Errors
    /// Whatever was confirmed is saved as far as possible, and the next start replays the rest.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<Outcome, Error> {
        let end = self.turn_until_end(&shutdown).await;
        if !matches!(end, Ok(Outcome::Drained)) {
            // Before the last save: any receipt may carry the return of a message that counts as confirmed.
            let mut receipts = Vec::new();
            self.sink.sweep(&mut receipts);
            let _ = self.on_receipts(&mut receipts);
            if self.sink.may_forget() {
                self.checkpoint.saver.freeze();
            }
            let _ = tokio::time::timeout(LAST_SAVE_TIMEOUT, self.checkpoint.flush()).await;
        }
        self.progress.report(self.window.len());
        self.dropped.report();
        self.sink.close().await;
        end
    }

    async fn turn_until_end(&mut self, shutdown: &CancellationToken) -> End {
        let mut receipts = Vec::new();
        loop {
            let has_room = self.has_room();
            tokio::select! {
                biased;
                () = shutdown.cancelled(), if self.drain.is_none() => self.begin_drain(None),
                event = self.sink.next(&mut receipts) => {
                    if let ControlFlow::Break(end) = self.on_sink(event, &mut receipts) {
                        return end;
                    }
                }
                step = self.checkpoint.step(), if self.may_save() => {
                    if let ControlFlow::Break(end) = self.on_step(step, &mut receipts) {
                        return end;
                    }
                }
                () = sleep_until(self.refusal.paused_until()) => self.refusal.resume(),
                () = sleep_until(self.drain.as_ref().map(|drain| drain.deadline)) => {
                    return Err(self.give_up());
                }
                _ = self.ticker.tick() => self.on_tick(),
                () = wait_for(&mut self.snapshots) => {}
                () = self.intake.receive(), if has_room => {}
            }
            self.advance();
            self.fill();
            self.read_snapshots();
            self.send();
            if self.has_missed {
                return Ok(self.read_again(Why::Missed));
            }
            if self.drain.is_some() && self.window.is_empty() && self.checkpoint.saver.is_clean() {
                let reason = self.drain.take().and_then(|drain| drain.reason);
                return reason.map_or(Ok(Outcome::Drained), Err);
            }
        }
    }

    /// Whether to receive more now.
    fn has_room(&self) -> bool {
        let (saver, limit) = (&self.checkpoint.saver, self.config.window_events);
        let is_behind = self.may_save() && saver.is_behind(limit, Instant::now());
        self.window.is_low() && self.intake.is_hungry() && !is_behind
    }

    /// The checkpoint does not pass what a crash of the broker may still take away. A drain cannot wait for that.
    fn may_save(&self) -> bool {
        self.drain.is_some() || !self.sink.may_forget()
    }

    fn begin_drain(&mut self, reason: Option<Error>) {
        if self.drain.is_some() {
            return;
        }
        info!(
            in_flight = self.window.len(),
            grace_ms = millis(self.config.shutdown_grace),
            "draining"
        );
        self.health.set_role(Role::Draining);
        self.intake.close();
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.close();
        }
        self.checkpoint.saver.hurry(Instant::now());
        self.drain = Some(Drain {
            deadline: Instant::now() + self.config.shutdown_grace,
            reason,
        });
        if !self.window.is_empty() {
            sabotage::pass(Point::DuringDrain);
        }
    }

    fn give_up(&mut self) -> Error {
        let reason = self.drain.take().and_then(|drain| drain.reason);
        let unconfirmed = self.window.len();
        reason.unwrap_or(Error::NotDrained {
            unconfirmed,
            grace: self.config.shutdown_grace,
        })
    }

    fn on_tick(&mut self) {
        if let Some(error) = self.sink.tick() {
            warn!(
                error = chain(&error),
                unconfirmed = self.window.len(),
                "{} lost",
                self.sink.target()
            );
        }
        self.dropped.tick();
        let behind_seconds = self.intake.behind_seconds();
        let in_flight = (self.window.len(), self.window.bytes());
        let first = self.window.find(|_| true);
        let waits_since_ms = first.map(|entry| entry.message.told_ms());
        self.progress
            .tick(in_flight, waits_since_ms, behind_seconds);
    }
}

/// Waits for what a snapshot waits for, where there may be one.
async fn wait_for(snapshots: &mut Option<Snapshots>) {
    match snapshots {
        Some(snapshots) => snapshots.wait().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
