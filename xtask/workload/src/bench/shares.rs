//! What it costs to divide a pipeline: one backlog, read by one engine, by two shares, by four and by eight, on one machine.
//!
//! A short program of its own, as that of snapshots. Each share publishes to a queue of its own; all begin at once, and the
//! time is from their start to the last message in its queue.

mod servers;
mod table;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::{Engine, Usage};
use tokio::time::sleep;

use self::{
    servers::{Servers, processor},
    table::{Run, Samples},
};
use super::{
    Args,
    backlog::Backlog,
    document::Shape,
    number::float,
    queue::Queue,
    report::Queue as Kind,
    schedule::DOCUMENT,
    site::{STOP_LIMIT, Site},
    tally::Tally,
    tell::tell,
};
use crate::interrupt::unless_interrupted;

/// Into how many shares the pipeline is divided.
const COUNTS: [u16; 4] = [1, 2, 4, 8];
/// Longest time for one run.
const RUN_LIMIT: Duration = Duration::from_secs(15 * 60);
/// Pause between two looks at the queues.
const POLL: Duration = Duration::from_millis(10);
/// Rest after a run, for servers that still tidy up.
const REST: Duration = Duration::from_millis(500);

/// Measures and prints a table.
///
/// # Errors
/// If the servers are not there, or do not do as they should.
pub async fn run(args: &Args) -> Result<()> {
    let samples = unless_interrupted(measure(args)).await?;
    table::print(&samples);
    Ok(())
}

async fn measure(args: &Args) -> Result<Samples> {
    let site = Site::new(args).await?;
    let servers = Servers::find(args, &site.client).await?;
    let mut samples = Samples::new(args.count, args.size);
    for round in 0..args.samples {
        tell(&format!("round {} of {}", round + 1, args.samples));
        let backlog = Backlog::insert(&site, args.count, args.size).await?;
        for turn in 0..COUNTS.len() {
            // Each round begins with another one.
            let count = COUNTS[(turn + round as usize) % COUNTS.len()];
            let run = read(&site, &servers, &backlog, args, count).await?;
            tell(&format!("{count} shares: {run}"));
            samples.add(count, run);
            sleep(REST).await;
        }
        site.drop_database(&backlog.database).await?;
    }
    Ok(samples)
}

/// Lets so many engines share the backlog.
async fn read(
    site: &Site,
    servers: &Servers,
    backlog: &Backlog,
    args: &Args,
    count: u16,
) -> Result<Run> {
    let mut queues = Vec::new();
    for _ in 0..count {
        queues.push(Queue::declare(&site.amqp_uri, Kind::Classic).await?);
    }
    let before = servers.used()?;
    let started = Instant::now();
    let mut engines = start(site, backlog, &queues)?;
    let seconds = (arrived(&queues, args.count, &mut engines).await? - started).as_secs_f64();
    let after = servers.used()?;
    let mut run = Run {
        rate: float(args.count) / seconds,
        mongodb_us: each(after.mongodb.saturating_sub(before.mongodb), args.count),
        rabbitmq_us: each(after.rabbitmq.saturating_sub(before.rabbitmq), args.count),
        engines_us: 0.0,
        memory_kib: 0.0,
    };
    for engine in engines {
        let usage = Usage::of(engine.process.pid())?;
        run.engines_us += each(processor(&usage), args.count);
        run.memory_kib += float(usage.peak_memory_kib);
        engine.process.terminate(STOP_LIMIT).await?;
    }
    look_through(queues, args).await?;
    Ok(run)
}

fn start(site: &Site, backlog: &Backlog, queues: &[Queue]) -> Result<Vec<Engine>> {
    let from = bson::DateTime::from_millis(i64::from(backlog.from.time) * 1_000);
    let from = from.try_to_rfc3339_string().context("write a time")?;
    let engines = queues.iter().enumerate().map(|(index, queue)| {
        let mut command = site.engine_command(&backlog.database, queue, DOCUMENT);
        command
            .env("CDC_PIPELINE", &queues[0].name)
            .env("CDC_SHARE", format!("{index}/{}", queues.len()))
            .env("CDC_START", &from);
        Engine::start(&mut command)
    });
    engines.collect()
}

/// Waits until the queues hold all messages.
async fn arrived(queues: &[Queue], events: u64, engines: &mut [Engine]) -> Result<Instant> {
    let deadline = Instant::now() + RUN_LIMIT;
    loop {
        let mut count = 0;
        for queue in queues {
            count += queue.count().await?;
        }
        let moment = Instant::now();
        if events <= count {
            return Ok(moment);
        }
        for engine in &mut *engines {
            engine.process.check_alive()?;
        }
        ensure!(
            moment < deadline,
            "{count} of {events} messages arrived in time"
        );
        sleep(POLL).await;
    }
}

/// Every document is in one of the queues.
async fn look_through(queues: Vec<Queue>, args: &Args) -> Result<()> {
    let mut tally = Tally::new(Shape::new(args.size), args.count);
    for queue in queues {
        tally = queue.drain(tally).await?;
        queue.delete().await;
    }
    let missing = tally.delivery().missing;
    ensure!(missing == 0, "{missing} documents did not arrive");
    Ok(())
}

/// Microseconds for each event.
fn each(time: Duration, events: u64) -> f64 {
    time.as_secs_f64() * 1e6 / float(events)
}
