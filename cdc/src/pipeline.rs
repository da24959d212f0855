//! The loop: source, encode, publish, checkpoint. The only module that names every stage.
//!
//! Events are encoded and published in order, as many in flight as the window holds. The checkpoint follows the last
//! event of the contiguous confirmed prefix. When the broker's connection is lost, everything from the first
//! unconfirmed event on is published again on the next one.
//!
//! One run is one session: it ends for good when it is drained or failed, and otherwise says why the next session has
//! to begin from the checkpoint ([`Outcome`]).

mod error;
mod intake;
mod link;
mod policy;
mod progress;
mod returns;
mod saver;

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use self::{
    error::Error,
    policy::{OnOversize, OnPoison, OnUnroutable, Policies},
};
use self::{
    intake::{Intake, Taken},
    link::Link,
    progress::Progress,
    saver::{Saver, Step},
};
use crate::{
    checkpoint, encode,
    health::{Cause, Health, Role},
    message::Message,
    metrics::Metrics,
    position::Position,
    publish::{self, Bounds, Judgement, Publisher, Verdict, Window},
    retry::{Backoff, chain},
    sabotage::{self, Defect, Point},
    source::Source,
};

/// Time between looks at deadlines.
const TICK: Duration = Duration::from_secs(1);
/// Longest wait for the last save when a session does not end by a drain.
const LAST_SAVE_TIMEOUT: Duration = Duration::from_secs(5);

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
    /// Largest body that the broker takes, once it is known.
    pub max_message_bytes: Option<usize>,
}

/// How a session ends when nothing failed for good.
#[derive(Debug)]
pub enum Outcome {
    /// Everything that was read is confirmed and saved.
    Drained,
    /// Another engine of the pipeline has the lock, or wrote the checkpoint.
    Superseded(Error),
    /// What is in the window has to be read and encoded anew, from the checkpoint on.
    Reread {
        /// Largest body that the broker takes, if that is why.
        max_message_bytes: Option<usize>,
    },
}

/// How a session ends.
type End = Result<Outcome, Error>;

/// A message in the window.
#[derive(Debug)]
struct Entry {
    message: Arc<Message>,
    /// The position once this message is confirmed.
    position: Position,
}

/// The running engine.
#[derive(Debug)]
pub struct Pipeline {
    config: Config,
    exchange: String,
    intake: Intake,
    window: Window<Entry>,
    link: Link,
    saver: Saver,
    progress: Progress,
    drain: Option<Drain>,
    /// Why messages are published again, one at a time, until one is routed.
    unroutable: Option<String>,
    nack_backoff: Backoff,
    /// Nothing is sent before this moment.
    hold_until: Option<Instant>,
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
    /// The open channel.
    pub publisher: Publisher,
    /// How to open it again.
    pub publish: publish::Config,
    /// The claimed checkpoint.
    pub store: checkpoint::Store,
    /// What the engine counts.
    pub metrics: Metrics,
    /// What is in its way.
    pub health: Health,
}

impl Pipeline {
    /// Puts the stages together.
    pub fn new(config: Config, stages: Stages) -> Self {
        let mut ticker = tokio::time::interval(TICK);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (metrics, health) = (stages.metrics, stages.health);
        Self {
            exchange: stages.publish.exchange.clone(),
            intake: Intake::new(
                stages.source,
                stages.encode,
                config.policies,
                config.max_message_bytes,
                stages.store.sent_until(),
                metrics.clone(),
            ),
            window: Window::new(Bounds {
                events: config.window_events,
                bytes: config.window_bytes,
            }),
            link: Link::new(
                stages.publisher,
                stages.publish,
                metrics.clone(),
                health.clone(),
            ),
            saver: Saver::new(
                stages.store,
                config.checkpoint_interval,
                metrics.clone(),
                health.clone(),
            ),
            progress: Progress::new(metrics.clone()),
            drain: None,
            unroutable: None,
            nack_backoff: Backoff::default(),
            hold_until: None,
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
            self.settle().await;
            let _ = tokio::time::timeout(LAST_SAVE_TIMEOUT, self.saver.flush()).await;
        }
        self.progress.report(self.window.len());
        self.link.close().await;
        end
    }

