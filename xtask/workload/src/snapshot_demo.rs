//! Lets an engine begin with the documents that exist, changes some meanwhile, and verifies that nothing is missed.
//!
//! Database, pipeline and queue are its own, so that nothing else is read: each run begins by deleting what the one
//! before left there.

mod ledger;
mod work;

use std::{cell::RefCell, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result};
use harness::{Admin, Engine, Process};
use lapin::{options::QueueDeleteOptions, types::ShortString};
use mongodb::Client;

use self::{ledger::Ledger, work::Work};
use crate::{
    broker,
    hint::Hinted,
    listener::Listener,
    progress::Progress,
    scrabble::Generator,
    settings::{Format, JsonMode, QueueType, Settings},
    store,
};

/// Database, pipeline and queue.
const NAME: &str = "demo_snapshot";
/// Database of the checkpoint.
const CHECKPOINTS: &str = "demo_snapshot_checkpoint";
/// Settings that send messages past the queue.
const ROUTING: [&str; 2] = ["RABBITMQ_EXCHANGE", "RABBITMQ_ROUTING_KEY"];
/// Longest time until the engine works, and until it has ended.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// Longest time to drop a database.
const DROP_LIMIT: Duration = Duration::from_secs(60);
/// Seed of the made-up content.
const SEED: u64 = 42;

/// How much there is, and who reads it.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Program of the engine
    #[arg(long)]
    pub engine: PathBuf,
    /// File for the engine's log
    #[arg(long)]
    pub log: PathBuf,
    /// Documents that exist before it starts
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub count: u32,
    /// Changes a second meanwhile
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rate: u32,
    /// Print this many messages of either kind as they arrive
    #[arg(long, default_value_t = 0)]
    pub show: usize,
}

/// Runs the demo on the servers of `settings` and prints its summary.
///
/// # Errors
/// If a server or the engine fails, or anything is missing, altered or out of order.
pub async fn run(args: &Args, settings: &Settings) -> Result<()> {
    let settings = own(settings);
    let client = store::connect(&settings).await?;
    clear(&client, &settings).await?;
    let mut listener = Listener::open(&settings).await?;
    let generator = Generator::new(SEED, &settings).context("every collection is watched")?;
    let work = Work {
        args,
        settings: &settings,
        client: &client,
        progress: Progress::new("demo", args.count as usize),
        ledger: RefCell::new(Ledger::new(generator, args.show)),
    };
    work.prepare().await?;
    let mut engine = start(args, &settings)?;
    engine.leads(START_LIMIT).await?;
    let outcome = work.carry_out(&mut listener).await;
    let stopped = engine.process.terminate(STOP_LIMIT).await;
    listener.close().await;
    work.summarise();
    outcome?;
    stopped?;
    verdict(&work.ledger.borrow())
}

/// The servers of `settings`, and otherwise what the demo needs.
fn own(settings: &Settings) -> Settings {
    Settings {
        mongo_database_name: NAME.to_owned(),
        rabbitmq_queue_name: NAME.to_owned(),
        cdc_queue_type: QueueType::Classic,
        cdc_partitions: 1,
        cdc_pipeline: NAME.to_owned(),
        cdc_checkpoint_database: CHECKPOINTS.to_owned(),
        cdc_collections: String::new(),
        cdc_operations: "insert,update,replace,delete".to_owned(),
        cdc_format: Format::Document,
        cdc_json_mode: JsonMode::Relaxed,
        ..settings.clone()
    }
}

/// Deletes what an earlier run left.
async fn clear(client: &Client, settings: &Settings) -> Result<()> {
    for name in [NAME, CHECKPOINTS] {
        let database = client.database(name);
        store::answer("drop a database", DROP_LIMIT, database.drop()).await?;
    }
    let connection = broker::connect(settings).await?;
    let channel = connection.create_channel().await?;
    let deleting = channel.queue_delete(NAME.into(), QueueDeleteOptions::default());
    deleting.await.context("delete a queue")?;
    let closing = connection.close(200, ShortString::from("done"));
    closing.await.context("close the connection")
}

/// Starts the engine, with none of the settings that we were started with but the servers.
fn start(args: &Args, settings: &Settings) -> Result<Engine> {
    let admin = Admin::free();
    let mut command = Command::new(&args.engine);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CDC_") || ROUTING.contains(&&*text) {
            command.env_remove(&name);
        }
    }
    command
        .arg("run")
        .env("CDC_SNAPSHOT", "initial")
        .env("MONGO_DATABASE_NAME", &settings.mongo_database_name)
        .env("RABBITMQ_QUEUE_NAME", &settings.rabbitmq_queue_name)
        .env("CDC_PIPELINE", &settings.cdc_pipeline)
        .env("CDC_CHECKPOINT_DATABASE", &settings.cdc_checkpoint_database)
        .env("CDC_OPERATIONS", &settings.cdc_operations)
        .env("CDC_ADMIN_ADDR", &admin.address);
    let process = Process::start_logged(&mut command, &args.log)?;
    Ok(Engine { process, admin })
}

fn verdict(ledger: &Ledger) -> Result<()> {
    let report = ledger.report();
    let message = if 0 < report.missing {
        format!("{} documents have not arrived as they are", report.missing)
    } else if 0 < report.out_of_order {
        format!("{} messages came out of order", report.out_of_order)
    } else if 0 < report.altered {
        format!("{} messages differ from what was written", report.altered)
    } else {
        return Ok(());
    };
    Err(Hinted::new(message, "the engine's log says what it met").into())
}
