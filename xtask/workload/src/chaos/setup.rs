//! Puts a run together: servers as the plan says, engines behind proxies, a queue.

use std::{cell::RefCell, rc::Rc, time::Duration};

use anyhow::{Context, Result};
use bson::oid::ObjectId;
use harness::{Proxy, engine::Admin};
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
    writer,
};
use crate::hint::Hinted;

/// How long the way to the broker is. Without it hardly anything would be on its way when a fault comes; all of it
/// there, so that what is not confirmed has not arrived either.
const LATENCY: Duration = Duration::from_millis(15);

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
/// If one was asked for that needs servers of our own.
pub(super) fn kinds(args: &Args) -> Result<Vec<Kind>> {
    let can = |kind: &Kind| args.plan.is_some() || !kind.needs_servers();
    if args.faults.is_empty() {
        let all = Kind::all().filter(|kind| kind.is_default());
        return Ok(all.filter(can).collect());
    }
    match args.faults.iter().find(|kind| !can(kind)) {
        None => Ok(args.faults.clone()),
        Some(kind) => Err(Hinted::new(
            format!("{} needs servers that may be killed", kind.name()),
            "run `cargo xtask chaos`, which starts some",
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
    if args.queue_type == QueueType::Quorum {
        let quorum = AMQPValue::LongString("quorum".into());
        arguments.insert("x-queue-type".into(), quorum);
    }
    let uses_exchange = kinds.iter().any(|kind| kind.name() == "unroutable");
    Ok(Queue {
        uri: amqp_uri(args)?,
        name: names.queue.clone(),
        exchange: if uses_exchange {
            names.queue.clone()
        } else {
            String::new()
        },
        arguments,
    })
}

/// The engines, each with a proxy of its own to the broker.
pub(super) async fn engines(
    args: &Args,
    names: &Names,
    queue: &Queue,
    record: &Rc<Record>,
) -> Result<Vec<Rc<Engine>>> {
    let mut engines = Vec::new();
    let broker = &queue.uri.authority;
    for number in 1..=args.engines {
        let target = format!("{}:{}", broker.host, broker.port);
        let proxy = Proxy::start(target, LATENCY)
            .await
            .context("open a proxy")?;
        let admin = Admin::free();
        let mut settings = settings(args, names, queue);
        let mut through = queue.uri.clone();
        through.authority.host = proxy.address.ip().to_string();
        through.authority.port = proxy.address.port();
        settings.push(("RABBITMQ_URI", through.to_string()));
        settings.push(("CDC_ADMIN_ADDR", admin.address.clone()));
        let name = format!("engine{number}");
        engines.push(Rc::new(Engine {
            log: Log::new(args.folder.join(format!("{name}.log"))),
            name,
            program: args.engine.clone(),
            settings,
            folder: args.folder.clone(),
            proxy,
            admin,
            record: Rc::clone(record),
            state: RefCell::new(State::default()),
        }));
    }
    Ok(engines)
}

fn settings(args: &Args, names: &Names, queue: &Queue) -> Vec<(&'static str, String)> {
    let queue_type = match args.queue_type {
        QueueType::Classic => "classic",
        QueueType::Quorum => "quorum",
    };
    let mut settings = vec![
        ("MONGO_DATABASE_HOST", args.mongo_uri.clone()),
        ("MONGO_DATABASE_NAME", names.database.clone()),
        ("CDC_CHECKPOINT_DATABASE", names.checkpoints.clone()),
        ("CDC_PIPELINE", names.queue.clone()),
        ("CDC_FORMAT", "event".to_owned()),
        ("CDC_OPERATIONS", "insert,update,replace,delete".to_owned()),
        ("CDC_QUEUE_TYPE", queue_type.to_owned()),
        ("RABBITMQ_QUEUE_NAME", names.queue.clone()),
    ];
    if !queue.exchange.is_empty() {
        settings.push(("RABBITMQ_EXCHANGE", queue.exchange.clone()));
        settings.push(("RABBITMQ_ROUTING_KEY", queue.name.clone()));
        settings.push(("CDC_ON_UNROUTABLE", "retry".to_owned()));
    }
    settings
}

fn amqp_uri(args: &Args) -> Result<AMQPUri> {
    // The parser's message may repeat the URI and with it the password.
    let parsed: Result<AMQPUri, String> = args.amqp_uri.parse();
    parsed.map_err(|_| anyhow::anyhow!("--amqp-uri cannot be parsed"))
}
