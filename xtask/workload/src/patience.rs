//! How long a server that has only just been started may take until it can be used.

use std::time::Duration;

use tokio::time::sleep;

/// Longest wait for a server that is there and not ready yet, as after `docker compose up -d`.
pub const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// Waiting longer than this is told.
const TELL_AFTER: Duration = Duration::from_millis(800);

/// Waits for `ready`, and says on stderr that it waits for `what`, a server, if that takes a while.
pub async fn wait<T>(what: &str, ready: impl Future<Output = T>) -> T {
    let limit = READY_TIMEOUT.as_secs();
    let told = format!("waiting up to {limit} s for {what}, which is not ready yet");
    tell(&told, ready).await
}

/// Waits for `ready`, and says `what` goes on on stderr if that takes a while.
pub async fn tell<T>(what: &str, ready: impl Future<Output = T>) -> T {
    let mut ready = std::pin::pin!(ready);
    tokio::select! {
        biased;
        outcome = &mut ready => return outcome,
        () = sleep(TELL_AFTER) => {}
    }
    eprintln!("{what}");
    ready.await
}
