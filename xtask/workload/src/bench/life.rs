//! How fast the engine starts, and what it takes with nothing to do.

use std::time::Duration;

use anyhow::Result;
use harness::Usage;
use tokio::time::sleep;

use super::{
    engine::{Job, STOP_LIMIT},
    queue::{self, Queue},
    report::Queue as Kind,
    schedule::DOCUMENT,
    site::Site,
};

/// Starts in one sample.
const STARTS: u32 = 5;

/// From the start of the process until it works, with a checkpoint that is there already, in milliseconds.
pub(super) async fn starts_ms(site: &Site) -> Result<Vec<f64>> {
    let place = Place::new(site).await?;
    // The first one writes the checkpoint.
    let (first, _) = site.engines.start_ready(place.job()).await?;
    first.process.terminate(STOP_LIMIT).await?;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        let (engine, moment) = site.engines.start_ready(place.job()).await?;
        starts.push((moment - engine.process.started).as_secs_f64() * 1_000.0);
        engine.process.terminate(STOP_LIMIT).await?;
    }
    place.queue.delete().await;
    Ok(starts)
}

/// Resident memory after it had nothing to do for that long, in KiB.
pub(super) async fn idle_memory_kib(site: &Site, quiet: Duration) -> Result<u64> {
    let place = Place::new(site).await?;
    let (mut engine, _) = site.engines.start_ready(place.job()).await?;
    sleep(quiet).await;
    engine.process.check_alive()?;
    let usage = Usage::of(engine.process.pid())?;
    engine.process.terminate(STOP_LIMIT).await?;
    place.queue.delete().await;
    Ok(usage.memory_kib)
}

/// A database in which nothing happens, and a queue.
struct Place {
    database: String,
    queue: Queue,
}

impl Place {
    async fn new(site: &Site) -> Result<Self> {
        Ok(Self {
            database: queue::name(),
            queue: Queue::declare(&site.amqp_uri, Kind::Classic).await?,
        })
    }

    fn job(&self) -> Job<'_> {
        Job {
            pipeline: &self.queue.name,
            database: &self.database,
            queue: &self.queue.name,
            kind: self.queue.kind,
            format: DOCUMENT,
        }
    }
}
