//! RabbitMQ's part.

use std::time::Duration;

use super::{
    Advice, Error, Server, Steps, Version,
    largest::{self, Largest},
    mongodb::release,
};
use crate::{
    config::Config,
    lease::Contender,
    pipeline::{OnOversize, OnUnroutable},
    rabbitmq::{self, Connection, Sight, stream::Connection as StreamConnection},
    sink::rabbitmq::stream::{Choice, Streams},
};

/// Longest wait for a connection. Whatever else answers there is asked what it is within that time.
const CONNECT: Duration = Duration::from_secs(8);

const REACHABLE: &str = "reachable";
const VERSION: &str = "version";
const LOCK: &str = "lock";
const PERMISSIONS: &str = "permissions";
const EXCHANGE: &str = "exchange";
const QUEUE: &str = "queue";
const UNROUTABLE: &str = "unroutable";
const EXPIRY: &str = "expiry";
const SIZE: &str = "message size";
const STREAM: &str = "stream protocol";

/// From this release on the limit of a message's size is lower where nobody set one.
const LOWER_LIMIT: Version = Version(4, 0, 0);

pub(super) async fn check(config: &Config, steps: &mut Steps) {
    let Some(connection) = reach(config, steps).await else {
        for what in [VERSION, LOCK, PERMISSIONS, EXCHANGE, QUEUE, SIZE] {
            steps.skipped(what, "rabbitmq cannot be used");
        }
        return;
    };
    let version = async { Ok::<_, Error>(connection.version().await) };
    let version = steps.answer(version).await.ok().flatten();
    let version = release(Server::Rabbitmq, version.as_deref(), steps);
    lock(config, steps).await;
    permissions(config, &connection, steps).await;
    exchange(config, &connection, steps).await;
    queues(config, &connection, steps).await;
    expiry(config, steps);
    if let Some(streams) = &config.publish.streams {
        stream(config, streams, steps).await;
    } else {
        size(config, version, steps);
    }
    connection.close().await;
}

/// A connection to a node that can be used. Each one that cannot is told.
async fn reach(config: &Config, steps: &mut Steps) -> Option<Connection> {
    let each = async {
        let broker = config.publish.broker.clone().connect_within(CONNECT);
        Ok::<_, Error>(Connection::open_each(&broker, "cdc check").await)
    };
    let outcomes = steps.ask(REACHABLE, each).await?;
    let (mut connections, mut failures) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Ok(connection) => connections.push(connection),
            Err(error) => failures.push(error),
        }
    }
    for connection in &connections {
        let (address, way) = (connection.address(), connection.way());
        steps.good(REACHABLE, format!("{address} answers; {way}"));
    }
    for failure in failures {
        if connections.is_empty() {
            steps.fault(REACHABLE, failure);
        } else {
            steps.advice(REACHABLE, Advice::Node(failure));
        }
    }
    let connection = connections.pop();
    for other in connections {
        other.close().await;
    }
    connection
}

/// Takes the lock on a connection of its own, and gives it back.
async fn lock(config: &Config, steps: &mut Steps) {
    let (broker, lock) = (&config.publish.broker, &config.publish.lock);
    let take = Box::pin(async {
        let contender = Contender::connect(broker, lock).await?;
        let taken = contender.take_lock().await;
        contender.close().await;
        taken
    });
    match steps.ask(LOCK, take).await {
        Some(true) => steps.good(LOCK, "free"),
        Some(false) => steps.good(LOCK, "held by an engine: one that is started now stands by"),
        None => {}
    }
}

async fn permissions(config: &Config, connection: &Connection, steps: &mut Steps) {
    let denials = Box::pin(config.publish.topology.denials(connection));
    let Some(denials) = steps.ask(PERMISSIONS, denials).await else {
        return;
    };
    if denials.is_empty() {
        steps.good(
            PERMISSIONS,
            "to publish, and to declare what is to be declared",
        );
    }
    for denied in denials {
        steps.fault(PERMISSIONS, rabbitmq::Error::Denied(Box::new(denied)));
    }
}

