//! The meaning of MongoDB's errors: which may pass, which only a person can mend.

use std::time::Duration;

use mongodb::error::{Error as DriverError, ErrorKind};

use crate::retry::Disposition;

/// A failure of MongoDB or of the way to it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The driver's own error.
    #[error("{}", describe(.0))]
    Driver(DriverError),
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
        /// What the driver said.
        reason: String,
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
    /// The user may not do what we need.
    #[error("mongodb denies {user} the permission: {reason}")]
    Permission {
        /// The user of the connection string.
        user: String,
        /// What the server said.
        reason: String,
    },
}

impl Error {
    /// Whether another attempt may help.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Driver(error) => driver_disposition(error),
            Self::TimedOut { .. }
            | Self::Moved
            | Self::Unreachable { .. }
            | Self::NotInitiated { .. } => Disposition::Retry,
            Self::Standalone { .. }
            | Self::NoOplog
            | Self::OtherReplicaSet { .. }
            | Self::Credentials { .. }
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

    /// Whether the connection string contradicts itself, which no server has to tell.
    pub fn is_bad_configuration(&self) -> bool {
        matches!(self, Self::Driver(error) if matches!(error.kind.as_ref(), ErrorKind::InvalidArgument { .. }))
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
        ErrorKind::Io(_)
        | ErrorKind::ServerSelection { .. }
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
    use mongodb::error::WriteFailure;
    match error.kind.as_ref() {
        ErrorKind::Write(WriteFailure::WriteConcernError(failure)) => {
            RETRIABLE_CODES.contains(&failure.code)
        }
        _ => false,
    }
}

/// What the server said, up to the first value that it repeats: a command, a document or a resume token.
pub fn without_values(message: &str) -> &str {
    let end = message.find(" {").unwrap_or(message.len());
    message[..end].trim_end_matches(':')
}

/// The driver's error in one line.
fn describe(error: &DriverError) -> String {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => {
            format!(
                "mongodb: {} (code {}, {})",
                without_values(&command.message),
                command.code,
                command.code_name
            )
        }
        kind => format!("mongodb: {kind}"),
    }
}
