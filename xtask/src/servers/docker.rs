//! Containers, over `docker-compose.yaml`.

mod compose;
mod containers;
mod images;

use std::{rc::Rc, time::Duration};

use anyhow::Result;

pub(crate) use self::{
    compose::{Compose, ENGINE, PROFILES, PROJECT_NAME},
    containers::inspect,
};
use super::{
    Data, Fate, Launch, Servers, ports,
    stack::Stack,
    wait::{Awaited, State},
};
use crate::{progress::Progress, project::Project};

/// The services, in the order to show them in.
const SERVICES: [&str; 5] = ["mongo-net", "mongo1", "mongo2", "mongo3", "rabbitmq"];

const READY_LIMIT: Duration = Duration::from_secs(2 * 60);
/// For a question to the engine that it answers at once if it answers at all.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The stack of `docker-compose.yaml`.
#[derive(Debug)]
pub(crate) struct Docker {
    stack: Stack,
    compose: Compose,
    offline: bool,
}

impl Docker {
    /// # Errors
    /// When no engine answers or there is no compose.
    pub(crate) fn find(
        project: &Project,
        progress: &Progress,
        stack: Stack,
        offline: bool,
    ) -> Result<Self> {
        Ok(Self {
            stack,
            compose: Compose::find(project, progress)?,
            offline,
        })
    }

    /// Why containers cannot run here; nothing if they can. Pulls missing images to find out.
    pub(crate) fn why_not(
        project: &Project,
        progress: &Progress,
        offline: bool,
    ) -> Result<Option<String>> {
        match Compose::try_find(project, progress) {
            Ok(_) => images::why_not(project, progress, offline),
            Err(why) => Ok(Some(why)),
        }
    }

    /// Stops what was not running `before`.
    fn undo(&self, project: &Project, before: &[&str]) -> Result<()> {
        let new = SERVICES.into_iter();
        let new: Vec<_> = new.filter(|service| !before.contains(service)).collect();
        match new.len() {
            0 => Ok(()),
            count if count == SERVICES.len() => self.compose.down(project, &[]),
            _ => self.compose.stop(project, &new),
        }
    }

    fn ensure_ports_are_free(&self) -> Result<()> {
        let members = self
            .stack
            .mongo_ports
            .map(|port| ("mongo-net".to_owned(), port));
        let stack = &self.stack;
        let broker = [stack.amqp_port, stack.management_port, stack.stream_port];
        let broker = broker.map(|port| ("rabbitmq".to_owned(), port));
        ports::ensure_free(members.into_iter().chain(broker))
    }
}

impl Servers for Docker {
    fn stack(&self) -> &Stack {
        &self.stack
    }

    fn launch<'a>(&'a self, project: &'a Project, progress: &Progress) -> Result<Launch<'a>> {
        images::ensure(project, progress, self.offline)?;
        let running = containers::running(project)?;
        let before = SERVICES.into_iter();
        let before: Vec<_> = before
            .filter(|service| running.contains(*service))
            .collect();
        let has_started = before.len() < SERVICES.len();
        if before.is_empty() {
            self.ensure_ports_are_free()?;
        }
        let line = progress.busy("compose", "starting the containers");
        let finish = move |fate| match fate {
            Fate::Run => Ok(()),
            Fate::Stop => self.undo(project, &before),
        };
        if let Err(error) = self.compose.up(project, &[]) {
            finish(Fate::Stop)?;
            return Err(error);
        }
        line.done("containers started");
        Ok(Launch {
            awaited: healthy(project, progress, &SERVICES),
            has_started,
            finish: Box::new(finish),
        })
    }

    fn is_running(&self, project: &Project) -> Result<bool> {
        Ok(!containers::running(project)?.is_empty())
    }

    fn stop(&self, project: &Project, progress: &Progress, data: Data) -> Result<()> {
        let line = progress.busy("containers", "stopping");
        match data {
            Data::Keep => self.compose.down(project, &[])?,
            Data::Delete => self.compose.down(project, &["--volumes"])?,
        }
        line.done(if data == Data::Delete {
            "stopped, volumes deleted"
        } else {
            "stopped"
        });
        Ok(())
    }
}

/// The containers of `services`, each ready when its healthcheck is content.
pub(crate) fn healthy<'a>(
    project: &'a Project,
    progress: &Progress,
    services: &[&'static str],
) -> Vec<Awaited<'a>> {
    let health = Rc::new(containers::health(project));
    let awaited = |service: &&'static str| {
        let (service, health) = (*service, Rc::clone(&health));
        let check = move || {
            let status = health(service)?;
            Ok(if containers::is_healthy(&status) {
                State::Ready("healthy".to_owned())
            } else {
                State::Waiting(status)
            })
        };
        Awaited {
            line: progress.line(service),
            name: service.to_owned(),
            evidence: Box::new(move || containers::evidence(project, service)),
            limit: READY_LIMIT,
            check: Box::new(check),
        }
    };
    services.iter().map(awaited).collect()
}
