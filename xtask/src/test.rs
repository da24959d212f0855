//! `cargo xtask test`: every check there is, on real servers of its own.

pub(crate) mod environment;
mod report;
mod results;

use std::{
    ffi::OsString,
    io::{BufRead, BufReader},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::Args;

use self::{report::Report, results::Counts};
use crate::{
    chaos::Chaos,
    child::{self, Running},
    failure,
    progress::Progress,
    project::Project,
    servers::{self, native::Native, stack::Stack},
    turn::Turn,
};

const STEP_LIMIT: Duration = Duration::from_secs(30 * 60);

/// Options of `test`.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Download and install nothing; fail with what is missing
    #[arg(long)]
    offline: bool,
    /// Part of the names of the tests to run, and what else `cargo test` takes: `some_name -- --nocapture`
    #[arg(
        value_name = "ARGUMENT",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    arguments: Vec<OsString>,
}

impl Test {
    pub(crate) fn run(&self, project: &Project) -> Result<ExitCode> {
        let progress = Progress::new();
        let _turn = Turn::take(project, "test")?;
        // What no other test may do: the servers that they share are killed by nobody.
        let chaos = self
            .arguments
            .is_empty()
            .then(|| Turn::take(project, "chaos"));
        let chaos = chaos.transpose()?;
        let mut report = Report::default();
        let clippy = "clippy --workspace --all-targets -- --deny warnings";
        check(project, &mut report, "format", "fmt --all --check")?;
        check(project, &mut report, "clippy", clippy)?;
        // Apart, so that the compiler's time does not count as the tests'. This makes the programs too.
        check(project, &mut report, "compile", "test --workspace --no-run")?;
        let servers = Native::for_run(|| Stack::test(project), self.offline)?;
        let started = Instant::now();
        let outcome = self.run_tests(project, &progress, &servers, &mut report);
        servers.discard()?;
        if let Err(error) = outcome {
            project.interrupt.check()?;
            failure::report(&error);
            report.add("servers", started, false, None);
        }
        if let Some(turn) = chaos {
            let started = Instant::now();
            report::announce("chaos");
            let outcome = Chaos::short(self.offline).run_in(&turn, project);
            project.interrupt.check()?;
            let code = outcome.unwrap_or_else(|error| failure::report(&error));
            report.add("chaos", started, code == ExitCode::SUCCESS, None);
        }
        Ok(report.conclude())
    }

    fn run_tests(
        &self,
        project: &Project,
        progress: &Progress,
        servers: &Native,
        report: &mut Report,
    ) -> Result<()> {
        let started = Instant::now();
        let environment = environment::whole(project, progress, servers)?;
        servers::start(project, progress, servers, Vec::new())?;
        report.add("servers", started, true, None);
        for (name, targets) in SUITES {
            let mut command = project.cargo();
            command
                .args(["test", "--workspace", "--no-fail-fast"])
                .args(targets)
                .args(&self.arguments);
            command.envs(environment.iter().cloned());
            let started = Instant::now();
            report::announce(name);
            let (passed, counts) = run_suite(project, command)?;
            report.add(name, started, passed, Some(counts));
        }
        Ok(())
    }
}

/// Which targets of the workspace are tested as what.
const SUITES: [(&str, &[&str]); 3] = [
    ("unit tests", &["--lib", "--bins"]),
    ("doc tests", &["--doc"]),
    ("integration tests", &["--test", "*"]),
];

/// Runs cargo as one step; it may fail without ending the others.
fn check(project: &Project, report: &mut Report, name: &str, arguments: &str) -> Result<()> {
    let mut command = project.cargo();
    command.args(arguments.split(' '));
    let started = Instant::now();
    report::announce(name);
    let status = child::status(command, &project.interrupt, STEP_LIMIT)?;
    report.add(name, started, status.success(), None);
    Ok(())
}

/// Runs `cargo test`, passes its output on and adds up its results.
fn run_suite(project: &Project, mut command: Command) -> Result<(bool, Counts)> {
    let mut running = Running::start(command.stdout(Stdio::piped()))?;
    let stdout = running
        .child()
        .stdout
        .take()
        .context("read the tests' output")?;
    let reader = std::thread::spawn(move || {
        let mut counts = Counts::default();
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            println!("{line}");
            counts.add_line(&line);
        }
        counts
    });
    let status = running.wait(&project.interrupt, STEP_LIMIT)?;
    let counts = reader.join().unwrap_or_default();
    Ok((status.success(), counts))
}
