//! `cargo xtask ci`: what a user does with the docker backend, from end to end.
//!
//! The commands are run as a user runs them, through this very program.

use std::{
    env,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{
    child,
    engine::Engine,
    failure::Failure,
    progress::Progress,
    project::Project,
    servers::docker::{Compose, PROJECT_NAME},
};

/// Keeps the containers and volumes apart from those that someone works with.
const NAME: &str = "cdc-ci";
const STEP_LIMIT: Duration = Duration::from_secs(10 * 60);

/// Options of `ci`.
#[derive(Debug, Args)]
pub(crate) struct Ci {
    /// How many documents to insert, each of the two times
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
}

impl Ci {
    pub(crate) fn run(&self, project: &Project) -> Result<ExitCode> {
        let outcome = self
            .by_toolkit(project)
            .and_then(|()| self.by_compose(project));
        if outcome.is_err() {
            // What stopped half-way must not stay; if there is nothing to take down, so much the better.
            let _ = compose(project).and_then(|compose| compose.down(project, &["--volumes"]));
        }
        outcome?;
        println!("the docker backend works from end to end");
        Ok(ExitCode::SUCCESS)
    }

    /// Each command of the toolkit in turn.
    fn by_toolkit(&self, project: &Project) -> Result<()> {
        step(project, &["local-start", "--backend", "docker"])?;
        self.check_delivery(project)?;
        let shown = output(project, &["consume", "--count", "5"])?;
        ensure!(
            shown.lines().count() == 5,
            "`consume --count 5` printed {} lines",
            shown.lines().count()
        );
        println!("{shown}");
        step(project, &["local-stop", "--volumes"])
    }

    /// Without the toolkit's help: compose alone ends with a working replica set.
    fn by_compose(&self, project: &Project) -> Result<()> {
        let compose = compose(project)?;
        let line = Progress::new().line("compose");
        line.note("up");
        compose.up(project)?;
        line.done("containers started");
        self.check_delivery(project)?;
        compose.down(project, &["--volumes"])
    }

    fn check_delivery(&self, project: &Project) -> Result<()> {
        let log = project.target.join("local").join("cdc.log");
        let mut engine = Engine::start(project, command(project, &["local-start-cdc"])?, &log)?;
        let checked = step(
            project,
            &["local-test-cdc", "--count", &self.count.to_string()],
        );
        let stopped = engine.stop();
        checked.and(stopped)
    }
}

/// Runs a command of the toolkit, its output where ours goes, and says how long it took.
fn step(project: &Project, arguments: &[&str]) -> Result<()> {
    let started = Instant::now();
    let text = arguments.join(" ");
    println!("--- cargo xtask {text}");
    let status = child::status(command(project, arguments)?, &project.interrupt, STEP_LIMIT)?;
    if !status.success() {
        return Err(Failure::new(format!("`cargo xtask {text}` failed ({status})")).into());
    }
    println!("--- ok, {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// What a command of the toolkit prints.
fn output(project: &Project, arguments: &[&str]) -> Result<String> {
    println!("--- cargo xtask {}", arguments.join(" "));
    child::output(command(project, arguments)?, &project.interrupt, STEP_LIMIT)
}

fn compose(project: &Project) -> Result<Compose> {
    Ok(Compose::find(project)?.named(NAME))
}

fn command(project: &Project, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(env::current_exe().context("find our own program")?);
    command
        .args(arguments)
        .current_dir(&project.root)
        .env(PROJECT_NAME, NAME);
    Ok(command)
}
