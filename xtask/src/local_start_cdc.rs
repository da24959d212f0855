//! `cargo xtask local-start-cdc`: the engine in the foreground.

use std::{ffi::OsString, process::ExitCode};

use anyhow::Result;
use clap::Args;

use crate::{cargo::Profile, exec, project::Project};

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

impl LocalStartCdc {
    pub(crate) fn run(&self, project: &Project) -> Result<ExitCode> {
        let profile = Profile::from_flag(self.release);
        match exec::cdc(project, profile, "run", &self.arguments)? {}
    }
}
