//! A session: the lock is taken, the checkpoint claimed, every stage open. Whoever has no lock stands by.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::{
    Error,
    attempts::{Attempts, until},
    headroom::{self, Listeners},
    places, scope, snapshots,
    takings::Takings,
};
use crate::{
    checkpoint::{self, Store},
    config::Config,
    headroom::Headroom,
    health::{Cause, Health, Role},
    lease::Contender,
    metrics::Metrics,
    mongo::Mongo,
    pipeline::{self, Pipeline, Stages, Why},
    position::Position,
    rabbitmq::{self, Queue, Survey},
    retry::chain,
    sabotage::{self, Point},
    sink::{Places, Sink, own, rabbitmq::Link},
    snapshot,
    source::{self, Source},
};

/// Time between questions for the lock while another engine has it.
const STANDBY_POLL: Duration = Duration::from_millis(250);

/// What the sessions of a process share.
pub(super) struct Sessions {
    config: Config,
    metrics: Metrics,
    health: Health,
    headroom: Headroom,
    mongo: Option<Mongo>,
    /// Of how much of the oplog is left.
    following: Option<AbortOnDropHandle<()>>,
    /// The servers have to be there by then. Later on they may be away for as long as they like.
    deadline: Option<Instant>,
    takings: Takings,
    /// Another engine is left alone until then.
    resume_at: Option<Instant>,
    /// Whether an earlier session published, or may have.
    has_led: bool,
    /// Largest body that the broker takes, where a session has learnt it.
    max_message_bytes: Option<usize>,
    /// Whether what the target has last did not come again.
    has_missed: bool,
    /// With the scope of the engine that holds the lock, while we stand by.
    comparison: Option<AbortOnDropHandle<()>>,
}

impl Sessions {
    pub(super) fn new(
        config: Config,
        (metrics, health): (Metrics, Health),
        headroom: Headroom,
    ) -> Self {
        Self {
            deadline: Some(Instant::now() + config.startup_timeout),
            config,
            metrics,
            health,
            headroom,
            mongo: None,
            following: None,
            takings: Takings::default(),
            resume_at: None,
            has_led: false,
            max_message_bytes: None,
            has_missed: false,
            comparison: None,
        }
    }

    /// Opens every stage, in the order in which a failure is cheapest; waits while another engine has the lock.
    pub(super) async fn open(&mut self) -> Result<Pipeline, Error> {
        self.health.restart();
        self.metrics.restart();
        self.pause().await;
        let mongo = self.mongo().await?;
        let sink = self.sink(&mongo).await?;
        sabotage::pass(Point::AfterLock);
        let mut store = Store::new(&mongo, self.config.checkpoint.clone());
        let claimed = self.claim(&mongo, &mut store, &sink.places()).await?;
        let (position, from, mut places) = claimed;
        if std::mem::take(&mut self.has_missed) {
            places = places::before(places);
        }
        self.metrics.checkpoint_saved();
        sabotage::pass(Point::AfterClaim);
        let source = until(self.deadline, &self.health, || async {
            let config = self.config.source.clone();
            let vitals = (self.metrics.clone(), self.health.clone());
            Ok(Source::open(&mongo, config, position.clone(), vitals).await?)
        })
        .await?;
        if let Sink::Rabbitmq(link) = &sink {
            self.note_new_queues(&link.survey().new_queues, store.sent_until().is_some());
            self.note_survey(link.survey());
        }
        announce(&self.config, &from);
        (self.deadline, self.has_led) = (None, true);
        self.health.set_role(Role::Leader);
        self.metrics.leader.set(1);
        let snapshots = snapshots::open(&mongo, &self.config, &store)?;
        let stages = Stages {
            source,
            encode: self.config.encode.clone(),
            sink,
            places,
            snapshots,
            max_message_bytes: self.max_message_bytes,
            metrics: self.metrics.clone(),
            health: self.health.clone(),
        };
        Ok(Pipeline::new(self.config.pipeline.clone(), stages, store))
    }

    async fn claim(
        &self,
        mongo: &Mongo,
        store: &mut Store,
        found: &Places,
    ) -> Result<(Position, String, Places), Error> {
        let mut attempts = Attempts::new(self.deadline, &self.health);
        loop {
            match claim(mongo, store, &self.config, found).await {
                Ok(claimed) => {
                    attempts.over();
                    return Ok(claimed);
                }
                Err(error) => attempts.after(error).await?,
            }
        }
    }

