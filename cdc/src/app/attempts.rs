//! One attempt after the other, until it works or waiting has no sense.

use tokio::time::Instant;
use tracing::warn;

use super::Error;
use crate::{
    health::{Cause, Health},
    retry::{Backoff, Disposition, chain},
};

/// Repeats `attempt` until it works, only a person can help, or the deadline has passed.
pub(super) async fn until<T>(
    deadline: Option<Instant>,
    health: &Health,
    mut attempt: impl AsyncFnMut() -> Result<T, Error>,
) -> Result<T, Error> {
    let mut attempts = Attempts::new(deadline, health);
    loop {
        match attempt().await {
            Ok(value) => {
                attempts.over();
                return Ok(value);
            }
            Err(error) => attempts.after(error).await?,
        }
    }
}

/// A series of attempts at one thing.
pub(super) struct Attempts {
    deadline: Option<Instant>,
    backoff: Backoff,
    said: bool,
    health: Health,
    obstacle: Option<Cause>,
}

impl Attempts {
    pub(super) fn new(deadline: Option<Instant>, health: &Health) -> Self {
        Self {
            deadline,
            backoff: Backoff::default(),
            said: false,
            health: health.clone(),
            obstacle: None,
        }
    }

    /// It worked.
    fn over(&self) {
        if let Some(cause) = self.obstacle {
            self.health.clear(cause);
        }
    }

    /// From now on there is no deadline.
    pub(super) fn extend(&mut self) {
        self.deadline = None;
    }

    /// Waits before the next attempt, or gives the error back.
    pub(super) async fn after(&mut self, error: Error) -> Result<(), Error> {
        let left = self
            .deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if error.disposition() == Disposition::Halt || left.is_some_and(|left| left.is_zero()) {
            return Err(error);
        }
        self.obstacle = error.cause();
        if let Some(cause) = self.obstacle {
            self.health.add_obstacle(cause, chain(&error));
        }
        if !self.said {
            self.said = true;
            warn!(
                error = chain(&error),
                for_ms = left.map(|left| left.as_millis()),
                "not ready, trying again"
            );
        }
        let delay = self.backoff.next_delay();
        tokio::time::sleep(left.map_or(delay, |left| delay.min(left))).await;
        Ok(())
    }
}
