//! The settings that these programs share with the engine: same variables, same defaults.

use clap::{Args, ValueEnum};

/// Where the servers are and what the engine was told to do.
///
/// Each field is a flag, an environment variable and a line of `.env`, in that order.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Servers and engine")]
pub struct Settings {
    /// Connection string of the replica set
    #[arg(
        long,
        env = "MONGO_DATABASE_HOST",
        hide_env_values = true,
        default_value = "mongodb://localhost:30001,localhost:30002,localhost:30003/?replicaSet=my-replica-set"
    )]
    pub mongo_database_host: String,
    /// Database that the engine watches
    #[arg(long, env = "MONGO_DATABASE_NAME", default_value = "scrabble")]
    pub mongo_database_name: String,
    /// Host of the broker
    #[arg(long, env = "RABBITMQ_HOST", default_value = "localhost")]
    pub rabbitmq_host: String,
    /// Port of the broker
    #[arg(long, env = "RABBITMQ_PORT", default_value_t = 5673)]
    pub rabbitmq_port: u16,
    /// User name for the broker
    #[arg(long, env = "RABBITMQ_DEFAULT_USERNAME", default_value = "guest")]
    pub rabbitmq_default_username: String,
    /// Password for the broker
    #[arg(
        long,
        env = "RABBITMQ_DEFAULT_PASSWORD",
        hide_env_values = true,
        default_value = "guest"
    )]
    pub rabbitmq_default_password: String,
    /// Virtual host
    #[arg(long, env = "RABBITMQ_VHOST", default_value = "/")]
    pub rabbitmq_vhost: String,
    /// A full amqp:// or amqps:// URI, wins over the parts
    #[arg(
        long,
        env = "RABBITMQ_URI",
        hide_env_values = true,
        default_value = "",
        hide_default_value = true
    )]
    pub rabbitmq_uri: String,
    /// Queue that the engine publishes to
    #[arg(long, env = "RABBITMQ_QUEUE_NAME", default_value = "test_queue")]
    pub rabbitmq_queue_name: String,
    /// Type of that queue
    #[arg(long, env = "CDC_QUEUE_TYPE", default_value = "classic")]
    pub cdc_queue_type: QueueType,
    /// Over how many queues the engine spreads the changes
    #[arg(long, env = "CDC_PARTITIONS", default_value_t = 1)]
    pub cdc_partitions: u16,
    /// Name of the pipeline
    #[arg(long, env = "CDC_PIPELINE", default_value = "default")]
    pub cdc_pipeline: String,
    /// Database that holds the checkpoint
    #[arg(long, env = "CDC_CHECKPOINT_DATABASE", default_value = "cdc")]
    pub cdc_checkpoint_database: String,
    /// Collections that the engine watches, comma-separated; empty is all
    #[arg(long, env = "CDC_COLLECTIONS", default_value = "")]
    pub cdc_collections: String,
    /// Operations that the engine delivers, comma-separated
    #[arg(long, env = "CDC_OPERATIONS", default_value = "insert")]
    pub cdc_operations: String,
    /// Format of the message body
    #[arg(long, env = "CDC_FORMAT", default_value = "document")]
    pub cdc_format: Format,
    /// Extended JSON mode of the message body
    #[arg(long, env = "CDC_JSON_MODE", default_value = "relaxed")]
    pub cdc_json_mode: JsonMode,
}

/// Type of the queue, as the engine declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QueueType {
    /// A classic queue, declared without an `x-queue-type`.
    Classic,
    /// A replicated queue.
    Quorum,
    /// A log that keeps its messages.
    Stream,
}

/// Body format of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The document, with `type` and `entry_id`.
    Document,
    /// The whole change event.
    Event,
    /// Debezium's envelope.
    Debezium,
    /// CloudEvents 1.0, in either mode.
    #[value(name = "cloudevents")]
    CloudEvents,
    /// The whole change event as BSON.
    Bson,
}

/// Extended JSON mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum JsonMode {
    /// Numbers and dates as people write them.
    Relaxed,
    /// Every type spelled out.
    Canonical,
}

impl Settings {
    /// Whether the engine's filter lets inserts into `collection` through.
    pub fn watches(&self, collection: &str) -> bool {
        let mut names = items(&self.cdc_collections).peekable();
        names.peek().is_none() || names.any(|name| name == collection)
    }

    /// Whether the engine delivers inserts at all.
    pub fn delivers_inserts(&self) -> bool {
        items(&self.cdc_operations).any(|operation| matches!(operation, "insert" | "all"))
    }
}

/// The non-empty items of a comma-separated list.
fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    fn parse(flags: &[&str]) -> Settings {
        let line = ["workload"].iter().chain(flags);
        Line::parse_from(line).settings
    }

    #[test]
    fn an_empty_filter_watches_every_collection() {
        assert!(parse(&["--cdc-collections", ""]).watches("games"));
        assert!(parse(&["--cdc-collections", " , "]).watches("games"));
    }

    #[test]
    fn a_filter_watches_only_what_it_names() {
        let settings = parse(&["--cdc-collections", "moves, games"]);
        assert!(settings.watches("games"));
        assert!(!settings.watches("players"));
        assert!(!settings.watches("game"));
    }

    #[test]
    fn inserts_are_delivered_only_if_asked_for() {
        assert!(parse(&["--cdc-operations", "update, insert"]).delivers_inserts());
        assert!(!parse(&["--cdc-operations", "update,delete"]).delivers_inserts());
    }
}
