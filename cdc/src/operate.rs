//! What an operator asks beside the running engine: a pipeline's checkpoint, its state, a stretch of its history again.

pub mod check;
pub mod checkpoint;
pub mod division;
pub mod health;
pub mod replay;
pub mod snapshot;
pub mod status;

use std::time::Duration;

use crate::{
    admin, checkpoint as stage,
    config::Config,
    mongo::{self, Mongo},
    pipeline, rabbitmq,
    snapshot::requests,
    source, start,
};

/// Why it cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// MongoDB cannot be used.
    #[error(transparent)]
    Mongo(#[from] mongo::Error),
    /// RabbitMQ cannot be used.
    #[error(transparent)]
    Broker(#[from] rabbitmq::Error),
    /// The checkpoint cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] stage::Error),
    /// Reading cannot begin where it should.
    #[error(transparent)]
    Start(#[from] start::Error),
    /// The change stream cannot be opened.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// The replay failed on its way.
    #[error(transparent)]
    Pipeline(#[from] pipeline::Error),
    /// An engine of the pipeline runs.
    #[error("an engine of the pipeline `{0}` runs: it holds the lock")]
    Running(String),
    /// Another replay into the same queue runs.
    #[error("another replay into the queue `{0}` runs")]
    Replaying(String),
    /// The checkpoints are those of its shares.
    #[error("the pipeline `{0}` is divided into {1} shares, each with a checkpoint of its own")]
    IsDivided(String, u16),
    /// One checkpoint says nothing of where all shares are.
    #[error(
        "the pipeline `{0}` is divided into shares, so no one checkpoint is where all of it is"
    )]
    CopyOfShares(String),
    /// Without its checkpoint a share would begin where the shares began, which is no fresh start.
    #[error(
        "the checkpoint `{0}` is a share's, which would begin where the shares of its pipeline began"
    )]
    ClearOfShare(String),
    /// A snapshot that was asked for would never be taken.
    #[error("the snapshot `{run}` of {of} is not over")]
    SnapshotAsked {
        /// Its name.
        run: String,
        /// The pipeline, or the share.
        of: String,
    },
    /// There is nothing to change.
    #[error("the pipeline `{0}` has no checkpoint")]
    NoCheckpoint(String),
    /// There is nothing to go back to.
    #[error("no change of the checkpoint of the pipeline `{0}` is there to be undone")]
    NothingToUndo(String),
    /// A stored position that makes no sense.
    #[error("the checkpoint of the pipeline `{pipeline}` is not readable: {reason}")]
    Unreadable {
        /// The pipeline.
        pipeline: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// Requests of snapshots cannot be used.
    #[error(transparent)]
    Requests(#[from] requests::Error),
    /// A snapshot is not taken.
    #[error(transparent)]
    Snapshot(#[from] snapshot::Refusal),
    /// The admin port cannot be opened.
    #[error(transparent)]
    Admin(#[from] admin::Error),
    /// A question took too long.
    #[error("no answer within {} ms", .0.as_millis())]
    Overdue(Duration),
    /// It was broken off.
    #[error("stopped by a signal before the end")]
    Interrupted,
    /// Signals cannot be listened to.
    #[error("listen to signals")]
    Signals(#[source] std::io::Error),
}

/// Connects to MongoDB, once.
async fn connect(config: &Config) -> Result<Mongo, Error> {
    let mongo = Mongo::new(&config.mongo_uri.0).await?;
    mongo.preflight().await?;
    Ok(mongo)
}
