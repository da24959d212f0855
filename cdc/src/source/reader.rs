//! The task behind a [`Source`](super::Source): reads, hands over, reopens.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{Semaphore, mpsc},
    time::Instant,
};
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
    retry::{Backoff, Disposition, Repeats, chain, millis},
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

/// The attempts to open the stream since it gave something last.
#[derive(Default)]
struct Tries {
    backoff: Backoff,
    repeats: Repeats,
}

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
        let mut tries = Tries::default();
        let mut is_lost = false;
        loop {
            let outcome = match stream.take() {
                Some(stream) => match self.follow(stream, &mut tries).await {
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
                    tries.opened();
                    // Not after a loss alone: an invalidate ends a stream too.
                    self.metrics.reconnected(Server::Mongodb);
                    self.health.clear(Cause::Mongodb);
                }
                Ok(()) => {}
                Err(error) if error.disposition() == Disposition::Retry => {
                    let reason = chain(&error);
                    let delay = tries.lost(&reason);
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
    async fn follow(&mut self, mut stream: Stream, tries: &mut Tries) -> Result<Next, Error> {
        if let Some(skipped) = self.opener.take_skipped() {
            self.chunk.push(Item::Skipped(skipped), stream.now());
        }
        let outcome = self.read_on(&mut stream, tries).await;
        self.arrive();
        self.outlet.hand_over(&mut self.chunk).await;
        outcome
    }

    /// Reads until the stream fails, or is to be opened again, or nobody listens any more.
    async fn read_on(&mut self, stream: &mut Stream, tries: &mut Tries) -> Result<Next, Error> {
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
            tries.reset();
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

impl Tries {
    /// It is lost, or still is. Says so where that is news, and gives the wait before the next attempt.
    fn lost(&mut self, reason: &str) -> Duration {
        let delay = self.backoff.next_delay();
        if let Some(tries) = self.repeats.failed(reason, Instant::now()) {
            warn!(
                error = reason,
                tried = tries.count,
                for_seconds = tries.seconds,
                retry_ms = millis(delay),
                "change stream lost"
            );
        }
        delay
    }

    /// It is open. That it is open again after an invalidate, which no loss has gone before, is said too.
    fn opened(&mut self) {
        let tries = self.repeats.worked(Instant::now());
        if tries.is_none() && self.repeats.is_failing() {
            return;
        }
        info!(
            tried = tries.map(|tries| tries.count),
            after_seconds = tries.map(|tries| tries.seconds),
            "change stream open again"
        );
    }

    fn reset(&mut self) {
        self.backoff.reset();
        self.repeats.reset();
    }
}

/// The stream is reopened after what is in `chunk` from now on.
fn arrive(opener: &mut Opener, chunk: &Chunk) {
    match chunk.last() {
        Some(item @ (Item::Event(_) | Item::Renamed(_) | Item::Idle(_))) => {
            opener.arrived(item.position());
        }
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
