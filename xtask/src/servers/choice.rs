//! Which backend runs the servers: what the user said, what runs already, or what this machine can do.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use super::{Servers, docker::Docker, native::Native, record::Record, stack::Stack};
use crate::{
    failure::{BAD_CONFIGURATION, Failure},
    progress::Progress,
    project::Project,
};

/// Options of every command that starts servers.
#[derive(Debug, Clone, Args)]
pub(crate) struct Choice {
    /// What runs the servers: containers, processes of this machine, or whatever is possible here;
    /// `CDC_BACKEND` sets it too [default: auto]
    #[arg(long, value_enum)]
    backend: Option<Backend>,
    /// Download and install nothing; fail with what is missing
    #[arg(long)]
    pub(crate) offline: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Backend {
    /// Docker if an engine answers and the images are there or can be pulled, else native
    Auto,
    /// Containers, with `docker compose` over docker-compose.yaml
    Docker,
    /// `mongod` and `rabbitmq-server` processes with their data below target/
    Native,
}

impl Choice {
    /// The local stack, on the backend to start it with, with a broker of so many nodes; without a number it has as many
    /// as before.
    pub(crate) fn to_start(
        &self,
        project: &Project,
        progress: &Progress,
        brokers: Option<u16>,
    ) -> Result<Box<dyn Servers>> {
        let stack = Stack::local(project)?;
        let brokers = brokers.unwrap_or(stack.brokers);
        let stack = stack.with_brokers(brokers)?;
        let wanted = self.backend(project)?;
        let running = running(project, progress)?;
        let backend = match (wanted, running) {
            (Backend::Auto, Some(running)) => running,
            (Backend::Auto, None) if 1 < brokers => Backend::Native,
            (Backend::Auto, None) => self.possible(project, progress)?,
            (wanted, Some(running)) if wanted != running => {
                return Err(Failure::new(format!(
                    "the local servers run on the {running} backend already"
                ))
                .hint("stop them first: `cargo xtask local-stop`")
                .into());
            }
            (wanted, _) => wanted,
        };
        if backend == Backend::Docker && 1 < brokers {
            return Err(
                Failure::new("the docker backend has one broker, not several")
                    .hint("use `--backend native` with `--brokers`")
                    .into(),
            );
        }
        let servers = self.servers(project, progress, backend, stack)?;
        Record::of(project, backend).compare(project, servers.stack(), running.is_some())?;
        remember(project, backend)?;
        Ok(servers)
    }

    fn backend(&self, project: &Project) -> Result<Backend> {
        if let Some(backend) = self.backend {
            return Ok(backend);
        }
        let Some(name) = project.setting("CDC_BACKEND") else {
            return Ok(Backend::Auto);
        };
        Backend::from_str(&name, true).map_err(|_| {
            Failure::new(format!("CDC_BACKEND is no backend: `{name}`"))
                .hint("use auto, docker or native")
                .code(BAD_CONFIGURATION)
                .into()
        })
    }

    /// Docker if it can, else native; says which and why.
    fn possible(&self, project: &Project, progress: &Progress) -> Result<Backend> {
        let (backend, why) = match Docker::why_not(project, progress, self.offline)? {
            None => (
                Backend::Docker,
                "an engine answers and the images are here".to_owned(),
            ),
            Some(why_not) => (Backend::Native, why_not),
        };
        progress.say(&format!("backend: {backend}, because {why}"));
        Ok(backend)
    }

    fn servers(
        &self,
        project: &Project,
        progress: &Progress,
        backend: Backend,
        stack: Stack,
    ) -> Result<Box<dyn Servers>> {
        Ok(match backend {
            Backend::Docker => Box::new(Docker::find(project, progress, stack, self.offline)?),
            Backend::Native | Backend::Auto => Box::new(Native {
                stack,
                offline: self.offline,
            }),
        })
    }
}

/// The local stack on the backend that it was last started with, to stop it.
pub(crate) fn last_started(
    project: &Project,
    progress: &Progress,
) -> Result<Option<Box<dyn Servers>>> {
    let choice = Choice {
        backend: None,
        offline: true,
    };
    remembered(project)?
        .map(|backend| choice.servers(project, progress, backend, Stack::local(project)?))
        .transpose()
}

/// Writes down what the local stack, which runs now, was started with.
pub(crate) fn record(project: &Project, stack: &Stack) -> Result<()> {
    let backend = remembered(project)?.into_iter();
    backend
        .map(|backend| Record::of(project, backend))
        .try_for_each(|record| record.write(stack))
}

/// Forgets what the local stack, whose data is gone, was started with.
pub(crate) fn forget(project: &Project) -> Result<()> {
    let backend = remembered(project)?.into_iter();
    backend
        .map(|backend| Record::of(project, backend))
        .try_for_each(|record| record.delete())
}

/// The backend that the local stack runs on now, if it runs.
fn running(project: &Project, progress: &Progress) -> Result<Option<Backend>> {
    let Some(backend) = remembered(project)? else {
        return Ok(None);
    };
    // An engine that does not answer any more runs nothing either.
    let Some(servers) = last_started(project, progress).ok().flatten() else {
        return Ok(None);
    };
    Ok(servers.is_running(project)?.then_some(backend))
}

fn remembered(project: &Project) -> Result<Option<Backend>> {
    let path = backend_file(project);
    match fs::read_to_string(&path) {
        Ok(name) => Ok(Backend::from_str(name.trim(), true).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}

fn remember(project: &Project, backend: Backend) -> Result<()> {
    let path = backend_file(project);
    let write = || format!("write {}", path.display());
    fs::create_dir_all(path.parent().unwrap_or(Path::new(""))).with_context(write)?;
    fs::write(&path, format!("{backend}\n")).with_context(write)
}

fn backend_file(project: &Project) -> PathBuf {
    project.target.join("local").join("backend")
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Auto => "auto",
            Self::Docker => "docker",
            Self::Native => "native",
        })
    }
}
