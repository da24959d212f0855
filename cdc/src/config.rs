//! Flags and environment variables become one checked [`Config`]; nothing else reads the environment.
//!
//! A bad configuration names every fault at once, each with its variable, and never a secret's value.

mod admin;
mod amqp_uri;
mod arguments;
mod begin;
mod documents;
mod effective;
mod embedded;
mod faults;
mod fields;
mod formats;
mod given;
mod kind;
mod log;
mod moments;
mod names;
mod resolve;
mod routing;
mod scope;
mod servers;
mod setting;
mod settings;
mod snapshot;
mod streams;
mod tls;
mod topology;

use std::{sync::Arc, time::Duration};

pub use self::{
    begin::Begin,
    documents::{env_example, reference},
    effective::{Effective, effective},
    embedded::Embedded,
    faults::Faults,
    given::{Given, Origin, Value},
    log::{LogConfig, LogFilter, LogFormat},
    moments::{Wish, range},
    names::{ignored, unknown},
    servers::are_defaults,
    setting::Setting,
    settings::{run_settings, tail_settings},
    snapshot::{Asked, run_name},
};
use self::{
    kind::number,
    setting::Input,
    settings::{Declarations, Engine, Formats, Messages, Rabbit, Servers, Settings, Streams},
};
use crate::{
    admin as port, checkpoint,
    encode::{self, Compression, Shape},
    headroom::Thresholds,
    lease,
    pipeline::{self, Policies},
    rabbitmq::{Broker, Needs, Permission, Queue, QueueType},
    sink, snapshot as stage,
    source::{self, FullDocument},
    start::Start,
};

/// All that `cdc run` needs to know, made of each stage's own configuration.
#[derive(Debug)]
pub struct Config {
    /// MongoDB's connection string, checked; it may hold a password.
    pub mongo_uri: Secret,
    /// What a person should know of it that is no fault, a sentence each.
    pub notes: Vec<String>,
    /// What is no fault and yet may not be meant or loses messages, a sentence each.
    pub doubts: Vec<String>,
    /// What is watched.
    pub source: source::Config,
    /// When the documents that exist are read.
    pub snapshot: stage::Options,
    /// Where a pipeline without a checkpoint begins.
    pub start: Start,
    /// What bodies look like.
    pub encode: encode::Config,
    /// Where messages go.
    pub publish: sink::rabbitmq::Config,
    /// A sink of the program's own, in the place of RabbitMQ.
    pub own_sink: Option<sink::own::Target>,
    /// Where the checkpoint lies.
    pub checkpoint: checkpoint::Config,
    /// Bounds and intervals of the loop.
    pub pipeline: pipeline::Config,
    /// Where the admin port listens, if anywhere, and who may ask.
    pub admin: port::Config,
    /// When too little of the oplog is left before the checkpoint.
    pub headroom: Thresholds,
    /// Longest wait for both servers at the start.
    pub startup_timeout: Duration,
}

/// All that `cdc tail` needs to know.
#[derive(Debug)]
pub struct TailConfig {
    /// Where the broker is.
    pub broker: Broker,
    /// The queue to read.
    pub queue: Queue,
    /// Longest wait for the broker at the start.
    pub startup_timeout: Duration,
    /// How many messages are shown at most.
    pub count: Option<u64>,
    /// Where the reading of a stream begins.
    pub begin: Begin,
    /// Whether to wait for more when the queue is empty.
    pub follow: bool,
    /// Whether every message stays in the queue.
    pub peek: bool,
    /// Whether lines are JSON on a terminal too.
    pub json: bool,
}

/// What can be asked of `cdc tail`, as it was typed.
#[derive(Debug, Default)]
pub struct TailOptions {
    /// How many messages are shown at most.
    pub count: Option<String>,
    /// Where the reading of a stream begins.
    pub from: Option<String>,
    /// Not to wait for more when the queue is empty.
    pub no_follow: bool,
    /// To leave every message in the queue.
    pub peek: bool,
    /// To write JSON on a terminal too.
    pub json: bool,
}

