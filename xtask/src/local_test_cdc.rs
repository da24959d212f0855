//! `cargo xtask local-test-cdc`: inserts test data and checks what arrives in the queue.

use std::{ffi::OsString, process::ExitCode};

use anyhow::Result;
use clap::Args;

use crate::{exec, project::Project};

/// All options are those of the program that does it, `--help` included.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct LocalTestCdc {
    #[arg(
        value_name = "OPTIONS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    arguments: Vec<OsString>,
}

impl LocalTestCdc {
    pub(crate) fn run(&self, project: &Project) -> Result<ExitCode> {
        match exec::workload(project, "local-test", &self.arguments)? {}
    }
}
