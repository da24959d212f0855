//! One test run at a time: a second one would take the first one's servers away.

use std::{fs, process};

use anyhow::{Context, Result};

use crate::{failure::Failure, process::table, project::Project};

/// Takes the turn, which ends with this process.
///
/// # Errors
/// When another test run of this checkout goes on.
pub(crate) fn take(project: &Project) -> Result<()> {
    let path = project.target.join("test-run.pid");
    let holder = fs::read_to_string(&path)
        .ok()
        .and_then(|pid| pid.trim().parse::<u32>().ok());
    let processes = table()?;
    // After a crash the pid may be someone else's.
    let is_test_run = |pid: &u32| {
        processes
            .get(pid)
            .is_some_and(|line| line.contains("xtask test"))
    };
    if let Some(pid) = holder
        .filter(|pid| *pid != process::id())
        .filter(is_test_run)
    {
        return Err(Failure::new(format!(
            "another test run of this checkout goes on (pid {pid})"
        ))
        .hint("wait for it, or stop it with Ctrl-C")
        .into());
    }
    fs::write(&path, process::id().to_string()).with_context(|| format!("write {}", path.display()))
}
