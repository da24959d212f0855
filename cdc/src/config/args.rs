//! The settings as they are typed: a flag and an environment variable each, all of them text.
//!
//! Nothing is checked here, so that every fault can be told at once.

#![expect(
    clippy::doc_markdown,
    reason = "these texts are the help, which is not Markdown"
)]

use clap::Args;

/// Where RabbitMQ is, and the queue. `run` and `tail` share these.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "RabbitMQ")]
pub struct RabbitArgs {
    /// Host of the broker [default: localhost]
    #[arg(
        long,
        env = "RABBITMQ_HOST",
        value_name = "HOST",
        hide_env_values = true
    )]
    pub rabbitmq_host: Option<String>,
    /// Port of the broker [default: 5673]
    #[arg(
        long,
        env = "RABBITMQ_PORT",
        value_name = "PORT",
        hide_env_values = true
    )]
    pub rabbitmq_port: Option<String>,
    /// User [default: guest]
    #[arg(
        long,
        env = "RABBITMQ_DEFAULT_USERNAME",
        value_name = "USER",
        hide_env_values = true
    )]
    pub rabbitmq_default_username: Option<String>,
    /// Password [default: guest]; better given as a variable, since flags show in the process list
    #[arg(
        long,
        env = "RABBITMQ_DEFAULT_PASSWORD",
        value_name = "PASSWORD",
        hide_env_values = true
    )]
    pub rabbitmq_default_password: Option<String>,
    /// Virtual host [default: /]
    #[arg(
        long,
        env = "RABBITMQ_VHOST",
        value_name = "VHOST",
        hide_env_values = true
    )]
    pub rabbitmq_vhost: Option<String>,
    /// A full amqp:// or amqps:// URI; wins over host, port, user, password and virtual host
    #[arg(long, env = "RABBITMQ_URI", value_name = "URI", hide_env_values = true)]
    pub rabbitmq_uri: Option<String>,
    /// Queue, declared durable [default: test_queue]
    #[arg(
        long,
        env = "RABBITMQ_QUEUE_NAME",
        value_name = "QUEUE",
        hide_env_values = true
    )]
    pub rabbitmq_queue_name: Option<String>,
    /// Type of the queue: classic, quorum or stream [default: classic]
    #[arg(
        long,
        env = "CDC_QUEUE_TYPE",
        value_name = "TYPE",
        hide_env_values = true
    )]
    pub queue_type: Option<String>,
    /// Longest wait for both servers at the start, in milliseconds [default: 30000]
    #[arg(
        long,
        env = "CDC_STARTUP_TIMEOUT_MS",
        value_name = "MS",
        hide_env_values = true
    )]
    pub startup_timeout_ms: Option<String>,
}

/// What only `run` needs.
#[derive(Debug, Default, Clone, Args)]
pub struct RunArgs {
    /// What is watched.
    #[command(flatten)]
    pub mongo: MongoArgs,
    /// The broker.
    #[command(flatten)]
    pub rabbit: RabbitArgs,
    /// Where and how messages are published.
    #[command(flatten)]
    pub message: MessageArgs,
    /// How the engine runs.
    #[command(flatten)]
    pub engine: EngineArgs,
}

/// What `tail` needs.
#[derive(Debug, Default, Clone, Args)]
pub struct TailArgs {
    /// Stop after this many messages [default: no limit]
    #[arg(long, value_name = "N")]
    pub count: Option<String>,
    /// Stop when the queue is empty, instead of waiting for more
    #[arg(long)]
    pub no_follow: bool,
    /// Only look: every message stays in the queue, in its place; while tail runs, no other reader gets those shown
    #[arg(long)]
    pub peek: bool,
    /// One JSON object a line, which a pipe or a file gets anyway
    #[arg(long)]
    pub json: bool,
    /// The broker.
    #[command(flatten)]
    pub rabbit: RabbitArgs,
}

/// What is watched.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "MongoDB")]
pub struct MongoArgs {
    /// Connection string, mongodb:// or mongodb+srv://
    /// [default: mongodb://localhost:30001,localhost:30002,localhost:30003/?replicaSet=my-replica-set]
    #[arg(
        long,
        env = "MONGO_DATABASE_HOST",
        value_name = "URI",
        hide_env_values = true,
        verbatim_doc_comment
    )]
    pub mongo_database_host: Option<String>,
    /// Database to watch [default: scrabble]
    #[arg(
        long,
        env = "MONGO_DATABASE_NAME",
        value_name = "NAME",
        hide_env_values = true
    )]
    pub mongo_database_name: Option<String>,
    /// Collections to watch, separated by commas [default: all]
    #[arg(
        long,
        env = "CDC_COLLECTIONS",
        value_name = "NAMES",
        hide_env_values = true
    )]
    pub collections: Option<String>,
    /// Operations to publish, separated by commas: insert, update, replace, delete, drop, rename,
    /// dropDatabase, invalidate [default: insert]
    #[arg(
        long,
        env = "CDC_OPERATIONS",
        value_name = "NAMES",
        hide_env_values = true
    )]
    pub operations: Option<String>,
    /// Database that holds the checkpoint, never the watched one [default: cdc]
    #[arg(
        long,
        env = "CDC_CHECKPOINT_DATABASE",
        value_name = "NAME",
        hide_env_values = true
    )]
    pub checkpoint_database: Option<String>,
    /// When the changes since the checkpoint have left the oplog: stop, or skip (go on from now and count what was
    /// skipped) [default: stop]
    #[arg(
        long,
        env = "CDC_ON_HISTORY_LOST",
        value_name = "POLICY",
        hide_env_values = true
    )]
    pub on_history_lost: Option<String>,
}

