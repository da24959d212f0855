//! Work that a signal ends early.

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

/// Does `work` unless SIGINT or SIGTERM comes first. It is dropped then, and what is dropped kills the processes that it has
/// started.
///
/// # Errors
/// That of `work`, or that it was interrupted.
pub(crate) async fn unless_interrupted<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut asked_to_stop = signal(SignalKind::terminate()).context("listen to signals")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("listen to signals")?;
    tokio::select! {
        outcome = work => outcome,
        _ = asked_to_stop.recv() => bail!("interrupted"),
        _ = interrupted.recv() => bail!("interrupted"),
    }
}
