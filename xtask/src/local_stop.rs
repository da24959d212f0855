//! `cargo xtask local-stop`: stops what `local-start` has started.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::{
    progress::Progress,
    project::Project,
    servers::{Data, choice},
};

/// Options of `local-stop`.
#[derive(Debug, Args)]
pub(crate) struct LocalStop {
    /// Delete their data as well
    #[arg(long)]
    volumes: bool,
}

impl LocalStop {
    pub(crate) fn run(&self, project: &Project) -> Result<ExitCode> {
        let data = if self.volumes {
            Data::Delete
        } else {
            Data::Keep
        };
        let progress = Progress::new();
        match choice::last_started(project, &progress)? {
            Some(servers) => {
                servers.stop(project, &progress, data)?;
                if data == Data::Delete {
                    choice::forget(project)?;
                }
            }
            None => {
                progress.say("nothing to stop: `cargo xtask local-start` has started nothing here");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
