//! Flags and environment variables become one checked [`Config`]; nothing else reads the environment.
//!
//! A bad configuration names every fault at once, each with its variable, and never a secret's value.

mod args;
mod faults;
mod log;
mod servers;

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

pub use self::{
    args::{EngineArgs, MessageArgs, MongoArgs, RabbitArgs, RunArgs, TailArgs},
    faults::Faults,
    log::{LogConfig, LogFormat},
    servers::are_defaults,
};
use crate::{
    amqp::{Broker, Queue, Topology},
    checkpoint,
    encode::{self, Format, JsonMode, RoutingKey},
    event::Operation,
    lease,
    pipeline::{self, OnOversize, OnPoison, OnUnroutable, Policies},
    sink,
    source::{self, HistoryLost, Scope},
};

use self::faults::set;

const DEFAULT_PIPELINE: &str = "default";
/// Messages in flight where nothing is said. More make fewer system calls; from some 1,200 on a quorum queue of
/// RabbitMQ 4.0 takes them more slowly (200,000 messages, by the fastest publisher: 1,024 in flight 31,000 to 33,000/s,
/// 1,400 22,000 to 24,000/s, 2,048 12,000/s). Fewer make more system calls and were faster in one comparison, slower in
/// another.
const WINDOW_EVENTS: u64 = 1_024;

/// All that `cdc run` needs to know, made of each stage's own configuration.
#[derive(Debug)]
pub struct Config {
    /// MongoDB's connection string, checked; it may hold a password.
    pub mongo_uri: Secret,
    /// What is watched.
    pub source: source::Config,
    /// What bodies look like.
    pub encode: encode::Config,
    /// Where messages go.
    pub publish: sink::amqp::Config,
    /// Where the checkpoint lies.
    pub checkpoint: checkpoint::Config,
    /// Bounds and intervals of the loop.
    pub pipeline: pipeline::Config,
    /// Where the admin port listens, if anywhere.
    pub admin: Option<SocketAddr>,
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
    /// Whether to wait for more when the queue is empty.
    pub follow: bool,
    /// Whether every message stays in the queue.
    pub peek: bool,
    /// Whether lines are JSON on a terminal too.
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
    /// Checks everything that was typed.
    ///
    /// # Errors
    /// All faults together; no server is asked.
    pub fn check(args: &RunArgs) -> Result<(Self, LogConfig), Faults> {
        let mut faults = Faults::default();
        let log = log::check(&args.engine, &mut faults);
        let policies = policies(&args.engine, &mut faults);
        let config = Self {
            mongo_uri: servers::mongo_uri(args.mongo.mongo_database_host.as_deref(), &mut faults),
            source: source(&args.mongo, &mut faults),
            encode: encode(args, &mut faults),
            publish: publish(args, policies, &mut faults),
            checkpoint: checkpoint(args, &mut faults),
            pipeline: pipeline(&args.engine, policies, &mut faults),
            admin: admin(&args.engine, &mut faults),
            startup_timeout: startup_timeout(&args.rabbit, &mut faults),
        };
        if config.source.scope.database == config.checkpoint.database {
            faults.add(
                "CDC_CHECKPOINT_DATABASE",
                "the checkpoint cannot lie in the watched database (MONGO_DATABASE_NAME), each save would be a change; \
                 choose another name",
            );
        }
        if faults.is_empty() {
            Ok((config, log))
        } else {
            Err(faults)
        }
    }
}

impl TailConfig {
    /// Checks what `tail` uses.
    ///
    /// # Errors
    /// All faults together; no server is asked.
    pub fn check(args: &TailArgs) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let count = args.count.as_deref();
        let config = Self {
            broker: servers::broker(&args.rabbit, &mut faults),
            queue: servers::queue(&args.rabbit, &mut faults),
            startup_timeout: startup_timeout(&args.rabbit, &mut faults),
            count: count.map(|count| faults.number("--count", Some(count), 1, 1..=u64::MAX)),
            follow: !args.no_follow,
            peek: args.peek,
            json: args.json,
        };
        if faults.is_empty() {
            Ok(config)
        } else {
            Err(faults)
        }
    }
}

fn source(args: &MongoArgs, faults: &mut Faults) -> source::Config {
    let scope = Scope {
        database: database(
            "MONGO_DATABASE_NAME",
            args.mongo_database_name.as_deref(),
            "scrabble",
            faults,
        ),
        collections: list(args.collections.as_deref()).into_iter().collect(),
        operations: operations(args.operations.as_deref(), faults),
    };
    source::Config {
        scope,
        on_history_lost: faults.choice(
            "CDC_ON_HISTORY_LOST",
            args.on_history_lost.as_deref(),
            &HistoryLost::NAMES,
        ),
    }
}

fn checkpoint(args: &RunArgs, faults: &mut Faults) -> checkpoint::Config {
    let pipeline = Faults::text(args.engine.pipeline.as_deref(), DEFAULT_PIPELINE);
    let longest = lease::PIPELINE_BYTES_MAX;
    if pipeline.len() > longest {
        let text = format!("`{pipeline}` is longer than {longest} bytes");
        faults.add("CDC_PIPELINE", text);
    }
    checkpoint::Config {
        database: database(
            "CDC_CHECKPOINT_DATABASE",
            args.mongo.checkpoint_database.as_deref(),
            "cdc",
            faults,
        ),
        pipeline,
    }
}

