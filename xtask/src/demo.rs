//! `cargo xtask demo`: the main job in one command.

use std::{
    path::Path,
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::Result;
use clap::Args;
use xshell::cmd;

use crate::{
    cargo::{self, Profile},
    child,
    engine::Engine,
    failure::Failure,
    local_start,
    project::Project,
    servers::{choice::Choice, stack::Stack},
};

const TEST_LIMIT: Duration = Duration::from_secs(60 * 60);
const SHOWN: &str = "5";
/// Documents, and those that exist before a snapshot.
const COUNT: u32 = 1_000;
const SNAPSHOT_COUNT: u32 = 20_000;
/// Database, pipeline and queue of the demo of a snapshot.
const SNAPSHOT_NAME: &str = "demo_snapshot";

/// Options of `demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// How many documents to insert [default: 1000, or 20000 with --snapshot]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,
    /// Inserts per second [default: as fast as possible]; with --snapshot, changes beside it [default: 200]
    #[arg(long)]
    rate: Option<u32>,
    /// Insert them before the engine's first start, and let it begin with the documents that exist
    #[arg(long)]
    snapshot: bool,
    #[command(flatten)]
    choice: Choice,
    /// Compile the engine with optimisations
    #[arg(long)]
    release: bool,
}

impl Demo {
    pub(crate) fn run(&self, project: &Project) -> Result<ExitCode> {
        let profile = Profile::from_flag(self.release);
        let stack = local_start::start(project, &self.choice, None, profile)?;
        let program = cargo::engine(project, profile);
        if self.snapshot {
            return self.run_snapshot(project, &stack, &program);
        }
        let mut command = project.command(cmd!(project.shell, "{program} run"));
        point_at(&mut command, &stack);
        let mut engine = Engine::start(project, command, &stack.folder.join("cdc.log"))?;
        let delivered = self.insert_and_check(project, &stack);
        let stood_by = engine.stands_by();
        let stopped = engine.stop();
        if !delivered? {
            return Err(not_delivered(stood_by).log(&engine.log).into());
        }
        stopped?;
        println!("{}", closing_line(stood_by));
        println!(
            "  cargo xtask consume --peek    looks at the messages and leaves them in the queue"
        );
        println!("  cargo xtask local-stop        stops the servers");
        Ok(ExitCode::SUCCESS)
    }

    /// Its driver starts and stops the engine itself, in the middle of what it does.
    fn run_snapshot(&self, project: &Project, stack: &Stack, engine: &Path) -> Result<ExitCode> {
        let log = stack.folder.join("cdc-snapshot.log");
        let program = cargo::workload(project);
        let count = self.count.unwrap_or(SNAPSHOT_COUNT).to_string();
        let rate = self.rate.map(|rate| rate.to_string());
        let rate = rate.iter().flat_map(|rate| ["--rate", rate]);
        let demo = cmd!(
            project.shell,
            "{program} snapshot-demo --engine {engine} --log {log} --count {count} --show {SHOWN} {rate...}"
        );
        let mut demo = project.command(demo);
        // Away from the project's `.env`.
        point_at(demo.current_dir(&stack.folder), stack);
        if !child::status(demo, &project.interrupt, TEST_LIMIT)?.success() {
            let failure = Failure::new("the documents did not arrive as they should");
            return Err(failure.log(&log).into());
        }
        println!("{}", closing_line(false));
        println!("  RABBITMQ_QUEUE_NAME={SNAPSHOT_NAME} cargo xtask consume --peek");
        println!(
            "                                looks at the messages and leaves them in the queue"
        );
        println!("  cargo xtask local-stop        stops the servers");
        Ok(ExitCode::SUCCESS)
    }

    fn insert_and_check(&self, project: &Project, stack: &Stack) -> Result<bool> {
        let program = cargo::workload(project);
        let count = self.count.unwrap_or(COUNT).to_string();
        let rate = self.rate.map(|rate| rate.to_string());
        let rate = rate.iter().flat_map(|rate| ["--rate", rate]);
        let test = cmd!(
            project.shell,
            "{program} local-test --label demo --count {count} --show {SHOWN} {rate...}"
        );
        let mut test = project.command(test);
        point_at(&mut test, stack);
        let status = child::status(test, &project.interrupt, TEST_LIMIT)?;
        Ok(status.success())
    }
}

fn not_delivered(stood_by: bool) -> Failure {
    let failure = Failure::new("the messages did not arrive as they should");
    if stood_by {
        failure.hint(
            "an engine that ran before did the work, not the demo's: stop it, or start it with the demo's settings",
        )
    } else {
        failure
    }
}

fn closing_line(stood_by: bool) -> &'static str {
    if stood_by {
        "the engine that ran before did the work and still runs, the demo's only stood by; the servers still run:"
    } else {
        "the engine has stopped, the servers still run:"
    }
}

/// The demo writes test data, so it goes to the local servers whatever `.env` says.
fn point_at(command: &mut Command, stack: &Stack) {
    command.env("MONGO_DATABASE_HOST", stack.mongo_uri());
    command.env("RABBITMQ_URI", stack.amqp_uri());
}
