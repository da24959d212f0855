//! A MongoDB client and the meaning of its errors, for the change stream and the checkpoint alike.

mod diagnosis;
mod error;
mod fault;
mod handshake;
mod members;
mod oplog;
mod primary;
mod privilege;
mod uri;

use std::{sync::Arc, time::Duration};

use bson::{Document, Timestamp, doc};
use mongodb::{
    Client,
    error::{Error as DriverError, ErrorKind},
    event::EventHandler,
    options::{AuthMechanism, ClientOptions, ConnectionString, Credential, HostInfo, Tls},
};

use self::{diagnosis::diagnose, members::Members};
pub use self::{
    error::{Error, without_values},
    fault::Fault,
    oplog::Oplog,
    primary::Primary,
    privilege::{Grantee, Privilege},
    uri::Uri,
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
    options: Arc<ClientOptions>,
    user: String,
    primary: Primary,
    members: Members,
}

impl Mongo {
    /// Prepares a client; the first command connects.
    ///
    /// # Errors
    /// A connection string that does not resolve, or of which no client can be made.
    pub async fn new(uri: &str) -> Result<Self, Error> {
        let parsed = ClientOptions::parse(uri).await;
        let mut options = parsed.map_err(|error| unresolved(uri, error))?;
        options.app_name.get_or_insert_with(|| "cdc".to_owned());
        options
            .server_selection_timeout
            .get_or_insert(SERVER_SELECTION_TIMEOUT);
        options.connect_timeout.get_or_insert(CONNECT_TIMEOUT);
        uri::adjust(&mut options);
        let (primary, members) = (Primary::default(), Members::default());
        options.sdam_event_handler = Some(EventHandler::callback({
            let (primary, members) = (primary.clone(), members.clone());
            move |event| {
                primary.note(&event);
                members.note(&event);
            }
        }));
        let client = Client::with_options(options.clone());
        Ok(Self {
            client: client.map_err(|error| Error::Options(unusable(&options, &error)))?,
            user: user(options.credential.as_ref()),
            options: Arc::new(options),
            primary,
            members,
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
            Ok(hello) if self.is_stuck_with(&hello) => Err(Error::NotPrimary {
                address: self.addresses(),
            }),
            Ok(hello) => present(&hello).ok_or_else(|| self.no_member(&hello)),
            Err(error @ Error::Unreachable { .. }) => {
                Err(diagnose(&self.options).await.unwrap_or(error))
            }
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
            ErrorKind::ServerSelection { message, .. } => self.unreachable(message),
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
                13 => Error::Denied {
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

    /// Finds out what of `needed` the user lacks, where `error` is about that. Any other error comes back as it is.
    pub async fn explain(&self, error: Error, needed: &[Privilege]) -> Error {
        if !matches!(error, Error::Denied { .. }) {
            return error;
        }
        match self.lacking(needed).await {
            Ok(None) => Error::Anonymous {
                addresses: self.addresses(),
            },
            Ok(Some((grantee, missing))) if !missing.is_empty() => {
                Error::Permission { grantee, missing }
            }
            _ => error,
        }
    }

    /// Who is logged in, and what of `needed` they lack; none where nobody is logged in.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn lacking(
        &self,
        needed: &[Privilege],
    ) -> Result<Option<(Grantee, Vec<Privilege>)>, Error> {
        let command = doc! { "connectionStatus": 1, "showPrivileges": true };
        let asked = self.run("a question for privileges", "admin", command);
        let status = asked.await?;
        Ok(Grantee::read(&status).map(|grantee| {
            let missing = needed.iter().filter_map(|one| one.missing(&status));
            (grantee, missing.collect())
        }))
    }

    /// Who is connected and how, for people.
    pub fn way(&self) -> String {
        let is_encrypted = matches!(self.options.tls, Some(Tls::Enabled(_)));
        let tls = if is_encrypted { "with" } else { "without" };
        format!("{}, {tls} TLS", self.user)
    }

    /// Why no server was chosen, by what the monitors know.
    fn unreachable(&self, message: &str) -> Error {
        let faults = self.members.faults();
        if let Some((address, fault)) = members::barred(&faults) {
            let (address, fault) = (address.clone(), fault.clone());
            return Error::Barred { address, fault };
        }
        let reason = error::selection(message);
        let reason = match members::summary(&faults) {
            // Every server has its fault.
            Some(faults) if message.contains("No available servers") => faults,
            Some(faults) => format!("{reason}; {faults}"),
            None => reason.to_owned(),
        };
        let addresses = self.addresses();
        Error::Unreachable { addresses, reason }
    }

    /// Whether the one server that may be used is no primary.
    fn is_stuck_with(&self, hello: &Document) -> bool {
        self.options.direct_connection == Some(true) && hello.get_bool("secondary").unwrap_or(false)
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

    fn addresses(&self) -> String {
        let hosts = self.options.hosts.iter();
        let addresses: Vec<_> = hosts.map(ToString::to_string).collect();
        addresses.join(",")
    }
}

/// The cluster's time in an answer; only members of a replica set and mongos give one.
fn present(answer: &Document) -> Option<Timestamp> {
    answer.get_timestamp("operationTime").ok()
}

/// Names what went wrong before there was a client. A name server may answer later; nothing else changes by itself.
fn unresolved(uri: &str, error: DriverError) -> Error {
    let host = match ConnectionString::parse(uri).map(|uri| uri.host_info) {
        Ok(HostInfo::DnsRecord(host)) => host,
        _ => String::new(),
    };
    match error.kind.as_ref() {
        ErrorKind::DnsResolve { message, .. } => Error::NoServers {
            host,
            reason: without_values(message).to_owned(),
        },
        ErrorKind::InvalidArgument { message, .. } => Error::Options(message.clone()),
        _ => Error::Driver(error),
    }
}

/// Why no client can be made. The driver does not say which file it could not open.
fn unusable(options: &ClientOptions, error: &DriverError) -> String {
    let text = error::describe(error);
    match (error.kind.as_ref(), &options.tls) {
        (ErrorKind::Io(_), Some(Tls::Enabled(tls))) => match &tls.cert_key_file_path {
            Some(path) => format!("tlsCertificateKeyFile={}: {text}", path.display()),
            None => text,
        },
        _ => text,
    }
}

/// Whoever logs in, for people.
fn user(credential: Option<&Credential>) -> String {
    let Some(credential) = credential else {
        return "an anonymous user".to_owned();
    };
    match (&credential.username, &credential.mechanism) {
        (Some(user), _) => format!("user `{user}`"),
        (None, Some(AuthMechanism::MongoDbX509)) => "the client certificate's user".to_owned(),
        (None, _) => "the user of the environment".to_owned(),
    }
}
