//! MongoDB as these programs use it: a client with deadlines, errors in one short line.

use std::time::Duration;

use anyhow::{Context, Result};
use bson::doc;
use mongodb::{
    Client, Database,
    error::{Error, ErrorKind},
    options::{ClientOptions, ServerAddress},
};
use tokio::net::TcpStream;

use crate::{
    hint::Hinted,
    patience::{self, READY_TIMEOUT},
    settings::Settings,
};

/// Longest wait for a server's answer to one request.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects to the replica set of `settings` and makes sure that it takes writes.
///
/// A set that is being started gets [`READY_TIMEOUT`] to elect a primary.
///
/// # Errors
/// If the connection string is malformed, nothing listens, or no primary answers in that time.
pub async fn connect(settings: &Settings) -> Result<Client> {
    let mut options = parse(&settings.mongo_database_host).await?;
    let hosts = hosts(&options.hosts);
    options.app_name = Some("cdc-workload".to_owned());
    options.server_selection_timeout = Some(READY_TIMEOUT);
    options.connect_timeout = Some(ANSWER_TIMEOUT);
    let client = Client::with_options(options.clone()).context("set up the mongodb client")?;
    let admin = client.database("admin");
    let ping = async {
        anybody_home(&options.hosts).await?;
        let answer = admin.run_command(doc! { "ping": 1 }).await;
        answer.map_err(|error| brief(&error))
    };
    let ping = tokio::time::timeout(READY_TIMEOUT + Duration::from_secs(1), ping);
    let cause = match patience::wait(&format!("mongodb at {hosts}"), ping).await {
        Ok(Ok(_)) => return Ok(client),
        Ok(Err(cause)) => cause,
        Err(_) => format!("no answer within {} s", READY_TIMEOUT.as_secs()),
    };
    Err(Hinted::new(
        format!("mongodb at {hosts} cannot be used: {cause}"),
        "cargo xtask local-start, or set MONGO_DATABASE_HOST",
    )
    .into())
}

/// What the server answers to `asking`, within `limit`; `what` is being done.
///
/// # Errors
/// If it refuses or is silent.
pub async fn answer<T>(
    what: &'static str,
    limit: Duration,
    asking: impl IntoFuture<Output = Result<T, Error>>,
) -> Result<T> {
    let answer = tokio::time::timeout(limit, asking).await;
    let answer = answer.with_context(|| format!("{what}: mongodb does not answer"))?;
    answer.map_err(|error| anyhow::anyhow!(brief(&error)).context(what))
}

/// Whether something listens at `address`, and if not, why.
///
/// The driver keeps trying until its timeout and does not tell the cause.
///
/// # Errors
/// The cause, if nothing does.
pub async fn knock(address: &ServerAddress, timeout: Duration) -> Result<(), String> {
    if !matches!(address, ServerAddress::Tcp { .. }) {
        return Ok(());
    }
    let connecting = TcpStream::connect(address.to_string());
    match tokio::time::timeout(timeout, connecting).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer".to_owned()),
    }
}

/// Fails at once if every member refuses.
async fn anybody_home(addresses: &[ServerAddress]) -> Result<(), String> {
    let mut outcome = Ok(());
    for address in addresses {
        outcome = knock(address, ANSWER_TIMEOUT).await;
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

/// Parses a connection string.
///
/// # Errors
/// If it is malformed; the message never repeats the string, which may hold a password.
pub async fn parse(uri: &str) -> Result<ClientOptions> {
    ClientOptions::parse(uri).await.map_err(|error| {
        let message = format!(
            "the mongodb connection string cannot be used: {}",
            brief(&error)
        );
        Hinted::new(message, "mongodb://host:port,host:port/?replicaSet=name").into()
    })
}

/// The database that the engine watches.
pub fn watched(client: &Client, settings: &Settings) -> Database {
    client.database(&settings.mongo_database_name)
}

/// The cause of a driver error, without the server's full response.
pub fn brief(error: &Error) -> String {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => format!("{} ({})", command.message, command.code_name),
        kind => {
            let text = kind.to_string();
            // The driver appends its view of the whole topology to a failed selection.
            text.split(" Topology: ").next().unwrap_or(&text).to_owned()
        }
    }
}

/// Server addresses as a list for a message.
pub fn hosts(addresses: &[ServerAddress]) -> String {
    let names: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    names.join(",")
}
