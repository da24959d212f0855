//! How fast snapshots are, beside what the servers allow; what changes wait for while one is under way; and its memory.
//!
//! A short program of its own: everything is measured once in every round, in turns, and no report is written.

mod documents;
mod engine;
mod latency;
mod reader;
mod table;

use anyhow::Result;

use self::{documents::Documents, table::Samples};
use super::{
    Args as Bench, catch_up,
    latency::Load,
    number,
    report::{Group, Key, Queue as Kind, Subject},
    schedule::DOCUMENT,
    site::Site,
    tell::tell,
};
use crate::{hint::Hinted, interrupt::unless_interrupted};

/// Large documents, and how many of them.
const LARGE_BYTES: u64 = 5_000_000;
const LARGE_COUNT: u64 = 200;
const QUICK_LARGE_COUNT: u64 = 20;
/// Changes in a second while latency is measured.
const PER_SECOND: u32 = 1_000;
/// Seconds of each latency.
const SECONDS: u32 = 5;
const QUICK_SECONDS: u32 = 1;

/// What to measure, and where.
#[derive(Debug, Clone, clap::Args)]
// Else a group of the same name as that of the arguments within.
#[group(skip)]
pub struct Args {
    /// What every bench takes; parts and Python programs do not matter here
    #[command(flatten)]
    pub bench: Bench,
    /// Fail if a bar is missed
    #[arg(long)]
    pub check: bool,
}

/// Measures and prints a table.
///
/// # Errors
/// If the servers are not there, or do not do as they should, or `check` finds a bar that is missed.
pub async fn run(args: &Args) -> Result<()> {
    let samples = unless_interrupted(measure(&args.bench)).await?;
    let rows = samples.rows();
    table::print(&samples, &rows);
    let missed = table::missed(&rows);
    if !args.check || missed.is_empty() {
        return Ok(());
    }
    Err(Hinted::new(
        format!("bars that are missed: {}", missed.join(", ")),
        "times of a shared machine differ from run to run: look at the samples before the code",
    )
    .into())
}

async fn measure(args: &Bench) -> Result<Samples> {
    let site = Site::new(args).await?;
    let large = if args.quick {
        QUICK_LARGE_COUNT
    } else {
        LARGE_COUNT
    };
    let small = Documents::insert(&site, args.count, args.size).await?;
    let large = Documents::insert(&site, large, LARGE_BYTES).await?;
    let mut samples = Samples::of(&small, &large);
    for round in 0..args.samples {
        tell(&format!("round {} of {}", round + 1, args.samples));
        throughput(&site, &small, round, &mut samples).await?;
        latencies(&site, &small, args, round, &mut samples).await?;
        let found = engine::run(&site, &large).await?;
        tell(&format!("large documents: {found}"));
        samples
            .large_memory_kib
            .push(number::float(found.memory_kib));
    }
    for documents in [small, large] {
        site.drop_database(&documents.backlog.database).await?;
    }
    Ok(samples)
}

/// Reader, sink and engine, each round beginning with another.
async fn throughput(
    site: &Site,
    documents: &Documents,
    round: u32,
    samples: &mut Samples,
) -> Result<()> {
    for turn in 0..3 {
        match (round + turn) % 3 {
            0 => {
                let rate = reader::rate(site, documents).await?;
                tell(&format!("reading alone: {rate:.0} documents/s"));
                samples.reading.push(rate);
            }
            1 => {
                let rate = publishing(site, documents, round).await?;
                tell(&format!("publishing alone: {rate:.0} messages/s"));
                samples.publishing.push(rate);
            }
            _ => {
                let found = engine::run(site, documents).await?;
                tell(&format!("engine: {found}"));
                samples.snapshot.push(found.rate);
                samples.processor_us.push(found.processor_us);
                samples.memory_kib.push(number::float(found.memory_kib));
            }
        }
    }
    Ok(())
}

/// Without a snapshot and with one, each round beginning with the other.
async fn latencies(
    site: &Site,
    documents: &Documents,
    args: &Bench,
    round: u32,
    samples: &mut Samples,
) -> Result<()> {
    let default = if args.quick { QUICK_SECONDS } else { SECONDS };
    let load = Load {
        per_second: PER_SECOND,
        seconds: args.seconds.unwrap_or(default),
        size: args.size,
    };
    let first = !round.is_multiple_of(2);
    for with_snapshot in [first, !first] {
        let Some(found) = latency::measure(site, documents, &load, with_snapshot).await? else {
            tell("the snapshot ended before the changes did: more documents (--count) help");
            continue;
        };
        let beside = if with_snapshot { "a" } else { "no" };
        let (middle, late) = (found.p50_ms, found.p99_ms);
        tell(&format!(
            "latency beside {beside} snapshot: p50 {middle:.1} ms, p99 {late:.1} ms"
        ));
        let place = &mut samples.latencies[usize::from(with_snapshot)];
        place.0.push(middle);
        place.1.push(late);
    }
    Ok(())
}

/// Messages a second of the fastest publisher of the same bodies.
async fn publishing(site: &Site, documents: &Documents, round: u32) -> Result<f64> {
    let Documents {
        backlog,
        count,
        bytes,
    } = documents;
    let key = Key {
        group: Group::Main,
        subject: Subject::Sink,
        queue: Some(Kind::Classic),
        format: Some(DOCUMENT.to_owned()),
        document_bytes: *bytes,
        events: *count,
    };
    let run = catch_up::run(site, backlog, &key, round).await?;
    Ok(number::float(*count) / run.seconds)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn the_command_line_is_that_of_every_bench_and_has_a_check() {
        let line = "bench --engine=cdc --folder=. --mongo-uri=m --amqp-uri=a --count=7 --check";
        let args = Line::parse_from(line.split(' ')).args;
        assert!(args.check);
        assert_eq!(args.bench.count, 7);
    }
}
