//! The connection to the broker over its many lives.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::{
    Config, amqp,
    fresh::Fresh,
    publisher::{Left, Publisher},
    stream::Places,
};
use crate::{
    health::{Cause, Health},
    lease::{Contender, standbys},
    message::Message,
    metrics::{Metrics, Server},
    rabbitmq::{Error, Survey},
    retry::{Backoff, Disposition, Repeats, chain},
    sink::{Ending, Event, Receipt},
};

/// Time without a confirm after which the link counts as standing still.
const STALLED_AFTER: Duration = Duration::from_secs(5);

/// Up, or being made anew.
pub struct Link {
    config: Config,
    state: State,
    backoff: Backoff,
    /// Since when the broker owes a verdict.
    waiting_since: Instant,
    said_blocked: bool,
    survey: Survey,
    /// Receipts of a connection that was given up, not given yet.
    left: Vec<Receipt>,
    fresh: Fresh,
    is_exact: bool,
    places: Places,
    /// Reads who stands by, on the connection that has the lock.
    standbys: Option<AbortOnDropHandle<()>>,
    metrics: Metrics,
    health: Health,
}

enum State {
    Up(Box<Publisher>),
    /// Up, and looking whether what we own is there. Nothing is sent meanwhile.
    Checking(Box<Publisher>, Check),
    Connecting(Attempts),
    /// Nothing more comes.
    Ended,
}

type Check = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;
type Attempts = Pin<Box<dyn Future<Output = (Result<Publisher, Error>, Backoff)> + Send>>;

impl Link {
    /// Declares or checks where messages go, on the connection that has the lock, and publishes there.
    ///
    /// # Errors
    /// As [`Topology::declare`](crate::rabbitmq::Topology::declare).
    pub async fn open(
        contender: Contender,
        config: Config,
        (metrics, health): (Metrics, Health),
    ) -> Result<Self, Error> {
        let questions = contender.questions().await;
        let parts = contender.into_parts();
        let survey = config.topology.declare(&parts.0).await?;
        let lock = amqp::Publisher::new(parts, questions, &config.topology, &config.marks);
        let mut publisher = Publisher::begin(&config, lock).await?;
        metrics
            .stream_places_unknown
            .inc_by(publisher.unknown_places());
        Ok(Self {
            is_exact: publisher.is_exact(),
            places: publisher.places(),
            standbys: follow(&mut publisher, &health),
            config,
            fresh: Fresh::new(survey.is_new(), Instant::now()),
            survey,
            left: Vec::new(),
            state: State::Up(Box::new(publisher)),
            backoff: Backoff::default(),
            waiting_since: Instant::now(),
            said_blocked: false,
            metrics,
            health,
        })
    }

    /// What [`Link::open`] found and declared.
    pub fn survey(&self) -> &Survey {
        &self.survey
    }

    /// Where each partition's stream ended when it was opened; empty where that cannot be known.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Whether what is confirmed must not be sent again.
    pub(in crate::sink) fn is_exact(&self) -> bool {
        self.is_exact
    }

    pub(in crate::sink) fn can_send(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    pub(in crate::sink) fn send(&mut self, messages: impl Iterator<Item = (u64, Arc<Message>)>) {
        if let State::Up(publisher) = &mut self.state {
            if publisher.in_flight() == 0 {
                self.waiting_since = Instant::now();
            }
            publisher.send(messages);
        }
    }

    pub(in crate::sink) fn may_forget(&self) -> bool {
        self.fresh.is_fresh()
    }

    pub(in crate::sink) fn check_again(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Ended) {
            State::Up(publisher) => {
                let check = Box::pin(publisher.check_again(self.config.topology.clone()));
                State::Checking(publisher, check)
            }
            other => other,
        };
    }

    pub(in crate::sink) async fn next(&mut self, receipts: &mut Vec<Receipt>) -> Event {
        if !self.left.is_empty() {
            receipts.append(&mut self.left);
            return Event::Receipts;
        }
        match &mut self.state {
            State::Up(publisher) => {
                let outcome = publisher.verdicts(receipts).await;
                if !receipts.is_empty() {
                    self.waiting_since = Instant::now();
                    self.backoff.reset();
                    self.fresh.alive(Instant::now());
                }
                self.event(outcome)
            }
            State::Checking(_, check) => {
                let outcome = check.as_mut().await;
                self.checked();
                self.event(outcome)
            }
            State::Connecting(attempts) => match attempts.as_mut().await {
                (Ok(mut publisher), backoff) => {
                    publisher.sweep(receipts);
                    self.connected(publisher, backoff)
                }
                (Err(error), _) => self.end(error),
            },
            State::Ended => std::future::pending().await,
        }
    }

