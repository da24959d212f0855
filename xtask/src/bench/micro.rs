//! The micro-benchmarks of the Extended JSON writer, whose results the report takes over.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::{child, progress::Progress, project::Project};

/// Longest time for the micro-benchmarks once, with their compilation.
const LIMIT: Duration = Duration::from_secs(30 * 60);
/// How often they are run: a machine that is busy for a moment disturbs one of them.
const PASSES: u32 = 5;

/// Measures the writer, before any server runs.
pub(super) fn run(project: &Project, progress: &Progress) -> Result<()> {
    let log = project.target.join("bench").join("writer.log");
    let line = progress.line("writer");
    for pass in 1..=PASSES {
        line.say(&format!("micro-benchmarks, pass {pass} of {PASSES}"));
        let mut command = project.cargo();
        command
            .args(["bench", "-p", "cdc", "--bench", "writer"])
            .args(["--", "extended_json", "--quick", "--save-baseline"])
            // The driver knows the passes by this name.
            .arg(format!("pass-{pass}"));
        child::logged(command, &log, &project.interrupt, LIMIT).context("measure the writer")?;
    }
    line.done("measured");
    Ok(())
}
