//! One member of a replica set, asked directly and never through the set.

use std::time::Duration;

use anyhow::{Context, Result};
use bson::{Document, doc};
use mongodb::{
    Client,
    error::{Error, ErrorKind},
    options::{ClientOptions, ServerAddress},
};

use crate::{hint::Hinted, store};

/// Longest wait for one answer of one member.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Server error codes of a member that wants to know who asks.
const UNAUTHORIZED: i32 = 13;
const AUTHENTICATION_FAILED: i32 = 18;

/// A direct connection to a member.
pub(super) struct Member {
    pub(super) address: ServerAddress,
    client: Client,
}

/// What a member says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// No answer, and the cause.
    Silent(String),
    /// Answers, but was started without `--replSet`.
    Standalone,
    /// Answers only to users that it knows.
    NeedsCredentials,
    /// Started for the set of this name (if it tells) and not part of one yet.
    Uninitiated { set: Option<String> },
    /// Part of a set, in a state such as `PRIMARY` or `STARTUP2`.
    Member {
        set: String,
        hosts: Vec<String>,
        state: String,
    },
}

impl Member {
    pub(super) fn new(options: &ClientOptions, address: &ServerAddress) -> Result<Self> {
        let mut options = options.clone();
        options.hosts = vec![address.clone()];
        options.repl_set_name = None;
        options.direct_connection = Some(true);
        options.server_selection_timeout = Some(ANSWER_TIMEOUT);
        options.connect_timeout = Some(ANSWER_TIMEOUT);
        let client = Client::with_options(options).context("set up the mongodb client")?;
        Ok(Self {
            address: address.clone(),
            client,
        })
    }

    pub(super) async fn admin(&self, command: Document) -> Result<Document, Error> {
        self.client.database("admin").run_command(command).await
    }

    /// Asks the member for its state; no answer is a state too.
    pub(super) async fn state(&self) -> State {
        // A refused connection tells at once, and why; the driver would look for 2 s.
        if let Err(cause) = store::knock(&self.address, ANSWER_TIMEOUT).await {
            return State::Silent(cause);
        }
        match tokio::time::timeout(ANSWER_TIMEOUT, self.ask()).await {
            Ok(Ok(state)) => state,
            Ok(Err(error)) if wants_credentials(&error) => State::NeedsCredentials,
            Ok(Err(error)) => State::Silent(store::brief(&error)),
            Err(_) => State::Silent("no answer".to_owned()),
        }
    }

    async fn ask(&self) -> Result<State, Error> {
        let hello = self.admin(doc! { "hello": 1 }).await?;
        if let Ok(set) = hello.get_str("setName") {
            let state = match role(&hello) {
                Some(role) => role.to_owned(),
                None => self.state_name().await?,
            };
            return Ok(State::Member {
                set: set.to_owned(),
                hosts: hosts(&hello),
                state,
            });
        }
        if !is(&hello, "isreplicaset") {
            return Ok(State::Standalone);
        }
        let options = self.admin(doc! { "getCmdLineOpts": 1 }).await?;
        Ok(State::Uninitiated {
            set: set_on_command_line(&options),
        })
    }

    async fn state_name(&self) -> Result<String, Error> {
        let status = self.admin(doc! { "replSetGetStatus": 1 }).await?;
        let members = status.get_array("members").into_iter().flatten();
        let mut members = members.filter_map(|member| member.as_document());
        let me = members.find(|member| is(member, "self"));
        let name = me.and_then(|me| me.get_str("stateStr").ok());
        Ok(name.unwrap_or("STARTUP").to_owned())
    }
}

impl State {
    /// One word for the line that reports a change.
    pub(super) fn label(&self) -> &str {
        match self {
            State::Silent(_) => "DOWN",
            State::Standalone => "STANDALONE",
            State::NeedsCredentials => "REFUSES",
            State::Uninitiated { .. } => "UNINITIATED",
            State::Member { state, .. } => state,
        }
    }

    pub(super) fn is(&self, role: &str) -> bool {
        matches!(self, State::Member { state, .. } if state == role)
    }

    /// The label, with the cause where one is known.
    pub(super) fn describe(&self) -> String {
        match self {
            State::Silent(cause) => format!("DOWN ({cause})"),
            _ => self.label().to_owned(),
        }
    }
}

/// The error for a member that wants to know who asks.
pub(super) fn needs_credentials(address: &ServerAddress) -> Hinted {
    Hinted::new(
        format!("{address} wants credentials, or refuses those of the connection string"),
        "mongodb://user:password@host:port, with a user that may administer the set",
    )
}

/// The server's error code, if the server sent the error.
pub(super) fn code(error: &Error) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => Some(command.code),
        _ => None,
    }
}

fn wants_credentials(error: &Error) -> bool {
    matches!(error.kind.as_ref(), ErrorKind::Authentication { .. })
        || matches!(code(error), Some(UNAUTHORIZED | AUTHENTICATION_FAILED))
}

/// The roles that `hello` tells by itself; the others take a look at the status.
fn role(hello: &Document) -> Option<&'static str> {
    if is(hello, "isWritablePrimary") {
        return Some("PRIMARY");
    }
    is(hello, "secondary").then_some("SECONDARY")
}

fn is(document: &Document, name: &str) -> bool {
    document.get_bool(name).unwrap_or(false)
}

fn hosts(hello: &Document) -> Vec<String> {
    let groups = ["hosts", "passives", "arbiters"].map(|group| hello.get_array(group).ok());
    let hosts = groups.into_iter().flatten().flatten();
    hosts
        .filter_map(|host| host.as_str().map(str::to_owned))
        .collect()
}

/// The set's name on the member's command line or in its configuration file.
fn set_on_command_line(options: &Document) -> Option<String> {
    let parsed = options.get_document("parsed").ok()?;
    let replication = parsed.get_document("replication").ok()?;
    let name = replication.get_str("replSet");
    let name = name.or_else(|_| replication.get_str("replSetName"));
    // `--replSet name/seed` is an old spelling that is still accepted.
    name.ok()?.split('/').next().map(str::to_owned)
}
