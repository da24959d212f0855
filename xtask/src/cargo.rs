//! Builds the project's programs with cargo, while other things go on.

use std::path::PathBuf;

use anyhow::Result;

use crate::{
    progress::Progress,
    project::Project,
    servers::wait::{self, Awaited, State},
};

/// How the engine is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quick to compile.
    Dev,
    /// Quick to run.
    Release,
}

impl Profile {
    pub(crate) fn from_flag(release: bool) -> Self {
        if release { Self::Release } else { Self::Dev }
    }
}

/// The engine's program.
pub(crate) fn engine(project: &Project, profile: Profile) -> PathBuf {
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => "release",
    };
    project.target.join(folder).join("cdc")
}

/// The program that measures, compiled as the engine is that it measures.
pub(crate) fn bench(project: &Project) -> PathBuf {
    project.target.join("release").join("workload")
}

/// The program with the test data and the checker.
pub(crate) fn workload(project: &Project) -> PathBuf {
    project.target.join("debug").join("workload")
}

/// Starts to compile both programs; what it returns is ready when they are.
///
/// Both in one go, so that the crates they share are compiled once, with the same features.
pub(crate) fn build<'a>(
    project: &Project,
    progress: &Progress,
    profile: Profile,
) -> Result<Vec<Awaited<'a>>> {
    let both = ("build", &["-p", "cdc", "-p", "workload"][..]);
    let engine = ("release", &["--release", "-p", "cdc"][..]);
    let engine = (profile == Profile::Release).then_some(engine);
    let builds = [both].into_iter().chain(engine);
    builds
        .map(|build| build_one(project, progress, build))
        .collect()
}

/// Compiles what a bench runs and returns when it is there: both programs with optimisations, each by itself so that
/// the engine is what `cargo build --release -p cdc` makes, and the one that sets up the servers.
pub(crate) fn build_bench(project: &Project, progress: &Progress) -> Result<()> {
    let steps: [(&str, &[&str]); 3] = [
        ("release", &["--release", "-p", "cdc"]),
        ("bench", &["--release", "-p", "workload"]),
        ("build", &["-p", "workload"]),
    ];
    for step in steps {
        let build = build_one(project, progress, step)?;
        wait::all_ready(vec![build], &project.interrupt)?;
    }
    Ok(())
}

/// Compiles both programs and returns when they are there.
pub(crate) fn build_now(project: &Project, progress: &Progress, profile: Profile) -> Result<()> {
    wait::all_ready(build(project, progress, profile)?, &project.interrupt)
}

fn build_one<'a>(
    project: &Project,
    progress: &Progress,
    (name, arguments): (&str, &[&str]),
) -> Result<Awaited<'a>> {
    let mut command = project.cargo();
    command.args(["build", "--color", "never"]).args(arguments);
    let log = project.target.join(format!("{name}.log"));
    Awaited::program(progress, name, &mut command, log, (doing, reached))
}

fn doing(output: &str) -> String {
    output
        .lines()
        .next_back()
        .unwrap_or("cargo build")
        .trim()
        .to_owned()
}

fn reached(output: &str) -> State {
    if output.contains("Compiling") {
        State::Ready("compiled".to_owned())
    } else {
        State::NothingToDo
    }
}
