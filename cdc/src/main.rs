//! The binary: `.env`, command line, logging, runtime, exit code.

mod cli;
mod dotenv;

use std::{env, process::ExitCode};

/// Each message is a dozen small allocations of the client libraries, some of them freed on another thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // First, while there is one thread: this changes the process's environment.
    match dotenv::load(env::args_os()).and_then(|start| cli::run(&start)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => exit.report(),
    }
}
