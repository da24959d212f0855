//! The binary: `.env`, command line, logging, runtime, exit code.

mod cli;
mod dotenv;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Exit};

/// Each message is a dozen small allocations of the client libraries, some of them freed on another thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // First, while there is one thread: this changes the process's environment.
    let outcome = dotenv::load().and_then(|()| match Cli::try_parse() {
        Ok(cli) => cli.run(),
        Err(error) => Err(Exit::from(error)),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => exit.report(),
    }
}
