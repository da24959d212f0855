//! Why a request is not taken, or cannot be read.

use mongodb::error::{ErrorKind, WriteFailure};

use super::{State, stored::VERSION};
use crate::{mongo, retry::Disposition};

/// See the module's text.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// MongoDB failed.
    #[error("{action} the snapshot's request {name}")]
    Mongo {
        /// `load` or `save`.
        action: &'static str,
        /// Collection and `_id`.
        name: String,
        /// The cause.
        #[source]
        source: mongo::Error,
    },
    /// Written by a newer release.
    #[error(
        "the snapshot's request {name} has format version {found}, this release reads up to {VERSION}"
    )]
    Newer {
        /// Collection and `_id`.
        name: String,
        /// Version in the document.
        found: String,
    },
    /// Not what this program writes.
    #[error("the snapshot's request {name} is not readable: {reason}")]
    Unreadable {
        /// Collection and `_id`.
        name: String,
        /// The first thing that is wrong.
        reason: &'static str,
    },
    /// There was a run of this name.
    #[error("there is a snapshot `{run}` already, which is {}", .state.name())]
    Exists {
        /// Its name.
        run: String,
        /// How it is.
        state: State,
    },
    /// There is no run of this name.
    #[error("there is no snapshot `{run}`")]
    NotThere {
        /// The name.
        run: String,
    },
    /// It is over.
    #[error("the snapshot `{run}` is over: it is {}", .state.name())]
    Ended {
        /// Its name.
        run: String,
        /// How it ended.
        state: State,
    },
    /// It is to be cancelled.
    #[error("the snapshot `{run}` is being cancelled")]
    Cancelled {
        /// Its name.
        run: String,
    },
}

impl Error {
    /// Whether another attempt may help.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Mongo { source, .. } => source.disposition(),
            Self::Newer { .. }
            | Self::Unreadable { .. }
            | Self::Exists { .. }
            | Self::NotThere { .. }
            | Self::Ended { .. }
            | Self::Cancelled { .. } => Disposition::Halt,
        }
    }

    /// Whether the user lacks the privilege, which an engine needs only where there are requests.
    pub fn is_denied(&self) -> bool {
        matches!(
            self,
            Self::Mongo {
                source: mongo::Error::Denied { .. } | mongo::Error::Permission { .. },
                ..
            }
        )
    }

    pub(super) fn is_duplicate_key(&self) -> bool {
        let Self::Mongo {
            source: mongo::Error::Driver(error),
            ..
        } = self
        else {
            return false;
        };
        matches!(
            error.kind.as_ref(),
            ErrorKind::Write(WriteFailure::WriteError(failure)) if failure.code == 11000
        )
    }
}
