//! RabbitMQ as these programs use it: one connection with a deadline, the engine's queue.

use std::time::Duration;

use anyhow::{Context, Result};
use lapin::{
    Channel, Connection, ConnectionProperties, ErrorKind, Queue,
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable},
    uri::{AMQPAuthority, AMQPScheme, AMQPUri, AMQPUserInfo},
};

use crate::{
    hint::Hinted,
    settings::{QueueType, Settings},
};

/// Longest wait for the broker's answer to one request.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// AMQP reply codes that mean "wrong credentials" and "no such queue".
const ACCESS_REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;

/// Connects to the broker of `settings`.
///
/// # Errors
/// If the URI is malformed, or the broker refuses us or is silent for [`ANSWER_TIMEOUT`].
pub async fn connect(settings: &Settings) -> Result<Connection> {
    open(uri(settings)?).await
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
    let (cause, hint) = match tokio::time::timeout(ANSWER_TIMEOUT, connecting).await {
        Ok(Ok(connection)) => return Ok(connection),
        Ok(Err(error)) if reply_code(&error) == Some(ACCESS_REFUSED) => (
            format!("it refuses user `{user}`: {error}"),
            "set RABBITMQ_DEFAULT_USERNAME and RABBITMQ_DEFAULT_PASSWORD",
        ),
        Ok(Err(error)) => (
            error.to_string(),
            "cargo xtask local-start, or set RABBITMQ_HOST and RABBITMQ_PORT",
        ),
        Err(_) => (
            format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()),
            "cargo xtask local-start, or set RABBITMQ_HOST and RABBITMQ_PORT",
        ),
    };
    Err(Hinted::new(
        format!("rabbitmq at {address} cannot be used: {cause}"),
        hint,
    )
    .into())
}

/// The queue of `settings` as it stands, or declared as the engine declares it.
///
/// An existing queue is never changed, whatever its properties are.
///
/// # Errors
/// If the broker refuses, or loses the connection.
pub async fn queue(connection: &Connection, settings: &Settings) -> Result<(Channel, Queue)> {
    let name = settings.rabbitmq_queue_name.as_str();
    let channel = connection
        .create_channel()
        .await
        .context("open a channel")?;
    let passive = QueueDeclareOptions::durable().passive();
    match channel
        .queue_declare(name.into(), passive, FieldTable::default())
        .await
    {
        Ok(queue) => return Ok((channel, queue)),
        Err(error) if reply_code(&error) == Some(NOT_FOUND) => {}
        Err(error) => return Err(error).with_context(|| format!("look at queue `{name}`")),
    }
    // The failed look closed the channel.
    let channel = connection
        .create_channel()
        .await
        .context("open a channel")?;
    let arguments = queue_arguments(settings.cdc_queue_type);
    let queue = channel
        .queue_declare(name.into(), QueueDeclareOptions::durable(), arguments)
        .await
        .with_context(|| format!("declare queue `{name}`"))?;
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