/// A text that is never written out.
pub struct Secret(pub(crate) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

impl Config {
    /// Checks everything that was given.
    ///
    /// # Errors
    /// All faults together; no server is asked.
    pub fn check(given: &Given) -> Result<(Self, LogConfig), Faults> {
        let mut input = Input::new(given);
        let Settings {
            mongo,
            snapshots,
            rabbit,
            servers,
            messages,
            fields,
            formats,
            declarations,
            streams,
            engine,
            admin,
        } = Settings::read(&mut input);
        let of_database = resolve::doubt(&input.given);
        let mut faults = input.faults;
        let notes = mongo.notes();
        let scope = scope::scope(&mongo, engine.share, &mut faults);
        let pipeline_name = engine.name(&mut faults);
        let snapshot = snapshot::options(&snapshots, &mongo, &mut faults);
        let operations = &mongo.operations;
        let shape = formats::shape(
            &messages,
            &formats,
            &engine.pipeline,
            operations,
            &mut faults,
        );
        let doubts = [of_database, scope::doubt(&scope), routing::doubt(&messages)];
        let broker = rabbit.broker(&mut faults);
        let broker = broker.connect_within(servers.startup_timeout);
        let publish = publish(
            broker,
            (&rabbit, &messages, &declarations, &streams),
            (&engine, &pipeline_name),
            &mut faults,
        );
        let looks_up = scope.images.after == FullDocument::Lookup;
        let encode = encode(&rabbit, messages, (shape, &formats), looks_up, &mut faults);
        let config = Self {
            publish,
            own_sink: None,
            pipeline: pipeline::Config {
                projection: fields.projection(&mut faults),
                ..pipeline(&engine)
            },
            admin: admin.config(given, &mut faults),
            headroom: headroom(&engine, &mut faults),
            checkpoint: checkpoint::Config {
                database: mongo.checkpoint_database,
                division: engine.division(),
                pipeline: pipeline_name,
                scope: scope::of_checkpoint(&scope, &rabbit.queue, &encode),
            },
            encode,
            source: source::Config {
                scope,
                on_history_lost: mongo.on_history_lost,
            },
            snapshot,
            start: mongo.start,
            mongo_uri: mongo.uri,
            notes,
            doubts: doubts.into_iter().flatten().collect(),
            startup_timeout: servers.startup_timeout,
        };
        let (format, filter) = (engine.log_format, engine.log);
        faults.or((config, LogConfig { format, filter }))
    }
}

impl Config {
    /// Sends messages to a sink of the program's own, in the place of RabbitMQ.
    pub fn send_to(&mut self, sink: sink::own::Target) {
        self.own_sink = Some(sink);
        self.checkpoint.scope.target = checkpoint::Target::Own;
    }

    /// Whether the settings ask for snapshots, at the start or where something happens.
    pub fn wants_snapshots(&self) -> bool {
        let options = &self.snapshot;
        options.when == stage::When::Initial
            || options.on_rename_in == stage::OnRenameIn::Snapshot
            || self.source.on_history_lost == source::HistoryLost::Snapshot
    }

    /// What the user of RabbitMQ needs to be allowed.
    pub fn needs(&self) -> &Needs {
        self.publish.broker.needs()
    }
}

impl TailConfig {
    /// Checks what `tail` uses.
    ///
    /// # Errors
    /// All faults together; no server is asked.
    pub fn check(given: &Given, options: &TailOptions) -> Result<Self, Faults> {
        let mut input = Input::new(given);
        let (rabbit, servers) = (Rabbit::checked(&mut input), Servers::read(&mut input));
        let mut faults = input.faults;
        let broker = rabbit.broker(&mut faults);
        // The user may be the engine's, whose permissions are not to be replaced by less.
        let engine = Config::check(given).ok();
        let needs = engine.map_or_else(Needs::default, |(config, _)| config.needs().clone());
        let count = options.count.as_deref().map(number(1..=u64::MAX).parse);
        let config = Self {
            broker: broker
                .connect_within(servers.startup_timeout)
                .needing(needs.and(Permission::Read, &rabbit.queue)),
            queue: topology::queue(&rabbit),
            startup_timeout: servers.startup_timeout,
            count: count.transpose().unwrap_or_else(|fault| {
                faults.add("--count", fault);
                None
            }),
            begin: begin(rabbit.queue_type, options, &mut faults),
            follow: !options.no_follow,
            peek: options.peek,
            json: options.json,
        };
        faults.or(config)
    }
}

fn begin(kind: Option<QueueType>, options: &TailOptions, faults: &mut Faults) -> Begin {
    let Some(text) = &options.from else {
        return Begin::First;
    };
    if kind != Some(QueueType::Stream) {
        faults.add("--from", "it is for streams; set CDC_QUEUE_TYPE to stream");
    }
    Begin::parse(text).unwrap_or_else(|fault| {
        faults.add("--from", fault);
        Begin::First
    })
}

fn encode(
    rabbit: &Rabbit,
    messages: Messages,
    (shape, formats): (Arc<dyn Shape>, &Formats),
    looks_up: bool,
    faults: &mut Faults,
) -> encode::Config {
    encode::Config {
        shape,
        compression: Compression {
            algorithm: formats.compression,
            min_bytes: formats.compression_min_bytes,
        },
        mode: messages.json_mode,
        routing_key: routing::key(rabbit, &messages, faults),
        partitions: routing::partitions(&messages),
        headers: messages.headers,
        exchange: messages.exchange,
        looks_up,
    }
}

fn publish(
    broker: Broker,
    (rabbit, messages, declarations, streams): (&Rabbit, &Messages, &Declarations, &Streams),
    (engine, pipeline): (&Engine, &str),
    faults: &mut Faults,
) -> sink::rabbitmq::Config {
    let parks = policies(engine).park();
    let topology = topology::topology(rabbit, messages, (declarations, streams), parks, faults);
    let lock = lease::Lock::new(pipeline);
    let streams = streams.native(rabbit, messages, broker.has_tls(), pipeline, faults);
    let mut needs = topology.needs(lock.queue());
    if streams.is_some() {
        needs = needs.with(&topology.stream_needs());
    }
    if engine.share.is_some() {
        needs = needs.of_all_shares(lease::Lock::new(&engine.pipeline).queue());
    }
    let broker = broker.needing(needs);
    sink::rabbitmq::Config {
        broker: broker.answer_within(engine.confirm_timeout),
        topology,
        marks: routing::marks(messages),
        streams,
        lock,
        confirm_timeout: engine.confirm_timeout,
    }
}

fn pipeline(engine: &Engine) -> pipeline::Config {
    pipeline::Config {
        window_events: engine.window_events,
        window_bytes: engine.window_bytes,
        checkpoint_interval: engine.checkpoint_interval,
        shutdown_grace: engine.shutdown_grace,
        policies: policies(engine),
        projection: None,
        filter: None,
    }
}

fn headroom(engine: &Engine, faults: &mut Faults) -> Thresholds {
    let (warning, critical) = (engine.headroom_warning, engine.headroom_critical);
    if warning < critical {
        let fault = format!("{critical} is more than CDC_HEADROOM_WARNING_SECONDS ({warning})");
        faults.add("CDC_HEADROOM_CRITICAL_SECONDS", fault);
    }
    Thresholds { warning, critical }
}

fn policies(engine: &Engine) -> Policies {
    Policies {
        on_unroutable: engine.on_unroutable,
        on_poison: engine.on_poison,
        on_oversize: engine.on_oversize,
    }
}

#[cfg(test)]
mod tests;
