//! Looks at everything that a run needs, and changes nothing.
//!
//! Each step is asked once and has a deadline. What one of them finds does not hide what others would find: only those are
//! left out that cannot be asked without it, and they say so.

mod advice;
mod advisories;
mod largest;
mod mongodb;
mod rabbitmq;
mod version;

use std::time::Duration;

use tokio::time::{Instant, timeout};

pub use self::{
    advice::Advice,
    advisories::{Advisory, Server},
    version::Version,
};
use super::{Error, health};
use crate::{
    admin::{self, Admin},
    config::Config,
};

/// Longest wait for one step.
const STEP: Duration = Duration::from_secs(10);
/// However short the wait at a start is, the steps of a server have this long.
const SERVER_MIN: Duration = Duration::from_secs(2);
/// Longest wait for an engine's sign of life.
const LIVE: Duration = Duration::from_secs(1);

/// What was found about one thing.
#[derive(Debug)]
pub struct Finding {
    /// Where: a server, or this machine.
    pub place: &'static str,
    /// What was looked at.
    pub what: &'static str,
    /// What was found.
    pub outcome: Outcome,
}

/// What was found.
#[derive(Debug)]
pub enum Outcome {
    /// All is well, and how it is.
    Good(String),
    /// A run works, and a person should know something.
    Advice(Box<Advice>),
    /// A run ends, or does not begin.
    Fault(Box<Error>),
    /// It was not looked at, for this reason.
    Skipped(String),
}

/// Looks at everything. Takes half as long at most as a run waits for the servers at its start.
pub async fn all(config: &Config) -> Vec<Finding> {
    let patience = (config.startup_timeout / 2).max(SERVER_MIN);
    let mut steps =
        ["mongodb", "rabbitmq", "this machine"].map(|place| Steps::new(place, patience));
    let [mongodb, rabbitmq, here] = &mut steps;
    tokio::join!(
        mongodb::check(config, mongodb),
        rabbitmq::check(config, rabbitmq),
        check_admin(config, here),
    );
    steps.into_iter().flat_map(|steps| steps.findings).collect()
}

/// The steps at one place.
struct Steps {
    place: &'static str,
    until: Instant,
    findings: Vec<Finding>,
}

impl Steps {
    fn new(place: &'static str, patience: Duration) -> Self {
        Self {
            place,
            until: Instant::now() + patience,
            findings: Vec::new(),
        }
    }

    fn found(&mut self, what: &'static str, outcome: Outcome) {
        self.findings.push(Finding {
            place: self.place,
            what,
            outcome,
        });
    }

    fn good(&mut self, what: &'static str, text: impl Into<String>) {
        self.found(what, Outcome::Good(text.into()));
    }

    fn advice(&mut self, what: &'static str, advice: Advice) {
        self.found(what, Outcome::Advice(Box::new(advice)));
    }

    fn fault(&mut self, what: &'static str, error: impl Into<Error>) {
        self.found(what, Outcome::Fault(Box::new(error.into())));
    }

    fn skipped(&mut self, what: &'static str, reason: impl Into<String>) {
        self.found(what, Outcome::Skipped(reason.into()));
    }

    /// Asks within the time that is left; a failure is a fault of `what`.
    async fn ask<T, E: Into<Error>>(
        &mut self,
        what: &'static str,
        question: impl Future<Output = Result<T, E>>,
    ) -> Option<T> {
        let answer = self.answer(question).await;
        answer.map_err(|error| self.fault(what, error)).ok()
    }

    /// Asks within the time that is left.
    async fn answer<T, E: Into<Error>>(
        &self,
        question: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Error> {
        let left = self.until.saturating_duration_since(Instant::now());
        let limit = STEP.min(left);
        match timeout(limit, question).await {
            Ok(answer) => answer.map_err(Into::into),
            Err(_) => Err(Error::Overdue(limit)),
        }
    }
}

/// Takes the admin port for a moment.
async fn check_admin(config: &Config, steps: &mut Steps) {
    let what = "admin port";
    let Some(address) = config.admin.address else {
        steps.good(what, "off");
        return;
    };
    match Admin::bind(&config.admin).await {
        Ok(_) => steps.good(what, format!("{address} is free")),
        Err(error @ admin::Error::Taken(_)) => {
            match health::ask(address, None, "/live", LIVE).await {
                Ok(answer) if answer.is_well && answer.body == "live" => {
                    steps.advice(what, Advice::Engine(address));
                }
                _ => steps.fault(what, error),
            }
        }
        Err(error) => steps.fault(what, error),
    }
}
