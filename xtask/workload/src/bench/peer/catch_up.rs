//! One program catches up with the backlog, and its queue is looked at.

use std::{fmt, time::Instant};

use anyhow::{Result, ensure};
use harness::{Process, Usage};
use tokio::time::sleep;

use super::{
    counter::Counter,
    debezium::Debezium,
    position::Positions,
    table::{Program, Turn},
};
use crate::bench::{
    backlog::Backlog,
    catch_up::{REST, reached},
    cells, number,
    number::float,
    queue::Queue,
    report::Delivery,
    site::{STOP_LIMIT, Site},
    tally::Tally,
};

/// The part of the messages that does not count: the program starts and finds its pace.
const TENTH: u64 = 10;

/// Who takes part, and what there is to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) site: &'a Site,
    pub(super) debezium: &'a Debezium,
    pub(super) backlog: &'a Backlog,
    /// Debezium Server's, before the backlog.
    pub(super) positions: &'a Positions,
    pub(super) count: u64,
}

/// What a catch-up gave.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Events in a second, from a tenth of the messages to all of them.
    pub(super) rate: f64,
    /// Microseconds of processor time for each of these.
    pub(super) processor_us: f64,
    /// Peak memory, from the start on.
    pub(super) memory_kib: u64,
    /// Bytes of a body.
    pub(super) body_bytes: f64,
    pub(super) delivery: Delivery,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0} events/s, {:.2} us of processor time each, {:.1} MiB, {}",
            self.rate,
            self.processor_us,
            number::mebibytes(float(self.memory_kib)),
            cells::arrived(self.delivery),
        )
    }
}

/// What a process has used when its queue held so many messages.
#[derive(Debug, Clone, Copy)]
struct Mark {
    count: u64,
    moment: Instant,
    usage: Usage,
}

/// Lets the program of `turn` publish the whole backlog once.
pub(super) async fn run(place: &Place<'_>, turn: Turn) -> Result<Found> {
    let Place { site, count, .. } = *place;
    let queue = Queue::declare(&site.amqp_uri, turn.queue).await?;
    let counter = Counter::of(site, &queue)?;
    let mut process = start(place, turn.program, &queue).await?;
    let from = mark(&counter, count / TENTH, &mut process).await?;
    let to = mark(&counter, count, &mut process).await?;
    match turn.program {
        Program::Cdc(_) => process.terminate(STOP_LIMIT).await?,
        // It would take a while to end, and nobody asks where it was.
        Program::Debezium => drop(process),
    }
    drop(counter);
    let tally = queue.drain(Tally::by_id(count)).await?;
    queue.delete().await;
    sleep(REST).await;
    let delivery = tally.delivery();
    let is_whole = delivery.missing == 0 && delivery.out_of_order == 0;
    ensure!(
        is_whole || turn.program == Program::Debezium,
        "the engine lost or reordered messages: {}",
        cells::arrived(delivery)
    );
    Ok(found(from, to, (count, tally.bytes), delivery))
}

fn found(from: Mark, to: Mark, (count, bytes): (u64, u64), delivery: Delivery) -> Found {
    let events = float(to.count - from.count);
    let processor = |usage: Usage| usage.user + usage.system;
    let used = processor(to.usage).saturating_sub(processor(from.usage));
    Found {
        rate: events / (to.moment - from.moment).as_secs_f64(),
        processor_us: used.as_secs_f64() * 1e6 / events,
        memory_kib: to.usage.peak_memory_kib,
        body_bytes: float(bytes) / float(count),
        delivery,
    }
}

async fn start(place: &Place<'_>, program: Program, queue: &Queue) -> Result<Process> {
    let Place { site, backlog, .. } = *place;
    match program {
        Program::Cdc(format) => {
            site.copy_checkpoint(&backlog.checkpoint, queue).await?;
            Ok(site.engine(&backlog.database, queue, format)?.process)
        }
        Program::Debezium => {
            let position = place.positions.of(queue.kind);
            let starting = place.debezium.start(&backlog.database, queue, position);
            Ok(starting.await?.process)
        }
    }
}

/// Waits until there are `events` messages.
async fn mark(counter: &Counter<'_>, events: u64, process: &mut Process) -> Result<Mark> {
    let count = async || counter.count().await;
    let (count, moment) = reached(count, events, process).await?;
    let usage = Usage::of(process.pid())?;
    Ok(Mark {
        count,
        moment,
        usage,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_came_before_a_tenth_does_not_count() {
        let moment = Instant::now();
        let mark = |count, seconds, user| Mark {
            count,
            moment: moment + Duration::from_secs(seconds),
            usage: Usage {
                user: Duration::from_millis(user),
                peak_memory_kib: 7 + count,
                ..Usage::default()
            },
        };
        let (from, to) = (mark(200, 30, 5_000), mark(1_200, 32, 5_010));
        let found = found(from, to, (1_200, 2_400), Delivery::default());
        assert!((found.rate - 500.0).abs() < 1e-9, "{found}");
        assert!((found.processor_us - 10.0).abs() < 1e-9, "{found}");
        assert!((found.body_bytes - 2.0).abs() < 1e-9);
        assert_eq!(found.memory_kib, 1_207);
    }
}
