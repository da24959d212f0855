//! The programs of the bench.

use anyhow::Result;
use clap::Subcommand;

use super::show;

/// What `workload bench` does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show a report: tables, bars, the change since an earlier one, a page with plots
    Show(show::Args),
}

/// Runs `command`.
///
/// # Errors
/// Those of the command; of `show --check`, a bar that is missed.
pub fn run(command: &Command) -> Result<()> {
    match command {
        Command::Show(args) => show::run(args),
    }
}
