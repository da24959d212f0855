//! Real `mongod` and `rabbitmq-server` processes with their data below the target folder.
//!
//! No record of what was started is kept that could be wrong: a process is ours if its command
//! line names our folder.

pub(crate) mod apt;
pub(crate) mod broker;
mod cluster;
mod configuration;
mod cookie;
mod debian;
pub(crate) mod install;
mod mongod;
mod plan;
mod port_mapper;
pub(crate) mod programs;
mod rabbitmq;
mod server;
pub(crate) mod splitting;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};

use self::{
    broker::Broker,
    programs::Programs,
    server::{Server, Started},
};
use super::{Data, Fate, Launch, Servers, node::Node, ports, stack::Stack};
use crate::{process, progress::Progress, project::Project};

const STOP_GRACE: Duration = Duration::from_secs(30);

/// A stack of processes on this machine.
#[derive(Debug)]
pub(crate) struct Native {
    pub(crate) stack: Stack,
    /// Whether missing servers may be downloaded or installed.
    pub(crate) offline: bool,
}

impl Native {
    /// Servers for one run, which throws them away; what an earlier run that was killed has left behind is gone.
    pub(crate) fn for_run(stack: impl Fn() -> Stack, offline: bool) -> Result<Self> {
        let servers = || Self {
            stack: stack(),
            offline,
        };
        servers().discard()?;
        // Anew, since a port may have become free.
        Ok(servers())
    }

    /// Every server's marker, the one to stop first in front.
    fn markers(&self) -> Vec<String> {
        let members =
            (0..self.stack.mongo_ports.len()).map(|member| mongod::marker(&self.stack, member));
        self.broker_markers().chain(members).collect()
    }

    /// Of all nodes that there may be: fewer may be asked for now than were started.
    fn broker_markers(&self) -> impl Iterator<Item = String> + '_ {
        self.stack.all_nodes().map(|node| rabbitmq::marker(&node))
    }

    /// Where the copy of a program is that works with these servers: its path says whose it is, and a build changes
    /// nothing in it.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.stack.folder.join(name)
    }

    /// Kills what runs, whoever has started it, the copies of programs first, and deletes its data, without a word.
    pub(crate) fn discard(&self) -> Result<()> {
        let copies = ["workload bench", "cdc run"];
        let copies = copies.map(|copy| self.program(copy).display().to_string());
        process::kill(&copies)?;
        self.end(&Progress::new(), &self.markers(), Data::Delete)?;
        delete(&self.stack.folder)
    }

    /// How to find and start each server, as JSON, for a program that kills and starts them.
    pub(crate) fn plan(&self, project: &Project, progress: &Progress) -> Result<String> {
        let programs = Programs::find(project, progress, self.offline)?;
        let brokers = self.brokers(&programs)?;
        let members = 0..self.stack.mongo_ports.len();
        let mongo = members.map(|member| mongod::server(&self.stack, member, &programs.mongod));
        let mongo: Vec<_> = mongo.collect::<Result<_>>()?;
        let control = programs.broker.beside("rabbitmqctl");
        Ok(plan::json(&mongo, &brokers, &control))
    }

    /// In the order to start them in.
    fn servers(&self, programs: &Programs) -> Result<Vec<Server>> {
        let mapper = programs.epmd.as_deref();
        let mapper = mapper.filter(|_| !port_mapper::answers(&self.stack));
        let mapper = mapper.map(|program| port_mapper::server(&self.stack, program));
        let mut servers = Vec::from_iter(mapper);
        servers.extend(self.brokers(programs)?);
        for member in 0..self.stack.mongo_ports.len() {
            servers.push(mongod::server(&self.stack, member, &programs.mongod)?);
        }
        Ok(servers)
    }

    fn brokers(&self, programs: &Programs) -> Result<Vec<Server>> {
        let nodes = self.stack.nodes();
        let servers = nodes.map(|node| rabbitmq::server(&self.stack, &node, &programs.broker));
        servers.collect()
    }

    /// Says so where a node that is started leaves the queues that it had before alone.
    fn tell_of_unread_data(
        &self,
        project: &Project,
        progress: &Progress,
        broker: &Broker,
        is_started: impl Fn(&Node) -> bool,
    ) {
        let mut started = self.stack.nodes().filter(is_started);
        if let Some(data) = started.find_map(|node| rabbitmq::unread_data(&node, broker)) {
            progress.say(&format!(
                "{broker} begins without the queues of an earlier version, which stay in {}",
                project.relative(&data)
            ));
        }
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
        self.end_port_mapper()
    }

    /// The port mapper goes last: the broker signs off from it.
    fn end_port_mapper(&self) -> Result<()> {
        let table = process::table()?;
        let runs = |marker: String| process::find(&table, &marker).next().is_some();
        if self.broker_markers().any(runs) {
            return Ok(());
        }
        port_mapper::end(&self.stack, STOP_GRACE)
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
        let is_missing = |node: &Node| missing.iter().any(|server| server.name == node.label);
        self.tell_of_unread_data(project, progress, &programs.broker, is_missing);
        let mut awaited: Vec<_> = running
            .into_iter()
            .map(|server| server.awaited(None, progress))
            .collect();
        let mut started = Vec::new();
        for server in missing {
            let (process, ready) = server.start(progress)?;
            started.push(process);
            awaited.push(ready);
        }
        if 1 < self.stack.brokers {
            awaited.push(cluster::awaited(&self.stack, progress, &programs.broker));
        }
        let has_started = !started.is_empty();
        let finish = move |fate| match fate {
            Fate::Run => {
                Started::detach(&started);
                Ok(())
            }
            Fate::Stop => Started::stop(&started).and_then(|()| self.end_port_mapper()),
        };
        Ok(Launch {
            awaited,
            has_started,
            finish: Box::new(finish),
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
        let line = progress.busy("servers", "stopping");
        let was_running = self.is_running(project)?;
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
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("delete {}", folder.display()))
        }
        _ => Ok(()),
    }
}
