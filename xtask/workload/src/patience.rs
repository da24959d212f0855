//! How long a server that has only just been started may take until it can be used.

use std::time::Duration;

use tokio::time::sleep;

/// Longest wait for a server that is there and not ready yet, as after `docker compose up -d`.
pub const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// Waiting longer than this is told.
const TELL_AFTER: Duration = Duration::from_secs(2);

/// Waits for `ready`, and says on stderr that it waits for `what` if that takes a while.
pub async fn wait<T>(what: &str, ready: impl Future<Output = T>) -> T {
    let mut ready = std::pin::pin!(ready);
    tokio::select! {
        biased;
        outcome = &mut ready => return outcome,
        () = sleep(TELL_AFTER) => {}
    }
    let limit = READY_TIMEOUT.as_secs();
    eprintln!("waiting up to {limit} s for {what}, which is not ready yet");
    ready.await
}
