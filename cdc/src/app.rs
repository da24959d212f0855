//! Runs one session after the other until a signal comes or only a person can help.

mod attempts;
mod headroom;
mod places;
mod scope;
mod sessions;
mod snapshots;
mod supervisor;
mod takings;
mod vitals;

use tokio_util::sync::CancellationToken;
use tracing::info;

use self::sessions::Sessions;
pub use self::supervisor::Supervisor;
use crate::{
    admin::{self, Admin, Subject},
    checkpoint,
    config::Config,
    headroom::Headroom,
    health::{Cause, Health},
    metrics::Metrics,
    mongo,
    pipeline::{self, Outcome},
    rabbitmq,
    retry::Disposition,
    signals::Signals,
    sink, snapshot, source, start,
};

/// Why the engine stopped or never started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// MongoDB cannot be used.
    #[error(transparent)]
    Mongo(#[from] mongo::Error),
    /// The checkpoint cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] checkpoint::Error),
    /// Reading cannot begin where it should.
    #[error(transparent)]
    Start(#[from] start::Error),
    /// The change stream cannot be opened.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// The settings ask for a snapshot, and none can be read.
    #[error(transparent)]
    Snapshot(#[from] snapshot::Error),
    /// RabbitMQ cannot be used.
    #[error(transparent)]
    Publish(#[from] rabbitmq::Error),
    /// A sink of the program's own cannot be used.
    #[error(transparent)]
    Sink(#[from] sink::Error),
    /// The running pipeline failed.
    #[error(transparent)]
    Pipeline(#[from] pipeline::Error),
    /// The admin port cannot be opened.
    #[error(transparent)]
    Admin(#[from] admin::Error),
    /// A second signal came.
    #[error("left at once on a second signal")]
    Interrupted,
    /// Signals cannot be listened to.
    #[error("listen to signals")]
    Signals(#[source] std::io::Error),
}

/// Runs the engine until SIGINT or SIGTERM, and tells `supervisor` how it is.
///
/// # Errors
/// See [`Error`].
pub async fn run(config: Config, supervisor: Option<Supervisor>) -> Result<(), Error> {
    let shutdown = CancellationToken::new();
    let mut signals = Signals::listen().map_err(Error::Signals)?;
    let admin = Admin::bind(&config.admin).await?;
    let metrics = Metrics::new(&config.checkpoint.pipeline);
    let health = Health::default();
    let headroom = Headroom::default();
    let _serving = admin.serve(subject(&config, (&metrics, &health, &headroom)));
    let _mirror = vitals::mirror(metrics.clone(), &health);
    let following = supervisor::follow(supervisor.as_ref(), health.watch());
    let sessions = Sessions::new(config, (metrics, health), headroom);
    let engine = engine(sessions, shutdown.clone());
    tokio::pin!(engine, following);
    loop {
        tokio::select! {
            outcome = &mut engine => return outcome,
            never = &mut following => match never {},
            () = signals.next() => {}
        }
        if shutdown.is_cancelled() {
            return Err(Error::Interrupted);
        }
        info!("stopping on a signal");
        supervisor.iter().for_each(Supervisor::stopping);
        shutdown.cancel();
    }
}

/// Runs the engine until `shutdown` is cancelled, within a program that has signals, log and environment to itself.
///
/// # Errors
/// See [`Error`].
pub async fn embedded(
    config: Config,
    (metrics, health): (Metrics, Health),
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let admin = Admin::bind(&config.admin).await?;
    let headroom = Headroom::default();
    let _serving = admin.serve(subject(&config, (&metrics, &health, &headroom)));
    let _mirror = vitals::mirror(metrics.clone(), &health);
    let sessions = Sessions::new(config, (metrics, health), headroom);
    Box::pin(engine(sessions, shutdown)).await
}

/// What the admin port tells of.
fn subject(
    config: &Config,
    (metrics, health, headroom): (&Metrics, &Health, &Headroom),
) -> Subject {
    Subject {
        pipeline: config.checkpoint.pipeline.clone(),
        target: config.checkpoint.scope.target.to_string(),
        window_events: config.pipeline.window_events,
        window_bytes: config.pipeline.window_bytes,
        metrics: metrics.clone(),
        health: health.clone(),
        headroom: headroom.clone(),
    }
}

async fn engine(mut sessions: Sessions, shutdown: CancellationToken) -> Result<(), Error> {
    loop {
        let pipeline = tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(()),
            opened = sessions.open() => opened?,
        };
        match pipeline.run(shutdown.clone()).await? {
            Outcome::Drained => {
                info!("drained, checkpoint saved");
                return Ok(());
            }
            Outcome::Superseded(error) => sessions.superseded(error)?,
            Outcome::Reread(why) => sessions.reread(why),
        }
    }
}

impl Error {
    /// Whether another attempt may help.
    fn disposition(&self) -> Disposition {
        match self {
            Self::Mongo(error) => error.disposition(),
            Self::Checkpoint(error) => error.disposition(),
            Self::Start(error) => error.disposition(),
            Self::Source(error) => error.disposition(),
            Self::Snapshot(error) => error.disposition(),
            Self::Publish(error) => error.disposition(),
            Self::Sink(error) => error.disposition(),
            Self::Pipeline(_) | Self::Admin(_) | Self::Interrupted | Self::Signals(_) => {
                Disposition::Halt
            }
        }
    }

    /// What it is that stands in the way.
    fn cause(&self) -> Option<Cause> {
        match self {
            Self::Mongo(_) | Self::Start(_) | Self::Source(_) | Self::Snapshot(_) => {
                Some(Cause::Mongodb)
            }
            Self::Checkpoint(_) => Some(Cause::Checkpoint),
            Self::Publish(_) => Some(Cause::Rabbitmq),
            Self::Sink(_) => Some(Cause::Sink),
            _ => None,
        }
    }

    /// Whether the fault is in the configuration, although only a library could tell.
    pub fn is_bad_configuration(&self) -> bool {
        matches!(self, Self::Mongo(error) if error.is_bad_configuration())
    }
}