    fn event(&mut self, outcome: Result<(), Error>) -> Event {
        match outcome {
            Ok(()) => Event::Receipts,
            Err(error) if error.disposition() == Disposition::Retry => {
                self.connect_again(&error);
                Event::Lost(error.into())
            }
            Err(error) => self.end(error),
        }
    }

    pub(in crate::sink) fn sweep(&mut self, receipts: &mut Vec<Receipt>) {
        receipts.append(&mut self.left);
        match &mut self.state {
            State::Up(publisher) | State::Checking(publisher, _) => publisher.sweep(receipts),
            State::Connecting(_) | State::Ended => {}
        }
    }

    fn checked(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Ended) {
            State::Checking(publisher, _) => State::Up(publisher),
            other => other,
        };
    }

    fn end(&mut self, error: Error) -> Event {
        if let State::Connecting(_) = self.state {
            self.state = State::Ended;
        }
        Event::Ended(match error {
            Error::Locked => Ending::Superseded(error.into()),
            Error::NoQueue { .. } => {
                warn!(error = chain(&error), "the queue is gone with what it held");
                Ending::Forgotten
            }
            Error::OtherEnd { .. } => {
                warn!(error = chain(&error), "looking again where to go on");
                Ending::Forgotten
            }
            Error::NoExchange { .. } if self.config.topology.is_bound() => {
                warn!(
                    error = chain(&error),
                    "the exchange is gone with its bindings"
                );
                Ending::Forgotten
            }
            Error::Oversize { bytes, limit } => Ending::TooLarge {
                bytes,
                limit,
                error: error.into(),
            },
            _ => Ending::Failed(error.into()),
        })
    }

    fn connected(&mut self, mut publisher: Publisher, backoff: Backoff) -> Event {
        self.standbys = follow(&mut publisher, &self.health);
        self.state = State::Up(Box::new(publisher));
        self.backoff = backoff;
        self.waiting_since = Instant::now();
        self.metrics.reconnected(Server::Rabbitmq);
        self.health.clear(Cause::Rabbitmq);
        if self.fresh.is_fresh() {
            // Another client may have declared the queue anew, so that it is there says nothing.
            info!("rabbitmq connected again, publishing all that its new queue may have lost");
            return Event::Ended(Ending::Forgotten);
        }
        Event::Connected
    }

    /// Gives the connection up when the broker has owed a verdict for too long. Says when the broker blocks us.
    pub(in crate::sink) fn tick(&mut self) -> Option<Error> {
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
            self.health.add_obstacle(Cause::Stalled, reason);
        }
        if waited < self.config.confirm_timeout {
            return None;
        }
        let State::Up(publisher) = &mut self.state else {
            return None;
        };
        publisher.sweep(&mut self.left);
        let error = Error::TimedOut {
            address: publisher.address(),
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
            self.health.add_obstacle(Cause::Blocked, reason);
        } else {
            info!("rabbitmq has unblocked this connection");
            self.health.clear(Cause::Blocked);
        }
    }

    pub(in crate::sink) async fn close(self) {
        if let State::Up(publisher) | State::Checking(publisher, _) = self.state {
            publisher.close().await;
        }
    }

    fn connect_again(&mut self, error: &Error) {
        self.note_blocked(false);
        self.standbys = None;
        self.health.set_standbys(None);
        self.health.clear(Cause::Stalled);
        self.health.add_obstacle(Cause::Rabbitmq, chain(error));
        let left = match &self.state {
            State::Up(publisher) | State::Checking(publisher, _) => publisher.left(),
            State::Connecting(_) | State::Ended => Left::Nothing,
        };
        let backoff = std::mem::take(&mut self.backoff);
        let attempts = connect(self.config.clone(), left, backoff);
        self.state = State::Connecting(Box::pin(attempts));
    }
}

fn follow(publisher: &mut Publisher, health: &Health) -> Option<AbortOnDropHandle<()>> {
    let questions = publisher.take_questions()?;
    Some(standbys::follow(questions, health.clone()))
}

/// Tries until it works or only a person can help.
async fn connect(
    config: Config,
    left: Left,
    mut backoff: Backoff,
) -> (Result<Publisher, Error>, Backoff) {
    let mut failures = Repeats::default();
    loop {
        // Also before the first attempt: a broker that cuts us off again and again is not hammered.
        tokio::time::sleep(backoff.next_delay()).await;
        match Publisher::again(&config, left.clone()).await {
            Err(error) if error.disposition() == Disposition::Retry => {
                let reason = chain(&error);
                if let Some(tries) = failures.failed(&reason, Instant::now()) {
                    let (tried, for_seconds) = (tries.count, tries.seconds);
                    warn!(
                        error = reason,
                        tried, for_seconds, "rabbitmq is not back yet"
                    );
                }
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
            State::Ended => "ended",
        };
        f.debug_struct("Link")
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
