//! The meaning of MongoDB's errors: which may pass, which only a person can mend.

use std::time::Duration;

use mongodb::error::{Error as DriverError, ErrorKind, WriteFailure};

use super::{
    fault::Fault,
    privilege::{Grantee, Privilege, listed},
};
use crate::retry::Disposition;

/// A failure of MongoDB or of the way to it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The driver's own error.
    #[error("mongodb: {}", describe(.0))]
    Driver(DriverError),
    /// A connection string that no client can be made of.
    #[error("{0}")]
    Options(String),
    /// A name that should lead to servers and does not.
    #[error("mongodb+srv: no servers are named at `{host}`: {reason}")]
    NoServers {
        /// The host in the connection string.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// No answer within a deadline.
    #[error("mongodb: no answer to {what} within {} ms", .after.as_millis())]
    TimedOut {
        /// What was asked.
        what: &'static str,
        /// How long we waited.
        after: Duration,
    },
    /// Another member became primary while we waited for the old one.
    #[error("mongodb: another member is primary now")]
    Moved,
    /// No server could be used.
    #[error("mongodb is not reachable at {addresses}: {reason}")]
    Unreachable {
        /// The servers of the connection string.
        addresses: String,
        /// Why, server by server where that differs.
        reason: String,
    },
    /// A server that has something of its own that is wrong, which a person has to mend as a rule.
    #[error("mongodb at {address}: {fault}")]
    Barred {
        /// The server.
        address: String,
        /// What is wrong.
        fault: Fault,
    },
    /// The only server that may be used is no primary.
    #[error("mongodb at {address} is not the primary, and no other member may be asked")]
    NotPrimary {
        /// The server.
        address: String,
    },
    /// A replica set that nobody has set up yet.
    #[error("mongodb at {addresses}: the replica set is not initiated yet")]
    NotInitiated {
        /// The servers of the connection string.
        addresses: String,
    },
    /// A server that is not a member of a replica set.
    #[error("mongodb at {address} is a standalone server; change streams need a replica set")]
    Standalone {
        /// The server.
        address: String,
    },
    /// There is no oplog to look at: a mongos, or a set that is being set up.
    #[error("this mongodb server shows no oplog (a mongos has none)")]
    NoOplog,
    /// A server of a replica set with another name.
    #[error(
        "mongodb at {address} belongs to replica set `{actual}`, the connection string says `{expected}`"
    )]
    OtherReplicaSet {
        /// The server.
        address: String,
        /// The name it gives.
        actual: String,
        /// The name in the connection string.
        expected: String,
    },
    /// The user is unknown or the password wrong.
    #[error("mongodb refused the credentials of {user}: {reason}")]
    Credentials {
        /// The user of the connection string.
        user: String,
        /// What the server said.
        reason: String,
    },
    /// The server lets in nobody without credentials.
    #[error("mongodb at {addresses} asks for credentials, and none are given")]
    Anonymous {
        /// The servers of the connection string.
        addresses: String,
    },
    /// The user may not do what we asked for; [`Mongo::explain`](super::Mongo::explain) finds out what is missing.
    #[error("mongodb denies {user} the permission: {reason}")]
    Denied {
        /// The user of the connection string.
        user: String,
        /// What the server said.
        reason: String,
    },
    /// The user lacks privileges.
    #[error("mongodb: user `{}` is not authorized for {}", .grantee.user, listed(.missing))]
    Permission {
        /// Who lacks them.
        grantee: Grantee,
        /// What is missing.
        missing: Vec<Privilege>,
    },
}

