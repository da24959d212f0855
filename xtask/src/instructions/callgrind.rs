//! Builds the bench program and counts its instructions with callgrind, a tool of valgrind.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{child, failure::Failure, project::Project};

/// Name of the bench target.
const PROGRAM: &str = "instructions";
const BUILD_LIMIT: Duration = Duration::from_secs(60 * 60);
const RUN_LIMIT: Duration = Duration::from_secs(10 * 60);

/// The program, ready to be run.
#[derive(Debug)]
pub(super) struct Callgrind<'a> {
    project: &'a Project,
    program: PathBuf,
}

impl<'a> Callgrind<'a> {
    /// Looks for valgrind and builds the program.
    pub(super) fn prepare(project: &'a Project) -> Result<Self> {
        let mut version = Command::new("valgrind");
        version.arg("--version");
        if child::answer(version, &project.interrupt, RUN_LIMIT).is_none() {
            return Err(Failure::new("valgrind does not run here")
                .hint("on Debian and Ubuntu: apt-get install valgrind")
                .into());
        }
        let mut cargo = project.cargo();
        cargo
            .args(["bench", "--no-run", "-p", "cdc", "--bench", PROGRAM])
            .args(["--message-format", "json-render-diagnostics"])
            .stderr(Stdio::inherit());
        let messages = child::output(cargo, &project.interrupt, BUILD_LIMIT)?;
        let program = messages.lines().find_map(executable);
        Ok(Self {
            project,
            program: program.context("cargo names no program")?,
        })
    }

    /// Instructions of a whole run of `case`. Its profile stays in the target folder, for who wants to look at it.
    pub(super) fn run(&self, case: &str, passes: u32) -> Result<u64> {
        let stem = self
            .project
            .target
            .join("callgrind")
            .join(case.replace('/', "-"));
        let (profile, log) = (stem.with_extension("out"), stem.with_extension("log"));
        let mut option = OsString::from("--callgrind-out-file=");
        option.push(&profile);
        let mut command = Command::new("valgrind");
        command
            .args(["--tool=callgrind".into(), option])
            .arg(&self.program)
            .args([case, &passes.to_string()]);
        child::logged(command, &log, &self.project.interrupt, RUN_LIMIT)?;
        let text = fs::read_to_string(&profile).context("read the profile")?;
        total(&text).with_context(|| format!("{} has no total", profile.display()))
    }
}

/// The path of our program, if `message` is what cargo says of it.
fn executable(message: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    if message.pointer("/target/name")?.as_str()? != PROGRAM {
        return None;
    }
    let path = message.get("executable")?.as_str()?;
    Some(Path::new(path).to_owned())
}

/// The number in the line `totals: 123`.
fn total(profile: &str) -> Option<u64> {
    let mut lines = profile.lines();
    let number = lines.find_map(|line| line.strip_prefix("totals: "))?;
    number.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_in_a_line_of_its_own() {
        let profile = "events: Ir\nfn=(1) main\n12 34\n\ntotals: 5678\n";
        assert_eq!(total(profile), Some(5678));
        assert_eq!(total("events: Ir\n"), None);
    }

    #[test]
    fn the_program_is_found_among_cargos_messages() {
        let ours = r#"{"reason":"compiler-artifact","target":{"name":"instructions"},"executable":"/t/i-1"}"#;
        let library = r#"{"reason":"compiler-artifact","target":{"name":"cdc"},"executable":null}"#;
        assert_eq!(executable(ours), Some(PathBuf::from("/t/i-1")));
        assert_eq!(executable(library), None);
        assert_eq!(executable("warning: text"), None);
    }
}