/// Where and how messages are published.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Messages")]
pub struct MessageArgs {
    /// Exchange to publish to; it must exist, cdc never declares one [default: the default exchange]
    #[arg(
        long,
        env = "RABBITMQ_EXCHANGE",
        value_name = "EXCHANGE",
        hide_env_values = true
    )]
    pub rabbitmq_exchange: Option<String>,
    /// Routing key; {database}, {collection} and {operation} stand for the change's own [default: the queue]
    #[arg(
        long,
        env = "RABBITMQ_ROUTING_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    pub rabbitmq_routing_key: Option<String>,
    /// Body: document (the document, its collection and its id) or event (the whole change event)
    /// [default: document]
    #[arg(
        long,
        env = "CDC_FORMAT",
        value_name = "FORMAT",
        hide_env_values = true
    )]
    pub format: Option<String>,
    /// Extended JSON v2: relaxed or canonical [default: relaxed]
    #[arg(
        long,
        env = "CDC_JSON_MODE",
        value_name = "MODE",
        hide_env_values = true
    )]
    pub json_mode: Option<String>,
}

/// How the engine runs.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "Engine")]
pub struct EngineArgs {
    /// Name of this pipeline: its checkpoint and its lock [default: default]
    #[arg(
        long,
        env = "CDC_PIPELINE",
        value_name = "NAME",
        hide_env_values = true
    )]
    pub pipeline: Option<String>,
    /// Most messages in flight, 1 to 65536 [default: 1024]
    #[arg(
        long,
        env = "CDC_WINDOW_EVENTS",
        value_name = "N",
        hide_env_values = true
    )]
    pub window_events: Option<String>,
    /// Most bytes of bodies in flight, from 1024 up; one larger message still passes alone [default: 4194304]
    #[arg(
        long,
        env = "CDC_WINDOW_BYTES",
        value_name = "BYTES",
        hide_env_values = true
    )]
    pub window_bytes: Option<String>,
    /// Longest time between checkpoints while busy, in milliseconds [default: 1000]
    #[arg(
        long,
        env = "CDC_CHECKPOINT_INTERVAL_MS",
        value_name = "MS",
        hide_env_values = true
    )]
    pub checkpoint_interval_ms: Option<String>,
    /// Longest wait for the broker's verdict on a message, in milliseconds [default: 30000]
    #[arg(
        long,
        env = "CDC_CONFIRM_TIMEOUT_MS",
        value_name = "MS",
        hide_env_values = true
    )]
    pub confirm_timeout_ms: Option<String>,
    /// Longest drain after a signal, in milliseconds [default: 10000]
    #[arg(
        long,
        env = "CDC_SHUTDOWN_GRACE_MS",
        value_name = "MS",
        hide_env_values = true
    )]
    pub shutdown_grace_ms: Option<String>,
    /// A message that matches no queue: stop, retry (declare again what we own) or park [default: stop]
    #[arg(
        long,
        env = "CDC_ON_UNROUTABLE",
        value_name = "POLICY",
        hide_env_values = true
    )]
    pub on_unroutable: Option<String>,
    /// A message that is larger than the broker takes: stop, park, or trim (leave the full document out)
    /// [default: stop]
    #[arg(
        long,
        env = "CDC_ON_OVERSIZE",
        value_name = "POLICY",
        hide_env_values = true
    )]
    pub on_oversize: Option<String>,
    /// An event that cannot be encoded: stop or park [default: stop]
    #[arg(
        long,
        env = "CDC_ON_POISON",
        value_name = "POLICY",
        hide_env_values = true
    )]
    pub on_poison: Option<String>,
    /// Address and port of metrics and health, or off [default: 127.0.0.1:9464]
    #[arg(
        long,
        env = "CDC_ADMIN_ADDR",
        value_name = "ADDRESS",
        hide_env_values = true
    )]
    pub admin_addr: Option<String>,
    /// Log lines: text or json [default: text]
    #[arg(
        long,
        env = "CDC_LOG_FORMAT",
        value_name = "FORMAT",
        hide_env_values = true
    )]
    pub log_format: Option<String>,
    /// Log filter, for example debug or cdc=debug,mongodb=info; a release build has nothing below debug [default: info]
    #[arg(long, env = "RUST_LOG", value_name = "FILTER", hide_env_values = true)]
    pub log: Option<String>,
}