impl Error {
    /// Whether another attempt may help.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Driver(error) => driver_disposition(error),
            Self::TimedOut { .. }
            | Self::Moved
            | Self::NoServers { .. }
            | Self::Unreachable { .. }
            | Self::NotPrimary { .. }
            | Self::NotInitiated { .. } => Disposition::Retry,
            Self::Barred { fault, .. } if !fault.is_final() => Disposition::Retry,
            Self::Options(_)
            | Self::Barred { .. }
            | Self::Standalone { .. }
            | Self::NoOplog
            | Self::OtherReplicaSet { .. }
            | Self::Credentials { .. }
            | Self::Anonymous { .. }
            | Self::Denied { .. }
            | Self::Permission { .. } => Disposition::Halt,
        }
    }

    /// What it means that a read of the oplog failed so: a mongos says that the namespace is not valid there.
    pub(super) fn without_oplog(self) -> Self {
        match self {
            Self::Driver(error) if is_invalid_namespace(&error) => Self::NoOplog,
            error => error,
        }
    }

    /// Whether the connection string is at fault, which no server has to tell.
    pub fn is_bad_configuration(&self) -> bool {
        matches!(self, Self::Options(_))
    }
}

/// Server codes after which the same command may succeed: elections, rollbacks, shutdowns, cut cursors, time limits.
/// <https://github.com/mongodb/specifications/blob/master/source/change-streams/change-streams.md#resumable-error>
const RETRIABLE_CODES: [i32; 34] = [
    6, 7, 24, 43, 50, 63, 64, 79, 89, 91, 94, 112, 117, 133, 134, 150, 175, 189, 202, 211, 234,
    237, 239, 246, 262, 355, 9001, 10107, 11600, 11601, 11602, 13388, 13435, 13436,
];

fn driver_disposition(error: &DriverError) -> Disposition {
    let retriable = match error.kind.as_ref() {
        ErrorKind::Authentication { .. } => passes(error),
        ErrorKind::Io(error) => !Fault::of_io(error).is_final(),
        ErrorKind::ServerSelection { .. }
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::DnsResolve { .. }
        | ErrorKind::SessionsNotSupported => true,
        ErrorKind::Command(command) => {
            RETRIABLE_CODES.contains(&command.code)
                || error.contains_label("ResumableChangeStreamError")
        }
        ErrorKind::Write(_) => {
            error.contains_label("RetryableWriteError") || write_is_retriable(error)
        }
        _ => false,
    };
    if retriable {
        Disposition::Retry
    } else {
        Disposition::Halt
    }
}

fn is_invalid_namespace(error: &DriverError) -> bool {
    matches!(error.kind.as_ref(), ErrorKind::Command(command) if command.code == 73)
}

/// Whether an error of the authentication has a cause that passes.
pub(super) fn passes(error: &DriverError) -> bool {
    let cause =
        std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<DriverError>());
    cause.is_some_and(|cause| match cause.kind.as_ref() {
        ErrorKind::Io(_) => true,
        ErrorKind::Command(command) => RETRIABLE_CODES.contains(&command.code),
        _ => false,
    })
}

fn write_is_retriable(error: &DriverError) -> bool {
    match error.kind.as_ref() {
        ErrorKind::Write(WriteFailure::WriteConcernError(failure)) => {
            RETRIABLE_CODES.contains(&failure.code)
        }
        _ => false,
    }
}

/// What the server said, up to the first value that it repeats: a command, a document or a resume token.
/// What it says about an expression may have the value of a field in quotes, or behind a colon.
pub fn without_values(message: &str) -> &str {
    const EXPRESSION: &str = "xecutor error during ";
    const CAUSE: &str = " :: caused by :: ";
    let (mut begin, mut marks) = (0, &[" {"][..]);
    if message.contains(EXPRESSION) {
        begin = message.rfind(CAUSE).map_or(0, |place| place + CAUSE.len());
        marks = &[" {", "'", "\"", ": "];
    }
    let ends = marks.iter().filter_map(|mark| message[begin..].find(mark));
    let end = ends.min().map_or(message.len(), |end| begin + end);
    message[..end].trim_end().trim_end_matches(':')
}

/// The driver's error in one line, without its labels, its sources and its picture of the whole topology.
pub(super) fn describe(error: &DriverError) -> String {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => coded(&command.message, command.code, &command.code_name),
        ErrorKind::Write(WriteFailure::WriteConcernError(failure)) => {
            coded(&failure.message, failure.code, &failure.code_name)
        }
        ErrorKind::Write(WriteFailure::WriteError(failure)) => {
            let name = failure.code_name.as_deref().unwrap_or("a write");
            coded(&failure.message, failure.code, name)
        }
        ErrorKind::Io(error) => Fault::of_io(error).to_string(),
        ErrorKind::ServerSelection { message, .. } => selection(message).to_owned(),
        ErrorKind::ConnectionPoolCleared { message, .. } => cleared(message),
        kind => kind.to_string(),
    }
}

