//! Why a snapshot cannot read, and what that means for it.

use bson::Timestamp;
use mongodb::error::{Error as DriverError, ErrorKind};

use super::Name;
use crate::{mongo, raw_bson, reply, retry::Disposition};

/// What a server answers when the time is before its history of snapshots.
const TOO_OLD: i32 = 239;
/// What a server answers when it has no snapshot of that time, or can have none of the collection.
const UNAVAILABLE: i32 = 246;

/// What a server answers to a query that it will never take: a bad value, one that cannot be parsed, one of another type, and
/// one on a view. Anything else may be otherwise later, as when a collection is renamed in the middle of a read.
const OF_THE_QUERY: [i32; 4] = [2, 9, 14, 166];

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
    /// No collection has the name any more: it was dropped or renamed, which the stream is yet to tell.
    #[error("`{collection}` was dropped or renamed meanwhile")]
    Gone {
        /// The collection.
        collection: Name,
        /// The server's time when it was looked for.
        since: Timestamp,
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
    /// What became of the collection is known when the stream has come so far.
    Wait(Timestamp),
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
            return if OF_THE_QUERY.contains(&command.code) {
                Self::Refused { collection, reason }
            } else {
                Self::Mongo {
                    collection,
                    source: mongo.name(error),
                }
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
            Self::Unavailable { .. } | Self::Gone { .. } => Disposition::Retry,
            Self::Sharded | Self::Capped { .. } | Self::Refused { .. } | Self::Reply { .. } => {
                Disposition::Halt
            }
        }
    }

    /// What follows from it. The stream never waits for that.
    pub fn consequence(&self) -> Consequence {
        match self {
            Self::Unavailable { .. } => Consequence::Again,
            Self::Gone { since, .. } => Consequence::Wait(*since),
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