    /// Before the last save: looks at the verdicts that are still coming, for returns among them.
    async fn settle(&mut self) {
        let until = Instant::now() + saver::SETTLE;
        let mut judgements = Vec::new();
        while let Ok(link::Event::Judged) =
            tokio::time::timeout_at(until, self.link.event(&mut judgements)).await
        {
            let _ = self.on_judgements(&mut judgements);
        }
        self.link.sweep(&mut judgements);
        let _ = self.on_judgements(&mut judgements);
    }

    async fn turn_until_end(&mut self, shutdown: &CancellationToken) -> End {
        let mut judgements = Vec::new();
        loop {
            let has_room = self.has_room();
            tokio::select! {
                biased;
                () = shutdown.cancelled(), if self.drain.is_none() => self.begin_drain(None),
                event = self.link.event(&mut judgements) => {
                    if let ControlFlow::Break(end) = self.on_link(event, &mut judgements) {
                        return end;
                    }
                }
                step = self.saver.step() => {
                    if let ControlFlow::Break(end) = self.on_step(step, &mut judgements) {
                        return end;
                    }
                }
                () = sleep_until(self.hold_until), if self.hold_until.is_some() => self.hold_until = None,
                () = sleep_until(self.drain.as_ref().map(|drain| drain.deadline)), if self.drain.is_some() => {
                    return Err(self.give_up());
                }
                _ = self.ticker.tick() => self.on_tick(),
                () = self.intake.receive(), if has_room => {}
            }
            self.advance();
            self.fill();
            self.send();
            if self.drain.is_some() && self.window.is_empty() && self.saver.is_clean() {
                let reason = self.drain.take().and_then(|drain| drain.reason);
                return reason.map_or(Ok(Outcome::Drained), Err);
            }
        }
    }

    /// Whether to receive more now.
    fn has_room(&self) -> bool {
        self.window.is_low()
            && self.intake.is_hungry()
            && !self.saver.is_behind(self.config.window_events)
    }

