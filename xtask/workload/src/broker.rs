//! RabbitMQ as these programs use it: one connection with a deadline, the engine's queue.

use std::{io, time::Duration};

use anyhow::{Context, Result};
use lapin::{
    Channel, Connection, ConnectionProperties, ErrorKind, Queue,
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable},
    uri::{AMQPAuthority, AMQPScheme, AMQPUri, AMQPUserInfo},
};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    hint::Hinted,
    patience::{self, READY_TIMEOUT},
    settings::{QueueType, Settings},
};

/// Longest wait for the broker's answer to one request.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// AMQP reply codes that mean "wrong credentials" and "no such queue".
const ACCESS_REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;

/// Pause before a broker that is being started is tried again.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// Connects to the broker of `settings`; one that is being started gets [`READY_TIMEOUT`].
///
/// # Errors
/// If the URI is malformed, nothing listens, or the broker refuses us, is silent for
/// [`ANSWER_TIMEOUT`] or not ready in time.
pub async fn connect(settings: &Settings) -> Result<Connection> {
    let uri = uri(settings)?;
    let what = format!("rabbitmq at {}:{}", uri.authority.host, uri.authority.port);
    patience::wait(&what, async {
        let deadline = Instant::now() + READY_TIMEOUT;
        loop {
            match open(uri.clone()).await {
                Err(error) if is_starting(&error) && Instant::now() < deadline => {
                    sleep(RETRY_INTERVAL).await;
                }
                outcome => return outcome,
            }
        }
    })
    .await
}

/// Connects to the broker at `uri`.
///
/// # Errors
/// If the broker refuses us or is silent for [`ANSWER_TIMEOUT`].
pub async fn open(uri: AMQPUri) -> Result<Connection> {
    let address = format!("{}:{}", uri.authority.host, uri.authority.port);
    let user = uri.authority.userinfo.username.clone();
    let properties = ConnectionProperties::default().with_connection_name("cdc-workload".into());
    let connecting = Connection::connect_uri(uri, properties);
    let place = "cargo xtask local-start, or set RABBITMQ_HOST and RABBITMQ_PORT";
    let Ok(outcome) = timeout(ANSWER_TIMEOUT, connecting).await else {
        let limit = ANSWER_TIMEOUT.as_secs();
        let message = format!("rabbitmq at {address} does not answer within {limit} s");
        return Err(Hinted::new(message, place).into());
    };
    outcome.map_err(|error| {
        let hinted = if reply_code(&error) == Some(ACCESS_REFUSED) {
            let message = format!("rabbitmq at {address} refuses user `{user}`");
            let credentials = "set RABBITMQ_DEFAULT_USERNAME and RABBITMQ_DEFAULT_PASSWORD";
            Hinted::new(message, credentials)
        } else {
            Hinted::new(format!("rabbitmq at {address} cannot be used"), place)
        };
        anyhow::Error::new(error).context(hinted)
    })
}

/// Whether somebody took the connection and hung up before the first word: a container's published
/// port does, until the broker in it listens.
fn is_starting(error: &anyhow::Error) -> bool {
    let error: Option<&lapin::Error> = error.downcast_ref();
    match error.map(lapin::Error::kind) {
        Some(ErrorKind::IOError(error)) => matches!(
            error.kind(),
            io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::UnexpectedEof
                | io::ErrorKind::BrokenPipe
        ),
        _ => false,
    }
}

/// The queue of `settings` as it stands, or declared as the engine declares it.
///
/// An existing queue is never changed, whatever its properties are.
///
/// # Errors
/// If the broker refuses, or loses the connection.
pub async fn queue(connection: &Connection, settings: &Settings) -> Result<(Channel, Queue)> {
    let name = settings.rabbitmq_queue_name.as_str();
    let durable = QueueDeclareOptions::durable();
    let open = async || connection.create_channel().await.context("open a channel");
    let channel = open().await?;
    let looking = channel.queue_declare(name.into(), durable.passive(), FieldTable::default());
    match looking.await {
        Ok(queue) => return Ok((channel, queue)),
        Err(error) if reply_code(&error) == Some(NOT_FOUND) => {}
        Err(error) => return Err(error).with_context(|| format!("look at queue `{name}`")),
    }
    // The failed look closed the channel.
    let channel = open().await?;
    let arguments = queue_arguments(settings.cdc_queue_type);
    let declaring = channel.queue_declare(name.into(), durable, arguments);
    let queue = declaring.await;
    let queue = queue.with_context(|| format!("declare queue `{name}`"))?;
    Ok((channel, queue))
}

/// The arguments that the engine declares a queue of this type with.
fn queue_arguments(queue_type: QueueType) -> FieldTable {
    let mut arguments = FieldTable::default();
    let name = match queue_type {
        QueueType::Classic => return arguments,
        QueueType::Quorum => "quorum",
        QueueType::Stream => "stream",
    };
    arguments.insert("x-queue-type".into(), AMQPValue::LongString(name.into()));
    arguments
}

/// The broker's URI: `RABBITMQ_URI` if it is set, else built from the parts.
///
/// # Errors
/// If `RABBITMQ_URI` is malformed.
pub fn uri(settings: &Settings) -> Result<AMQPUri> {
    if !settings.rabbitmq_uri.is_empty() {
        // The parser's message may repeat the URI and with it the password.
        let parsed: Result<AMQPUri, String> = settings.rabbitmq_uri.parse();
        return parsed.map_err(|_| {
            Hinted::new(
                "RABBITMQ_URI cannot be parsed",
                "amqp://user:password@host:port/vhost",
            )
            .into()
        });
    }
    Ok(AMQPUri {
        scheme: AMQPScheme::AMQP,
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo {
                username: settings.rabbitmq_default_username.clone(),
                password: settings.rabbitmq_default_password.clone(),
            },
            host: settings.rabbitmq_host.clone(),
            port: settings.rabbitmq_port,
        },
        vhost: settings.rabbitmq_vhost.clone(),
        ..AMQPUri::default()
    })
}

/// The reply code of an error that the broker sent.
fn reply_code(error: &lapin::Error) -> Option<u16> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}
