//! The loop: source, encode, publish, checkpoint. The only module that names every stage.
//!
//! Events are encoded and published in order, as many in flight as the window holds. The checkpoint follows the last
//! event of the contiguous confirmed prefix. When the broker's connection is lost, everything from the first
//! unconfirmed event on is published again on the next one.

mod error;
mod link;
mod progress;
mod saver;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use self::error::Error;
use self::{link::Link, progress::Progress, saver::Saver};
use crate::{
    checkpoint, encode,
    event::ChangeEvent,
    message::Message,
    position::Position,
    publish::{self, Bounds, Judgement, Publisher, Returned, Verdict, Window},
    retry::{Backoff, chain},
    source::{self, Item, Prefetched, Source},
};

/// Most items taken from the source in one turn of the loop.
const TURN_EVENTS: usize = 128;
/// Time between looks at deadlines.
const TICK: Duration = Duration::from_secs(1);
/// Longest wait for the last save when the pipeline stops by a failure.
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
}

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
    encode: encode::Config,
    exchange: String,
    source: Option<Source>,
    /// Received, and not yet in the window.
    pending: VecDeque<Result<Prefetched, source::Error>>,
    window: Window<Entry>,
    link: Link,
    saver: Saver,
    progress: Progress,
    drain: Option<Drain>,
    nack_backoff: Backoff,
    /// Nothing is sent before this moment.
    hold_until: Option<Instant>,
    ticker: Interval,
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
    /// The loaded checkpoint.
    pub store: checkpoint::Store,
}

impl Pipeline {
    /// Puts the stages together.
    pub fn new(config: Config, stages: Stages) -> Self {
        let mut ticker = tokio::time::interval(TICK);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Self {
            encode: stages.encode,
            exchange: stages.publish.exchange.clone(),
            source: Some(stages.source),
            pending: VecDeque::new(),
            window: Window::new(Bounds {
                events: config.window_events,
                bytes: config.window_bytes,
            }),
            link: Link::new(stages.publisher, stages.publish),
            saver: Saver::new(stages.store, config.checkpoint_interval),
            progress: Progress::default(),
            drain: None,
            nack_backoff: Backoff::default(),
            hold_until: None,
            ticker,
            config,
        }
    }

