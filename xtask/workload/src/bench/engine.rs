//! The engine under measurement: its settings, its checkpoint, its life.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use bson::{Bson, Document, doc};
use harness::Engine;
use mongodb::{Client, Collection, options::WriteConcern};
use tokio::time::timeout;

use super::report::Queue;
use crate::store;

/// Longest time until it works.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Longest time to end when asked to.
pub(super) const STOP_LIMIT: Duration = Duration::from_secs(20);

/// Starts engines.
#[derive(Debug)]
pub(super) struct Engines {
    pub(super) program: PathBuf,
    pub(super) mongo_uri: String,
    pub(super) amqp_uri: String,
    /// Database of their checkpoints.
    pub(super) checkpoints: String,
}

/// What one engine has to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) pipeline: &'a str,
    pub(super) database: &'a str,
    pub(super) queue: &'a str,
    pub(super) kind: Queue,
    pub(super) format: &'a str,
}

impl Engines {
    /// Starts one; whatever settings we were started with are not its own.
    pub(super) fn start(&self, job: Job<'_>) -> Result<Engine> {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["CDC_", "MONGO_", "RABBITMQ_"]
                .iter()
                .any(|beginning| text.starts_with(beginning))
            {
                command.env_remove(&name);
            }
        }
        let kind = match job.kind {
            Queue::Classic => "classic",
            Queue::Quorum => "quorum",
        };
        command
            .arg("run")
            .env("MONGO_DATABASE_HOST", &self.mongo_uri)
            .env("MONGO_DATABASE_NAME", job.database)
            .env("RABBITMQ_URI", &self.amqp_uri)
            .env("RABBITMQ_QUEUE_NAME", job.queue)
            .env("CDC_QUEUE_TYPE", kind)
            .env("CDC_FORMAT", job.format)
            .env("CDC_PIPELINE", job.pipeline)
            .env("CDC_CHECKPOINT_DATABASE", &self.checkpoints)
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        Engine::start(&mut command)
    }

    /// Starts one and waits until it works; returns the moment too.
    pub(super) async fn start_ready(&self, job: Job<'_>) -> Result<(Engine, Instant)> {
        let mut engine = self.start(job)?;
        let moment = engine.leads(START_LIMIT).await?;
        Ok((engine, moment))
    }

    /// Lets one run so that its checkpoint says "now", and returns that document.
    pub(super) async fn checkpoint_now(&self, client: &Client, job: Job<'_>) -> Result<Document> {
        let (engine, _) = self.start_ready(job).await?;
        engine.process.terminate(STOP_LIMIT).await?;
        let collection = self.collection(client);
        let finding = collection.find_one(doc! { "_id": job.pipeline });
        let found = timeout(store::ANSWER_TIMEOUT, finding.into_future()).await;
        let found = found.context("mongodb does not answer")?;
        found
            .map_err(|error| anyhow::anyhow!(store::brief(&error)))?
            .context("the engine has written no checkpoint")
    }

    /// Makes `checkpoint` that of another pipeline too.
    pub(super) async fn copy_checkpoint(
        &self,
        client: &Client,
        checkpoint: &Document,
        pipeline: &str,
    ) -> Result<()> {
        let mut copy = checkpoint.clone();
        copy.insert("_id", Bson::String(pipeline.to_owned()));
        let collection = self.collection(client);
        let inserting = collection
            .insert_one(copy)
            .write_concern(WriteConcern::majority());
        let inserted = timeout(store::ANSWER_TIMEOUT, inserting.into_future()).await;
        let inserted = inserted.context("mongodb does not answer")?;
        inserted
            .map(|_| ())
            .map_err(|error| anyhow::anyhow!(store::brief(&error)).context("copy a checkpoint"))
    }

    fn collection(&self, client: &Client) -> Collection<Document> {
        client.database(&self.checkpoints).collection("checkpoints")
    }
}
