//! The connection to the broker over its many lives.

use std::{fmt, pin::Pin, time::Duration};

use tokio::time::Instant;
use tracing::{info, warn};

use super::fresh::Fresh;
use crate::{
    health::{Cause, Health},
    metrics::{Metrics, Server},
    publish::{Config, Error, Judgement, Publisher},
    retry::{Backoff, Disposition, chain},
};

/// Time without a confirm after which the link counts as standing still.
const STALLED_AFTER: Duration = Duration::from_secs(5);

/// Up, or being made anew.
pub(super) struct Link {
    config: Config,
    state: State,
    backoff: Backoff,
    /// Since when the broker owes a verdict.
    waiting_since: Instant,
    said_blocked: bool,
    fresh: Fresh,
    metrics: Metrics,
    health: Health,
}

enum State {
    Up(Box<Publisher>),
    /// Up, and looking whether what we own is there. Nothing is sent meanwhile.
    Checking(Box<Publisher>, Check),
    Connecting(Attempts),
}

type Check = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;
type Attempts = Pin<Box<dyn Future<Output = (Result<Publisher, Error>, Backoff)> + Send>>;

/// What happened to the link.
#[derive(Debug)]
pub(super) enum Event {
    /// Verdicts came.
    Judged,
    /// A new connection is there.
    Connected,
    /// The connection is gone; another one is being made. Verdicts may have come before.
    Lost(Error),
    /// No connection can be made until a person mends something.
    Failed(Error),
}

impl Link {
    pub(super) fn new(
        publisher: Publisher,
        config: Config,
        metrics: Metrics,
        health: Health,
    ) -> Self {
        Self {
            config,
            fresh: Fresh::new(!publisher.new_queues().is_empty(), Instant::now()),
            state: State::Up(Box::new(publisher)),
            backoff: Backoff::default(),
            waiting_since: Instant::now(),
            said_blocked: false,
            metrics,
            health,
        }
    }

    /// The publisher, while there is one. The caller sends; a message that is first in flight starts the clock.
    pub(super) fn publisher(&mut self) -> Option<&mut Publisher> {
        match &mut self.state {
            State::Up(publisher) => {
                if publisher.in_flight() == 0 {
                    self.waiting_since = Instant::now();
                }
                Some(publisher)
            }
            State::Checking(..) | State::Connecting(_) => None,
        }
    }

    /// Whether a crash of the broker may still take away what is confirmed.
    pub(super) fn is_fresh(&self) -> bool {
        self.fresh.is_fresh()
    }

    /// Looks whether what we own is there, before anything is sent again. Nothing may be in flight.
    pub(super) fn check_again(&mut self) {
        let state = std::mem::replace(
            &mut self.state,
            State::Connecting(Box::pin(std::future::pending())),
        );
        self.state = match state {
            State::Up(publisher) => {
                let check = Box::pin(publisher.check_again(self.config.clone()));
                State::Checking(publisher, check)
            }
            other => other,
        };
    }

    /// Waits for verdicts or for the next connection. `judgements` must be looked at whatever the event.
    ///
    /// # Cancel safety
    /// Cancel safe: everything that is under way stays in `self`.
    pub(super) async fn event(&mut self, judgements: &mut Vec<Judgement>) -> Event {
        match &mut self.state {
            State::Up(publisher) => {
                let outcome = publisher.verdicts(judgements).await;
                if !judgements.is_empty() {
                    self.waiting_since = Instant::now();
                    self.backoff.reset();
                    self.fresh.alive(Instant::now());
                }
                match outcome {
                    Ok(()) => Event::Judged,
                    Err(error) => self.lose(error),
                }
            }
            State::Checking(_, check) => {
                let outcome = check.as_mut().await;
                self.checked();
                match outcome {
                    Ok(()) => Event::Judged,
                    Err(error) => self.lose(error),
                }
            }
            State::Connecting(attempts) => {
                let (outcome, backoff) = attempts.as_mut().await;
                match outcome {
                    Ok(publisher) => {
                        self.connected(publisher, backoff);
                        Event::Connected
                    }
                    Err(error) => {
                        self.state = State::Connecting(Box::pin(std::future::pending()));
                        Event::Failed(error)
                    }
                }
            }
        }
    }

