//! Inserts scrabble data and verifies that each document arrives in the queue, in order.
//!
//! It looks without taking: every message is still in the queue afterwards.

mod book;
mod message;
mod run;

use std::{cell::RefCell, time::Duration};

use anyhow::Result;
use bson::{Document, doc};
use mongodb::Client;
use tokio::time::{Instant, sleep};

use self::{book::Book, run::Run};
use crate::{
    body::Style,
    checker::Report,
    hint::Hinted,
    listener::{Listener, QUORUM_PREFETCH},
    patience::{self, READY_TIMEOUT},
    progress::Progress,
    scrabble::Generator,
    settings::Settings,
    store,
};

/// Pause between two looks for the checkpoint.
const ENGINE_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// A quorum queue of `RabbitMQ` 4 drops what was put back more than 20 times; told some looks ahead.
const PUT_BACK_OFTEN: i64 = 15;

/// How much to insert, and how.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Documents to insert
    #[arg(long, default_value_t = 1_000, value_parser = at_least_one)]
    pub count: usize,
    /// Inserts a second; 0 is as fast as possible
    #[arg(long, default_value_t = 0)]
    pub rate: u64,
    /// Seed of the made-up content
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Most documents in one insert command
    #[arg(long, default_value_t = 100, value_parser = at_least_one)]
    pub batch: usize,
    /// First word of the summary line
    #[arg(long, default_value = "test")]
    pub label: String,
    /// Print this many messages as they arrive
    #[arg(long, default_value_t = 0)]
    pub show: usize,
    /// Give up when nothing has arrived for this long after the last insert
    #[arg(long, default_value_t = 30_000)]
    pub timeout_ms: u64,
    /// Longest wait for an engine that is just starting to begin watching
    #[arg(long, default_value_t = 30_000)]
    pub engine_timeout_ms: u64,
}

/// Runs the test and prints its summary.
///
/// # Errors
/// If a server or the engine is not there, or the verdict is anything but flawless.
pub async fn run(args: &Args, settings: &Settings) -> Result<()> {
    let generator = generator(args, settings)?;
    let client = store::connect(settings).await?;
    let mut listener = Listener::open(settings).await?;
    let timeout = Duration::from_millis(args.engine_timeout_ms);
    let waiting = format!(
        "waiting up to {} s for an engine: none of pipeline `{}` has run yet; `cargo xtask local-start-cdc` starts one",
        timeout.as_secs(),
        settings.cdc_pipeline
    );
    patience::tell(&waiting, wait_for_engine(&client, settings, timeout)).await?;

    let progress = Progress::new(&args.label, args.count);
    progress.note(&opening_line(args, settings));
    if 0 < listener.other_consumers {
        progress.note(&other_consumers_line(&listener, settings));
    }
    let skipping = format!(
        "looking through the {} messages that are in the queue already",
        listener.backlog
    );
    patience::tell(&skipping, listener.skip_backlog()).await?;
    if !listener.can_hold(args.count) {
        let held = listener.held;
        listener.close().await;
        return Err(full(held, settings).into());
    }
    if PUT_BACK_OFTEN <= listener.put_back {
        progress.note(&put_back_line(&listener, settings));
    }

    let style = Style {
        format: settings.cdc_format,
        mode: settings.cdc_json_mode,
    };
    let run = Run {
        args,
        settings,
        book: RefCell::new(Book::new(style, generator, progress, args.show)),
    };
    let outcome = run.carry_out(&client, &mut listener).await;
    let (held, is_full) = (listener.held, !listener.can_hold(1));
    listener.close().await;

    let book = run.book.into_inner();
    book.summarise(&args.label);
    outcome?;
    if is_full && !book.checker.is_settled() {
        return Err(full(held, settings).into());
    }
    verdict(&book.checker.report(), book.difference.as_deref(), settings)
}

fn generator(args: &Args, settings: &Settings) -> Result<Generator> {
    if !settings.delivers_inserts() {
        let message = format!(
            "CDC_OPERATIONS={} does not deliver inserts",
            settings.cdc_operations
        );
        return Err(Hinted::new(message, "add `insert` for this test").into());
    }
    if 1 < settings.cdc_partitions {
        let message = format!(
            "CDC_PARTITIONS={} spreads the changes over as many queues, and this test reads one",
            settings.cdc_partitions
        );
        let hint =
            "leave it out for this test; `cargo xtask chaos --partitions 8` reads every queue";
        return Err(Hinted::new(message, hint).into());
    }
    Generator::new(args.seed, settings).ok_or_else(|| {
        let names = Generator::collections().join(", ");
        let message = format!(
            "CDC_COLLECTIONS={} watches none of {names}",
            settings.cdc_collections
        );
        Hinted::new(message, "add one of them for this test").into()
    })
}

