//! `cargo xtask ci`: what a user does with the docker backend, from end to end.
//!
//! The commands are run as a user runs them, through this very program.

use std::{
    env, fs,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use xshell::cmd;

use crate::{
    cargo::{self, Profile},
    child,
    engine::Engine,
    failure::Failure,
    progress::Progress,
    project::Project,
    servers::{
        docker::{self, Compose, ENGINE, PROFILES, PROJECT_NAME},
        wait,
    },
};

/// Keeps the containers and volumes apart from those that someone works with.
const NAME: &str = "cdc-ci";
/// The engine's image, made of the program that the toolkit compiles.
const IMAGE: &str = "cdc-ci";
const STEP_LIMIT: Duration = Duration::from_secs(10 * 60);

/// Options of `ci`.
#[derive(Debug, Args)]
pub(crate) struct Ci {
    /// How many documents to insert, each of the three times
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
}

impl Ci {
    pub(crate) fn run(&self, project: &Project) -> Result<ExitCode> {
        let outcome = self
            .by_toolkit(project)
            .and_then(|()| self.by_compose(project))
            .and_then(|()| self.by_container(project));
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
        let line = Progress::new().busy("compose", "up");
        compose.up(project, &[])?;
        line.done("containers started");
        self.check_delivery(project)?;
        compose.down(project, &["--volumes"])
    }

    /// The engine in a container as well, by a user that is not root, on a file system that is read-only.
    fn by_container(&self, project: &Project) -> Result<()> {
        build_image(project)?;
        let compose = compose(project)?;
        let progress = Progress::new();
        let line = progress.busy("compose", "up, with the engine");
        compose.up(project, &[(PROFILES, ENGINE), ("CDC_IMAGE", IMAGE)])?;
        line.done("containers started");
        let engine = docker::healthy(project, &progress, &[ENGINE]);
        wait::all_ready(engine, &project.interrupt)?;
        let format = "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}}";
        let found = docker::inspect(project, ENGINE, format);
        ensure!(
            found.as_deref() == Some("65532:65532 true"),
            "the container's user, and whether it is read-only: {found:?}"
        );
        self.insert_and_check(project)?;
        compose.down(project, &["--volumes"])
    }

    fn check_delivery(&self, project: &Project) -> Result<()> {
        let log = project.target.join("local").join("cdc.log");
        let mut engine = Engine::start(project, command(project, &["local-start-cdc"])?, &log)?;
        let checked = self.insert_and_check(project);
        let stopped = engine.stop();
        checked.and(stopped)
    }

    fn insert_and_check(&self, project: &Project) -> Result<()> {
        let count = self.count.to_string();
        step(project, &["local-test-cdc", "--count", &count])
    }
}

/// Puts the program that is there into the image: to compile it in a container would take minutes more.
fn build_image(project: &Project) -> Result<()> {
    let folder = project.target.join("image");
    fs::create_dir_all(&folder).context("make a folder for the image")?;
    fs::copy(cargo::engine(project, Profile::Dev), folder.join("cdc"))
        .context("copy the engine")?;
    let base = project.setting("CDC_RUNTIME_IMAGE");
    let base = base
        .iter()
        .flat_map(|base| ["--build-arg".to_owned(), format!("RUNTIME_IMAGE={base}")]);
    println!("--- docker build --target prebuilt");
    let build = cmd!(
        project.shell,
        "docker build --target prebuilt --tag {IMAGE} {base...} --file Dockerfile {folder}"
    );
    let log = project.target.join("local").join("image.log");
    child::logged(project.command(build), &log, &project.interrupt, STEP_LIMIT)
        .context("build the engine's image")
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
    Ok(Compose::find(project, &Progress::new())?.named(NAME))
}

fn command(project: &Project, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(env::current_exe().context("find our own program")?);
    command
        .args(arguments)
        .current_dir(&project.root)
        .env(PROJECT_NAME, NAME);
    Ok(command)
}
