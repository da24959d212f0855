//! Puts a run together: servers as the plan says, engines behind proxies, a queue.

use std::{cell::RefCell, rc::Rc};

use anyhow::Result;
use bson::oid::ObjectId;
use harness::engine::Admin;
use lapin::{
    types::{AMQPValue, FieldTable},
    uri::AMQPUri,
};

use super::{
    Args, QueueType,
    engine::{Engine, State},
    fault::Kind,
    logs::Log,
    plan::Plan,
    queue::Queue,
    record::Record,
    servers::Servers,
    ways::Ways,
    writer,
};
use crate::hint::Hinted;

/// Bytes of a content so that each message of it fits into a stream's frame, which takes 1 MiB: an update may have it
/// twice, and JSON escapes some of it.
const STREAM_CONTENT: usize = 300_000;

/// How long a snapshot takes.
const SNAPSHOT_SECONDS: u32 = 8;

/// Names of what this run makes on servers that it may share with others.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) database: String,
    pub(super) checkpoints: String,
    pub(super) queue: String,
}

impl Names {
    pub(super) fn new() -> Self {
        let run = ObjectId::new();
        Self {
            database: format!("chaos_{run}"),
            checkpoints: format!("chaos_{run}_checkpoints"),
            queue: format!("chaos_{run}"),
        }
    }
}

/// The kinds of faults to inject.
///
/// # Errors
/// If one was asked for that needs servers of our own, or a cluster.
pub(super) fn kinds(args: &Args) -> Result<Vec<Kind>> {
    if args.snapshot.is_some() && args.faults.iter().any(|kind| kind.name() == "nack") {
        return Err(Hinted::new(
            "with nack the first copies are not in order, and --snapshot applies those",
            "leave one of the two out",
        )
        .into());
    }
    check_streams(args)?;
    let has_cluster = 1 < args.amqp_uri.len();
    let can = |kind: &Kind| {
        (args.plan.is_some() || !kind.needs_servers()) && (has_cluster || !kind.needs_cluster())
    };
    if args.faults.is_empty() {
        let all = Kind::all().filter(|kind| kind.is_default());
        return Ok(all.filter(can).collect());
    }
    match args.faults.iter().find(|kind| !can(kind)) {
        None => Ok(args.faults.clone()),
        Some(kind) if kind.needs_cluster() && !has_cluster => Err(Hinted::new(
            format!("{} needs a broker of several nodes", kind.name()),
            "run `cargo xtask chaos --brokers 3`",
        )
        .into()),
        Some(kind) => Err(Hinted::new(
            format!("{} needs servers that may be killed", kind.name()),
            "run `cargo xtask chaos`, which starts some",
        )
        .into()),
    }
}

/// What goes to a stream by its own protocol goes through no exchange, and a stream refuses nothing.
fn check_streams(args: &Args) -> Result<()> {
    if args.queue_type != QueueType::Stream {
        return Ok(());
    }
    if args.stream_address.len() != args.amqp_uri.len() {
        let message = "the broker has no streams in their own protocol";
        return Err(Hinted::new(message, "it takes RabbitMQ 3.11 or newer").into());
    }
    let is_of_queues = |kind: &&Kind| ["unroutable", "nack"].contains(&kind.name());
    match args.faults.iter().find(is_of_queues) {
        None => Ok(()),
        Some(kind) => Err(Hinted::new(
            format!("{} is no fault of a stream", kind.name()),
            "leave it out, or run with --queue-type classic",
        )
        .into()),
    }
}

pub(super) async fn servers(args: &Args) -> Result<Option<Rc<Servers>>> {
    let Some(path) = &args.plan else {
        return Ok(None);
    };
    let admin = writer::client(&args.mongo_uri).await?;
    Ok(Some(Rc::new(Servers::new(Plan::read(path)?, admin))))
}

pub(super) fn queue(args: &Args, names: &Names, kinds: &[Kind]) -> Result<Queue> {
    let mut arguments = FieldTable::default();
    if args.queue_type != QueueType::Classic {
        let kind = AMQPValue::LongString(args.queue_type.name().into());
        arguments.insert("x-queue-type".into(), kind);
    }
    if 1 < args.amqp_uri.len() && args.queue_type != QueueType::Stream {
        // Else a consumer on a node that died gets its share until the node is back, and that comes late.
        let single = AMQPValue::Boolean(true);
        arguments.insert("x-single-active-consumer".into(), single);
    }
    let uses_exchange = kinds.iter().any(|kind| kind.name() == "unroutable");
    Ok(Queue {
        uris: amqp_uris(args)?,
        name: names.queue.clone(),
        partitions: args.queues(),
        exchange: if uses_exchange {
            names.queue.clone()
        } else {
            String::new()
        },
        arguments,
        kind: args.queue_type,
    })
}

