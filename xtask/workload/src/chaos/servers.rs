//! The servers of a run as processes: killed, paused, started again.

use std::{cell::RefCell, time::Duration};

use anyhow::{Context, Result, ensure};
use bson::doc;
use harness::{
    Process, Signal,
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

/// The broker, with its administration program.
#[derive(Debug)]
pub(super) struct Broker {
    pub(super) server: Server,
    control: std::path::PathBuf,
}

impl Servers {
    pub(super) fn new(plan: Plan, admin: Client) -> Self {
        let broker = Broker {
            server: Server::new(plan.broker),
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
    /// Runs the administration program to its end.
    pub(super) async fn control(&self, arguments: &[&str]) -> Result<()> {
        let launch = &self.server.launch;
        let mut command = launch.beside(&self.control);
        let log = launch.log.with_file_name("control.log");
        let mut process = Process::start_logged(command.args(arguments), &log)?;
        let ended = process.succeeds(LIMIT).await;
        ended.with_context(|| format!("see {}", log.display()))
    }
}
