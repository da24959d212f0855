//! `cargo xtask bench`: measures the engine beside what the servers allow and what a user would take instead.

mod debezium;
mod java;
mod micro;

use std::{
    fs,
    path::PathBuf,
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use self::debezium::Debezium;
use crate::{
    cargo::{self, Profile},
    child,
    failure::{BAD_CONFIGURATION, Failure},
    instructions,
    progress::Progress,
    project::Project,
    python,
    servers::{
        self,
        native::{Native, broker::Broker},
        stack::Stack,
    },
    turn::Turn,
};

/// Longest time for one sample of everything.
const SAMPLE_LIMIT: Duration = Duration::from_secs(45 * 60);
/// Longest time to show a report.
const SHOW_LIMIT: Duration = Duration::from_secs(60);
/// The driver's command that measures everything but snapshots and other programs.
const EVERYTHING: &str = "run";
/// The project's page with figures.
const PAGE: &str = "docs/performance.md";
/// Events of a short run.
const QUICK_COUNT: u64 = 20_000;
/// Documents of a snapshot, which takes long enough then to measure beside it what changes wait for, and of a backlog
/// for another program, which is slow until it has found its pace.
const LONG_COUNT: u64 = 300_000;
/// Variables that tell the driver where something is.
type Variables = Vec<(&'static str, PathBuf)>;

/// Options of `bench`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Bench {
    /// Documents of the main comparison [default: 200000, or 300000 with --snapshot, --peer or --shares, or 20000 with --quick]
    #[arg(long)]
    count: Option<u64>,
    /// Bytes of a document
    #[arg(long, default_value_t = 400)]
    size: u64,
    /// How often everything is measured [default: 5, or 1 with --quick]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    samples: Option<u32>,
    /// Measure for about a minute only: fewer documents, one sample
    #[arg(long)]
    quick: bool,
    /// Measure snapshots alone: their rate beside reading and publishing alone, what changes wait for meanwhile, memory
    #[arg(long, conflicts_with_all = ["compare", "publish"])]
    snapshot: bool,
    /// Measure beside another program alone, which is downloaded: rate, processor time and memory, on each type of queue
    #[arg(long, value_name = "PROGRAM", conflicts_with_all = ["compare", "snapshot"])]
    peer: Option<Peer>,
    /// Measure one engine, two shares, four and eight alone: their rate, and what each costs MongoDB and the broker
    #[arg(long, conflicts_with_all = ["compare", "publish", "check", "snapshot", "peer"])]
    shares: bool,
    /// Download and install nothing; fail with what is missing
    #[arg(long)]
    offline: bool,
    /// Show the change since an earlier report
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Fail when a figure is under its bar
    #[arg(long)]
    check: bool,
    /// Write the report and its plots into this folder, and the tables into its README.md, or else docs/performance.md
    #[arg(long, value_name = "FOLDER")]
    publish: Option<PathBuf>,
    /// Only count the instructions of the writer and the window, and compare with the baseline
    #[arg(long)]
    instructions: bool,
    /// Make what is counted the baseline
    #[arg(long, requires = "instructions")]
    accept: bool,
}

/// A program that does what the engine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Peer {
    /// Debezium Server 3.6.1: 782 MB to download by Maven; needs Java 21
    Debezium,
}

impl Bench {
    pub(crate) fn run(&self, project: &Project) -> Result<ExitCode> {
        if self.instructions {
            return instructions::run(project, self.accept);
        }
        self.check(project)?;
        let progress = Progress::new();
        let _turn = Turn::take(project, "bench")?;
        let servers = || Native::for_run(|| Stack::bench(project), self.offline);
        servers()?;
        let variables = self.variables(project, &progress)?;
        if self.subject() == EVERYTHING {
            // First, since they leave an engine behind whose libraries have the features that tests ask for.
            micro::run(project, &progress)?;
        }
        cargo::build_bench(project, &progress)?;
        let servers = servers()?;
        let outcome = self.measure(project, &progress, &servers, variables);
        servers.discard()?;
        match outcome? {
            ExitCode::SUCCESS if self.subject() == EVERYTHING => self.show(project),
            code => Ok(code),
        }
    }

    /// What would be found wrong only at the end.
    fn check(&self, project: &Project) -> Result<()> {
        let missing = self.compare.iter();
        let mut missing = missing.filter(|file| !project.root.join(file).is_file());
        missing.next().map_or(Ok(()), |file| {
            Err(Failure::new(format!("{} is no file", file.display()))
                .hint("--compare takes the report.json of an earlier run")
                .code(BAD_CONFIGURATION)
                .into())
        })
    }

