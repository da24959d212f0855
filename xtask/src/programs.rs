//! The commands that become a program of the project, so that signals and exit codes need no passing on.

use std::{ffi::OsString, os::unix::process::CommandExt, path::Path, process::ExitCode};

use anyhow::{Context, Result};
use clap::Args;
use xshell::cmd;

use crate::{
    cargo::{self, Profile},
    progress::Progress,
    project::Project,
    servers::stack::Stack,
};

const MONGO_URI: &str = "MONGO_DATABASE_HOST";

const TEST_OPTIONS: &str = "\
Test options:
  --count <N>              documents to insert [default: 1000]
  --rate <N>               inserts a second; 0 is as fast as possible
  --seed <N>               seed of the made-up content [default: 42]
  --batch <N>              most documents in one insert [default: 100]
  --label <WORD>           first word of the summary line [default: test]
  --show <N>               print this many messages as they arrive
  --timeout-ms <N>         give up after this long without a message
  --engine-timeout-ms <N>  longest wait for an engine that is starting
Servers and queue are those of the environment or `.env`; `-- --help` lists
their options too.";

/// Options of `local-start-cdc`.
#[derive(Debug, Args)]
pub(crate) struct LocalStartCdc {
    /// Compile the engine with optimisations
    #[arg(long)]
    release: bool,
    /// Everything else goes to the engine; `-- --help` lists its options
    #[arg(
        value_name = "CDC_OPTIONS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    arguments: Vec<OsString>,
}

/// Options of `consume`.
#[derive(Debug, Args)]
pub(crate) struct Consume {
    /// Everything goes to `cdc tail`; `-- --help` lists its options
    #[arg(
        value_name = "TAIL_OPTIONS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    arguments: Vec<OsString>,
}

/// Options of `local-test-cdc`.
#[derive(Debug, Args)]
#[command(after_help = TEST_OPTIONS)]
pub(crate) struct LocalTestCdc {
    /// What to insert and how long to wait, see below
    #[arg(
        value_name = "TEST_OPTIONS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    arguments: Vec<OsString>,
}

impl LocalStartCdc {
    pub(crate) fn run(&self, project: &Project) -> Result<ExitCode> {
        let profile = Profile::from_flag(self.release);
        let program = cargo::engine(project, profile);
        become_program(project, profile, (&program, "run"), &self.arguments)
    }
}

impl Consume {
    pub(crate) fn run(&self, project: &Project) -> Result<ExitCode> {
        let program = cargo::engine(project, Profile::Dev);
        become_program(project, Profile::Dev, (&program, "tail"), &self.arguments)
    }
}

impl LocalTestCdc {
    pub(crate) fn run(&self, project: &Project) -> Result<ExitCode> {
        let program = cargo::workload(project);
        become_program(
            project,
            Profile::Dev,
            (&program, "local-test"),
            &self.arguments,
        )
    }
}

/// Compiles the programs and becomes one of them.
///
/// # Errors
/// Returns only if that fails.
fn become_program(
    project: &Project,
    profile: Profile,
    (program, subcommand): (&Path, &str),
    arguments: &[OsString],
) -> Result<ExitCode> {
    cargo::build_now(project, &Progress::new(), profile)?;
    project.interrupt.check()?;
    // Where the local servers are, if the ports of `docker-compose.yaml` were changed and nothing else was.
    let uri = match project.setting(MONGO_URI) {
        Some(uri) => uri,
        None => Stack::local(project)?.mongo_uri(),
    };
    let mut command = project.command(cmd!(project.shell, "{program} {subcommand} {arguments...}"));
    Err(command.env(MONGO_URI, uri).exec()).with_context(|| format!("run {}", program.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_that_are_listed_are_those_of_the_test() {
        let source = include_str!("../workload/src/local_test.rs");
        let (_, rest) = source.split_once("pub struct Args {").unwrap();
        let (fields, _) = rest.split_once("\n}").unwrap();
        let fields = fields
            .lines()
            .filter_map(|line| line.trim().strip_prefix("pub "));
        let fields = fields.filter_map(|field| Some(field.split_once(':')?.0.replace('_', "-")));
        let listed = TEST_OPTIONS
            .lines()
            .filter_map(|line| line.trim().strip_prefix("--"));
        let listed = listed.filter_map(|line| line.split(' ').next());
        assert_eq!(fields.collect::<Vec<_>>(), listed.collect::<Vec<_>>());
    }
}
