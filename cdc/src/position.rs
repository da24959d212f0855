//! A place in the change stream.

use std::fmt;

use bson::{RawDocumentBuf, Timestamp};

/// Where reading begins or goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum Position {
    /// At this cluster time, for a pipeline that has not seen an event yet.
    At(Timestamp),
    /// After the event, or the idle stretch, that the token names.
    After {
        /// Resume token.
        token: RawDocumentBuf,
        /// Cluster time of the event; unknown for an idle stretch.
        cluster_time: Option<Timestamp>,
    },
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(time) => write!(f, "cluster time {}:{}", time.time, time.increment),
            Self::After {
                token,
                cluster_time,
            } => {
                write!(f, "resume token {}", token.get_str("_data").unwrap_or("?"))?;
                match cluster_time {
                    Some(time) => write!(f, " (cluster time {}:{})", time.time, time.increment),
                    None => Ok(()),
                }
            }
        }
    }
}
