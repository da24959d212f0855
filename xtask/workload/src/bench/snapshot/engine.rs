//! A snapshot that the engine publishes, with nothing else to do.

use std::fmt;

use anyhow::{Result, ensure};
use harness::{Engine, Usage};

use super::Documents;
use crate::bench::{
    catch_up,
    document::Shape,
    number,
    queue::Queue,
    report::Queue as Kind,
    schedule::DOCUMENT,
    site::{STOP_LIMIT, Site},
    tally::Tally,
};

/// The part of the documents that does not count: the engine starts, plans and finds its pace.
const TENTH: u64 = 10;

/// What a snapshot gave.
#[derive(Debug)]
pub(super) struct Found {
    /// Documents in a second, from a tenth of them in the queue to all.
    pub(super) rate: f64,
    /// Microseconds of processor time for each document, the start included.
    pub(super) processor_us: f64,
    /// Peak memory.
    pub(super) memory_kib: u64,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0} documents/s, {:.2} us of processor time each, {:.1} MiB",
            self.rate,
            self.processor_us,
            number::mebibytes(number::float(self.memory_kib)),
        )
    }
}

/// Lets an engine publish all documents once, and looks at what arrived.
pub(super) async fn run(site: &Site, documents: &Documents) -> Result<Found> {
    let Documents {
        backlog,
        count,
        bytes,
    } = documents;
    let queue = Queue::declare(&site.amqp_uri, Kind::Classic).await?;
    let mut command = site.engine_command(&backlog.database, &queue, DOCUMENT);
    let mut engine = Engine::start(command.env("CDC_SNAPSHOT", "initial"))?;
    let first = count / TENTH;
    let from = catch_up::arrived(&queue, first, &mut engine.process).await?;
    let to = catch_up::arrived(&queue, *count, &mut engine.process).await?;
    let usage = Usage::of(engine.process.pid())?;
    engine.process.terminate(STOP_LIMIT).await?;
    let tally = Tally::new(Shape::new(*bytes), *count);
    let delivery = queue.drain(tally).await?.delivery();
    queue.delete().await;
    let missing = delivery.missing;
    ensure!(
        missing == 0,
        "{missing} of {count} documents did not arrive"
    );
    Ok(Found {
        rate: number::float(count - first) / (to - from).as_secs_f64(),
        processor_us: (usage.user + usage.system).as_secs_f64() * 1e6 / number::float(*count),
        memory_kib: usage.peak_memory_kib,
    })
}
