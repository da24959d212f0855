//! Publishes once more what happened between two times, into a queue of its own.
//!
//! It is a session of the same pipeline beside the running engine: the same filter, format and policies, but with a lock
//! of its own, an end, and a checkpoint that lives no longer than the replay.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bson::{DateTime, Timestamp};
use tokio_util::sync::CancellationToken;

use super::{Error, connect};
use crate::{
    config::Config,
    health::Health,
    lease::{Contender, Lock},
    metrics::Metrics,
    mongo::Mongo,
    pipeline::{Outcome, Pipeline, Reached, Stages, Why},
    position::{CATCHING_UP_SECONDS, Position},
    signals::Signals,
    sink::{Places, Sink, rabbitmq::Link},
    source::{HistoryLost, Source},
    start::{self, Start},
};

/// Longest name of a queue in bytes: the replay's lock has it in its name.
pub const QUEUE_BYTES_MAX: usize = crate::lease::PIPELINE_BYTES_MAX - PREFIX.len();
const PREFIX: &str = "replay.";
/// Time between two words on the progress.
const INTERVAL: Duration = Duration::from_secs(1);

/// What to replay: everything from `from` on and before `to`, in whole seconds.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// Its begin.
    pub from: DateTime,
    /// Its end; now where there is none.
    pub to: Option<DateTime>,
}

/// How far it is.
#[derive(Debug, Clone)]
pub struct Progress {
    /// Messages that the broker confirmed.
    pub events: u64,
    /// Bytes of the bodies that were published.
    pub bytes: u64,
    /// Up to where everything is confirmed, or there was nothing.
    pub reached: Option<Timestamp>,
    /// The first cluster time.
    pub from: Timestamp,
    /// The first cluster time that is not replayed.
    pub to: Timestamp,
    /// How long it takes by now.
    pub elapsed: Duration,
}

/// A replay that is under way.
struct Replay {
    config: Config,
    mongo: Mongo,
    reached: Reached,
    until: Timestamp,
    metrics: Metrics,
}

/// Replays `range` into the queue of `config`, which nobody else should publish to. Says about once a second how far it
/// is.
///
/// # Errors
/// The oplog does not reach back, the end is in the future, or a server failed for good. Nothing is lost: it can be run
/// again.
pub async fn run(
    config: Config,
    range: Range,
    mut say: impl FnMut(&Progress),
) -> Result<Progress, Error> {
    let started = Instant::now();
    let shutdown = CancellationToken::new();
    let mut signals = Signals::listen().map_err(Error::Signals)?;
    let mongo = connect(&config).await?;
    let until = end(&mongo, range.to).await?;
    let begin = Start::Time(range.from)
        .find(&mongo, &config.source.scope)
        .await?;
    let replay = Replay {
        metrics: Metrics::new(&config.checkpoint.pipeline),
        reached: Arc::new(Mutex::new(begin)),
        config,
        mongo,
        until,
    };
    let (metrics, reached) = (replay.metrics.clone(), Arc::clone(&replay.reached));
    let progress = || Progress {
        events: metrics.messages_confirmed.get(),
        bytes: metrics.bytes_published.get(),
        reached: position(&reached).cluster_time(),
        from: start::first_of(range.from),
        to: until,
        elapsed: started.elapsed(),
    };
    let work = replay.work(shutdown.clone());
    tokio::pin!(work);
    let mut ticker = tokio::time::interval(INTERVAL);
    loop {
        tokio::select! {
            outcome = &mut work => {
                outcome?;
                break;
            }
            _ = ticker.tick() => {
                say(&progress());
                continue;
            }
            () = signals.next() => {}
        }
        if shutdown.is_cancelled() {
            return Err(Error::Interrupted);
        }
        shutdown.cancel();
    }
    if shutdown.is_cancelled() {
        return Err(Error::Interrupted);
    }
    Ok(progress())
}

/// The first cluster time that is not wanted.
async fn end(mongo: &Mongo, to: Option<DateTime>) -> Result<Timestamp, Error> {
    let now = mongo.preflight().await?;
    let Some(to) = to else {
        return Ok(start::next(now));
    };
    let until = start::end_at(to);
    if CATCHING_UP_SECONDS < until.time.saturating_sub(now.time) {
        return Err(Error::Start(start::Error::Future {
            wanted: start::rfc3339(to),
            now: start::moment(now),
        }));
    }
    Ok(until)
}

impl Replay {
    /// One session after the other, until the end is reached.
    async fn work(self, shutdown: CancellationToken) -> Result<(), Error> {
        let mut max_message_bytes = None;
        loop {
            let pipeline = self.open(max_message_bytes).await?;
            match pipeline.run(shutdown.clone()).await? {
                Outcome::Drained => return Ok(()),
                Outcome::Superseded(error) => return Err(error.into()),
                Outcome::Reread(Why::TooLarge(limit)) => max_message_bytes = Some(limit),
                Outcome::Reread(Why::Forgotten | Why::Missed) => {}
            }
        }
    }

    async fn open(&self, max_message_bytes: Option<usize>) -> Result<Pipeline, Error> {
        let mut publish = self.config.publish.clone();
        // The pipeline's publisher goes on with what it has.
        publish.streams = None;
        let queue = &publish.topology.targets[0].name;
        publish.lock = Lock::new(&format!("{PREFIX}{queue}"));
        let needs = publish.topology.needs(publish.lock.queue());
        let needs = needs.with(publish.broker.needs());
        publish.broker = publish.broker.needing(needs);
        let contender = Contender::connect(&publish.broker, &publish.lock).await?;
        if !contender.take_lock().await? {
            return Err(Error::Replaying(queue.clone()));
        }
        let vitals = (self.metrics.clone(), Health::default());
        let link = Link::open(contender, publish, vitals.clone()).await?;
        let mut source = self.config.source.clone();
        // Somebody asked for just these changes.
        source.on_history_lost = HistoryLost::Stop;
        let begin = position(&self.reached);
        let (metrics, health) = vitals.clone();
        let stages = Stages {
            source: Source::open(&self.mongo, source, begin, vitals).await?,
            encode: self.config.encode.clone(),
            sink: Sink::Rabbitmq(Box::new(link)),
            snapshots: None,
            places: Places::new(),
            max_message_bytes,
            metrics,
            health,
        };
        let (config, reached) = (self.config.pipeline.clone(), Arc::clone(&self.reached));
        Ok(Pipeline::replay(config, stages, reached, self.until))
    }
}

fn position(reached: &Reached) -> Position {
    let position = reached.lock().unwrap_or_else(PoisonError::into_inner);
    position.clone()
}
