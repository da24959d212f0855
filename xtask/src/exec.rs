//! Replaces this process by a program of the project, so that signals and exit codes need no passing on.

use std::{convert::Infallible, ffi::OsString, os::unix::process::CommandExt, path::Path};

use anyhow::{Context, Result};
use xshell::cmd;

use crate::{
    cargo::{self, Profile},
    progress::Progress,
    project::Project,
    servers::stack::Stack,
};

const MONGO_URI: &str = "MONGO_DATABASE_HOST";

/// Compiles the programs and becomes `cdc <subcommand> <arguments>`.
///
/// # Errors
/// Returns only if that fails.
pub(crate) fn cdc(
    project: &Project,
    profile: Profile,
    subcommand: &str,
    arguments: &[OsString],
) -> Result<Infallible> {
    cargo::build_now(project, &Progress::new(), profile)?;
    become_program(
        project,
        &cargo::engine(project, profile),
        subcommand,
        arguments,
    )
}

/// Compiles the programs and becomes `workload <subcommand> <arguments>`.
///
/// # Errors
/// Returns only if that fails.
pub(crate) fn workload(
    project: &Project,
    subcommand: &str,
    arguments: &[OsString],
) -> Result<Infallible> {
    cargo::build_now(project, &Progress::new(), Profile::Dev)?;
    become_program(project, &cargo::workload(project), subcommand, arguments)
}

fn become_program(
    project: &Project,
    program: &Path,
    subcommand: &str,
    arguments: &[OsString],
) -> Result<Infallible> {
    project.interrupt.check()?;
    // Where the local servers are, if the ports of `docker-compose.yaml` were changed and nothing else was.
    let uri = match project.setting(MONGO_URI) {
        Some(uri) => uri,
        None => Stack::local(project)?.mongo_uri(),
    };
    let mut command = project.command(cmd!(project.shell, "{program} {subcommand} {arguments...}"));
    Err(command.env(MONGO_URI, uri).exec()).with_context(|| format!("run {}", program.display()))
}
