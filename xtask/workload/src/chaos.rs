//! Breaks everything around the engine while it works, and checks that nothing was lost.
//!
//! Writers change a database and remember what was acknowledged; a consumer takes what arrives in the
//! queue; faults hit the engine, the servers and the network in between. In the end every change that
//! was acknowledged must have arrived, in order and unaltered, and nothing besides. The check shares no
//! code with the engine.

pub mod change;
mod consumer;
mod copy;
mod decode;
mod engine;
pub mod fault;
mod inject;
pub mod ledger;
mod logs;
mod plan;
mod queue;
mod record;
pub mod recovery;
mod report;
mod run;
pub mod schedule;
mod servers;
mod setup;
mod ways;
mod work;
mod writer;

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    io::{self, Write},
    path::PathBuf,
};

use anyhow::Result;
use clap::ValueEnum;

use self::fault::Kind;

/// What a run is made of.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// How long faults happen, in minutes; a fraction is fine
    #[arg(long, default_value_t = 5.0, value_parser = positive)]
    pub minutes: f64,
    /// Seed of the faults and the changes [default: a new one]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Kinds of faults, separated by commas [default: all that break no promise by themselves]
    #[arg(long, value_delimiter = ',')]
    pub faults: Vec<Kind>,
    /// How many engines run
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub engines: u8,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Type of the queue
    #[arg(long, default_value = "classic")]
    pub queue_type: QueueType,
    /// Over how many queues the engine spreads the changes
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub partitions: u16,
    /// Among how many engines the documents are divided, each with a queue of its own
    #[arg(long, default_value_t = 1, conflicts_with = "partitions", value_parser = clap::value_parser!(u16).range(1..=8))]
    pub shares: u16,
    /// Have the engines snapshot so many documents again and again, and check the copy that the messages make
    #[arg(long, conflicts_with_all = ["partitions", "shares"], value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    pub snapshot: Option<u32>,
    /// Program of the engine
    #[arg(long, env = "CDC_CHAOS_ENGINE")]
    pub engine: PathBuf,
    /// Folder for logs
    #[arg(long, env = "CDC_CHAOS_FOLDER")]
    pub folder: PathBuf,
    /// File that says how to stop and start the servers; without it they are left alone
    #[arg(long, env = "CDC_CHAOS_PLAN")]
    pub plan: Option<PathBuf>,
    /// Connection string of the replica set
    #[arg(long, env = "CDC_CHAOS_MONGO_URI", hide_env_values = true)]
    pub mongo_uri: String,
    /// Addresses of the broker's nodes
    #[arg(
        long,
        env = "CDC_CHAOS_AMQP_URI",
        hide_env_values = true,
        value_delimiter = ',',
        required = true
    )]
    pub amqp_uri: Vec<String>,
    /// Host and port of each node's streams in their own protocol
    #[arg(long, env = "CDC_CHAOS_STREAM_ADDRESS", value_delimiter = ',')]
    pub stream_address: Vec<String>,
}

impl Args {
    /// How many queues there are: a document's changes are in one of them.
    fn queues(&self) -> u16 {
        self.partitions.max(self.shares)
    }
}

/// Type of the queue that the engine publishes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QueueType {
    /// On one node, as `RabbitMQ` has always had it.
    Classic,
    /// Replicated.
    Quorum,
    /// A stream, by the broker's own protocol for it: each change arrives once.
    Stream,
}

impl QueueType {
    /// As the command line and the engine call it.
    fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
            Self::Stream => "stream",
        }
    }
}

/// Runs faults against the engine and prints what came of it.
///
/// # Errors
/// If the run cannot be carried out, or a promise was broken.
pub async fn run(args: &Args) -> Result<()> {
    let seed = args.seed.unwrap_or_else(any_seed);
    let local = tokio::task::LocalSet::new();
    local.run_until(run::run(args, seed)).await
}

/// Short enough to be typed again.
fn any_seed() -> u64 {
    RandomState::new().build_hasher().finish() >> 40
}

/// Prints the result; a closed pipe is no reason to stop.
fn say(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(minutes) if 0.0 < minutes && minutes < 100_000.0 => Ok(minutes),
        _ => Err("a number of minutes above 0".to_owned()),
    }
}