    /// The driver's command.
    fn subject(&self) -> &'static str {
        match self.peer {
            Some(Peer::Debezium) => "peer",
            None if self.snapshot => "snapshot",
            None if self.shares => "shares",
            None => EVERYTHING,
        }
    }

    /// What has to be there for it, downloaded if need be.
    fn variables(&self, project: &Project, progress: &Progress) -> Result<Variables> {
        if self.peer.is_none() {
            let python = python::packages(project, progress, self.offline)?;
            return Ok(vec![("CDC_BENCH_PYTHONPATH", python)]);
        }
        let debezium = Debezium::find(project, progress, self.offline)?;
        Ok(vec![
            ("CDC_BENCH_DEBEZIUM", debezium.folder),
            ("CDC_BENCH_JAVA_HOME", debezium.java_home),
        ])
    }

    fn measure(
        &self,
        project: &Project,
        progress: &Progress,
        servers: &Native,
        variables: Variables,
    ) -> Result<ExitCode> {
        servers::start(project, progress, servers, Vec::new())?;
        let (engine, driver) = (servers.program("cdc"), servers.program("workload"));
        fs::copy(cargo::engine(project, Profile::Release), &engine).context("copy the engine")?;
        fs::copy(cargo::bench(project), &driver).context("copy the driver")?;
        let stack = &servers.stack;
        let mut command = Command::new(driver);
        command
            .args(["bench", self.subject()])
            .args(self.options())
            .args(self.page(project))
            .current_dir(&stack.folder)
            .env("CDC_BENCH_ENGINE", engine)
            .env("CDC_BENCH_FOLDER", project.target.join("bench"))
            .env("CDC_BENCH_PROGRAMS", project.root.join("xtask/bench"))
            .envs(variables)
            .env("CDC_BENCH_CRITERION", project.target.join("criterion"))
            .env("CDC_BENCH_MONGO_URI", stack.mongo_uri())
            .env("CDC_BENCH_AMQP_URI", stack.amqp_uri())
            .env(
                "CDC_BENCH_MANAGEMENT_PORT",
                stack.management_port.to_string(),
            );
        if Broker::find(project, progress, self.offline)?.has_streams() {
            command.env("CDC_BENCH_STREAM_ADDRESS", stack.stream_address());
        }
        child::exit_code(command, &project.interrupt, SAMPLE_LIMIT * self.samples())
    }

    /// Shows what was measured.
    fn show(&self, project: &Project) -> Result<ExitCode> {
        let mut command = Command::new(cargo::bench(project));
        command
            .args(["bench", "show", "--report"])
            .arg(project.target.join("bench/latest.json"))
            .current_dir(&project.root);
        for (option, value) in [("--compare", &self.compare), ("--publish", &self.publish)] {
            if let Some(value) = value {
                command.arg(option).arg(value);
            }
        }
        command.args(self.check.then_some("--check"));
        child::exit_code(command, &project.interrupt, SHOW_LIMIT)
    }

    /// Where the figures beside another program go: the folder's own page, or else that of the project.
    fn page(&self, project: &Project) -> Option<String> {
        let folder = project.root.join(self.publish.as_ref()?);
        let pages = [folder.join("README.md"), project.root.join(PAGE)];
        let page = pages.into_iter().find(|page| page.is_file());
        let page = page.filter(|_| self.peer.is_some())?;
        Some(format!("--page={}", page.display()))
    }

    fn options(&self) -> Vec<String> {
        let is_whole = self.subject() == EVERYTHING;
        let count = self.count.or(self.quick.then_some(QUICK_COUNT));
        let count = count.or((!is_whole).then_some(LONG_COUNT));
        let mut options = vec![
            format!("--size={}", self.size),
            format!("--samples={}", self.samples()),
        ];
        options.extend(count.map(|count| format!("--count={count}")));
        options.extend(self.quick.then(|| "--quick".to_owned()));
        // All else is checked when it is shown.
        options.extend((!is_whole && self.check).then(|| "--check".to_owned()));
        options
    }

    fn samples(&self) -> u32 {
        self.samples.unwrap_or(if self.quick { 1 } else { 5 })
    }
}

#[cfg(test)]
mod tests;
