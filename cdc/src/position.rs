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

impl Position {
    /// The cluster time of this place, where it is known.
    pub fn cluster_time(&self) -> Option<Timestamp> {
        match self {
            Self::At(time)
            | Self::After {
                cluster_time: Some(time),
                ..
            } => Some(*time),
            Self::After { token, .. } => token.get_str("_data").ok().and_then(decode),
        }
    }
}

/// Shows the cluster time alone: a resume token holds the document's `_id`.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let relation = if matches!(self, Self::At(_)) {
            "at"
        } else {
            "after"
        };
        match self.cluster_time() {
            Some(time) => write!(f, "{relation} cluster time {}", time_text(time)),
            None => write!(f, "{relation} an unknown cluster time"),
        }
    }
}

/// A cluster time as people see it: seconds since 1970 and a counter within the second.
pub fn time_text(time: Timestamp) -> String {
    let (mut seconds, mut increment) = (itoa::Buffer::new(), itoa::Buffer::new());
    [seconds.format(time.time), increment.format(time.increment)].join(":")
}

/// The cluster time that a token begins with: after the type byte of a timestamp, seconds and increment, in
/// hexadecimal digits, most significant first.
fn decode(data: &str) -> Option<Timestamp> {
    let digits = data.strip_prefix("82")?;
    let number = |range| u32::from_str_radix(digits.get(range)?, 16).ok();
    Some(Timestamp {
        time: number(0..8)?,
        increment: number(8..16)?,
    })
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn the_cluster_time_of_an_idle_stretch_is_read_from_its_token() {
        let token = rawdoc! { "_data": "826B04E20500006A722B022C0100296E5A1004" };
        let position = Position::After {
            token,
            cluster_time: None,
        };
        assert_eq!(position.to_string(), "after cluster time 1795482117:27250");
    }

    #[test]
    fn a_token_of_another_form_is_no_panic() {
        for data in [
            "",
            "82",
            "8263",
            "82zzzzzzzzzzzzzzzz",
            "92636363636363636363",
            "82é123456789012345",
        ] {
            let position = Position::After {
                token: rawdoc! { "_data": data },
                cluster_time: None,
            };
            assert_eq!(position.to_string(), "after an unknown cluster time");
        }
    }
}
