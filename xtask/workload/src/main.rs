//! The binary `workload`: one subcommand per program.

#![expect(
    clippy::print_stderr,
    reason = "a command-line program tells its failures there"
)]

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Parser, Subcommand};
use workload::{
    bench, chaos, hint, hint::Hinted, local_test, replica_set, settings::Settings, snapshot_demo,
};

/// Exit code for a command line or an environment that cannot be used (`EX_USAGE`).
const EXIT_USAGE: u8 = 64;

/// The engine's, so that what a floor costs can be held against what the engine costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
#[command(
    name = "workload",
    about = "Programs that the cdc toolkit launches",
    version
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Initiate a replica set and wait until it has one PRIMARY and only SECONDARYs beside it
    ReplicaSet(replica_set::Args),
    /// Insert scrabble data and verify that each document arrives in the queue, in order
    LocalTest {
        #[command(flatten)]
        args: local_test::Args,
        #[command(flatten)]
        settings: Settings,
    },
    /// Let an engine begin with documents that exist, change some meanwhile, and verify that nothing is missed
    SnapshotDemo {
        #[command(flatten)]
        args: snapshot_demo::Args,
        #[command(flatten)]
        settings: Settings,
    },
    /// Break everything around the engine while it works, and check that nothing was lost
    Chaos(chaos::Args),
    /// Measure the engine, its floors and what a user would take instead
    #[command(subcommand)]
    Bench(bench::Command),
}

fn main() -> ExitCode {
    if let Err(error) = load_env_file() {
        eprintln!("{}", hint::render(&error));
        return ExitCode::from(EXIT_USAGE);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A failure to print (a closed pipe) leaves nobody to tell.
            let _ = error.print();
            let usage = error.use_stderr();
            return ExitCode::from(if usage { EXIT_USAGE } else { 0 });
        }
    };
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", hint::render(&error));
            ExitCode::FAILURE
        }
    }
}

/// Reads `.env` of the current folder, if there is one; what is set already wins.
///
/// Runs before any thread exists, because it changes the environment of the process.
fn load_env_file() -> anyhow::Result<()> {
    match dotenvy::from_path(".env") {
        Err(dotenvy::Error::LineParse(line, _)) => {
            let number = std::fs::read_to_string(".env")
                .ok()
                .and_then(|text| text.lines().position(|candidate| candidate == line));
            let place = number.map_or(String::new(), |index| format!(" line {}", index + 1));
            Err(Hinted::new(
                format!("cannot read .env{place}: not of the form NAME=value"),
                "quote a value that holds spaces or a `#`",
            )
            .into())
        }
        Err(error) if !error.not_found() => Err(error).context("read .env"),
        _ => Ok(()),
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(async {
        match command {
            Command::ReplicaSet(args) => {
                replica_set::run(&args, say).await?;
                say("ready");
            }
            Command::LocalTest { args, settings } => local_test::run(&args, &settings).await?,
            Command::SnapshotDemo { args, settings } => {
                snapshot_demo::run(&args, &settings).await?;
            }
            Command::Chaos(args) => chaos::run(&args).await?,
            Command::Bench(command) => bench::run(&command).await?,
        }
        Ok(())
    })
}

/// Prints a result line; a closed pipe is no reason to stop.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
