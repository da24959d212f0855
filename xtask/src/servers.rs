//! The servers that the engine works between: a replica set of three members and a broker.

pub(crate) mod choice;
pub(crate) mod docker;
pub(crate) mod native;
pub(crate) mod node;
pub(crate) mod ports;
mod record;
mod replica_set;
pub(crate) mod stack;
pub(crate) mod wait;

use anyhow::Result;

use self::{stack::Stack, wait::Awaited};
use crate::{progress::Progress, project::Project};

/// One way to run a stack of servers.
pub(crate) trait Servers {
    /// The stack's ports and folder.
    fn stack(&self) -> &Stack;

    /// Starts what is not running yet.
    ///
    /// # Errors
    /// Leaves nothing running that was not running before.
    fn launch<'a>(&'a self, project: &'a Project, progress: &Progress) -> Result<Launch<'a>>;

    /// Whether any of its servers runs.
    fn is_running(&self, project: &Project) -> Result<bool>;

    /// Stops what it started, and returns when it is gone.
    fn stop(&self, project: &Project, progress: &Progress, data: Data) -> Result<()>;
}

/// What becomes of the servers' data when they stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Data {
    Keep,
    Delete,
}

/// Servers on their way up.
pub(crate) struct Launch<'a> {
    pub(crate) awaited: Vec<Awaited<'a>>,
    /// Whether anything was started that was not running already.
    pub(crate) has_started: bool,
    /// To be called once, with what is to become of those that this launch has started.
    pub(crate) finish: Box<dyn FnOnce(Fate) -> Result<()> + 'a>,
}

/// What becomes of servers that were just started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Run,
    Stop,
}

/// Starts `servers` while `builds` go on; returns when all is ready.
///
/// # Errors
/// Leaves nothing running that was not running before.
pub(crate) fn start(
    project: &Project,
    progress: &Progress,
    servers: &dyn Servers,
    builds: Vec<Awaited<'_>>,
) -> Result<()> {
    let launch = servers.launch(project, progress)?;
    let awaited = builds.into_iter().chain(launch.awaited).collect();
    let ready = wait::all_ready(awaited, &project.interrupt)
        .and_then(|()| replica_set::initiate(project, progress, servers.stack()));
    if ready.is_err() && launch.has_started {
        progress.say("stopping what was started");
    }
    (launch.finish)(if ready.is_ok() { Fate::Run } else { Fate::Stop })?;
    ready
}
