//! Where reading may begin: a wish such as a time becomes a position that the server can read on from.
//!
//! Whatever is asked for is checked against the server, which would leave out what its oplog no longer holds, or wait for
//! a time that has not come, without a word.

use std::fmt;

use bson::{DateTime, Timestamp};

use crate::{
    mongo::{self, Mongo},
    position::{CATCHING_UP_SECONDS, Position, time_text},
    retry::Disposition,
    source::{self, Scope},
};

/// Where to begin, as a person says it.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    /// With the next change.
    Now,
    /// With the oldest change that the server still has.
    Earliest,
    /// With the changes of the second that has this moment.
    Time(DateTime),
    /// With the changes at this cluster time.
    ClusterTime(Timestamp),
    /// After the change, or the idle stretch, that a resume token names.
    After(Position),
}

/// Why reading cannot begin there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// MongoDB failed.
    #[error("find where to begin")]
    Mongo(#[from] mongo::Error),
    /// How far the oplog reaches back cannot be read.
    #[error("how far mongodb's oplog reaches back cannot be read")]
    Oplog(#[source] mongo::Error),
    /// It has not come yet.
    #[error("{wanted} is in the future: mongodb's time is {now}")]
    Future {
        /// What was asked for.
        wanted: String,
        /// The cluster's time.
        now: String,
    },
    /// What happened then is no longer in the oplog.
    #[error("mongodb's oplog does not reach back to {wanted}{}", reach(.earliest.as_deref()))]
    Lost {
        /// What was asked for.
        wanted: String,
        /// Where the oplog begins, where that is known.
        earliest: Option<String>,
    },
    /// The server does not read on from there.
    #[error("mongodb does not read on from {wanted}")]
    Refused {
        /// What was asked for.
        wanted: String,
        /// What the server said.
        #[source]
        source: source::Error,
    },
}

impl Start {
    /// The position, which the server can read on from at this moment.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn find(&self, mongo: &Mongo, scope: &Scope) -> Result<Position, Error> {
        // A server that has nothing to do is some seconds behind.
        let now = mongo.preflight().await?;
        let position = match self {
            Self::Now => return Ok(Position::At(next(now))),
            Self::Earliest => Position::At(mongo.oplog().await.map_err(Error::Oplog)?.first),
            Self::Time(time) => Position::At(first_of(*time)),
            Self::ClusterTime(time) => Position::At(*time),
            Self::After(position) => position.clone(),
        };
        if CATCHING_UP_SECONDS < position.seconds_since(now) {
            return Err(Error::Future {
                wanted: self.to_string(),
                now: moment(now),
            });
        }
        match source::probe(mongo, scope, &position).await {
            Ok(()) => Ok(position),
            Err(error) => Err(self.refused(mongo, &position, error).await),
        }
    }

    async fn refused(&self, mongo: &Mongo, position: &Position, error: source::Error) -> Error {
        let wanted = self.to_string();
        match error {
            source::Error::Mongo { source, .. } => Error::Mongo(source),
            error if error.is_lost() => {
                let first = mongo.oplog().await.ok().map(|oplog| oplog.first);
                // A token may be refused although the oplog has its time.
                let earliest = first.filter(|first| position.cluster_time() < Some(*first));
                let earliest = earliest.map(moment);
                Error::Lost { wanted, earliest }
            }
            source => Error::Refused { wanted, source },
        }
    }
}

impl Error {
    /// Whether another attempt may help.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Mongo(error) | Self::Oplog(error) => error.disposition(),
            Self::Refused { source, .. } => source.disposition(),
            Self::Future { .. } | Self::Lost { .. } => Disposition::Halt,
        }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => formatter.write_str("now"),
            Self::Earliest => formatter.write_str("the oplog's begin"),
            Self::Time(time) => formatter.write_str(&rfc3339(*time)),
            Self::ClusterTime(time) => formatter.write_str(&moment(*time)),
            Self::After(position) => position.fmt(formatter),
        }
    }
}

/// The next tick of the clock: what was committed before is not a change since.
pub fn next(now: Timestamp) -> Timestamp {
    Timestamp {
        time: now.time,
        increment: now.increment.saturating_add(1),
    }
}

/// A cluster time as people read it: the moment, and the exact time behind it.
pub fn moment(time: Timestamp) -> String {
    format!("{} (cluster time {})", wall_time(time), time_text(time))
}

/// The second of a cluster time, by RFC 3339.
pub fn wall_time(time: Timestamp) -> String {
    rfc3339(DateTime::from_millis(i64::from(time.time) * 1_000))
}

/// A moment by RFC 3339, in UTC.
pub fn rfc3339(time: DateTime) -> String {
    let text = time.try_to_rfc3339_string();
    text.unwrap_or_else(|_| format!("{} ms", time.timestamp_millis()))
}

/// The first cluster time that is not before `time`: whole seconds, rounded up.
pub fn end_at(time: DateTime) -> Timestamp {
    first_in(
        time.timestamp_millis()
            .saturating_add(999)
            .div_euclid(1_000),
    )
}

/// The first cluster time of the second that has `time`.
pub fn first_of(time: DateTime) -> Timestamp {
    first_in(time.timestamp_millis().div_euclid(1_000))
}

/// Seconds that a cluster time cannot have are those nearest to them.
fn first_in(seconds: i64) -> Timestamp {
    let seconds = seconds.clamp(1, i64::from(u32::MAX));
    Timestamp {
        time: u32::try_from(seconds).unwrap_or(u32::MAX),
        increment: 1,
    }
}

fn reach(earliest: Option<&str>) -> String {
    earliest.map_or_else(String::new, |earliest| format!(": it begins at {earliest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime {
        DateTime::parse_rfc3339_str(text).unwrap()
    }

    #[test]
    fn a_range_of_times_has_every_change_of_its_first_second_and_none_of_its_end() {
        let seconds = 1_795_482_117;
        let first = |time| Timestamp { time, increment: 1 };
        assert_eq!(first_of(at("2026-11-24T01:01:57Z")), first(seconds));
        assert_eq!(first_of(at("2026-11-24T01:01:57.999Z")), first(seconds));
        assert_eq!(end_at(at("2026-11-24T01:01:57Z")), first(seconds));
        assert_eq!(end_at(at("2026-11-24T01:01:57.001Z")), first(seconds + 1));
    }

    #[test]
    fn moments_that_no_cluster_time_has_are_the_nearest_ones() {
        assert_eq!(first_of(at("1901-01-01T00:00:00Z")).time, 1);
        assert_eq!(first_of(at("2200-01-01T00:00:00Z")).time, u32::MAX);
    }

    #[test]
    fn errors_are_one_line_that_says_how_far_the_oplog_reaches() {
        let lost = |earliest| Error::Lost {
            wanted: Start::Time(at("2026-11-24T01:01:57Z")).to_string(),
            earliest,
        };
        let known = lost(Some(moment(Timestamp {
            time: 1_795_482_118,
            increment: 3,
        })));
        assert_eq!(
            known.to_string(),
            "mongodb's oplog does not reach back to 2026-11-24T01:01:57Z: it begins at 2026-11-24T01:01:58Z (cluster \
             time 1795482118:3)"
        );
        assert_eq!(
            lost(None).to_string(),
            "mongodb's oplog does not reach back to 2026-11-24T01:01:57Z"
        );
    }
}
