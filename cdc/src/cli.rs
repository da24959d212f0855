//! The command line: what can be typed, and how it ends.

mod hints;
mod run;
mod tail;

use std::{io::Write as _, process::ExitCode};

use clap::{Parser, Subcommand};

use cdc::config::{Faults, RunArgs, TailArgs};

/// Every committed change in MongoDB becomes a message in RabbitMQ: in order, at least once, never silently lost.
///
/// Every setting is a flag, an environment variable and a line of `.env` in the current folder; the first one given
/// wins. Exit codes: 0 drained and saved, 1 stopped by a failure, 64 bad configuration.
#[derive(Debug, Parser)]
#[command(
    name = "cdc",
    version,
    args_conflicts_with_subcommands = true,
    max_term_width = 120
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch, publish and checkpoint until SIGINT or SIGTERM (the default command)
    Run(Box<RunArgs>),
    /// Print the messages of the queue
    Tail(Box<TailArgs>),
}

/// How the program ends when not well.
#[derive(Debug)]
pub(crate) struct Exit {
    code: u8,
    text: String,
    hint: Option<String>,
}

impl Cli {
    pub(crate) fn run(self) -> Result<(), Exit> {
        match self.command {
            Some(Command::Run(args)) => run::run(&args),
            Some(Command::Tail(args)) => tail::run(&args),
            None => run::run(&self.run),
        }
    }
}

impl Exit {
    /// Bad configuration.
    pub(crate) fn usage(text: impl Into<String>, hint: Option<&str>) -> Self {
        Self {
            code: 64,
            text: text.into(),
            hint: hint.map(str::to_owned),
        }
    }

    /// A failure.
    pub(crate) fn failure(text: impl Into<String>, hint: Option<&str>) -> Self {
        Self {
            code: 1,
            text: text.into(),
            hint: hint.map(str::to_owned),
        }
    }

    /// Says why on stderr and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        // A closed stderr is no reason to panic; the exit code still tells.
        let mut stderr = std::io::stderr().lock();
        if !self.text.is_empty() {
            let _ = writeln!(stderr, "error: {}", self.text);
        }
        if let Some(hint) = self.hint {
            let _ = writeln!(stderr, "\nhint: {hint}");
        }
        ExitCode::from(self.code)
    }
}

impl From<Faults> for Exit {
    fn from(faults: Faults) -> Self {
        Self::usage(
            format!("bad configuration\n{faults}"),
            Some("cdc --help lists every setting"),
        )
    }
}

impl From<clap::Error> for Exit {
    /// Help and version are no errors; everything else is a bad configuration.
    fn from(error: clap::Error) -> Self {
        let _ = error.print();
        let code = if error.use_stderr() { 64 } else { 0 };
        Self {
            code,
            text: String::new(),
            hint: None,
        }
    }
}
