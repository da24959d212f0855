//! `cargo xtask local-start`: the servers that one works with.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::{
    cargo::{self, Profile},
    progress::Progress,
    project::Project,
    servers::{self, choice::Choice, stack::Stack},
};

/// Options of `local-start`.
#[derive(Debug, Args)]
pub(crate) struct LocalStart {
    #[command(flatten)]
    choice: Choice,
}

impl LocalStart {
    pub(crate) fn run(&self, project: &Project) -> Result<ExitCode> {
        let stack = start(project, &self.choice, Profile::Dev)?;
        println!("MongoDB     {}", stack.mongo_uri());
        println!("RabbitMQ    {}", stack.amqp_uri_shown());
        println!("management  {}", stack.management_uri());
        Ok(ExitCode::SUCCESS)
    }
}

/// Starts the local stack, compiles the programs, and returns when both are ready.
pub(crate) fn start(project: &Project, choice: &Choice, profile: Profile) -> Result<Stack> {
    let progress = Progress::new();
    let servers = choice.to_start(project, &progress)?;
    let builds = cargo::build(project, &progress, profile)?;
    servers::start(project, &progress, servers.as_ref(), builds)?;
    Ok(servers.stack().clone())
}
