//! Where a bench takes place: servers, programs, and what is started from them.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use bson::{Document, doc};
use harness::Engine;
use mongodb::{
    Client, Collection,
    options::{ClientOptions, WriteConcern},
};

use super::{
    Args,
    backlog::Backlog,
    queue::{self, Queue},
    report::{Key, Queue as Kind, Subject},
    schedule::DOCUMENT,
};
use crate::store::{self, ANSWER_TIMEOUT};

/// Connections to MongoDB that are kept open, and at most: an insert never waits for one.
const POOL_MIN: u32 = 8;
const POOL_MAX: u32 = 128;
/// Longest time until an engine works.
pub(super) const START_LIMIT: Duration = Duration::from_secs(30);
/// Longest time for an engine to end when asked to.
pub(super) const STOP_LIMIT: Duration = Duration::from_secs(20);
/// Longest time to drop a database.
const DROP_LIMIT: Duration = Duration::from_secs(120);

/// Servers and programs.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) client: Client,
    pub(super) amqp_uri: String,
    /// Host and port of streams in their own protocol, where the broker has them.
    pub(super) stream_address: Option<String>,
    mongo_uri: String,
    /// Program of the engine.
    engine: PathBuf,
    /// Database of the engines' checkpoints.
    checkpoints: String,
    /// This very program, whose subcommands are the floors.
    program: PathBuf,
    /// Folder of the Python programs, and what Python finds its packages with.
    python: (PathBuf, String),
}

impl Site {
    pub(super) async fn new(args: &Args) -> Result<Self> {
        let mut options: ClientOptions = store::parse(&args.mongo_uri).await?;
        options.app_name = Some("cdc-bench".to_owned());
        options.server_selection_timeout = Some(ANSWER_TIMEOUT);
        options.min_pool_size = Some(POOL_MIN);
        options.max_pool_size = Some(POOL_MAX);
        let packages = args.pythonpath.clone().unwrap_or_default();
        Ok(Self {
            client: Client::with_options(options).context("set up the mongodb client")?,
            amqp_uri: args.amqp_uri.clone(),
            stream_address: args.stream_address.clone(),
            mongo_uri: args.mongo_uri.clone(),
            engine: args.engine.clone(),
            checkpoints: format!("{}_checkpoints", queue::name()),
            program: std::env::current_exe().context("find our own program")?,
            python: (args.programs.clone().unwrap_or_default(), packages),
        })
    }

    /// Deletes a database.
    pub(super) async fn drop_database(&self, name: &str) -> Result<()> {
        let database = self.client.database(name);
        store::answer("drop a database", DROP_LIMIT, database.drop()).await
    }

    /// Starts an engine that reads `database`, whose pipeline has the name of `queue`; whatever settings we were started
    /// with are not its own.
    pub(super) fn engine(&self, database: &str, queue: &Queue, format: &str) -> Result<Engine> {
        Engine::start(&mut self.engine_command(database, queue, format))
    }

    /// The command that [`Site::engine`] starts.
    pub(super) fn engine_command(&self, database: &str, queue: &Queue, format: &str) -> Command {
        let mut command = Command::new(&self.engine);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            let ours = ["CDC_", "MONGO_", "RABBITMQ_"];
            if ours.iter().any(|beginning| text.starts_with(beginning)) {
                command.env_remove(&name);
            }
        }
        command
            .arg("run")
            .env("MONGO_DATABASE_HOST", &self.mongo_uri)
            .env("MONGO_DATABASE_NAME", database)
            .env("RABBITMQ_URI", &self.amqp_uri)
            .env("RABBITMQ_QUEUE_NAME", &queue.name)
            .env("CDC_QUEUE_TYPE", queue.kind.name())
            .env("CDC_FORMAT", format)
            .env("CDC_PIPELINE", &queue.name)
            .env("CDC_CHECKPOINT_DATABASE", &self.checkpoints)
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if queue.kind == Kind::Stream {
            let address = self.stream_address.as_deref().unwrap_or_default();
            let port = address.rsplit(':').next().unwrap_or_default();
            command
                .env("CDC_STREAM_PROTOCOL", "native")
                .env("RABBITMQ_STREAM_PORT", port);
        }
        command
    }

    /// Starts one and waits until it works; returns the moment too.
    pub(super) async fn ready_engine(
        &self,
        database: &str,
        queue: &Queue,
    ) -> Result<(Engine, Instant)> {
        let mut engine = self.engine(database, queue, DOCUMENT)?;
        let moment = engine.leads(START_LIMIT).await?;
        Ok((engine, moment))
    }

    /// What the engine has saved for the pipeline of `queue`.
    pub(super) async fn checkpoint(&self, queue: &Queue) -> Result<Document> {
        let checkpoints = self.checkpoints();
        let finding = checkpoints.find_one(doc! { "_id": &queue.name });
        let found = store::answer("find a checkpoint", ANSWER_TIMEOUT, finding).await?;
        found.context("the engine has written no checkpoint")
    }

    /// Makes `checkpoint` that of the pipeline of `queue`.
    pub(super) async fn copy_checkpoint(&self, checkpoint: &Document, queue: &Queue) -> Result<()> {
        let mut copy = checkpoint.clone();
        copy.insert("_id", &queue.name);
        let checkpoints = self.checkpoints();
        let inserting = checkpoints.insert_one(copy);
        let inserting = inserting.write_concern(WriteConcern::majority());
        store::answer("copy a checkpoint", ANSWER_TIMEOUT, inserting).await?;
        Ok(())
    }

    fn checkpoints(&self) -> Collection<Document> {
        let database = self.client.database(&self.checkpoints);
        database.collection("checkpoints")
    }

    /// A program that does the work of `key` in the engine's place.
    pub(super) fn command(&self, key: &Key, backlog: &Backlog, queue: Option<&Queue>) -> Command {
        let from = format!("{}:{}", backlog.from.time, backlog.from.increment);
        let from = ["--from", &from, "--database", &backlog.database];
        let mut command = Command::new(&self.program);
        command
            .env("CDC_BENCH_MONGO_URI", &self.mongo_uri)
            .env("CDC_BENCH_AMQP_URI", &self.amqp_uri);
        match (key.subject, queue) {
            (Subject::Sink | Subject::SinkBare, Some(queue)) => {
                command
                    .args(["bench", "sink", "--queue", &queue.name])
                    .arg(format!("--size={}", key.document_bytes))
                    .args((key.subject == Subject::SinkBare).then_some("--bare"));
                if let (Kind::Stream, Some(address)) = (queue.kind, &self.stream_address) {
                    command.args(["--stream-address", address]);
                }
            }
            (subject, Some(queue)) => {
                command = self.python(subject);
                command
                    .args(["--mongo-uri", &self.mongo_uri])
                    .args(from)
                    .args(["--amqp-uri", &self.amqp_uri, "--queue", &queue.name])
                    .args(["--queue-type", queue.kind.name()]);
            }
            (_, None) => {
                command.args(["bench", "source"]).args(from);
            }
        }
        command.arg(format!("--count={}", key.events));
        command
    }

    fn python(&self, subject: Subject) -> Command {
        let (folder, packages) = &self.python;
        let mut command = Command::new("python3");
        command
            .arg(folder.join(match subject {
                Subject::PythonConnection => "connection.py",
                Subject::PythonConfirm => "confirm.py",
                _ => "batch.py",
            }))
            .env("PYTHONPATH", packages)
            // Leaves nothing in the project's folder.
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}
