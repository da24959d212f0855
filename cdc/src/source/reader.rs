//! The task behind a [`Source`](super::Source): reads, hands over, reopens.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tracing::{info, warn};

use super::{Error, Item, PREFETCH_BYTES, Prefetched, opener::Opener, stream::Stream};
use crate::{
    event::Operation,
    health::{Cause, Health},
    metrics::{Metrics, Server},
    retry::{Backoff, Disposition, chain},
};

pub(super) struct Reader {
    pub(super) opener: Opener,
    pub(super) sender: mpsc::Sender<Result<Prefetched, Error>>,
    pub(super) memory: Arc<Semaphore>,
    pub(super) metrics: Metrics,
    pub(super) health: Health,
}

/// The receiver is gone; nobody waits for more.
struct Gone;

impl Reader {
    /// Reads until a failure that only a person can mend, which is handed over last.
    pub(super) async fn run(mut self, stream: Stream) {
        let mut stream = Some(stream);
        let mut backoff = Backoff::default();
        loop {
            let outcome = match stream.take() {
                Some(stream) => match self.follow(stream, &mut backoff).await {
                    Err(error) => self.opener.recover(error).await,
                    ended => ended,
                },
                None => self.opener.open().await.map(|opened| stream = Some(opened)),
            };
            match outcome {
                Ok(()) if stream.is_some() => {
                    info!("change stream open again");
                    // Not after a loss alone: an invalidate ends a stream too.
                    self.metrics.reconnected(Server::Mongodb);
                    self.health.clear(Cause::Mongodb);
                }
                Ok(()) => {}
                Err(error) if error.disposition() == Disposition::Retry => {
                    let (reason, delay) = (chain(&error), backoff.next_delay());
                    warn!(
                        error = reason,
                        retry_ms = delay.as_millis(),
                        "change stream lost"
                    );
                    self.health.hinder(Cause::Mongodb, reason);
                    tokio::time::sleep(delay).await;
                }
                Err(error) => {
                    let _ = self.sender.send(Err(error)).await;
                    return;
                }
            }
            if self.sender.is_closed() {
                return;
            }
        }
    }

    /// Hands over what `stream` gives until it fails or ends.
    async fn follow(&mut self, mut stream: Stream, backoff: &mut Backoff) -> Result<(), Error> {
        if let Some(skipped) = self.opener.take_skipped()
            && self.hand_over(Item::Skipped(skipped)).await.is_err()
        {
            return Ok(());
        }
        loop {
            let Some(item) = stream.next(self.opener.position()).await? else {
                continue;
            };
            backoff.reset();
            let position = item.position();
            self.opener.arrived(position.clone());
            // An invalidate is always read, because the stream can only be reopened after it.
            let (item, reopen) = match item {
                Item::Event(event) => {
                    let operation = event.operation();
                    let wanted = self.opener.config.operations.contains(&operation);
                    let item = if wanted {
                        Item::Event(event)
                    } else {
                        Item::Idle(position)
                    };
                    (item, operation == Operation::Invalidate)
                }
                item => (item, false),
            };
            if self.hand_over(item).await.is_err() || reopen {
                return Ok(());
            }
        }
    }

    async fn hand_over(&self, item: Item) -> Result<(), Gone> {
        let permit = match &item {
            Item::Event(event) => {
                let bytes = u32::try_from(event.raw().as_bytes().len())
                    .unwrap_or(u32::MAX)
                    .min(PREFETCH_BYTES);
                let permit = Arc::clone(&self.memory).acquire_many_owned(bytes).await;
                Some(permit.map_err(|_| Gone)?)
            }
            Item::Idle(_) | Item::Skipped(_) => None,
        };
        let prefetched = Prefetched {
            item,
            _permit: permit,
        };
        self.sender.send(Ok(prefetched)).await.map_err(|_| Gone)
    }
}
