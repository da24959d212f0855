//! Why a checkpoint cannot be used.

use super::VERSION_DIVIDED;
use crate::{mongo, retry::Disposition, share::Share};

/// Why a checkpoint could not be loaded or saved.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// MongoDB failed.
    #[error("{action} the checkpoint {name}")]
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
        "the checkpoint {name} has format version {found}, this release reads up to {VERSION_DIVIDED}"
    )]
    Newer {
        /// Collection and `_id`.
        name: String,
        /// Version in the document.
        found: String,
    },
    /// Not what this program writes.
    #[error("the checkpoint {name} is not readable: {reason}")]
    Unreadable {
        /// Collection and `_id`.
        name: String,
        /// The first thing that is wrong.
        reason: &'static str,
    },
    /// The pipeline of this name watches another database.
    #[error("the checkpoint {name} is of the database `{found}`, this engine watches `{wanted}`")]
    OtherDatabase {
        /// Collection and `_id`.
        name: String,
        /// Database of the checkpoint.
        found: String,
        /// Database that is to be watched.
        wanted: String,
    },
    /// The pipeline is divided into other shares.
    #[error(
        "the pipeline `{pipeline}` is divided into {found} shares, these settings say {wanted}"
    )]
    Divided {
        /// Name of the pipeline.
        pipeline: String,
        /// Into how many it is divided; 1 where it is not.
        found: u16,
        /// Into how many the settings say.
        wanted: u16,
    },
    /// A snapshot has not ended.
    #[error("a snapshot of {} is under way", whose(pipeline, *share))]
    SnapshotUnderWay {
        /// Name of the pipeline.
        pipeline: String,
        /// The share that takes it, if it is one.
        share: Option<Share>,
    },
    /// Another process wrote it meanwhile.
    #[error("the checkpoint {name} was written by another engine")]
    Taken {
        /// Collection and `_id`.
        name: String,
    },
}

impl Error {
    /// A failure that another attempt may mend.
    #[cfg(test)]
    pub(crate) fn passing() -> Self {
        Self::Mongo {
            action: "save",
            name: "a test's".to_owned(),
            source: mongo::Error::Moved,
        }
    }

    /// Whether another attempt may help.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Mongo { source, .. } => source.disposition(),
            Self::Newer { .. }
            | Self::Unreadable { .. }
            | Self::OtherDatabase { .. }
            | Self::Divided { .. }
            | Self::SnapshotUnderWay { .. }
            | Self::Taken { .. } => Disposition::Halt,
        }
    }
}

/// A pipeline or its share, in words.
pub(crate) fn whose(pipeline: &str, share: Option<Share>) -> String {
    let share = share.map(|share| format!("the share {share} of "));
    format!("{}the pipeline `{pipeline}`", share.unwrap_or_default())
}
