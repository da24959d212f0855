//! The servers of a run as processes: killed, paused, started again.

use std::{cell::RefCell, process::Child, time::Duration};

use anyhow::{Context, Result, bail};
use bson::doc;
use mongodb::Client;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use super::{
    plan::{Launch, Plan},
    process::{self, Signal},
};

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
    /// What we have started, to be reaped.
    children: RefCell<Vec<Child>>,
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
        let hello = self.admin("hello").await;
        let primary = hello.ok().and_then(|hello| {
            let host = hello.get_str("primary").ok()?;
            host.rsplit(':').next()?.parse::<u16>().ok()
        });
        let index = self
            .mongo
            .iter()
            .position(|member| Some(member.launch.port) == primary);
        index.unwrap_or_default()
    }

    /// Has the primary step down. It answers with an error when it has closed our connection too.
    pub(super) async fn step_down(&self) -> Result<()> {
        let command =
            doc! { "replSetStepDown": 10, "secondaryCatchUpPeriodSecs": 2, "force": true };
        let admin = self.admin.database("admin");
        // No answer is fine: the step down has begun or there is no primary.
        let _ = timeout(ANSWER_LIMIT, admin.run_command(command)).await;
        Ok(())
    }

    async fn admin(&self, command: &str) -> Result<bson::Document> {
        let database = self.admin.database("admin");
        let answer = timeout(ANSWER_LIMIT, database.run_command(doc! { command: 1 })).await;
        Ok(answer.context("no answer")??)
    }
}

impl Server {
    fn new(launch: Launch) -> Self {
        Self {
            launch,
            children: RefCell::default(),
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        for pid in process::find(&self.launch.marker) {
            process::signal(pid, signal);
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
        let child = process::start(&mut self.launch.command(), &self.launch.log)?;
        self.children.borrow_mut().push(child);
        let deadline = Instant::now() + LIMIT;
        while !self.answers().await {
            if deadline < Instant::now() {
                bail!("{} does not answer", self.launch.name);
            }
            if self.has_ended() {
                bail!(
                    "{} ended, see {}",
                    self.launch.name,
                    self.launch.log.display()
                );
            }
            sleep(POLL).await;
        }
        Ok(())
    }

    async fn wait_until_gone(&self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        while !process::find(&self.launch.marker).is_empty() {
            if deadline < Instant::now() {
                bail!("{} does not end", self.launch.name);
            }
            sleep(POLL).await;
        }
        self.has_ended();
        Ok(())
    }

    /// Reaps what has ended; whether the last one that we have started has.
    fn has_ended(&self) -> bool {
        let mut children = self.children.borrow_mut();
        children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        children.is_empty()
    }

    async fn answers(&self) -> bool {
        let greeting = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.launch.port)).await?;
            if self.launch.name.starts_with("mongo") {
                return Ok(());
            }
            // An open port is not enough: the broker listens before it can serve.
            stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
            stream.read_exact(&mut [0; 11]).await.map(drop)
        };
        matches!(timeout(ANSWER_LIMIT, greeting).await, Ok(Ok(())))
    }
}

impl Broker {
    /// Runs the administration program to its end.
    pub(super) async fn control(&self, arguments: &[&str]) -> Result<()> {
        let launch = &self.server.launch;
        let mut command = launch.beside(&self.control);
        command.args(arguments);
        let log = launch.log.with_file_name("control.log");
        let mut child = process::start(&mut command, &log)?;
        let deadline = Instant::now() + LIMIT;
        loop {
            match child.try_wait().context("wait for rabbitmqctl")? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("rabbitmqctl failed ({status}), see {}", log.display()),
                None if deadline < Instant::now() => {
                    child.kill().context("kill rabbitmqctl")?;
                    bail!("rabbitmqctl does not end");
                }
                None => sleep(POLL).await,
            }
        }
    }
}
