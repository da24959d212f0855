//! The toolkit of the project: `cargo xtask help` lists its commands.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to a person"
)]

mod bench;
mod browser_test;
mod cargo;
mod chaos;
mod child;
mod ci;
mod demo;
mod dotenv;
mod engine;
mod failure;
mod help;
mod instructions;
mod interrupt;
mod local_start;
mod local_stop;
mod process;
mod programs;
mod progress;
mod project;
mod python;
mod servers;
mod test;
mod turn;

use std::{env, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{
    bench::Bench,
    browser_test::BrowserTest,
    chaos::Chaos,
    ci::Ci,
    demo::Demo,
    interrupt::Interrupt,
    local_start::LocalStart,
    local_stop::LocalStop,
    programs::{Consume, LocalStartCdc, LocalTestCdc},
    project::Project,
    test::Test,
};

#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", version, disable_help_subcommand = true, override_help = help::text())]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the commands, or the options of one
    Help,
    /// Start MongoDB and RabbitMQ and wait until both are ready
    LocalStart(LocalStart),
    /// Stop them; `--volumes` also deletes their data
    LocalStop(LocalStop),
    /// Run the engine in the foreground
    LocalStartCdc(LocalStartCdc),
    /// Insert test data and check that all of it arrives, in order
    LocalTestCdc(LocalTestCdc),
    /// Show the messages of the queue
    Consume(Consume),
    /// All at once: servers, engine, test data, messages, check
    Demo(Demo),
    /// Run all checks and tests on real servers of their own
    Test(Test),
    /// Show the status page in Chromium, in each of its states
    BrowserTest(BrowserTest),
    /// Break all around the engine and check that nothing was lost
    Chaos(Chaos),
    /// Measure the engine beside its limits and its alternatives
    Bench(Bench),
    /// Use the docker backend from end to end, as CI does
    Ci(Ci),
}

fn main() -> ExitCode {
    try_main().unwrap_or_else(|error| failure::report(&error))
}

fn try_main() -> Result<ExitCode> {
    let cli = Cli::try_parse_from(help::arguments(env::args_os().collect()))
        .unwrap_or_else(|error| help::with_suggestion(error).exit());
    let Some(command) = cli.command else {
        return Ok(help::run());
    };
    let project = || Project::open(Interrupt::install()?);
    match command {
        Command::Help => Ok(help::run()),
        Command::LocalStart(command) => command.run(&project()?),
        Command::LocalStop(command) => command.run(&project()?),
        Command::LocalStartCdc(command) => command.run(&project()?),
        Command::LocalTestCdc(command) => command.run(&project()?),
        Command::Consume(command) => command.run(&project()?),
        Command::Demo(command) => command.run(&project()?),
        Command::Test(command) => command.run(&project()?),
        Command::BrowserTest(command) => command.run(&project()?),
        Command::Chaos(command) => command.run(&project()?),
        Command::Bench(command) => command.run(&project()?),
        Command::Ci(command) => command.run(&project()?),
    }
}
