//! The connection to the broker over its many lives.

use std::{fmt, pin::Pin};

use tokio::time::Instant;
use tracing::{info, warn};

use crate::{
    publish::{Config, Error, Judgement, Publisher},
    retry::{Backoff, Disposition, chain},
};

/// Up, or being made anew.
pub(super) struct Link {
    config: Config,
    state: State,
    backoff: Backoff,
    /// Since when the broker owes a verdict.
    waiting_since: Instant,
    said_blocked: bool,
}

enum State {
    Up(Box<Publisher>),
    Connecting(Attempts),
}

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
    pub(super) fn new(publisher: Publisher, config: Config) -> Self {
        Self {
            config,
            state: State::Up(Box::new(publisher)),
            backoff: Backoff::default(),
            waiting_since: Instant::now(),
            said_blocked: false,
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
            State::Connecting(_) => None,
        }
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
                }
                match outcome {
                    Ok(()) => Event::Judged,
                    Err(error) => self.lose(error),
                }
            }
            State::Connecting(attempts) => {
                let (outcome, backoff) = attempts.as_mut().await;
                match outcome {
                    Ok(publisher) => {
                        self.state = State::Up(Box::new(publisher));
                        self.backoff = backoff;
                        self.waiting_since = Instant::now();
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

    /// Gives the connection up when the broker has owed a verdict for too long. Says when the broker blocks us.
    pub(super) fn overdue(&mut self) -> Option<Error> {
        let State::Up(publisher) = &self.state else {
            return None;
        };
        let blocked = publisher.blocked();
        if blocked != self.said_blocked {
            self.said_blocked = blocked;
            if blocked {
                warn!("rabbitmq has blocked this connection (memory or disk alarm), waiting");
            } else {
                info!("rabbitmq has unblocked this connection");
            }
        }
        if blocked || publisher.in_flight() == 0 {
            self.waiting_since = Instant::now();
            return None;
        }
        if self.waiting_since.elapsed() < self.config.confirm_timeout {
            return None;
        }
        let error = Error::TimedOut {
            address: self.config.broker.address(),
            what: "a publish",
            after: self.config.confirm_timeout,
        };
        self.connect_again();
        Some(error)
    }

    pub(super) async fn close(self) {
        if let State::Up(publisher) = self.state {
            publisher.close().await;
        }
    }

    fn lose(&mut self, error: Error) -> Event {
        match error.disposition() {
            Disposition::Retry => {
                self.connect_again();
                Event::Lost(error)
            }
            Disposition::Halt => Event::Failed(error),
        }
    }

    fn connect_again(&mut self) {
        self.said_blocked = false;
        let attempts = connect(self.config.clone(), std::mem::take(&mut self.backoff));
        self.state = State::Connecting(Box::pin(attempts));
    }
}

/// Tries until it works or only a person can help.
async fn connect(config: Config, mut backoff: Backoff) -> (Result<Publisher, Error>, Backoff) {
    loop {
        // Also before the first attempt: a broker that cuts us off again and again is not hammered.
        tokio::time::sleep(backoff.next_delay()).await;
        match Publisher::connect(&config).await {
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
            State::Connecting(_) => "connecting",
        };
        f.debug_struct("Link")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
