//! How a pipeline stands, as the two servers tell it.

use bson::Timestamp;

use super::{Error, connect};
use crate::{
    checkpoint::{Editor, Record},
    config::Config,
    lease::Contender,
    mongo::Oplog,
    rabbitmq,
};

/// What the servers tell of a pipeline.
#[derive(Debug)]
pub struct Status {
    /// MongoDB's part.
    pub source: Result<SourceStatus, Error>,
    /// RabbitMQ's part.
    pub target: Result<TargetStatus, Error>,
}

/// What MongoDB tells.
#[derive(Debug)]
pub struct SourceStatus {
    /// The checkpoint.
    pub record: Record,
    /// The cluster's time.
    pub now: Timestamp,
    /// How far the oplog reaches, or why that is not known.
    pub oplog: Result<Oplog, Error>,
}

/// What RabbitMQ tells.
#[derive(Debug)]
pub struct TargetStatus {
    /// Whether an engine holds the pipeline's lock. Who stands by cannot be asked for.
    pub has_leader: bool,
    /// The exchange that is published to, if it is not the default one.
    pub exchange: Option<String>,
    /// The queues that are the pipeline's own.
    pub queues: Vec<QueueStatus>,
}

/// What RabbitMQ tells of a queue.
#[derive(Debug)]
pub struct QueueStatus {
    /// Its name.
    pub name: String,
    /// Messages that are ready, and consumers; nothing where there is no such queue.
    pub depth: Option<(u32, u32)>,
}

/// Asks both servers.
pub async fn ask(config: &Config) -> Status {
    let (source, target) = tokio::join!(source(config), target(config));
    Status { source, target }
}

async fn source(config: &Config) -> Result<SourceStatus, Error> {
    let mongo = connect(config).await?;
    let editor = Editor::new(&mongo, config.checkpoint.clone());
    let record = editor.read().await?;
    Ok(SourceStatus {
        record,
        now: mongo.preflight().await?,
        oplog: mongo.oplog().await.map_err(Error::from),
    })
}

async fn target(config: &Config) -> Result<TargetStatus, Error> {
    let publish = &config.publish;
    let contender = Contender::connect(&publish.broker, &publish.lock).await?;
    let has_leader = contender.is_locked().await?;
    let (connection, _) = contender.into_parts();
    let topology = &publish.topology;
    let mut queues = Vec::new();
    for queue in topology.queues() {
        let depth = match connection.check_queue(&queue.name).await {
            Ok(found) => Some((found.message_count(), found.consumer_count())),
            Err(rabbitmq::Error::NoQueue { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        queues.push(QueueStatus {
            name: queue.name.clone(),
            depth,
        });
    }
    connection.close().await;
    Ok(TargetStatus {
        has_leader,
        exchange: Some(&topology.exchange)
            .filter(|exchange| !exchange.is_default())
            .map(|exchange| exchange.name.clone()),
        queues,
    })
}

impl SourceStatus {
    /// How many seconds the checkpoint is behind the cluster's time.
    pub fn lag_seconds(&self) -> Option<u32> {
        let position = self.record.position().ok().flatten()?;
        position.cluster_time()?;
        Some(position.seconds_before(self.now))
    }

    /// How many seconds of oplog are before the checkpoint: changes are lost when there are none left.
    pub fn headroom_seconds(&self) -> Option<i64> {
        let position = self.record.position().ok().flatten()?;
        let first = self.oplog.as_ref().ok()?.first;
        Some(i64::from(position.cluster_time()?.time) - i64::from(first.time))
    }
}