async fn exchange(config: &Config, connection: &Connection, steps: &mut Steps) {
    let topology = &config.publish.topology;
    let name = &topology.exchange.name;
    if topology.exchange.is_default() {
        steps.good(EXCHANGE, "the default one");
        return;
    }
    match steps.ask(EXCHANGE, topology.has_exchange(connection)).await {
        Some(true) => steps.good(EXCHANGE, format!("`{name}` is there")),
        Some(false) => steps.good(
            EXCHANGE,
            format!("`{name}` is not there, and is declared at the start"),
        ),
        None => {}
    }
    let what_happens = match config.pipeline.policies.on_unroutable {
        OnUnroutable::Stop => "a change that matches no queue stops the engine",
        OnUnroutable::Retry => {
            "a change that matches no queue is published again until one takes it"
        }
        OnUnroutable::Park => "a change that matches no queue is parked",
        OnUnroutable::Drop => {
            steps.advice(UNROUTABLE, Advice::Drops(name.clone()));
            return;
        }
    };
    steps.good(UNROUTABLE, what_happens);
}

async fn queues(config: &Config, connection: &Connection, steps: &mut Steps) {
    let topology = &config.publish.topology;
    for queue in topology.queues() {
        let name = &queue.name;
        let Some(sight) = steps.ask(QUEUE, topology.look(queue, connection)).await else {
            continue;
        };
        let dangers = match sight {
            Sight::New(dangers) => {
                if topology.targets.iter().any(|target| target.name == *name) {
                    steps.advice(QUEUE, Advice::New(name.clone()));
                } else {
                    let text = format!("`{name}` is not there, and is declared at the start");
                    steps.good(QUEUE, text);
                }
                dangers
            }
            Sight::Seen(dangers) => {
                steps.good(
                    QUEUE,
                    format!(
                        "`{name}` is there, and nothing in its arguments loses messages; policies cannot be seen"
                    ),
                );
                dangers
            }
            Sight::Unseen(reason) => {
                steps.good(QUEUE, format!("`{name}` is there"));
                let text =
                    format!("whether `{name}` is durable, its type and its arguments: {reason}");
                steps.skipped(QUEUE, text);
                continue;
            }
        };
        for danger in dangers {
            steps.advice(QUEUE, Advice::Danger(name.clone(), danger));
        }
    }
}

/// What the messages say of their own end.
fn expiry(config: &Config, steps: &mut Steps) {
    if let Some(ms) = config.publish.marks.expiration_ms {
        steps.advice(EXPIRY, Advice::Expires(ms));
    }
}

/// Connects by the stream protocol, which tells the limit of a message's size.
async fn stream(config: &Config, streams: &Streams, steps: &mut Steps) {
    let broker = config.publish.broker.on_port(streams.port);
    let connected = steps
        .answer(StreamConnection::open(&broker, "cdc check"))
        .await;
    match connected {
        Ok((connection, _)) => {
            let (node, limit) = (connection.node(), connection.frame_max());
            let what_happens = what_happens(config);
            let beside = beside(config, steps).await;
            let text = format!(
                "{node} speaks it; a message has at most {limit} bytes with its headers{beside}, and a larger one \
                 {what_happens}"
            );
            steps.good(STREAM, text);
            connection.close().await;
        }
        Err(error) if streams.choice == Choice::Native => steps.fault(STREAM, error),
        Err(error) => steps.advice(STREAM, Advice::NoStreams(Box::new(error))),
    }
}

/// The largest document that was inserted lately, in words; nothing where it is not known.
async fn beside(config: &Config, steps: &Steps) -> String {
    let largest = steps.answer(largest::find(config)).await;
    let largest = largest.ok().flatten();
    largest.map_or_else(String::new, |largest| {
        let Largest { namespace, bytes } = largest;
        format!(" (the largest document of late has {bytes} as BSON, in `{namespace}`)")
    })
}

/// What follows for a message that is too large.
fn what_happens(config: &Config) -> &'static str {
    match config.pipeline.policies.on_oversize {
        OnOversize::Stop => "stops the engine",
        OnOversize::Park => "is parked without its document",
        OnOversize::Trim => "is published without its document",
    }
}

/// The broker does not tell its limit before a message is larger.
fn size(config: &Config, version: Option<Version>, steps: &mut Steps) {
    let Some(version) = version else {
        steps.skipped(SIZE, "the release is not known, and so is its limit");
        return;
    };
    let limit = if version < LOWER_LIMIT { 128 } else { 16 };
    let what_happens = what_happens(config);
    steps.good(
        SIZE,
        format!(
            "the broker does not tell its limit, which is {limit} MiB where nobody set another; a larger message {what_happens}"
        ),
    );
}
