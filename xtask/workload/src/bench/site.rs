//! Where a bench takes place: servers, programs, and what is started from them.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result};
use mongodb::{Client, options::ClientOptions};

use super::{
    Args, backlog::Backlog, engine::Engines, queue, report::Queue as Kind, report::Subject,
    schedule::Task,
};
use crate::store;

/// Connections to MongoDB that are kept open, and at most: an insert never waits for one.
const POOL_MIN: u32 = 8;
const POOL_MAX: u32 = 128;

/// Servers and programs.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) client: Client,
    pub(super) amqp_uri: String,
    pub(super) engines: Engines,
    mongo_uri: String,
    /// This very program, whose subcommands are the floors.
    program: PathBuf,
    /// Folder of the Python programs, and what Python finds its packages with.
    python: (PathBuf, String),
}

impl Site {
    pub(super) async fn new(args: &Args) -> Result<Self> {
        let mut options: ClientOptions = store::parse(&args.mongo_uri).await?;
        options.app_name = Some("cdc-bench".to_owned());
        options.server_selection_timeout = Some(store::ANSWER_TIMEOUT);
        options.min_pool_size = Some(POOL_MIN);
        options.max_pool_size = Some(POOL_MAX);
        let python = args.pythonpath.clone().unwrap_or_default();
        Ok(Self {
            client: Client::with_options(options).context("set up the mongodb client")?,
            amqp_uri: args.amqp_uri.clone(),
            engines: Engines {
                program: args.engine.clone(),
                mongo_uri: args.mongo_uri.clone(),
                amqp_uri: args.amqp_uri.clone(),
                checkpoints: format!("{}_checkpoints", queue::name()),
            },
            mongo_uri: args.mongo_uri.clone(),
            program: std::env::current_exe().context("find our own program")?,
            python: (args.programs.clone().unwrap_or_default(), python),
        })
    }

    /// A program that does the work of `task` in the engine's place.
    pub(super) fn command(&self, task: &Task, backlog: &Backlog, queue: &str) -> Command {
        let from = format!("{}:{}", backlog.from.time, backlog.from.increment);
        let mut command = match task.subject {
            Subject::Source => self.source(backlog, &from),
            Subject::Sink | Subject::SinkBare => self.sink(task, backlog, queue),
            _ => self.python(task, backlog, queue, &from),
        };
        command.arg(format!("--count={}", task.events));
        command
    }

    fn source(&self, backlog: &Backlog, from: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["bench", "source", "--from", from])
            .args(["--database", &backlog.database])
            .env("CDC_BENCH_MONGO_URI", &self.mongo_uri);
        command
    }

    fn sink(&self, task: &Task, backlog: &Backlog, queue: &str) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["bench", "sink", "--queue", queue])
            .arg(format!("--size={}", backlog.size))
            .env("CDC_BENCH_AMQP_URI", &self.amqp_uri);
        if task.subject == Subject::SinkBare {
            command.arg("--bare");
        }
        command
    }

    fn python(&self, task: &Task, backlog: &Backlog, queue: &str, from: &str) -> Command {
        let program = match task.subject {
            Subject::PythonConnection => "connection.py",
            Subject::PythonConfirm => "confirm.py",
            _ => "batch.py",
        };
        let kind = match task.queue {
            Some(Kind::Quorum) => "quorum",
            _ => "classic",
        };
        let (folder, packages) = &self.python;
        let mut command = Command::new("python3");
        command
            .arg(folder.join(program))
            .args(["--mongo-uri", &self.mongo_uri, "--from", from])
            .args(["--database", &backlog.database])
            .args(["--amqp-uri", &self.amqp_uri, "--queue", queue])
            .args(["--queue-type", kind])
            .env("PYTHONPATH", packages)
            // Leaves nothing in the project's folder.
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}