    fn begin_drain(&mut self, reason: Option<Error>) {
        if self.drain.is_some() {
            return;
        }
        info!(
            in_flight = self.window.len(),
            grace_ms = self.config.shutdown_grace.as_millis(),
            "draining"
        );
        self.health.set_role(Role::Draining);
        self.intake.close();
        self.saver.hurry();
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

    /// Encodes what was received, as far as the window has room. The first failure ends the reading; what came before
    /// it is still delivered.
    fn fill(&mut self) {
        while self.window.room() > 0 {
            match self.intake.next() {
                Some(Ok(Taken::Entry(entry))) => {
                    let bytes = entry.message.body.len();
                    self.window.push(entry, bytes);
                }
                Some(Ok(Taken::Idle(position))) => match self.window.last_mut() {
                    Some(entry) => entry.position = position,
                    None => self.saver.idle(position),
                },
                // Saved soon: the next start must not find the same hole.
                Some(Ok(Taken::Skipped(position))) => match self.window.last_mut() {
                    Some(entry) => entry.position = position,
                    None => self.saver.confirmed(position, 1),
                },
                Some(Err(error)) => self.begin_drain(Some(error)),
                None => return,
            }
        }
    }

    fn on_link(&mut self, event: link::Event, judgements: &mut Vec<Judgement>) -> ControlFlow<End> {
        let verdicts = self.on_judgements(judgements);
        match event {
            link::Event::Judged => {}
            link::Event::Connected => {
                let again = self.window.reconnect();
                info!(
                    messages = again,
                    "rabbitmq connected again, publishing from the first unconfirmed message"
                );
            }
            link::Event::Lost(error) => warn!(
                error = chain(&error),
                unconfirmed = self.window.len(),
                "rabbitmq lost"
            ),
            link::Event::Failed(error) => return ControlFlow::Break(self.on_link_failed(error)),
        }
        verdicts
    }

    fn on_link_failed(&self, error: publish::Error) -> End {
        match error {
            publish::Error::Locked => Ok(Outcome::Superseded(error.into())),
            publish::Error::Oversize { bytes, limit } => {
                let is_news = self
                    .config
                    .max_message_bytes
                    .is_none_or(|known| limit < known);
                if self.config.policies.on_oversize != OnOversize::Stop && is_news {
                    return Ok(Outcome::Reread {
                        max_message_bytes: Some(limit),
                    });
                }
                let refused = self.window.find(|entry| entry.message.body.len() == bytes);
                Err(match refused {
                    Some(entry) => Error::oversize(&entry.message, error),
                    None => error.into(),
                })
            }
            error => Err(error.into()),
        }
    }

    fn on_judgements(&mut self, judgements: &mut Vec<Judgement>) -> ControlFlow<End> {
        let mut flow = ControlFlow::Continue(());
        for Judgement {
            sequence,
            verdict,
            returned,
        } in judgements.drain(..)
        {
            self.window.judge(sequence, verdict);
            if verdict == Verdict::Nacked {
                self.metrics.messages_nacked.inc();
            } else if returned.is_none() {
                self.nack_backoff.reset();
            }
            // Every return is looked at, since each may be of a message that has left the window already.
            if let Some(returned) = returned {
                let next = self.on_returned(returned);
                flow = if flow.is_break() { flow } else { next };
            }
        }
        flow
    }

    /// A failure that only a person can mend ends the reading; what is in the window is still delivered.
    fn on_step(
        &mut self,
        step: Result<Step, checkpoint::Error>,
        judgements: &mut Vec<Judgement>,
    ) -> ControlFlow<End> {
        match step {
            Ok(Step::Done) => {}
            Ok(Step::Settled) => {
                // Any of them may carry the return of a message that counts as confirmed.
                self.link.sweep(judgements);
                let flow = self.on_judgements(judgements);
                self.saver.start();
                return flow;
            }
            Err(error @ checkpoint::Error::Taken { .. }) => {
                return ControlFlow::Break(Ok(Outcome::Superseded(error.into())));
            }
            Err(error) => {
                self.health.hinder(Cause::Checkpoint, chain(&error));
                self.begin_drain(Some(error.into()));
            }
        }
        ControlFlow::Continue(())
    }

    fn on_tick(&mut self) {
        if let Some(error) = self.link.overdue() {
            warn!(
                error = chain(&error),
                unconfirmed = self.window.len(),
                "rabbitmq lost"
            );
        }
        self.progress.tick(self.window.len(), self.window.bytes());
    }

    /// Takes the confirmed prefix out of the window.
    fn advance(&mut self) {
        let mut count = 0;
        let mut reached = None;
        while let Some(entry) = self.window.pop() {
            sabotage::pass(Point::AfterConfirm);
            count += 1;
            self.progress.confirmed(entry.message.wall_time_ms);
            reached = Some(entry.position);
        }
        let has_advanced = reached.is_some();
        if let Some(position) = reached {
            self.saver.confirmed(position, count);
        }
        let is_early = sabotage::has(Defect::EarlyCheckpoint);
        if let Some(entry) = self.window.find(|_| is_early) {
            self.saver.confirmed(entry.position.clone(), 0);
        }
        if has_advanced && self.window.is_flowing() {
            self.unroutable = None;
            self.health.clear(Cause::Nacked);
            self.health.clear(Cause::Unroutable);
        }
        if self.window.settle() {
            self.hold();
        }
    }

    /// After a refusal, once every verdict is there: waits before the first refused message is published again.
    fn hold(&mut self) {
        let delay = self.nack_backoff.next_delay();
        if let Some(reason) = &self.unroutable {
            self.health.hinder(Cause::Unroutable, reason);
            self.link.prepare_again();
        } else {
            let reason = "rabbitmq refused a message, publishing from it on, one at a time";
            warn!(retry_ms = delay.as_millis(), "{reason}");
            self.health.hinder(Cause::Nacked, reason);
        }
        self.hold_until = Some(Instant::now() + delay);
    }

    /// Sends whatever may be sent now.
    fn send(&mut self) {
        if self.hold_until.is_some() {
            return;
        }
        let Self {
            window,
            link,
            saver,
            progress,
            ..
        } = self;
        let Some(publisher) = link.publisher() else {
            return;
        };
        let mut sent = 0;
        publisher.send(std::iter::from_fn(|| {
            let next = window.send_next()?;
            let message = &next.item.message;
            progress.published(message.body.len(), next.again);
            saver.sent(message.cluster_time);
            sent += 1;
            Some((next.sequence, Arc::clone(message)))
        }));
        (0..sent).for_each(|_| sabotage::pass(Point::AfterPublish));
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
