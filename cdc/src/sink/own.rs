//! A sink that the program brings which runs the engine.
//!
//! The program writes a batch at a time and says when the whole of it is taken; everything else that a sink owes the
//! loop is done here: one write after the other, in order, and after an error everything that was not taken again.

mod erased;
#[cfg(test)]
pub(crate) mod scripted;
mod view;

use std::{fmt, mem, pin::Pin, sync::Arc, time::Duration};

use tokio::time::Instant;
use tracing::warn;

use self::erased::Held;
pub use self::{
    erased::{Sink, Target},
    view::Message,
};
use super::{Ending, Error, Event, Receipt, Verdict};
use crate::{
    health::{Cause, Health},
    message,
    retry::{Backoff, Disposition, Repeats, chain},
};

/// Where the program's sink stands.
pub struct Own {
    /// Longest wait for an answer of the program's.
    limit: Duration,
    state: State,
    /// Sent, and not yet given to the program.
    pending: Vec<(u64, Message)>,
    backoff: Backoff,
    health: Health,
}

enum State {
    Ready(Held),
    Writing(Write),
    Connecting(Attempts),
    /// Nothing more comes.
    Ended,
}

type Write = Pin<Box<dyn Future<Output = (Held, Vec<u64>, Result<(), Error>)> + Send>>;
type Attempts = Pin<Box<dyn Future<Output = (Held, Backoff, Result<(), Error>)> + Send>>;

impl Own {
    /// Connects the program's sink, once nothing else uses it.
    ///
    /// # Errors
    /// What the program says, or that it has not answered within `limit`.
    pub async fn open(target: &Target, limit: Duration, health: Health) -> Result<Self, Error> {
        let mut held = target.hold().await;
        within(limit, held.connect()).await?;
        health.clear(Cause::Sink);
        Ok(Self {
            limit,
            state: State::Ready(held),
            pending: Vec::new(),
            backoff: Backoff::default(),
            health,
        })
    }

    pub(super) fn can_send(&self) -> bool {
        matches!(self.state, State::Ready(_) | State::Writing(_))
    }

    pub(super) fn send(&mut self, messages: impl Iterator<Item = (u64, Arc<message::Message>)>) {
        let messages = messages.map(|(sequence, message)| (sequence, Message::new(message)));
        self.pending.extend(messages);
    }

    pub(super) async fn next(&mut self, receipts: &mut Vec<Receipt>) -> Event {
        self.begin();
        match &mut self.state {
            State::Writing(write) => {
                let (held, sequences, outcome) = write.as_mut().await;
                self.written(held, &sequences, outcome, receipts)
            }
            State::Connecting(attempts) => {
                let (held, backoff, outcome) = attempts.as_mut().await;
                self.backoff = backoff;
                self.connected(held, outcome)
            }
            // With nothing to write, whoever waits looks again after the next `send`.
            State::Ready(_) | State::Ended => std::future::pending().await,
        }
    }

    /// Begins to write what was sent meanwhile, all of it at once, where no write is under way.
    fn begin(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        self.state = match mem::replace(&mut self.state, State::Ended) {
            State::Ready(held) => {
                let batch = mem::take(&mut self.pending);
                State::Writing(Box::pin(write(held, batch, self.limit)))
            }
            other => other,
        };
    }

    fn written(
        &mut self,
        held: Held,
        sequences: &[u64],
        outcome: Result<(), Error>,
        receipts: &mut Vec<Receipt>,
    ) -> Event {
        let Err(error) = outcome else {
            self.state = State::Ready(held);
            self.backoff.reset();
            receipts.extend(sequences.iter().map(|&sequence| Receipt {
                sequence,
                verdict: Verdict::Confirmed,
                returned: None,
            }));
            return Event::Receipts;
        };
        self.pending.clear();
        if error.disposition() == Disposition::Halt {
            self.state = State::Ended;
            return Event::Ended(Ending::Failed(error));
        }
        self.health.add_obstacle(Cause::Sink, chain(&error));
        let attempts = connect(held, mem::take(&mut self.backoff), self.limit);
        self.state = State::Connecting(Box::pin(attempts));
        Event::Lost(error)
    }

    fn connected(&mut self, held: Held, outcome: Result<(), Error>) -> Event {
        match outcome {
            Ok(()) => {
                self.state = State::Ready(held);
                self.health.clear(Cause::Sink);
                Event::Connected
            }
            Err(error) => {
                self.state = State::Ended;
                Event::Ended(Ending::Failed(error))
            }
        }
    }
}

async fn write(
    mut held: Held,
    batch: Vec<(u64, Message)>,
    limit: Duration,
) -> (Held, Vec<u64>, Result<(), Error>) {
    let (sequences, messages): (Vec<u64>, Vec<Message>) = batch.into_iter().unzip();
    let outcome = within(limit, held.write(&messages)).await;
    (held, sequences, outcome)
}

/// Tries until it works or only a person can help.
async fn connect(
    mut held: Held,
    mut backoff: Backoff,
    limit: Duration,
) -> (Held, Backoff, Result<(), Error>) {
    let mut failures = Repeats::default();
    loop {
        // Also before the first attempt: a target that fails again and again is not hammered.
        tokio::time::sleep(backoff.next_delay()).await;
        match within(limit, held.connect()).await {
            Err(error) if error.disposition() == Disposition::Retry => {
                let reason = chain(&error);
                if let Some(tries) = failures.failed(&reason, Instant::now()) {
                    let (tried, for_seconds) = (tries.count, tries.seconds);
                    warn!(
                        error = reason,
                        tried, for_seconds, "the sink is not back yet"
                    );
                }
            }
            outcome => return (held, backoff, outcome),
        }
    }
}

async fn within(
    limit: Duration,
    work: impl Future<Output = Result<(), Error>>,
) -> Result<(), Error> {
    let outcome = tokio::time::timeout(limit, work).await;
    outcome.unwrap_or(Err(Error::Silent(limit)))
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Ready(_) => "ready",
            State::Writing(_) => "writing",
            State::Connecting(_) => "connecting",
            State::Ended => "ended",
        };
        f.debug_struct("Own")
            .field("state", &state)
            .field("pending", &self.pending.len())
            .finish_non_exhaustive()
    }
}
