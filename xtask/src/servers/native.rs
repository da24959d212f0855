//! Real `mongod` and `rabbitmq-server` processes with their data below the target folder.
//!
//! No record of what was started is kept that could be wrong: a process is ours if its command
//! line names our folder.

mod apt;
pub(crate) mod install;
mod mongod;
mod programs;
mod rabbitmq;

use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use self::programs::Programs;
use super::{
    Data, Launch, Servers, ports,
    stack::Stack,
    wait::{Awaited, State},
};
use crate::{
    child,
    failure::{Failure, log_tail},
    process,
    progress::Progress,
    project::Project,
};

const READY_LIMIT: Duration = Duration::from_secs(90);
const FIRST_LIMIT: Duration = Duration::from_secs(5);
const FIRST_POLL: Duration = Duration::from_millis(10);
const STOP_GRACE: Duration = Duration::from_secs(30);

/// A stack of processes on this machine.
#[derive(Debug)]
pub(crate) struct Native {
    pub(crate) stack: Stack,
    /// Whether missing servers may be downloaded or installed.
    pub(crate) offline: bool,
}

/// One server process, running or to be started.
struct Server {
    name: String,
    /// Part of its command line that no process of someone else has.
    marker: String,
    /// The one that its clients use in front.
    ports: Vec<u16>,
    log: PathBuf,
    command: Command,
    answers: Box<dyn Fn() -> bool>,
    /// Whether the next server needs this one from its first moment on.
    is_needed_by_next: bool,
}

/// Path of the `mongod` that a stack runs.
pub(crate) fn mongod(project: &Project, progress: &Progress, offline: bool) -> Result<PathBuf> {
    programs::mongod(project, progress, offline)
}

impl Native {
    /// Every server's marker, the one to stop first in front.
    fn markers(&self) -> Vec<String> {
        let members =
            (0..self.stack.mongo_ports.len()).map(|member| mongod::marker(&self.stack, member));
        [rabbitmq::marker(&self.stack)]
            .into_iter()
            .chain(members)
            .collect()
    }

    /// Kills what runs and deletes its data, without a word.
    pub(crate) fn discard(&self) -> Result<()> {
        self.end(&Progress::new(), &self.markers(), Data::Delete)?;
        delete(&self.stack.folder)
    }

    /// In the order to start them in.
    fn servers(&self, programs: &Programs) -> Result<Vec<Server>> {
        let mut servers = rabbitmq::servers(&self.stack, programs)?;
        for member in 0..self.stack.mongo_ports.len() {
            servers.push(mongod::server(&self.stack, member, &programs.mongod)?);
        }
        Ok(servers)
    }

    /// Ends the processes of `markers`; those that will lose their data have nothing to put in order.
    fn end(&self, progress: &Progress, markers: &[String], data: Data) -> Result<()> {
        if data == Data::Delete {
            process::kill(markers)?;
        }
        for marker in process::end(markers, STOP_GRACE)? {
            progress.say(&format!(
                "killed after {} s: {marker}",
                STOP_GRACE.as_secs()
            ));
        }
        // The port mapper goes last: the broker signs off from it.
        let broker = rabbitmq::marker(&self.stack);
        if process::find(&process::table()?, &broker).next().is_none() {
            process::end(&[rabbitmq::port_mapper_marker(&self.stack)], STOP_GRACE)?;
        }
        Ok(())
    }
}

impl Server {
    fn named_ports(&self) -> impl Iterator<Item = (String, u16)> + '_ {
        self.ports.iter().map(|port| (self.name.clone(), *port))
    }
}

impl Servers for Native {
    fn stack(&self) -> &Stack {
        &self.stack
    }

    fn launch<'a>(&'a self, project: &'a Project, progress: &Progress) -> Result<Launch<'a>> {
        let programs = Programs::find(project, progress, self.offline)?;
        let table = process::table()?;
        let is_running = |server: &Server| process::find(&table, &server.marker).next().is_some();
        let (running, missing): (Vec<_>, Vec<_>) =
            self.servers(&programs)?.into_iter().partition(is_running);
        ports::ensure_free(missing.iter().flat_map(Server::named_ports))?;
        let started: Vec<String> = missing.iter().map(|server| server.marker.clone()).collect();
        let undo = move || self.end(&Progress::new(), &started, Data::Keep);
        let mut awaited: Vec<_> = running
            .into_iter()
            .map(|server| await_server(server, None, progress))
            .collect();
        for mut server in missing {
            match spawn(&mut server) {
                Ok(child) => awaited.push(await_server(server, Some(child), progress)),
                Err(error) => {
                    undo()?;
                    return Err(error);
                }
            }
        }
        Ok(Launch {
            awaited,
            undo: Box::new(undo),
        })
    }

    fn is_running(&self, _project: &Project) -> Result<bool> {
        let table = process::table()?;
        Ok(self
            .markers()
            .iter()
            .any(|marker| process::find(&table, marker).next().is_some()))
    }

    fn stop(&self, project: &Project, progress: &Progress, data: Data) -> Result<()> {
        let line = progress.line("servers");
        let was_running = self.is_running(project)?;
        line.note("stopping");
        self.end(progress, &self.markers(), data)?;
        line.done(if was_running {
            "stopped"
        } else {
            "not running"
        });
        if data == Data::Delete {
            delete(&self.stack.folder)?;
            progress.say(&format!("deleted {}", project.relative(&self.stack.folder)));
        }
        Ok(())
    }
}

fn delete(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("delete {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Starts `server` in a process group of its own, so that a Ctrl-C in the terminal does not reach it.
fn spawn(server: &mut Server) -> Result<Child> {
    let start = || format!("start {}", server.name);
    let log = child::create_log(&server.log)?;
    let command = server.command.stdin(Stdio::null()).process_group(0);
    command
        .stdout(log.try_clone().with_context(start)?)
        .stderr(log);
    let child = command.spawn().with_context(start)?;
    let deadline = Instant::now() + FIRST_LIMIT;
    while server.is_needed_by_next && !(server.answers)() && Instant::now() < deadline {
        thread::sleep(FIRST_POLL);
    }
    Ok(child)
}

fn await_server<'a>(server: Server, mut child: Option<Child>, progress: &Progress) -> Awaited<'a> {
    let line = progress.line(&server.name);
    let Server {
        name,
        ports,
        log,
        answers,
        ..
    } = server;
    let reached = if child.is_some() {
        "answers"
    } else {
        "was running already, answers"
    };
    let port = ports[0];
    let check_log = log.clone();
    let check = move || {
        if answers() {
            return Ok(State::Ready(format!("{reached} on port {port}")));
        }
        match child.as_mut().map(Child::try_wait).transpose()?.flatten() {
            None => Ok(State::Waiting(format!("no answer on port {port} yet"))),
            Some(status) => Err(Failure::new(format!("it ended early ({status})"))
                .log(&check_log)
                .into()),
        }
    };
    Awaited {
        line,
        name,
        evidence: Box::new(move || log_tail(&log)),
        limit: READY_LIMIT,
        check: Box::new(check),
    }
}
