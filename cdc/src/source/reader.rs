//! The task behind a [`Source`](super::Source): reads, hands over, reopens.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tracing::{info, warn};

use super::{
    Chunk, Error, Item, PREFETCH_BYTES,
    opener::{Next, Opener},
    stream::{Brought, Stream},
};
use crate::{
    health::{Cause, Health},
    metrics::{Metrics, Server},
    position::Position,
    retry::{Backoff, Disposition, chain},
};

pub(super) struct Reader {
    opener: Opener,
    outlet: Outlet,
    /// Read, and not yet handed over.
    chunk: Chunk,
    metrics: Metrics,
    health: Health,
}

/// Where chunks go.
struct Outlet {
    sender: Sender,
    memory: Arc<Semaphore>,
}

type Sender = mpsc::Sender<Result<Chunk, Error>>;

impl Reader {
    pub(super) fn new(
        opener: Opener,
        (sender, memory): (Sender, Arc<Semaphore>),
        (metrics, health): (Metrics, Health),
    ) -> Self {
        Self {
            opener,
            outlet: Outlet { sender, memory },
            chunk: Chunk::default(),
            metrics,
            health,
        }
    }

    /// Reads until a failure that only a person can mend, which is handed over last.
    pub(super) async fn run(mut self, stream: Stream) {
        let mut stream = Some(stream);
        let mut backoff = Backoff::default();
        let mut is_lost = false;
        loop {
            let outcome = match stream.take() {
                Some(stream) => match self.follow(stream, &mut backoff).await {
                    Ok(next) => {
                        is_lost = next != Next::Repaced;
                        Ok(())
                    }
                    Err(error) => {
                        is_lost = true;
                        self.opener.recover(error).await
                    }
                },
                None => self.opener.open().await.map(|opened| stream = Some(opened)),
            };
            match outcome {
                Ok(()) if stream.is_some() && is_lost => {
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
                    is_lost = true;
                    self.health.add_obstacle(Cause::Mongodb, reason);
                    tokio::time::sleep(delay).await;
                }
                Err(error) => {
                    let _ = self.outlet.sender.send(Err(error)).await;
                    return;
                }
            }
            if self.outlet.sender.is_closed() {
                return;
            }
        }
    }

    /// Hands over what `stream` gives until it fails or is to be opened again.
    async fn follow(&mut self, mut stream: Stream, backoff: &mut Backoff) -> Result<Next, Error> {
        if let Some(skipped) = self.opener.take_skipped() {
            self.chunk.push(Item::Skipped(skipped), stream.now());
        }
        let outcome = self.read_on(&mut stream, backoff).await;
        self.arrive();
        self.outlet.hand_over(&mut self.chunk).await;
        outcome
    }

    /// Reads until the stream fails, or is to be opened again, or nobody listens any more.
    async fn read_on(&mut self, stream: &mut Stream, backoff: &mut Backoff) -> Result<Next, Error> {
        while !self.outlet.sender.is_closed() {
            if self.chunk.is_full() {
                self.arrive();
                self.outlet.hand_over(&mut self.chunk).await;
            }
            let Self {
                opener,
                outlet,
                chunk,
                ..
            } = self;
            let read = stream
                .read(async {
                    // What was read goes on before the wait for more.
                    arrive(opener, chunk);
                    outlet.hand_over(chunk).await;
                })
                .await;
            let after = || reached(opener, chunk);
            let item = match stream.item(read, &after)? {
                Brought::Item(item) => item,
                Brought::Nothing => continue,
                Brought::Slow => {
                    opener.slow();
                    return Ok(Next::Repaced);
                }
            };
            backoff.reset();
            let (item, next) = opener.wanted(item, stream.now());
            chunk.push(item, stream.now());
            if next != Next::GoesOn {
                return Ok(next);
            }
        }
        Ok(Next::GoesOn)
    }

    fn arrive(&mut self) {
        arrive(&mut self.opener, &self.chunk);
    }
}

/// The stream is reopened after what is in `chunk` from now on.
fn arrive(opener: &mut Opener, chunk: &Chunk) {
    match chunk.last() {
        Some(item @ (Item::Event(_) | Item::Idle(_))) => opener.arrived(item.position()),
        // The opener skipped by itself, and nothing was read since.
        Some(Item::Skipped(_)) | None => {}
    }
}

/// The position after the last item.
fn reached(opener: &Opener, chunk: &Chunk) -> Position {
    let last = chunk.last().map(Item::position);
    last.unwrap_or_else(|| opener.position().clone())
}

impl Outlet {
    /// Hands `chunk` over and leaves an empty one; waits for room. Where nobody listens any more it is dropped.
    async fn hand_over(&self, chunk: &mut Chunk) {
        if chunk.is_empty() {
            return;
        }
        let mut full = std::mem::take(chunk);
        let bytes = u32::try_from(full.bytes())
            .unwrap_or(u32::MAX)
            .min(PREFETCH_BYTES);
        let permit = Arc::clone(&self.memory).acquire_many_owned(bytes).await;
        full.hold(permit.expect("nobody closes the semaphore"));
        // An error means that the receiver is gone.
        let _ = self.sender.send(Ok(full)).await;
    }
}