fn coded(message: &str, code: i32, name: &str) -> String {
    let message = without_values(message);
    format!("{message} (code {code}, {name})")
}

/// Why no server was chosen, where no monitor knows a fault.
pub(super) fn selection(message: &str) -> &str {
    let message = message.trim_start_matches("Server selection timeout: ");
    if message.starts_with("No available servers") {
        return "no server has answered yet";
    }
    if message.starts_with("None of the available servers") {
        return if message.contains("Secondary") || message.contains("Nearest") {
            "no member that answers fits the read preference"
        } else {
            "no member is primary"
        };
    }
    message.split(". Topology: ").next().unwrap_or(message)
}

/// The driver writes the error of the other operation out in full.
fn cleared(message: &str) -> String {
    let (pool, cause) = message
        .split_once(" cleared because ")
        .unwrap_or((message, ""));
    let cause = cause.split_once("Kind: ").map_or("", |(_, cause)| cause);
    let cause = cause.split(", labels: ").next().unwrap_or_default();
    let address = pool.trim_start_matches("Connection pool for ");
    let cause = cause.trim_start_matches("I/O error: ");
    if cause.is_empty() {
        format!("the connections to {address} were given up")
    } else {
        format!("the connections to {address} were given up: {cause}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_of_the_topology_is_left_out() {
        for (message, text) in [
            (
                "Server selection timeout: No available servers. Topology: { Type: Unknown }",
                "no server has answered yet",
            ),
            (
                "Server selection timeout: None of the available servers suitable for criteria \
                 ReadPreference(Primary). Topology: { Type: ReplicaSetNoPrimary }",
                "no member is primary",
            ),
            (
                "Server selection timeout: None of the available servers suitable for criteria \
                 ReadPreference(Secondary { options: None }). Topology: { Type: Single }",
                "no member that answers fits the read preference",
            ),
            ("something new. Topology: { Type: Single }", "something new"),
        ] {
            assert_eq!(selection(message), text);
        }
    }

    #[test]
    fn a_servers_message_ends_before_the_first_value() {
        let getmore = "Executor error during getMore :: caused by :: ";
        let said = |message: &str| without_values(&format!("{getmore}{message}")).to_owned();
        for (message, rest) in [
            (
                "Failed to parse number 'ada' in $convert: no",
                "Failed to parse number",
            ),
            (
                "unrecognized time zone identifier: \"ada\"",
                "unrecognized time zone identifier",
            ),
            (
                "Conversion would overflow with no onError value: 7",
                "Conversion would overflow with no onError value",
            ),
            (
                "BSONObj is invalid. First element: _id: { _data: 8 }",
                "BSONObj is invalid. First element",
            ),
            (
                "cannot resume stream; the resume token was not found. {_data: \"8\"}",
                "cannot resume stream; the resume token was not found.",
            ),
        ] {
            assert_eq!(said(message), format!("{getmore}{rest}"));
        }
        let shard = format!(
            "Error on remote shard a:1 :: caused by :: {getmore}Failed to parse number 'ada'"
        );
        assert!(without_values(&shard).ends_with("caused by :: Failed to parse number"));
        let stage = "Unrecognized pipeline stage name: '$mach'";
        assert_eq!(without_values(stage), stage);
        let user = "not authorized on shop to execute command { find: \"games\" }";
        assert_eq!(
            without_values(user),
            "not authorized on shop to execute command"
        );
    }

    #[test]
    fn a_cleared_pool_is_told_by_its_cause() {
        let message = "Connection pool for a:1 cleared because another operation failed with: Kind: I/O error: \
                       connection refused, labels: {}, source: None, server response: None";
        assert_eq!(
            cleared(message),
            "the connections to a:1 were given up: connection refused"
        );
        assert_eq!(cleared("a pool"), "the connections to a pool were given up");
    }
}