    /// Another engine has the lock or wrote the checkpoint: the next session waits for the lock.
    ///
    /// # Errors
    /// The checkpoint was taken again and again while nobody else had our lock: the other engine has another one. Or there
    /// is no lock, since the sink is the program's own, and the engine that took the checkpoint goes on alone.
    pub(super) fn superseded(&mut self, error: pipeline::Error) -> Result<(), Error> {
        if self.config.own_sink.is_some() {
            return Err(error.into());
        }
        if matches!(
            &error,
            pipeline::Error::Checkpoint(checkpoint::Error::Taken { .. })
        ) {
            let now = Instant::now();
            match self.takings.taken(now) {
                Some(pause) => self.resume_at = Some(now + pause),
                None => return Err(error.into()),
            }
        }
        warn!(error = chain(&error), "superseded");
        Ok(())
    }

    /// Leaves the engine alone that took the checkpoint from us again.
    async fn pause(&mut self) {
        if let Some(until) = self
            .resume_at
            .take()
            .filter(|until| Instant::now() < *until)
        {
            let seconds = until.duration_since(Instant::now()).as_secs() + 1;
            warn!(
                seconds,
                "leaving the checkpoint to the other engine for a while"
            );
            self.health.set_role(Role::Standby);
            tokio::time::sleep_until(until).await;
        }
    }

    /// The next session reads from the checkpoint on.
    pub(super) fn reread(&mut self, why: Why) {
        match why {
            Why::Forgotten => {}
            Why::TooLarge(limit) => self.max_message_bytes = Some(limit),
            Why::Missed => self.has_missed = true,
        }
        warn!(
            max_message_bytes = self.max_message_bytes,
            "reading again from the checkpoint"
        );
    }

    /// Says which queues were not there. One that has had messages of ours before is gone with what it held.
    fn note_new_queues(&self, queues: &[String], has_sent: bool) {
        let has_delivered = has_sent || self.has_led;
        for queue in queues {
            self.metrics.queues_declared.inc();
            if has_delivered {
                self.metrics.queues_lost.inc();
                warn!(
                    queue,
                    "declared a queue that was not there: if this pipeline has delivered to it before, what it held \
                     is gone but for what is published again from the checkpoint on"
                );
            } else {
                info!(queue, "declared a queue that was not there");
            }
        }
    }

    /// Says in the first session what endangers messages in their queue, and what could not be seen.
    fn note_survey(&self, survey: &Survey) {
        if survey.is_exchange_new {
            info!("declared the exchange, which was not there");
        }
        if self.has_led {
            return;
        }
        if let Some(reason) = &survey.no_super_stream {
            warn!(
                reason,
                "consumers can read the partitions' streams one by one, but not as one super stream"
            );
        }
        for (queue, danger) in &survey.dangers {
            warn!(queue, "messages in the queue are in danger: {danger}");
        }
        for (queue, reason) in &survey.unseen {
            info!(
                queue,
                reason,
                "the queue is used as it is; whether it is durable, its type and its arguments were not checked"
            );
        }
    }

    async fn mongo(&mut self) -> Result<Mongo, Error> {
        if let Some(mongo) = &self.mongo {
            return Ok(mongo.clone());
        }
        let uri = &self.config.mongo_uri.0;
        let mongo = until(self.deadline, &self.health, || async {
            Ok(Mongo::new(uri).await?)
        })
        .await?;
        until(self.deadline, &self.health, || async {
            Ok(mongo.preflight().await?)
        })
        .await?;
        if self.config.wants_snapshots() {
            until(self.deadline, &self.health, || async {
                Ok(snapshot::check(&mongo).await?)
            })
            .await?;
        }
        let scope = &self.config.source.scope;
        scope.look(&mongo).await?;
        until(self.deadline, &self.health, || async {
            Ok(source::check_options(&mongo, scope).await?)
        })
        .await?;
        self.mongo = Some(mongo.clone());
        self.following = Some(self.follow(&mongo));
        Ok(mongo)
    }

    fn follow(&self, mongo: &Mongo) -> AbortOnDropHandle<()> {
        let listeners = Listeners {
            metrics: self.metrics.clone(),
            health: self.health.clone(),
            headroom: self.headroom.clone(),
        };
        let config = self.config.checkpoint.clone();
        headroom::follow(mongo, config, self.config.headroom, listeners)
    }