fn encode(args: &RunArgs, faults: &mut Faults) -> encode::Config {
    let queue = Faults::text(
        args.rabbit.rabbitmq_queue_name.as_deref(),
        servers::DEFAULT_QUEUE,
    );
    let template = Faults::text(args.message.rabbitmq_routing_key.as_deref(), &queue);
    encode::Config {
        format: faults.choice("CDC_FORMAT", args.message.format.as_deref(), &Format::NAMES),
        mode: faults.choice(
            "CDC_JSON_MODE",
            args.message.json_mode.as_deref(),
            &JsonMode::NAMES,
        ),
        routing_key: RoutingKey::parse(&template).unwrap_or_else(|error| {
            faults.add("RABBITMQ_ROUTING_KEY", error);
            RoutingKey::default()
        }),
    }
}

fn publish(args: &RunArgs, policies: Policies, faults: &mut Faults) -> sink::amqp::Config {
    let queue = servers::queue(&args.rabbit, faults);
    let pipeline = Faults::text(args.engine.pipeline.as_deref(), DEFAULT_PIPELINE);
    let confirm_timeout = faults.millis(
        "CDC_CONFIRM_TIMEOUT_MS",
        args.engine.confirm_timeout_ms.as_deref(),
        30_000,
        100..=3_600_000,
    );
    let topology = Topology {
        parking: policies.park().then(|| servers::parking(&queue, faults)),
        queue,
        exchange: servers::short_name(
            "RABBITMQ_EXCHANGE",
            args.message.rabbitmq_exchange.as_deref(),
            "",
            faults,
        ),
    };
    sink::amqp::Config {
        broker: servers::broker(&args.rabbit, faults).answer_within(confirm_timeout),
        topology,
        lock: lease::Lock::new(&pipeline),
        confirm_timeout,
    }
}

fn policies(args: &EngineArgs, faults: &mut Faults) -> Policies {
    let unroutable = args.on_unroutable.as_deref();
    let (poison, oversize) = (args.on_poison.as_deref(), args.on_oversize.as_deref());
    Policies {
        on_unroutable: faults.choice("CDC_ON_UNROUTABLE", unroutable, &OnUnroutable::NAMES),
        on_poison: faults.choice("CDC_ON_POISON", poison, &OnPoison::NAMES),
        on_oversize: faults.choice("CDC_ON_OVERSIZE", oversize, &OnOversize::NAMES),
    }
}

fn pipeline(args: &EngineArgs, policies: Policies, faults: &mut Faults) -> pipeline::Config {
    pipeline::Config {
        window_events: to_usize(faults.number(
            "CDC_WINDOW_EVENTS",
            args.window_events.as_deref(),
            WINDOW_EVENTS,
            1..=65_536,
        )),
        window_bytes: to_usize(faults.number(
            "CDC_WINDOW_BYTES",
            args.window_bytes.as_deref(),
            4 << 20,
            1024..=(4 << 30),
        )),
        checkpoint_interval: faults.millis(
            "CDC_CHECKPOINT_INTERVAL_MS",
            args.checkpoint_interval_ms.as_deref(),
            1_000,
            10..=3_600_000,
        ),
        shutdown_grace: faults.millis(
            "CDC_SHUTDOWN_GRACE_MS",
            args.shutdown_grace_ms.as_deref(),
            10_000,
            0..=3_600_000,
        ),
        policies,
        max_message_bytes: None,
    }
}

fn admin(args: &EngineArgs, faults: &mut Faults) -> Option<SocketAddr> {
    let text = set(args.admin_addr.as_deref()).unwrap_or("127.0.0.1:9464");
    if text == "off" {
        return None;
    }
    let address = text.parse();
    if address.is_err() {
        faults.add(
            "CDC_ADMIN_ADDR",
            format_args!("`{text}` is not an address and a port such as 127.0.0.1:9464, nor `off`"),
        );
    }
    address.ok()
}

fn startup_timeout(args: &RabbitArgs, faults: &mut Faults) -> Duration {
    faults.millis(
        "CDC_STARTUP_TIMEOUT_MS",
        args.startup_timeout_ms.as_deref(),
        30_000,
        0..=3_600_000,
    )
}

fn operations(value: Option<&str>, faults: &mut Faults) -> Vec<Operation> {
    let mut operations = Vec::new();
    for name in list(Some(set(value).unwrap_or("insert"))) {
        match name.parse() {
            Ok(operation) if !operations.contains(&operation) => operations.push(operation),
            Ok(_) => {}
            Err(_) => {
                let known = Operation::ALL.map(Operation::as_str).join(", ");
                faults.add(
                    "CDC_OPERATIONS",
                    format_args!("`{name}` is not one of {known}"),
                );
            }
        }
    }
    if operations.is_empty() && set(value).is_some_and(|text| list(Some(text)).is_empty()) {
        faults.add("CDC_OPERATIONS", "names no operation");
    }
    operations
}

/// A database's name, within the server's limits.
/// <https://www.mongodb.com/docs/manual/reference/limits/#naming-restrictions>
fn database(variable: &str, value: Option<&str>, default: &str, faults: &mut Faults) -> String {
    let name = Faults::text(value, default);
    if name.len() > 63 || name.contains(['/', '\\', '.', ' ', '"', '$', '\0']) {
        faults.add(
            variable,
            format_args!(
                "`{name}` is not a database name: at most 63 bytes, none of / \\ . \" $ or space"
            ),
        );
    } else if matches!(name.as_str(), "admin" | "config" | "local") {
        faults.add(variable, format_args!("`{name}` is a system database"));
    }
    name
}

/// Parts between commas, without white space and repetitions, in alphabetical order.
fn list(value: Option<&str>) -> Vec<String> {
    let parts: BTreeSet<&str> = set(value)
        .into_iter()
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    parts.into_iter().map(str::to_owned).collect()
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
