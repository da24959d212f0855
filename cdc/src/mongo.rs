//! A MongoDB client and the meaning of its errors, for the change stream and the checkpoint alike.

mod error;
mod oplog;
mod primary;

use std::time::Duration;

use bson::{Document, Timestamp, doc};
use mongodb::{
    Client,
    error::{Error as DriverError, ErrorKind},
    options::{ClientOptions, ServerAddress},
};

pub use self::{
    error::{Error, without_values},
    oplog::Oplog,
    primary::Primary,
};

/// Longest wait for a suitable server in one attempt.
const SERVER_SELECTION_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for a TCP connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest wait for the answer to a command that should be quick.
pub const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// A client, and what is worth naming in an error about it.
#[derive(Debug, Clone)]
pub struct Mongo {
    client: Client,
    addresses: Vec<ServerAddress>,
    replica_set: Option<String>,
    user: String,
    primary: Primary,
}

impl Mongo {
    /// Prepares a client; the first command connects.
    ///
    /// # Errors
    /// A connection string that does not resolve.
    pub async fn new(uri: &str) -> Result<Self, Error> {
        let mut options = ClientOptions::parse(uri).await.map_err(Error::Driver)?;
        options.app_name.get_or_insert_with(|| "cdc".to_owned());
        options
            .server_selection_timeout
            .get_or_insert(SERVER_SELECTION_TIMEOUT);
        options.connect_timeout.get_or_insert(CONNECT_TIMEOUT);
        let primary = Primary::default();
        options.sdam_event_handler = Some(primary.listener());
        let user = options
            .credential
            .as_ref()
            .and_then(|credential| credential.username.clone());
        Ok(Self {
            addresses: options.hosts.clone(),
            replica_set: options.repl_set_name.clone(),
            user: user.map_or_else(
                || "an anonymous user".to_owned(),
                |user| format!("user `{user}`"),
            ),
            client: Client::with_options(options).map_err(Error::Driver)?,
            primary,
        })
    }

    /// The driver's client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Which member is the primary, as far as the driver knows.
    pub fn primary(&self) -> &Primary {
        &self.primary
    }

    /// Checks that change streams can work here, and returns the cluster's present time.
    ///
    /// # Errors
    /// [`Error::Unreachable`] may pass; a standalone server, another replica set and refused credentials do not.
    pub async fn preflight(&self) -> Result<Timestamp, Error> {
        match self.run("hello", "admin", doc! { "hello": 1 }).await {
            Ok(hello) => present(&hello).ok_or_else(|| self.no_member(&hello)),
            Err(error @ Error::Unreachable { .. }) => Err(self.diagnose().await.unwrap_or(error)),
            Err(error) => Err(error),
        }
    }

    /// Runs a quick command with a deadline.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::disposition`] tells whether another attempt may help.
    pub async fn run(
        &self,
        what: &'static str,
        database: &str,
        command: Document,
    ) -> Result<Document, Error> {
        self.deadline(what, async {
            self.client.database(database).run_command(command).await
        })
        .await
    }

    /// Awaits `operation` for at most [`COMMAND_TIMEOUT`], or until another member is primary, and gives its error a
    /// name.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn deadline<T>(
        &self,
        what: &'static str,
        operation: impl Future<Output = Result<T, DriverError>>,
    ) -> Result<T, Error> {
        let primary = self.primary.now();
        tokio::select! {
            result = operation => result.map_err(|error| self.name(error)),
            () = self.primary.moved(primary.as_ref()) => Err(Error::Moved),
            () = tokio::time::sleep(COMMAND_TIMEOUT) => Err(Error::TimedOut {
                what,
                after: COMMAND_TIMEOUT,
            }),
        }
    }

    /// Gives a driver's error the names that a person needs.
    pub fn name(&self, error: DriverError) -> Error {
        let user = self.user.clone();
        match error.kind.as_ref() {
            ErrorKind::ServerSelection { message, .. } => Error::Unreachable {
                addresses: self.addresses(),
                reason: message.clone(),
            },
            // A member that steps down or stops says so to whoever authenticates just then.
            ErrorKind::Authentication { .. } if error::passes(&error) => Error::Driver(error),
            ErrorKind::Authentication { message, .. } => Error::Credentials {
                user,
                reason: message.clone(),
            },
            ErrorKind::Command(command) => match command.code {
                18 => Error::Credentials {
                    user,
                    reason: without_values(&command.message).to_owned(),
                },
                13 => Error::Permission {
                    user,
                    reason: without_values(&command.message).to_owned(),
                },
                40573 => Error::Standalone {
                    address: self.addresses(),
                },
                _ => Error::Driver(error),
            },
            _ => Error::Driver(error),
        }
    }

    /// Why a server that answers gives no cluster time.
    fn no_member(&self, hello: &Document) -> Error {
        let is_being_set_up =
            hello.get_bool("isreplicaset").unwrap_or(false) || hello.contains_key("setName");
        let addresses = self.addresses();
        if is_being_set_up {
            Error::NotInitiated { addresses }
        } else {
            Error::Standalone { address: addresses }
        }
    }

    /// Asks each address by itself why the set cannot be used.
    async fn diagnose(&self) -> Option<Error> {
        for address in &self.addresses {
            let mut options = ClientOptions::builder()
                .hosts(vec![address.clone()])
                .build();
            options.direct_connection = Some(true);
            options.server_selection_timeout = Some(Duration::from_millis(500));
            let Ok(client) = Client::with_options(options) else {
                continue;
            };
            let Ok(hello) = client
                .database("admin")
                .run_command(doc! { "hello": 1 })
                .await
            else {
                continue;
            };
            let is_mongos = hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid");
            let being_set_up = hello.get_bool("isreplicaset").unwrap_or(false);
            match (hello.get_str("setName"), &self.replica_set) {
                (Ok(actual), Some(expected)) if actual != expected => {
                    return Some(Error::OtherReplicaSet {
                        address: address.to_string(),
                        actual: actual.to_owned(),
                        expected: expected.clone(),
                    });
                }
                (Err(_), _) if !is_mongos && !being_set_up => {
                    return Some(Error::Standalone {
                        address: address.to_string(),
                    });
                }
                _ => {}
            }
        }
        None
    }

    fn addresses(&self) -> String {
        let addresses: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        addresses.join(",")
    }
}

/// The cluster's time in an answer; only members of a replica set and mongos give one.
fn present(answer: &Document) -> Option<Timestamp> {
    answer.get_timestamp("operationTime").ok()
}