    /// Runs until `shutdown`, then drains; or until a failure that only a person can mend.
    ///
    /// # Errors
    /// Whatever was confirmed is saved as far as possible, and the next start replays the rest.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), Error> {
        let outcome = self.turn_until_drained(&shutdown).await;
        if outcome.is_err() {
            self.settle().await;
            let _ = tokio::time::timeout(LAST_SAVE_TIMEOUT, self.saver.flush()).await;
        }
        self.progress.report(self.window.len());
        self.link.close().await;
        outcome
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
        let _ = self.on_judgements(&mut judgements);
    }

    async fn turn_until_drained(&mut self, shutdown: &CancellationToken) -> Result<(), Error> {
        let mut received = Vec::with_capacity(TURN_EVENTS);
        let mut judgements = Vec::new();
        loop {
            // What was received before has to fit in first: the window may run out of bytes before entries.
            let room = if self.pending.is_empty() {
                self.window.refill().min(TURN_EVENTS)
            } else {
                0
            };
            tokio::select! {
                biased;
                () = shutdown.cancelled(), if self.drain.is_none() => self.begin_drain(None),
                event = self.link.event(&mut judgements) => self.on_link(event, &mut judgements)?,
                saved = self.saver.step() => saved?,
                () = sleep_until(self.hold_until), if self.hold_until.is_some() => self.hold_until = None,
                () = sleep_until(self.drain.as_ref().map(|drain| drain.deadline)), if self.drain.is_some() => {
                    return Err(self.give_up());
                }
                _ = self.ticker.tick() => self.on_tick(),
                count = receive(&mut self.source, &mut received, room), if room > 0 => {
                    if count == 0 {
                        // The source always says why it ends, unless its task is gone.
                        self.pending.push_back(Err(source::Error::Ended));
                    }
                    self.pending.extend(received.drain(..));
                }
            }
            self.advance();
            self.fill();
            self.send();
            if self.drain.is_some() && self.window.is_empty() && self.saver.is_clean() {
                return self
                    .drain
                    .take()
                    .and_then(|drain| drain.reason)
                    .map_or(Ok(()), Err);
            }
        }
    }

    fn begin_drain(&mut self, reason: Option<Error>) {
        info!(
            in_flight = self.window.len(),
            grace_ms = self.config.shutdown_grace.as_millis(),
            "draining"
        );
        // What was read and is not in the window is read again by the next start.
        self.source = None;
        self.pending.clear();
        self.saver.hurry();
        self.drain = Some(Drain {
            deadline: Instant::now() + self.config.shutdown_grace,
            reason,
        });
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
            let Some(received) = self.pending.pop_front() else {
                return;
            };
            let outcome = received
                .map_err(Error::from)
                .and_then(|prefetched| self.take(prefetched.item));
            if let Err(error) = outcome {
                self.begin_drain(Some(error));
            }
        }
    }

    fn take(&mut self, item: Item) -> Result<(), Error> {
        match item {
            Item::Event(event) => {
                let position = event.position();
                let message =
                    encode::encode(&event, &self.encode).map_err(|source| Error::Encode {
                        namespace: event.namespace().to_string(),
                        document_key: key_text(&event),
                        position: position.to_string(),
                        source,
                    })?;
                self.progress.read += 1;
                let bytes = message.body.len();
                self.window.push(
                    Entry {
                        message: Arc::new(message),
                        position,
                    },
                    bytes,
                );
            }
            Item::Idle(position) => match self.window.last_mut() {
                Some(entry) => entry.position = position,
                None => self.saver.idle(position),
            },
        }
        Ok(())
    }

    fn on_link(
        &mut self,
        event: link::Event,
        judgements: &mut Vec<Judgement>,
    ) -> Result<(), Error> {
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
            link::Event::Failed(error) => return Err(error.into()),
        }
        verdicts
    }

    fn on_judgements(&mut self, judgements: &mut Vec<Judgement>) -> Result<(), Error> {
        let mut outcome = Ok(());
        for Judgement {
            sequence,
            verdict,
            returned,
        } in judgements.drain(..)
        {
            self.window.judge(sequence, verdict);
            if verdict == Verdict::Nacked {
                self.progress.nacked += 1;
            } else {
                self.nack_backoff.reset();
            }
            // Every return is looked at, since each may be of a message that has left the window already.
            if let Some(returned) = returned {
                let error = self.unroutable(returned);
                outcome = outcome.and(Err(error));
            }
        }
        outcome
    }

    /// The message is named by its own id, since its return may ride on another message's confirm.
    fn unroutable(&mut self, returned: Returned) -> Error {
        let mut target = format!("exchange {:?}", self.exchange);
        let found = self.window.mark_returned(|entry| {
            let message = &entry.message;
            let same = message.message_id.to_string() == returned.message_id;
            if same {
                target = format!(
                    "{target}, routing key {:?}, change of `{}`",
                    message.routing_key, message.namespace
                );
            }
            same
        });
        if !found {
            // It counted as confirmed for a moment: nothing that is not yet saved may be saved any more.
            self.saver.freeze();
        }
        Error::Unroutable {
            message_id: returned.message_id,
            reason: returned.reason,
            target,
        }
    }

    fn on_tick(&mut self) {
        if let Some(error) = self.link.overdue() {
            warn!(
                error = chain(&error),
                unconfirmed = self.window.len(),
                "rabbitmq lost"
            );
        }
        self.progress.tick(self.window.len());
    }

    /// Takes the confirmed prefix out of the window.
    fn advance(&mut self) {
        while let Some(entry) = self.window.pop() {
            self.progress.confirmed(entry.message.wall_time_ms);
            self.saver.confirmed(entry.position);
        }
        if self.window.settle() {
            let delay = self.nack_backoff.next_delay();
            warn!(
                retry_ms = delay.as_millis(),
                "rabbitmq refused a message, publishing from it on, one at a time"
            );
            self.hold_until = Some(Instant::now() + delay);
        }
    }

    /// Sends whatever may be sent now.
    fn send(&mut self) {
        if self.hold_until.is_some() {
            return;
        }
        let Some(publisher) = self.link.publisher() else {
            return;
        };
        while let Some(next) = self.window.send_next() {
            self.progress.published(next.again);
            publisher.send(next.sequence, Arc::clone(&next.item.message));
        }
    }
}

/// Collection and `_id` of the document, as far as they can be written; never a field of the document besides.
fn key_text(event: &ChangeEvent) -> String {
    let mut text = Vec::new();
    let collection = event.namespace().collection.unwrap_or_default();
    match encode::document::write(
        None,
        event.document_key(),
        collection,
        encode::JsonMode::Relaxed,
        &mut text,
    ) {
        Ok(()) => String::from_utf8_lossy(&text).into_owned(),
        Err(_) => "(unreadable _id)".to_owned(),
    }
}

async fn receive(
    source: &mut Option<Source>,
    items: &mut Vec<Result<Prefetched, source::Error>>,
    limit: usize,
) -> usize {
    match source {
        Some(source) => source.receive(items, limit).await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
