//! One run of a kind at a time: a second one would take the first one's servers away.

use std::{fs, process};

use anyhow::{Context, Result};

use crate::{failure::Failure, process::table, project::Project};

/// What takes turns in a checkout.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Turn {
    /// `cargo xtask test`.
    Test,
    /// `cargo xtask chaos`, and the last step of `test`.
    Chaos,
    /// `cargo xtask bench`.
    Bench,
}

impl Turn {
    /// Takes the turn, which ends with this process.
    ///
    /// # Errors
    /// When another run of this kind goes on in this checkout.
    pub(crate) fn take(self, project: &Project) -> Result<()> {
        let name = match self {
            Self::Test => "test",
            Self::Chaos => "chaos",
            Self::Bench => "bench",
        };
        let path = project.target.join(format!("{name}-run.pid"));
        let holder = fs::read_to_string(&path)
            .ok()
            .and_then(|pid| pid.trim().parse::<u32>().ok());
        let processes = table()?;
        // After a crash the pid may be someone else's.
        let is_run = |pid: &u32| {
            let line = processes.get(pid);
            let runs = ["xtask test", "xtask chaos", "xtask bench"];
            line.is_some_and(|line| runs.iter().any(|run| line.contains(run)))
        };
        if let Some(pid) = holder.filter(|pid| *pid != process::id()).filter(is_run) {
            return Err(Failure::new(format!(
                "another {name} run of this checkout goes on (pid {pid})"
            ))
            .hint("wait for it, or stop it with Ctrl-C")
            .into());
        }
        fs::write(&path, process::id().to_string())
            .with_context(|| format!("write {}", path.display()))
    }
}
