//! `docker compose` (version 2) or `docker-compose` (version 1), over `docker-compose.yaml`.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result};
use xshell::cmd;

use super::ANSWER_LIMIT;
use crate::{child, failure::Failure, interrupt::Interrupt, progress::Progress, project::Project};

const LIMIT: Duration = Duration::from_secs(3 * 60);
/// Compose's own variables.
pub(crate) const PROJECT_NAME: &str = "COMPOSE_PROJECT_NAME";
pub(crate) const PROFILES: &str = "COMPOSE_PROFILES";
/// Profile and service of the engine in a container.
pub(crate) const ENGINE: &str = "cdc";

const FLAVOURS: [&[&str]; 2] = [&["docker", "compose"], &["docker-compose"]];

/// A compose that works here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compose {
    words: &'static [&'static str],
    /// Instead of the name that the folder gives.
    project_name: Option<&'static str>,
}

impl Compose {
    /// # Errors
    /// When no engine answers or there is no compose.
    pub(crate) fn find(project: &Project, progress: &Progress) -> Result<Self> {
        Self::try_find(project, progress).map_err(|why| {
            Failure::new(why)
                .hint("start the engine, or use `--backend native`")
                .into()
        })
    }

    /// Fails with the reason, in words.
    pub(super) fn try_find(project: &Project, progress: &Progress) -> Result<Self, String> {
        let _line = progress.busy("docker", "looking for a container engine");
        if !engine_answers(project) {
            return Err("no container engine answers".to_owned());
        }
        let answers = |words: &&&[&str]| {
            let words = **words;
            let version = cmd!(project.shell, "env {words...} version");
            child::answer(project.command(version), &project.interrupt, ANSWER_LIMIT).is_some()
        };
        let words = FLAVOURS.iter().find(answers).copied();
        let words = words.ok_or("neither `docker compose` nor `docker-compose` is here")?;
        Ok(Self {
            words,
            project_name: None,
        })
    }

    /// The same for a project of that name, with containers and volumes of its own.
    pub(crate) fn named(self, name: &'static str) -> Self {
        Self {
            project_name: Some(name),
            ..self
        }
    }

    /// Creates and starts the containers, with `variables` in the environment.
    pub(crate) fn up(self, project: &Project, variables: &[(&str, &str)]) -> Result<()> {
        let mut up = self.command(project, &["up", "-d"]);
        up.envs(variables.iter().copied());
        child::logged(up, &log(project), &project.interrupt, LIMIT).context("start the containers")
    }

    /// Stops and removes the containers, whether or not someone asks us to stop.
    pub(crate) fn down(self, project: &Project, options: &[&str]) -> Result<()> {
        let mut down = self.command(project, &[&["down"], options].concat());
        // It lives in the network of another container, so it must not stay.
        down.env(PROFILES, ENGINE);
        child::logged(down, &log(project), &Interrupt::never(), LIMIT)
            .context("stop the containers")
    }

    /// Stops the containers of `services`, whether or not someone asks us to stop.
    pub(super) fn stop(self, project: &Project, services: &[&str]) -> Result<()> {
        let stop = self.command(project, &[&["stop"], services].concat());
        child::logged(stop, &log(project), &Interrupt::never(), LIMIT)
            .context("stop the containers")
    }

    fn command(self, project: &Project, arguments: &[&str]) -> Command {
        let words = [self.words, arguments].concat();
        let mut command = project.command(cmd!(project.shell, "env {words...}"));
        command.envs(self.project_name.map(|name| (PROJECT_NAME, name)));
        command
    }
}

fn engine_answers(project: &Project) -> bool {
    let format = "{{.Server.Version}}";
    let version = cmd!(project.shell, "docker version --format {format}");
    let version = child::answer(project.command(version), &project.interrupt, ANSWER_LIMIT);
    version.is_some_and(|version| !version.is_empty())
}

fn log(project: &Project) -> std::path::PathBuf {
    project.target.join("local").join("compose.log")
}