/// Bytes of the longest content that the writers write.
pub(super) fn longest_content(args: &Args) -> usize {
    match args.queue_type {
        QueueType::Stream => STREAM_CONTENT,
        _ => usize::MAX,
    }
}

/// The engines, each with proxies of its own to the broker's nodes.
pub(super) async fn engines(
    args: &Args,
    names: &Names,
    queue: &Queue,
    record: &Rc<Record>,
) -> Result<Vec<Rc<Engine>>> {
    let mut engines = Vec::new();
    let shares = 0..args.shares;
    let each = shares.flat_map(|share| (1..=args.engines).map(move |number| (share, number)));
    for (share, number) in each {
        let ways = Ways::open(&queue.uris, streams(args)).await?;
        let admin = Admin::free();
        let mut settings = settings(args, names, queue);
        if 1 < args.shares {
            settings.push(("CDC_SHARE", format!("{share}/{}", args.shares)));
            settings.push(("RABBITMQ_QUEUE_NAME", queue.of(share)));
        }
        settings.extend(ways.settings());
        settings.push(("CDC_ADMIN_ADDR", admin.address.clone()));
        let name = match args.shares {
            1 => format!("engine{number}"),
            _ => format!("share{share}-engine{number}"),
        };
        engines.push(Rc::new(Engine {
            log: Log::new(args.folder.join(format!("{name}.log"))),
            name,
            share,
            program: args.engine.clone(),
            settings,
            folder: args.folder.clone(),
            ways,
            admin,
            record: Rc::clone(record),
            state: RefCell::new(State::default()),
        }));
    }
    Ok(engines)
}

fn settings(args: &Args, names: &Names, queue: &Queue) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("MONGO_DATABASE_HOST", args.mongo_uri.clone()),
        ("MONGO_DATABASE_NAME", names.database.clone()),
        ("CDC_CHECKPOINT_DATABASE", names.checkpoints.clone()),
        ("CDC_PIPELINE", names.queue.clone()),
        ("CDC_FORMAT", "event".to_owned()),
        ("CDC_OPERATIONS", "insert,update,replace,delete".to_owned()),
        ("CDC_QUEUE_TYPE", args.queue_type.name().to_owned()),
        ("RABBITMQ_QUEUE_NAME", names.queue.clone()),
    ];
    if args.queue_type == QueueType::Stream {
        settings.push(("CDC_STREAM_PROTOCOL", "native".to_owned()));
    }
    if 1 < args.partitions {
        let operations = "insert,update,replace,delete,drop".to_owned();
        settings.push(("CDC_OPERATIONS", operations));
        settings.push(("CDC_PARTITIONS", args.partitions.to_string()));
    }
    if let Some(documents) = args.snapshot {
        settings.push(("CDC_SNAPSHOT", "initial".to_owned()));
        settings.push(("CDC_SNAPSHOT_RATE", snapshot_rate(documents).to_string()));
        settings.push(("CDC_JSON_MODE", "canonical".to_owned()));
        settings.push(("CDC_FULL_DOCUMENT", "when_available".to_owned()));
    }
    if !queue.exchange.is_empty() {
        settings.push(("RABBITMQ_EXCHANGE", queue.exchange.clone()));
        settings.push(("CDC_ON_UNROUTABLE", "retry".to_owned()));
    }
    settings
}

/// Documents a second, so that a run takes long enough for a fault to fall into it.
pub(super) fn snapshot_rate(documents: u32) -> u32 {
    (documents / SNAPSHOT_SECONDS).max(100)
}

/// Where each node has streams in their own protocol, if the engine uses that.
fn streams(args: &Args) -> &[String] {
    match args.queue_type {
        QueueType::Stream => &args.stream_address,
        _ => &[],
    }
}

/// The URI of each node.
fn amqp_uris(args: &Args) -> Result<Vec<AMQPUri>> {
    // The parser's message may repeat the URI and with it the password.
    let parse = |text: &String| {
        let parsed: Result<AMQPUri, String> = text.parse();
        parsed.map_err(|_| anyhow::anyhow!("--amqp-uri cannot be parsed"))
    };
    args.amqp_uri.iter().map(parse).collect()
}
