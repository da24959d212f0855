//! MongoDB as these programs use it: a client with deadlines, errors in one short line.

use std::time::Duration;

use anyhow::{Context, Result};
use bson::doc;
use mongodb::{
    Client, Database,
    error::{Error, ErrorKind},
    options::{ClientOptions, ServerAddress},
};

use crate::{hint::Hinted, settings::Settings};

/// Longest wait for a server to be found before the first answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects to the replica set of `settings` and makes sure that it takes writes.
///
/// # Errors
/// If the connection string is malformed, or no primary answers within [`ANSWER_TIMEOUT`].
pub async fn connect(settings: &Settings) -> Result<Client> {
    let mut options = parse(&settings.mongo_database_host).await?;
    let hosts = hosts(&options.hosts);
    options.app_name = Some("cdc-workload".to_owned());
    options.server_selection_timeout = Some(ANSWER_TIMEOUT);
    options.connect_timeout = Some(ANSWER_TIMEOUT);
    let client = Client::with_options(options).context("set up the mongodb client")?;
    let admin = client.database("admin");
    let ping = admin.run_command(doc! { "ping": 1 });
    let answer = tokio::time::timeout(ANSWER_TIMEOUT + Duration::from_secs(1), ping).await;
    let cause = match answer {
        Ok(Ok(_)) => return Ok(client),
        Ok(Err(error)) => brief(&error),
        Err(_) => format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()),
    };
    Err(Hinted::new(
        format!("mongodb at {hosts} cannot be used: {cause}"),
        "cargo xtask local-start, or set MONGO_DATABASE_HOST",
    )
    .into())
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
