//! `cargo xtask bench`: measures the engine beside what the servers allow and what a user would take instead.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Context, Result};
use clap::Args;

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
/// Longest time for the micro-benchmarks once, with their compilation.
const MICRO_LIMIT: Duration = Duration::from_secs(30 * 60);
/// How often they are run: a machine that is busy for a moment disturbs one of them.
const MICRO_PASSES: u32 = 5;
/// Longest time to show a report.
const SHOW_LIMIT: Duration = Duration::from_secs(60);
/// Events of a short run.
const QUICK_COUNT: u64 = 20_000;
/// Documents of a snapshot: one takes long enough to measure beside it what changes wait for.
const SNAPSHOT_COUNT: u64 = 300_000;

/// Options of `bench`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Bench {
    /// Documents of the main comparison [default: 200000, or 300000 with --snapshot, or 20000 with --quick]
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
        let python = python::packages(project, &progress, self.offline)?;
        if !self.snapshot {
            // First, since they leave an engine behind whose libraries have the features that tests ask for.
            micro_benchmarks(project, &progress)?;
        }
        cargo::build_bench(project, &progress)?;
        let servers = servers()?;
        let outcome = self.measure(project, &progress, &servers, &python);
        servers.discard()?;
        match outcome? {
            ExitCode::SUCCESS if !self.snapshot => self.show(project),
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

    fn measure(
        &self,
        project: &Project,
        progress: &Progress,
        servers: &Native,
        python: &Path,
    ) -> Result<ExitCode> {
        servers::start(project, progress, servers, Vec::new())?;
        let (engine, driver) = (servers.program("cdc"), servers.program("workload"));
        fs::copy(cargo::engine(project, Profile::Release), &engine).context("copy the engine")?;
        fs::copy(cargo::bench(project), &driver).context("copy the driver")?;
        let stack = &servers.stack;
        let mut command = Command::new(driver);
        command
            .args(["bench", if self.snapshot { "snapshot" } else { "run" }])
            .args(self.options())
            .current_dir(&stack.folder)
            .env("CDC_BENCH_ENGINE", engine)
            .env("CDC_BENCH_FOLDER", project.target.join("bench"))
            .env("CDC_BENCH_PROGRAMS", project.root.join("xtask/bench"))
            .env("CDC_BENCH_PYTHONPATH", python)
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

    fn options(&self) -> Vec<String> {
        let count = self.count.or(self.quick.then_some(QUICK_COUNT));
        let count = count.or(self.snapshot.then_some(SNAPSHOT_COUNT));
        let mut options = vec![
            format!("--size={}", self.size),
            format!("--samples={}", self.samples()),
        ];
        options.extend(count.map(|count| format!("--count={count}")));
        options.extend(self.quick.then(|| "--quick".to_owned()));
        // All else is checked when it is shown.
        options.extend((self.snapshot && self.check).then(|| "--check".to_owned()));
        options
    }

    fn samples(&self) -> u32 {
        self.samples.unwrap_or(if self.quick { 1 } else { 5 })
    }
}

/// Measures the Extended JSON writer, before any server runs.
fn micro_benchmarks(project: &Project, progress: &Progress) -> Result<()> {
    let log = project.target.join("bench").join("writer.log");
    let line = progress.line("writer");
    for pass in 1..=MICRO_PASSES {
        line.say(&format!("micro-benchmarks, pass {pass} of {MICRO_PASSES}"));
        let mut command = project.cargo();
        command
            .args(["bench", "-p", "cdc", "--bench", "writer"])
            .args(["--", "extended_json", "--quick", "--save-baseline"])
            // The driver knows the passes by this name.
            .arg(format!("pass-{pass}"));
        child::logged(command, &log, &project.interrupt, MICRO_LIMIT)
            .context("measure the writer")?;
    }
    line.done("measured");
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        bench: Bench,
    }

    fn options(flags: &[&str]) -> Vec<String> {
        let line = ["xtask"].iter().chain(flags);
        Line::parse_from(line).bench.options()
    }

    #[test]
    fn a_short_run_is_small_unless_told_otherwise() {
        let short = ["--size=400", "--samples=1", "--count=20000", "--quick"];
        assert_eq!(options(&["--quick"]), short);
        let longer = ["--size=400", "--samples=2", "--count=7", "--quick"];
        assert_eq!(options(&["--quick", "--count=7", "--samples=2"]), longer);
        assert_eq!(options(&[]), ["--size=400", "--samples=5"]);
    }

    #[test]
    fn snapshots_take_more_documents_and_hold_their_bars_themselves() {
        let long = ["--size=400", "--samples=5", "--count=300000", "--check"];
        assert_eq!(options(&["--snapshot", "--check"]), long);
        let short = ["--size=400", "--samples=1", "--count=20000", "--quick"];
        assert_eq!(options(&["--snapshot", "--quick"]), short);
    }
}
