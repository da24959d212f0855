//! The servers of a run as processes: killed, paused, started again.

use std::{cell::RefCell, process::Stdio, time::Duration};

use anyhow::{Context, Result, ensure};
use bson::doc;
use harness::{
    Output, Process, Signal,
    process::{self, send},
    server,
};
use mongodb::Client;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use super::plan::{Launch, Plan};

/// Pause between two looks at a server.
const POLL: Duration = Duration::from_millis(20);
/// Longest wait for a server to end or to answer.
const LIMIT: Duration = Duration::from_secs(90);
/// Longest wait for one answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// How long a server may take to end when asked to.
const GRACE: Duration = Duration::from_secs(60);

/// All servers.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) mongo: Vec<Server>,
    pub(super) broker: Broker,
    admin: Client,
}

/// One server.
#[derive(Debug)]
pub(super) struct Server {
    launch: Launch,
    /// Of the latest start, if it was ours.
    process: RefCell<Option<Process>>,
}

/// The broker's nodes, with their administration program.
#[derive(Debug)]
pub(super) struct Broker {
    pub(super) nodes: Vec<Server>,
    control: std::path::PathBuf,
}

impl Servers {
    pub(super) fn new(plan: Plan, admin: Client) -> Self {
        let broker = Broker {
            nodes: plan.brokers.into_iter().map(Server::new).collect(),
            control: plan.control,
        };
        Self {
            mongo: plan.mongo.into_iter().map(Server::new).collect(),
            broker,
            admin,
        }
    }

    /// The primary, or any member if there is none now.
    pub(super) async fn primary(&self) -> usize {
        let admin = self.admin.database("admin");
        let asking = admin.run_command(doc! { "hello": 1 });
        let hello = timeout(ANSWER_LIMIT, asking.into_future()).await;
        let port = hello.ok().and_then(|hello| {
            let hello = hello.ok()?;
            let (_, port) = hello.get_str("primary").ok()?.rsplit_once(':')?;
            port.parse().ok()
        });
        let mut members = self.mongo.iter();
        let primary = members.position(|member| Some(member.launch.port) == port);
        primary.unwrap_or_default()
    }

    /// Has the primary step down. It answers with an error when it has closed our connection too.
    pub(super) async fn step_down(&self) {
        let command =
            doc! { "replSetStepDown": 10, "secondaryCatchUpPeriodSecs": 2, "force": true };
        let admin = self.admin.database("admin");
        // No answer is fine: the step down has begun or there is no primary.
        let _ = timeout(ANSWER_LIMIT, admin.run_command(command)).await;
    }
}

impl Server {
    fn new(launch: Launch) -> Self {
        Self {
            launch,
            process: RefCell::default(),
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        for pid in process::find(&self.launch.marker) {
            send(pid, signal);
        }
    }

    /// SIGKILL; returns when it is gone.
    pub(super) async fn kill(&self) -> Result<()> {
        self.signal(Signal::KILL);
        self.wait_until_gone(LIMIT).await
    }

    /// SIGTERM; returns when it is gone.
    pub(super) async fn stop(&self) -> Result<()> {
        self.signal(Signal::TERM);
        match self.wait_until_gone(GRACE).await {
            Ok(()) => Ok(()),
            Err(_) => self.kill().await,
        }
    }

    /// Starts it; returns when it answers.
    pub(super) async fn start(&self) -> Result<()> {
        let name = &self.launch.name;
        let process = Process::start_logged(&mut self.launch.command(), &self.launch.log)?;
        *self.process.borrow_mut() = Some(process);
        let deadline = Instant::now() + LIMIT;
        while !self.answers().await {
            if let Some(process) = &mut *self.process.borrow_mut() {
                let alive = process.check_alive();
                alive
                    .with_context(|| format!("start {name}, see {}", self.launch.log.display()))?;
            }
            ensure!(Instant::now() < deadline, "{name} does not answer");
            sleep(POLL).await;
        }
        Ok(())
    }

    async fn wait_until_gone(&self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        while !process::find(&self.launch.marker).is_empty() {
            ensure!(
                Instant::now() < deadline,
                "{} does not end",
                self.launch.name
            );
            sleep(POLL).await;
        }
        *self.process.borrow_mut() = None;
        Ok(())
    }

    async fn answers(&self) -> bool {
        let port = self.launch.port;
        if !self.launch.name.starts_with("mongo") {
            return server::is_broker_up(port).await;
        }
        let connecting = TcpStream::connect(("127.0.0.1", port));
        matches!(timeout(ANSWER_LIMIT, connecting).await, Ok(Ok(_)))
    }
}

impl Broker {
    /// Runs the administration program on the first node to its end.
    pub(super) async fn control(&self, arguments: &[&str]) -> Result<()> {
        self.control_at(0, arguments).await.map(drop)
    }

    /// Runs it on a node, and returns what it prints.
    async fn control_at(&self, node: usize, arguments: &[&str]) -> Result<String> {
        let launch = &self.nodes[node].launch;
        let mut command = launch.beside(&self.control);
        command.args(arguments).stderr(Stdio::null());
        let mut process = Process::start(&mut command, Output::Stdout)?;
        let ended = process.succeeds(LIMIT).await;
        ended.with_context(|| format!("rabbitmqctl {} on {}", arguments[0], launch.name))?;
        Ok(process.output())
    }

    /// Has a node evaluate an expression of Erlang; returns the value as it prints it.
    pub(super) async fn evaluate(&self, node: usize, expression: &str) -> Result<String> {
        let value = self.control_at(node, &["eval", expression]).await?;
        Ok(value.trim().to_owned())
    }

    /// Names of all nodes but one, as a list of Erlang.
    pub(super) fn names_without(&self, node: usize) -> String {
        let others = self.nodes.iter().enumerate();
        let names = others.filter(|(index, _)| *index != node);
        let names = names.map(|(_, server)| format!("'{}'", server.launch.node_name()));
        format!("[{}]", names.collect::<Vec<_>>().join(","))
    }

    /// The node that has the queue: its leader's, or a classic queue's only one.
    pub(super) async fn node_of(&self, queue: &str) -> Result<usize> {
        let expression = format!(
            "{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{queue}\">>)), \
             case amqqueue:get_pid(Q) of {{_, Node}} -> Node; Pid -> node(Pid) end."
        );
        let name = self.evaluate(0, &expression).await?;
        let name = name.trim_matches('\'');
        let mut nodes = self.nodes.iter();
        let found = nodes.position(|node| node.launch.node_name() == name);
        found.with_context(|| format!("the queue is on node {name}, which is none of ours"))
    }
}
