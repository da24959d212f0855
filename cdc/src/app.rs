//! Connects to both servers, finds the place to start from, runs the pipeline and drains it on a signal.

use bson::Timestamp;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    checkpoint::{self, Store},
    config::Config,
    mongo::{self, Mongo},
    pipeline::{self, Pipeline, Stages},
    position::Position,
    publish::{self, Publisher},
    retry::{Backoff, Disposition, chain},
    source::{self, Source},
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
    /// The change stream cannot be opened.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// RabbitMQ cannot be used.
    #[error(transparent)]
    Publish(#[from] publish::Error),
    /// The running pipeline failed.
    #[error(transparent)]
    Pipeline(#[from] pipeline::Error),
    /// A second signal came.
    #[error("left at once on a second signal")]
    Interrupted,
    /// Signals cannot be listened to.
    #[error("listen to signals")]
    Signals(#[source] std::io::Error),
}

/// Runs the engine until SIGINT or SIGTERM.
///
/// # Errors
/// See [`Error`]; [`Error::hint`] says what a person can do.
pub async fn run(config: Config) -> Result<(), Error> {
    let shutdown = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let engine = engine(config, shutdown.clone());
    tokio::pin!(engine);
    loop {
        tokio::select! {
            outcome = &mut engine => return outcome,
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if shutdown.is_cancelled() {
            return Err(Error::Interrupted);
        }
        info!("stopping on a signal");
        shutdown.cancel();
    }
}

async fn engine(config: Config, shutdown: CancellationToken) -> Result<(), Error> {
    let started = tokio::select! {
        biased;
        () = shutdown.cancelled() => return Ok(()),
        started = start(config) => started,
    };
    let pipeline = started?;
    pipeline.run(shutdown).await?;
    info!("drained, checkpoint saved");
    Ok(())
}

/// Opens every stage, in the order in which a failure is cheapest.
async fn start(config: Config) -> Result<Pipeline, Error> {
    let deadline = Instant::now() + config.startup_timeout;
    let mongo = until(
        deadline,
        async || Ok(Mongo::new(&config.mongo_uri.0).await?),
    )
    .await?;
    let now = until(deadline, async || Ok(mongo.preflight().await?)).await?;
    let publisher = until(deadline, async || {
        Ok(Publisher::connect(&config.publish).await?)
    })
    .await?;
    let mut store = Store::new(&mongo, config.checkpoint.clone());
    let (position, from) = starting_position(deadline, &mut store, now).await?;
    let source = until(deadline, async || {
        Ok(Source::open(&mongo, config.source.clone(), position.clone()).await?)
    })
    .await?;
    announce(&config, &from);
    let stages = Stages {
        source,
        encode: config.encode,
        publisher,
        publish: config.publish,
        store,
    };
    Ok(Pipeline::new(config.pipeline, stages))
}

/// The checkpoint; or, on the very first start, the present, made durable before the first event is published, so
/// that a crash in the first second loses nothing.
async fn starting_position(
    deadline: Instant,
    store: &mut Store,
    now: Timestamp,
) -> Result<(Position, String), Error> {
    if let Some(position) = until(deadline, async || Ok(store.load().await?)).await? {
        let from = format!("checkpoint, {position}");
        return Ok((position, from));
    }
    // The next tick of the clock: what was committed before this start is not a change since.
    let next = Timestamp {
        time: now.time,
        increment: now.increment.saturating_add(1),
    };
    let position = Position::At(next);
    until(deadline, async || Ok(store.save(&position).await?)).await?;
    let from = format!("now, {position}");
    Ok((position, from))
}

/// Repeats `attempt` until it works, only a person can help, or the deadline has passed.
async fn until<T>(
    deadline: Instant,
    mut attempt: impl AsyncFnMut() -> Result<T, Error>,
) -> Result<T, Error> {
    let mut attempts = Attempts::new(deadline);
    loop {
        match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) => attempts.after(error).await?,
        }
    }
}

struct Attempts {
    deadline: Instant,
    backoff: Backoff,
    said: bool,
}

impl Attempts {
    fn new(deadline: Instant) -> Self {
        Self {
            deadline,
            backoff: Backoff::default(),
            said: false,
        }
    }

    /// Waits before the next attempt, or gives the error back.
    async fn after(&mut self, error: Error) -> Result<(), Error> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if error.disposition() == Disposition::Halt || left.is_zero() {
            return Err(error);
        }
        if !self.said {
            self.said = true;
            warn!(
                error = chain(&error),
                for_ms = left.as_millis(),
                "not ready, trying again"
            );
        }
        tokio::time::sleep(self.backoff.next_delay().min(left)).await;
        Ok(())
    }
}

fn announce(config: &Config, from: &str) {
    let source = &config.source;
    let operations: Vec<&str> = source
        .operations
        .iter()
        .map(|operation| operation.as_str())
        .collect();
    let collections = if source.collections.is_empty() {
        "all".to_owned()
    } else {
        source.collections.join(",")
    };
    let target = if config.publish.exchange.is_empty() {
        format!("queue {}", config.publish.queue.name)
    } else {
        format!("exchange {}", config.publish.exchange)
    };
    info!(
        version = env!("CARGO_PKG_VERSION"),
        pipeline = config.checkpoint.pipeline,
        database = source.database,
        collections,
        operations = operations.join(","),
        to = format_args!("{target} at {:?}", config.publish.broker),
        from,
        "watching"
    );
}

impl Error {
    /// Whether another attempt may help.
    fn disposition(&self) -> Disposition {
        match self {
            Self::Mongo(error) => error.disposition(),
            Self::Checkpoint(error) => error.disposition(),
            Self::Source(error) => error.disposition(),
            Self::Publish(error) => error.disposition(),
            Self::Pipeline(_) | Self::Interrupted | Self::Signals(_) => Disposition::Halt,
        }
    }

    /// Whether the fault is in the configuration, although only a library could tell.
    pub fn is_bad_configuration(&self) -> bool {
        matches!(self, Self::Mongo(error) if error.is_bad_configuration())
    }

    /// What a person can do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Mongo(error) => error.hint(),
            Self::Checkpoint(error) => error.hint(),
            Self::Source(error) => error.hint(),
            Self::Publish(error) => error.hint(),
            Self::Pipeline(error) => error.hint(),
            Self::Interrupted => {
                Some("nothing is lost: what was not saved is published again on the next start")
            }
            Self::Signals(_) => None,
        }
    }
}
