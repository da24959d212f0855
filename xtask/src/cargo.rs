//! Builds the project's programs with cargo, while other things go on.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{
    child::Running,
    failure::Failure,
    progress::Progress,
    project::Project,
    servers::wait::{self, Awaited, State},
};

const LINES_KEPT: usize = 60;
const BUILD_LIMIT: Duration = Duration::from_secs(30 * 60);

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
    let mut awaited = vec![build_one(
        project,
        progress,
        "build",
        &["-p", "cdc", "-p", "workload"],
    )?];
    if profile == Profile::Release {
        awaited.push(build_one(
            project,
            progress,
            "release",
            &["--release", "-p", "cdc"],
        )?);
    }
    Ok(awaited)
}

/// Compiles what a bench runs and returns when it is there: both programs with optimisations, each by itself so that
/// the engine is what `cargo build --release -p cdc` makes, and the one that sets up the servers.
pub(crate) fn build_bench(project: &Project, progress: &Progress) -> Result<()> {
    let steps: [(&str, &[&str]); 3] = [
        ("release", &["--release", "-p", "cdc"]),
        ("bench", &["--release", "-p", "workload"]),
        ("build", &["-p", "workload"]),
    ];
    for (name, arguments) in steps {
        let build = build_one(project, progress, name, arguments)?;
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
    name: &str,
    arguments: &[&str],
) -> Result<Awaited<'a>> {
    let mut command = project.cargo();
    command
        .args(["build", "--color", "never"])
        .args(arguments)
        .stderr(Stdio::piped());
    let line = progress.line(name);
    line.note("cargo build");
    let mut cargo = Running::start(&mut command)?;
    let mut output = Output::follow(&mut cargo)?;
    let check = move || match cargo.poll()? {
        None => Ok(State::Waiting(output.last())),
        Some(status) if status.success() && output.all().contains("Compiling") => {
            Ok(State::Ready("compiled".to_owned()))
        }
        Some(status) if status.success() => Ok(State::NothingToDo),
        Some(_) => Err(Failure::new("`cargo build` failed")
            .evidence(output.all())
            .into()),
    };
    Ok(Awaited {
        line,
        name: name.to_owned(),
        evidence: Box::new(|| None),
        limit: BUILD_LIMIT,
        check: Box::new(check),
    })
}

/// The last lines that cargo wrote.
#[derive(Debug)]
struct Output {
    lines: Arc<Mutex<VecDeque<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Output {
    fn follow(cargo: &mut Running) -> Result<Self> {
        let stderr = cargo.child().stderr.take().context("read cargo's output")?;
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let kept = Arc::clone(&lines);
        let reader = thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == LINES_KEPT {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        });
        Ok(Self {
            lines,
            reader: Some(reader),
        })
    }

    fn last(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines
            .back()
            .map_or("cargo build", |line| line.trim())
            .to_owned()
    }

    /// All that is kept, once cargo has ended.
    fn all(&mut self) -> String {
        // The reader ends with cargo, and can only have failed by a panic.
        let _ = self.reader.take().map(JoinHandle::join);
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().cloned().collect::<Vec<_>>().join("\n")
    }
}
