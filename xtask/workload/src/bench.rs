//! How fast the engine is, beside what the servers allow and what a user would take instead.
//!
//! `run` is the driver. It inserts backlogs, lets each subject read or publish them in turn as a process of its own,
//! looks at what that process has used and at what it has left in its queue, and writes a report. The floors are
//! programs of ours: `source` only reads, `sink` only publishes. Everything else is made from the report:
//! `show` prints tables, holds figures against their bars, compares, and makes a page with plots.

mod backlog;
mod bar;
mod bars;
mod caption;
mod catch_up;
mod cells;
mod child;
mod compare;
mod document;
mod grid;
mod latency;
mod machine;
mod number;
mod page;
pub mod peer;
mod plot;
mod publish;
mod queue;
mod ratios;
mod record;
pub mod report;
mod run;
mod schedule;
mod sections;
pub mod shares;
pub mod show;
pub mod sink;
mod site;
pub mod snapshot;
pub mod source;
mod spread;
mod stream;
mod summary;
mod system_calls;
mod tally;
mod tell;
#[cfg(test)]
mod tests;
mod writer;

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;

/// Programs of the bench.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// Measure everything, in turns
    Run(Args),
    /// Measure snapshots, in turns
    Snapshot(snapshot::Args),
    /// Measure shares of one pipeline, in turns
    Shares(Args),
    /// Measure the engine beside another program, in turns
    Peer(peer::Args),
    /// Drain a change stream and do nothing with it
    Source(source::Args),
    /// Publish made-up messages as fast as the client library allows
    Sink(sink::Args),
    /// Show a report: tables, bars, the change since an earlier one, a page with plots
    Show(show::Args),
}

/// What to measure, and where.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Documents of the main comparison
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub count: u64,
    /// Bytes of a document there
    #[arg(long, default_value_t = 400)]
    pub size: u64,
    /// How often everything is measured
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub samples: u32,
    /// Be short
    #[arg(long)]
    pub quick: bool,
    /// Leave the Python programs out
    #[arg(long)]
    pub no_python: bool,
    /// Parts to measure [default: all]
    #[arg(long, value_delimiter = ',')]
    pub parts: Vec<Part>,
    /// Seconds of each latency [default: 10, or 3 with --quick]
    #[arg(long)]
    pub seconds: Option<u32>,
    /// Program of the engine
    #[arg(long, env = "CDC_BENCH_ENGINE")]
    pub engine: PathBuf,
    /// Folder for reports
    #[arg(long, env = "CDC_BENCH_FOLDER")]
    pub folder: PathBuf,
    /// Folder of the Python programs
    #[arg(long, env = "CDC_BENCH_PROGRAMS")]
    pub programs: Option<PathBuf>,
    /// What Python finds its packages with
    #[arg(long, env = "CDC_BENCH_PYTHONPATH")]
    pub pythonpath: Option<String>,
    /// Folder of the micro-benchmarks' results
    #[arg(long, env = "CDC_BENCH_CRITERION")]
    pub criterion: Option<PathBuf>,
    /// Connection string of the replica set
    #[arg(long, env = "CDC_BENCH_MONGO_URI", hide_env_values = true)]
    pub mongo_uri: String,
    /// Address of the broker
    #[arg(long, env = "CDC_BENCH_AMQP_URI", hide_env_values = true)]
    pub amqp_uri: String,
    /// Host and port of the broker's streams in their own protocol; without it they are left out
    #[arg(long, env = "CDC_BENCH_STREAM_ADDRESS")]
    pub stream_address: Option<String>,
    /// Port of the broker's management page, which knows versions
    #[arg(long, env = "CDC_BENCH_MANAGEMENT_PORT")]
    pub management_port: Option<u16>,
}

/// A part of the bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The main comparison.
    Main,
    /// The engine as events and documents grow.
    Growth,
    /// Latencies.
    Latency,
    /// Starts and idle memory of the engine.
    Life,
}

/// Runs one of them.
///
/// # Errors
/// If the servers are not there, or do not do as they should; of `show --check`, a bar that is missed.
pub async fn run(command: &Command) -> Result<()> {
    match command {
        Command::Run(args) => run::run(args).await,
        Command::Snapshot(args) => snapshot::run(args).await,
        Command::Shares(args) => shares::run(args).await,
        Command::Peer(args) => peer::run(args).await,
        Command::Source(args) => source::run(args).await,
        Command::Sink(args) => sink::run(args).await,
        Command::Show(args) => show::run(args),
    }
}