/// Waits until the engine has fixed its start position: it begins at "now" on its first start.
async fn wait_for_engine(client: &Client, settings: &Settings, timeout: Duration) -> Result<()> {
    let database = client.database(&settings.cdc_checkpoint_database);
    let checkpoints = database.collection::<Document>("checkpoints");
    let deadline = Instant::now() + timeout;
    loop {
        let finding = checkpoints.find_one(doc! { "_id": &settings.cdc_pipeline });
        let found = store::answer("read the checkpoint", READY_TIMEOUT, finding);
        if found.await?.is_some() {
            return Ok(());
        }
        if deadline <= Instant::now() {
            let place = format!("{}.checkpoints", settings.cdc_checkpoint_database);
            let message = format!(
                "the engine has never run: {place} has no `{}`",
                settings.cdc_pipeline
            );
            return Err(Hinted::new(message, "cargo xtask local-start-cdc").into());
        }
        sleep(ENGINE_POLL_INTERVAL).await;
    }
}

fn opening_line(args: &Args, settings: &Settings) -> String {
    let rate = match args.rate {
        0 => "as fast as possible".to_owned(),
        rate => format!("{rate} a second"),
    };
    format!(
        "{}: {} documents into `{}`, {rate}, seed {}; listening to queue `{}`",
        args.label,
        args.count,
        settings.mongo_database_name,
        args.seed,
        settings.rabbitmq_queue_name
    )
}

fn other_consumers_line(listener: &Listener, settings: &Settings) -> String {
    format!(
        "warning: queue `{}` has {} other consumer(s), which may take messages away\n\nhint: stop them, `cargo xtask consume` for one, to find every message in the queue after this test\n",
        settings.rabbitmq_queue_name, listener.other_consumers
    )
}

fn full(held: usize, settings: &Settings) -> Hinted {
    let queue = &settings.rabbitmq_queue_name;
    Hinted::new(
        format!(
            "queue `{queue}` holds {held} messages or more, and a quorum queue hands over no more than {QUORUM_PREFETCH}"
        ),
        "consume what is in it, or insert fewer documents",
    )
}

fn put_back_line(listener: &Listener, settings: &Settings) -> String {
    format!(
        "warning: messages of queue `{}` were looked at {} times; RabbitMQ 4 drops them after 20\n\nhint: consume them, or set `delivery-limit` to -1 by a policy\n",
        settings.rabbitmq_queue_name, listener.put_back
    )
}

/// Success only if nothing is missing, out of order, altered or misnamed.
fn verdict(report: &Report, difference: Option<&str>, settings: &Settings) -> Result<()> {
    let restart = "is the engine running? cargo xtask local-start-cdc";
    let queue = &settings.rabbitmq_queue_name;
    let (message, hint) = if let Some(difference) = difference {
        (
            format!(
                "{} message(s) differ from what was inserted; {difference}",
                report.altered
            ),
            "do CDC_FORMAT and CDC_JSON_MODE here say what the engine was started with?",
        )
    } else if 0 < report.missing && report.delivered == 0 {
        (format!("no message arrived in queue `{queue}`"), restart)
    } else if 0 < report.missing {
        (
            format!(
                "{} of {} documents did not arrive",
                report.missing, report.inserted
            ),
            restart,
        )
    } else if 0 < report.out_of_order {
        (
            format!("{} documents arrived after later ones", report.out_of_order),
            "has the queue another consumer, or a second engine?",
        )
    } else if 0 < report.misnamed {
        (
            format!(
                "{} message(s) have no message_id that is theirs alone",
                report.misnamed
            ),
            "does a second engine, or another program, publish to this queue?",
        )
    } else {
        return Ok(());
    };
    Err(Hinted::new(message, hint).into())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if 0 < number => Ok(number),
        _ => Err("expected a number of at least 1".to_owned()),
    }
}