    /// Where messages go: a sink of the program's own, or RabbitMQ once we lead.
    async fn sink(&mut self, mongo: &Mongo) -> Result<Sink, Error> {
        let Some(target) = &self.config.own_sink else {
            return Ok(Sink::Rabbitmq(Box::new(self.lead(mongo).await?)));
        };
        let limit = self.config.publish.confirm_timeout;
        let own = until(self.deadline, &self.health, || async {
            Ok(own::Own::open(target, limit, self.health.clone()).await?)
        });
        Ok(Sink::Own(Box::new(own.await?)))
    }

    /// Becomes the engine that publishes, at once or when the present one has ended.
    async fn lead(&mut self, mongo: &Mongo) -> Result<Link, Error> {
        let mut attempts = Attempts::new(self.deadline, &self.health);
        loop {
            let error = match self.stand_by(mongo).await {
                Ok(link) => return Ok(link),
                Err(error) => error,
            };
            if self.deadline.is_none() {
                attempts.extend();
            }
            attempts.after(error.into()).await?;
        }
    }

    async fn stand_by(&mut self, mongo: &Mongo) -> Result<Link, rabbitmq::Error> {
        let config = self.config.publish.clone();
        let contender = Contender::connect(&config.broker, &config.lock).await?;
        let contender = contender.standing_by();
        self.health.clear(Cause::Rabbitmq);
        let mut has_waited = false;
        while !contender.take_lock().await? {
            if !has_waited {
                contender.check(&config.topology).await?;
                info!("standing by: another engine of this pipeline holds the lock");
                self.health.set_role(Role::Standby);
                (has_waited, self.deadline) = (true, None);
                self.takings.forget();
                self.comparison.get_or_insert_with(|| {
                    let store = Store::new(mongo, self.config.checkpoint.clone());
                    scope::compare(store, self.health.clone())
                });
            }
            while contender.is_locked().await? {
                tokio::time::sleep(STANDBY_POLL).await;
            }
        }
        if has_waited {
            info!("taking over");
        }
        self.comparison = None;
        self.health.set_notice(None);
        let vitals = (self.metrics.clone(), self.health.clone());
        Link::open(contender, config, vitals).await
    }
}

/// Makes the checkpoint ours, so that no late save of another engine can move it, and says where to begin.
///
/// On the very first start that is where the configuration says, durable before the first event is published, so that a
/// crash in the first second loses nothing.
async fn claim(
    mongo: &Mongo,
    store: &mut Store,
    config: &Config,
    found: &Places,
) -> Result<(Position, String, Places), Error> {
    loop {
        let (position, from) = if let Some(position) = store.load().await? {
            let from = format!("checkpoint, {position}");
            (position, from)
        } else {
            let scope = &config.source.scope;
            scope.check_patterns(mongo).await?;
            let position = config.start.find(mongo, scope).await?;
            let from = format!("{}, {position}", config.start);
            (position, from)
        };
        let places = places::settle(store, found);
        match store.save(&position).await {
            Ok(()) => {
                scope::say_changed(&store.changes(), &from);
                return Ok((position, from, places));
            }
            // A late save of the engine before us; its position counts.
            Err(checkpoint::Error::Taken { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn announce(config: &Config, from: &str) {
    let scope = &config.source.scope;
    let operations = scope.operations.names();
    let collections: Vec<String> = scope.collections.texts().collect();
    let topology = &config.publish.topology;
    let target = if topology.exchange.is_default() {
        queues(&topology.targets)
    } else {
        format!("exchange {}", topology.exchange.name)
    };
    let to = match &config.own_sink {
        Some(_) => "a sink of the program's own".to_owned(),
        None => format!("{target} at {:?}", config.publish.broker),
    };
    info!(
        version = env!("CARGO_PKG_VERSION"),
        pipeline = config.checkpoint.pipeline,
        database = scope.databases.to_string(),
        collections = if collections.is_empty() {
            "all".to_owned()
        } else {
            collections.join(",")
        },
        operations = operations.join(","),
        %to,
        from,
        "watching"
    );
}

/// The queues in words.
fn queues(targets: &[Queue]) -> String {
    match targets {
        [one] => format!("queue {}", one.name),
        [first, .., last] => format!("queues {} to {}", first.name, last.name),
        [] => String::new(),
    }
}
