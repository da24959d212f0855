//! One attempt after the other, until it works or waiting has no sense.

use tokio::time::Instant;
use tracing::{info, warn};

use super::Error;
use crate::{
    health::{Cause, Health},
    retry::{Backoff, Disposition, Repeats, chain, millis},
};

/// Repeats `attempt` until it works, only a person can help, or the deadline has passed.
///
/// The attempt is no `AsyncFnMut`: with one the compiler cannot tell that the engine's future may move to another thread.
pub(super) async fn until<T, F: Future<Output = Result<T, Error>>>(
    deadline: Option<Instant>,
    health: &Health,
    mut attempt: impl FnMut() -> F,
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
    failures: Repeats,
    health: Health,
    obstacle: Option<Cause>,
}

impl Attempts {
    pub(super) fn new(deadline: Option<Instant>, health: &Health) -> Self {
        Self {
            deadline,
            backoff: Backoff::default(),
            failures: Repeats::default(),
            health: health.clone(),
            obstacle: None,
        }
    }

    /// It worked.
    pub(super) fn over(&mut self) {
        if let Some(tries) = self.failures.worked(Instant::now()) {
            info!(
                tried = tries.count,
                after_seconds = tries.seconds,
                "ready now"
            );
        }
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
        let reason = chain(&error);
        self.obstacle = error.cause();
        if let Some(cause) = self.obstacle {
            self.health.add_obstacle(cause, reason.clone());
        }
        if let Some(tries) = self.failures.failed(&reason, Instant::now()) {
            warn!(
                error = reason,
                tried = tries.count,
                for_seconds = tries.seconds,
                left_ms = left.map(millis),
                "not ready, trying again"
            );
        }
        let delay = self.backoff.next_delay();
        tokio::time::sleep(left.map_or(delay, |left| delay.min(left))).await;
        Ok(())
    }
}
