//! `cargo xtask consume`: shows the messages of the queue.

use std::{ffi::OsString, process::ExitCode};

use anyhow::Result;
use clap::Args;

use crate::{cargo::Profile, exec, project::Project};

/// All options are those of `cdc tail`, `--help` included.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Consume {
    #[arg(
        value_name = "OPTIONS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    arguments: Vec<OsString>,
}

impl Consume {
    pub(crate) fn run(&self, project: &Project) -> Result<ExitCode> {
        match exec::cdc(project, Profile::Dev, "tail", &self.arguments)? {}
    }
}
