//! How fast the engine is beside Debezium Server, which reads the same backlog and publishes to the same broker.
//!
//! Both go on from a position that they saved before the backlog was written, one after the other. What counts is the
//! way from a tenth of the messages to all of them, so that no start of a process does.

mod catch_up;
mod counter;
mod debezium;
mod position;
mod properties;
mod table;

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
};

use anyhow::{Context, Result};

use self::{
    catch_up::Place,
    debezium::Debezium,
    position::Positions,
    table::{Samples, Turn},
};
use super::{Args as Bench, backlog::Backlog, publish, queue, site::Site, tell::tell};
use crate::{hint::Hinted, interrupt::unless_interrupted};

/// What to measure, and where.
#[derive(Debug, Clone, clap::Args)]
// Else a group of the same name as that of the arguments within.
#[group(skip)]
pub struct Args {
    /// What every bench takes; parts and Python programs do not matter here
    #[command(flatten)]
    pub bench: Bench,
    /// Folder of Debezium Server
    #[arg(long, env = "CDC_BENCH_DEBEZIUM")]
    pub debezium: PathBuf,
    /// Folder of the Java that runs it
    #[arg(long, env = "CDC_BENCH_JAVA_HOME")]
    pub java_home: PathBuf,
    /// Write the figures into this page, between its marks
    #[arg(long, value_name = "FILE")]
    pub page: Option<PathBuf>,
    /// Fail if a bar is missed
    #[arg(long)]
    pub check: bool,
}

/// Measures and prints a table.
///
/// # Errors
/// If the servers or Debezium Server are not there, or do not do as they should, or `check` finds a bar that is missed.
pub async fn run(args: &Args) -> Result<()> {
    let samples = unless_interrupted(measure(args)).await?;
    // A closed pipe is no reason to stop.
    let _ = io::stdout().write_all(samples.text().as_bytes());
    if let Some(page) = &args.page {
        publish::fill(page, publish::PEER, &samples.markdown())?;
        tell(&format!("published in {}", page.display()));
    }
    match samples.missed() {
        Some(missed) if args.check => Err(Hinted::new(
            format!("a bar is missed: {missed}"),
            "times of a shared machine differ from run to run: look at the samples before the code",
        )
        .into()),
        _ => Ok(()),
    }
}

async fn measure(args: &Args) -> Result<Samples> {
    let bench = &args.bench;
    let site = Site::new(bench).await?;
    let debezium = Debezium::new(args, &site)?;
    let mut report = super::run::report(bench, &site).await?;
    report.versions.extend(debezium.versions());
    let mut samples = Samples::of(&report);
    let has_streams = site.stream_address.is_some();
    if !has_streams {
        tell("streams are left out: the broker has none in their own protocol");
    }
    for number in 0..bench.samples {
        tell(&format!("round {} of {}", number + 1, bench.samples));
        let turns = Turn::all(number, has_streams);
        round(bench, (&site, &debezium), turns, &mut samples).await?;
    }
    fs::remove_dir_all(debezium.work_folder()).context("tidy up")?;
    Ok(samples)
}

/// A new backlog, so that it lies at the end of the oplog, and every program once.
async fn round(
    bench: &Bench,
    (site, debezium): (&Site, &Debezium),
    turns: Vec<Turn>,
    samples: &mut Samples,
) -> Result<()> {
    let database = queue::name();
    let positions = Positions::save(debezium, site, &database).await?;
    tell("inserting the backlog");
    let backlog = Backlog::insert_into(site, database, bench.count, bench.size).await?;
    let place = Place {
        site,
        debezium,
        backlog: &backlog,
        positions: &positions,
        count: bench.count,
    };
    for turn in turns {
        let found = catch_up::run(&place, turn).await;
        let found = found.with_context(|| {
            let logs = debezium.work_folder().display();
            format!("{turn} (Debezium Server's logs are in {logs})")
        })?;
        tell(&format!("{turn}: {found}"));
        samples.add(turn, found);
    }
    site.drop_database(&backlog.database).await
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
    fn the_command_line_is_that_of_every_bench_and_says_where_the_other_program_is() {
        let line = "bench --engine=cdc --folder=. --mongo-uri=m --amqp-uri=a --count=7 \
            --debezium=d --java-home=j --check";
        let args = Line::parse_from(line.split_whitespace()).args;
        assert!(args.check && args.page.is_none());
        assert_eq!(args.bench.count, 7);
    }
}
