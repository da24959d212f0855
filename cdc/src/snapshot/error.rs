//! Why a snapshot cannot read, and what that means for it.

use mongodb::error::{Error as DriverError, ErrorKind};

use super::Name;
use crate::{mongo, raw_bson, reply, retry::Disposition};

/// What a server answers when the time is before its history of snapshots.
const TOO_OLD: i32 = 239;
/// What a server answers when it has no snapshot of that time, or can have none of the collection.
const UNAVAILABLE: i32 = 246;

/// See the module's text.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server has no snapshot of that time. A later one may do.
    #[error("mongodb has no snapshot of `{collection}` at that time: {reason}")]
    Unavailable {
        /// The collection.
        collection: Name,
        /// The server's words.
        reason: String,
    },
    /// The collection is of a kind that no snapshot can read.
    #[error("`{collection}` is a capped collection, which mongodb reads no snapshot of")]
    Capped {
        /// The collection.
        collection: Name,
    },
    /// The server refuses the query.
    #[error("mongodb refuses to read `{collection}`: {reason}")]
    Refused {
        /// The collection.
        collection: Name,
        /// The server's words, without values.
        reason: String,
    },
    /// Documents move between shards while they are read.
    #[error("this is a sharded cluster, of which no snapshot is taken")]
    Sharded,
    /// The collections cannot be listed.
    #[error("list the collections to read a snapshot of")]
    List {
        /// The cause.
        #[source]
        source: mongo::Error,
    },
    /// The server failed.
    #[error("read a snapshot of `{collection}`")]
    Mongo {
        /// The collection.
        collection: Name,
        /// The cause.
        #[source]
        source: mongo::Error,
    },
    /// The reply cannot be read.
    #[error("read a snapshot of `{collection}`")]
    Reply {
        /// The collection.
        collection: Name,
        /// The cause.
        #[source]
        source: reply::Error,
    },
}

/// What follows from an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// It is read again, at a later time.
    Again,
    /// The collection is left out.
    Skip,
}

impl Error {
    pub(super) fn of(mongo: &mongo::Mongo, name: &Name, error: DriverError) -> Self {
        let collection = name.clone();
        if let ErrorKind::Command(command) = error.kind.as_ref() {
            let reason = mongo::without_values(&command.message).to_owned();
            match command.code {
                UNAVAILABLE if reason.contains("capped") => return Self::Capped { collection },
                UNAVAILABLE | TOO_OLD => return Self::Unavailable { collection, reason },
                _ => {}
            }
            let source = mongo.name(error);
            let is_of_the_query = matches!(source, mongo::Error::Driver(_))
                && source.disposition() == Disposition::Halt;
            return if is_of_the_query {
                Self::Refused { collection, reason }
            } else {
                Self::Mongo { collection, source }
            };
        }
        Self::Mongo {
            collection,
            source: mongo.name(error),
        }
    }

    pub(super) fn corrupt(name: &Name, error: raw_bson::Error) -> Self {
        Self::Reply {
            collection: name.clone(),
            source: error.into(),
        }
    }

    /// Whether another attempt may help.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::List { source } | Self::Mongo { source, .. } => source.disposition(),
            Self::Unavailable { .. } => Disposition::Retry,
            Self::Sharded | Self::Capped { .. } | Self::Refused { .. } | Self::Reply { .. } => {
                Disposition::Halt
            }
        }
    }

    /// What follows from it. The stream never waits for that.
    pub fn consequence(&self) -> Consequence {
        match self {
            Self::Unavailable { .. } => Consequence::Again,
            Self::Sharded | Self::Capped { .. } | Self::Refused { .. } | Self::Reply { .. } => {
                Consequence::Skip
            }
            Self::List { source } | Self::Mongo { source, .. } => match source {
                mongo::Error::Denied { .. } | mongo::Error::Permission { .. } => Consequence::Skip,
                _ => Consequence::Again,
            },
        }
    }
}