    /// Adds every verdict that is there to `judgements`, in whatever order they came.
    pub(super) fn sweep(&mut self, judgements: &mut Vec<Judgement>) {
        match &mut self.state {
            State::Up(publisher) | State::Checking(publisher, _) => publisher.sweep(judgements),
            State::Connecting(_) => {}
        }
    }

    fn checked(&mut self) {
        let state = std::mem::replace(
            &mut self.state,
            State::Connecting(Box::pin(std::future::pending())),
        );
        self.state = match state {
            State::Checking(publisher, _) => State::Up(publisher),
            other => other,
        };
    }

    fn connected(&mut self, publisher: Publisher, backoff: Backoff) {
        self.state = State::Up(Box::new(publisher));
        self.backoff = backoff;
        self.waiting_since = Instant::now();
        self.metrics.reconnected(Server::Rabbitmq);
        self.health.clear(Cause::Rabbitmq);
    }

    /// Gives the connection up when the broker has owed a verdict for too long. Says when the broker blocks us.
    pub(super) fn overdue(&mut self) -> Option<Error> {
        let State::Up(publisher) = &self.state else {
            return None;
        };
        let blocked = publisher.blocked();
        let is_waiting = publisher.in_flight() > 0;
        self.note_blocked(blocked);
        if blocked || !is_waiting {
            self.waiting_since = Instant::now();
        }
        if !is_waiting {
            self.fresh.alive(Instant::now());
        }
        let waited = self.waiting_since.elapsed();
        if waited < STALLED_AFTER {
            self.health.clear(Cause::Stalled);
        } else {
            let reason = format!("no confirm for {} s", waited.as_secs());
            self.health.hinder(Cause::Stalled, reason);
        }
        if waited < self.config.confirm_timeout {
            return None;
        }
        let error = Error::TimedOut {
            address: self.config.broker.address(),
            what: "a publish",
            after: self.config.confirm_timeout,
        };
        self.connect_again(&error);
        Some(error)
    }

    /// Says once that the broker has blocked us, and once that it is over.
    fn note_blocked(&mut self, blocked: bool) {
        if blocked == self.said_blocked {
            return;
        }
        self.said_blocked = blocked;
        self.metrics.blocked.set(i64::from(blocked));
        if blocked {
            let reason = "rabbitmq has blocked this connection (memory or disk alarm)";
            warn!("{reason}, waiting");
            self.health.hinder(Cause::Blocked, reason);
        } else {
            info!("rabbitmq has unblocked this connection");
            self.health.clear(Cause::Blocked);
        }
    }

    pub(super) async fn close(self) {
        if let State::Up(publisher) | State::Checking(publisher, _) = self.state {
            publisher.close().await;
        }
    }

    fn lose(&mut self, error: Error) -> Event {
        match error.disposition() {
            Disposition::Retry => {
                self.connect_again(&error);
                Event::Lost(error)
            }
            Disposition::Halt => Event::Failed(error),
        }
    }

    fn connect_again(&mut self, error: &Error) {
        self.note_blocked(false);
        self.health.clear(Cause::Stalled);
        self.health.hinder(Cause::Rabbitmq, chain(error));
        let attempts = connect(self.config.clone(), std::mem::take(&mut self.backoff));
        self.state = State::Connecting(Box::pin(attempts));
    }
}

/// Tries until it works or only a person can help.
async fn connect(config: Config, mut backoff: Backoff) -> (Result<Publisher, Error>, Backoff) {
    loop {
        // Also before the first attempt: a broker that cuts us off again and again is not hammered.
        tokio::time::sleep(backoff.next_delay()).await;
        match Publisher::connect_again(&config).await {
            Err(error) if error.disposition() == Disposition::Retry => {
                warn!(error = chain(&error), "rabbitmq is not back yet");
            }
            outcome => return (outcome, backoff),
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Up(_) => "up",
            State::Checking(..) => "checking",
            State::Connecting(_) => "connecting",
        };
        f.debug_struct("Link")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
