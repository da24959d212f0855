//! A position in the change stream.

use std::fmt;

use bson::{Bson, Document, RawDocumentBuf, Timestamp, rawdoc};

/// From this distance on a position is far behind the server's time. A server that has nothing to do moves its time every
/// ten seconds.
pub const CATCHING_UP_SECONDS: u32 = 15;

/// Where reading begins or goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum Position {
    /// At this cluster time, where there is no token: before the first event, or among events that are not wanted.
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
    /// The cluster time of this position, where it is known.
    pub fn cluster_time(&self) -> Option<Timestamp> {
        match self {
            Self::At(time)
            | Self::After {
                cluster_time: Some(time),
                ..
            } => Some(*time),
            Self::After { token, .. } => data(token).and_then(decode),
        }
    }

    /// Adds it to a document, as `resume_token` and `cluster_time`, either of which may be null.
    pub fn write(&self, document: &mut Document) {
        let (token, cluster_time) = match self {
            Self::At(time) => (Bson::Null, Some(*time)),
            Self::After {
                token,
                cluster_time,
            } => {
                let token = Document::try_from(&**token).map_or(Bson::Null, Bson::Document);
                (token, *cluster_time)
            }
        };
        document.insert("resume_token", token);
        document.insert("cluster_time", cluster_time);
    }

    /// What [`Position::write`] wrote.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn read(document: &Document) -> Result<Self, &'static str> {
        let cluster_time = document.get_timestamp("cluster_time").ok();
        match (document.get("resume_token"), cluster_time) {
            (Some(Bson::Document(token)), cluster_time) if token.contains_key("_data") => {
                let token =
                    RawDocumentBuf::try_from(token).map_err(|_| "`resume_token` is corrupt")?;
                if !data(&token).is_some_and(is_hexadecimal) {
                    return Err("the `_data` of its `resume_token` is not hexadecimal");
                }
                Ok(Self::After {
                    token,
                    cluster_time,
                })
            }
            (Some(Bson::Null), Some(time)) => Ok(Self::At(time)),
            _ => Err("it has neither a `resume_token` nor a `cluster_time` to start from"),
        }
    }

    /// After what a resume token names, given as its hexadecimal digits.
    ///
    /// # Errors
    /// What is wrong with its form. Whether a server has such a position is its own to say.
    pub fn after_token(digits: &str) -> Result<Self, &'static str> {
        let is_hexadecimal = |digit: u8| digit.is_ascii_hexdigit();
        if digits.len() % 2 == 1 || !digits.bytes().all(is_hexadecimal) {
            return Err("a resume token is an even number of hexadecimal digits");
        }
        let digits = digits.to_ascii_uppercase();
        let cluster_time = decode(&digits);
        if cluster_time.is_none() {
            return Err("a resume token begins with 82 and a cluster time of 16 digits");
        }
        // It may be that of an event.
        Ok(Self::After {
            token: rawdoc! { "_data": digits },
            cluster_time,
        })
    }

    /// How many seconds this position is before `now`; 0 where its time is not known.
    pub fn seconds_before(&self, now: Timestamp) -> u32 {
        let time = self.cluster_time();
        time.map_or(0, |time| now.time.saturating_sub(time.time))
    }

    /// How many seconds this position is after `earlier`; 0 where its time is not known.
    pub fn seconds_since(&self, earlier: Timestamp) -> u32 {
        let time = self.cluster_time();
        time.map_or(0, |time| time.time.saturating_sub(earlier.time))
    }

    /// Whether reading on from here leaves out something that reading on from `earlier` gives.
    ///
    /// The server's tokens sort as their hexadecimal digits do. One that does not is no position to go on from: a server
    /// may send one that is earlier than what it sent before (SERVER-135099). At a cluster time its events are still to
    /// come, so after one of them is beyond.
    pub fn is_beyond(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::After { token, .. }, Self::After { token: other, .. }) => {
                data(token) > data(other)
            }
            (
                Self::After {
                    cluster_time: Some(event),
                    ..
                },
                Self::At(begin),
            ) => event >= begin,
            _ => self.cluster_time() > earlier.cluster_time(),
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

/// What [`time_text`] wrote.
///
/// # Errors
/// The text is not of that form.
pub fn read_time(text: &str) -> Result<Timestamp, &'static str> {
    let parts = text.split_once(':');
    let number = |part: &str| part.parse().ok();
    parts
        .and_then(|(time, increment)| {
            Some(Timestamp {
                time: number(time)?,
                increment: number(increment)?,
            })
        })
        .filter(|time| 0 < time.time)
        .ok_or("a cluster time is SECONDS:INCREMENT, such as 1795482117:27250")
}

/// A cluster time as people see it: seconds since 1970 and a counter within the second.
pub fn time_text(time: Timestamp) -> String {
    let (mut seconds, mut increment) = (itoa::Buffer::new(), itoa::Buffer::new());
    [seconds.format(time.time), increment.format(time.increment)].join(":")
}

/// The cluster time right before `time`.
pub fn earlier(time: Timestamp) -> Timestamp {
    match time.increment.checked_sub(1) {
        Some(increment) => Timestamp { increment, ..time },
        None => Timestamp {
            time: time.time.saturating_sub(1),
            increment: u32::MAX,
        },
    }
}

/// The digits of a token.
fn data(token: &RawDocumentBuf) -> Option<&str> {
    token.get_str("_data").ok()
}

/// Whether these are whole bytes in hexadecimal digits, and at least one.
fn is_hexadecimal(data: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_hexdigit();
    !data.is_empty() && data.len().is_multiple_of(2) && data.bytes().all(is_digit)
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
    use bson::doc;

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

    fn idle(data: &str) -> Position {
        Position::After {
            token: rawdoc! { "_data": data },
            cluster_time: None,
        }
    }

    fn event(data: &str) -> Position {
        Position::After {
            token: rawdoc! { "_data": data },
            cluster_time: decode(data),
        }
    }

    #[test]
    fn what_was_written_is_read_again() {
        let time = Timestamp {
            time: 7,
            increment: 3,
        };
        let token = rawdoc! { "_data": "826B04E20500000001" };
        let after = |cluster_time| Position::After {
            token: token.clone(),
            cluster_time,
        };
        for position in [Position::At(time), after(None), after(Some(time))] {
            let mut document = doc! { "version": 1 };
            position.write(&mut document);
            assert_eq!(Position::read(&document), Ok(position));
        }
        for document in [
            doc! {},
            doc! { "resume_token": null },
            doc! { "resume_token": {} },
            doc! { "resume_token": { "_data": "" } },
            doc! { "resume_token": { "_data": 5 }, "cluster_time": time },
            doc! { "resume_token": { "_data": "826" }, "cluster_time": time },
            doc! { "resume_token": { "_data": "82 not a token" }, "cluster_time": time },
        ] {
            assert!(Position::read(&document).is_err(), "{document}");
        }
    }

    #[test]
    fn a_typed_token_is_taken_only_in_the_form_that_servers_give() {
        let position = Position::after_token("826b04e20500006a722b022c0100296e5a1004").unwrap();
        let token = "826B04E20500006A722B022C0100296E5A1004";
        assert_eq!(position, event(token), "servers write capital letters");
        for wrong in ["", "8", "82", "82zz", "92", "8263", "é26B04E20500000001"] {
            assert!(Position::after_token(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_typed_cluster_time_is_what_was_shown() {
        let time = Timestamp {
            time: 7,
            increment: 3,
        };
        assert_eq!(read_time(&time_text(time)), Ok(time));
        for wrong in ["", "7", "7:", ":3", "0:1", "7:3:1", "7:-1", "4294967296:1"] {
            assert!(read_time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_what_is_later_is_beyond() {
        let early = idle("826B04E20500000001");
        let later = idle("826B04E205000000012B");
        assert!(later.is_beyond(&early));
        assert!(!early.is_beyond(&later));
        assert!(!early.is_beyond(&early.clone()));
        let time = early.cluster_time().unwrap();
        assert!(!later.is_beyond(&Position::At(time)));
        let increment = time.increment - 1;
        assert!(later.is_beyond(&Position::At(Timestamp { increment, ..time })));
    }

    #[test]
    fn after_an_event_is_beyond_its_own_cluster_time_and_never_the_other_way_round() {
        let event = event("826B04E20500000001");
        let begin = Position::At(event.cluster_time().unwrap());
        assert!(event.is_beyond(&begin));
        assert!(!begin.is_beyond(&event));
        assert!(!begin.is_beyond(&begin.clone()));
    }

    #[test]
    fn distances_are_in_whole_seconds_and_never_negative() {
        let place = idle("826B04E20500000001");
        let at = |seconds: u32| Timestamp {
            time: 0x6B04_E205 + seconds,
            increment: 1,
        };
        assert_eq!(
            (place.seconds_before(at(7)), place.seconds_since(at(7))),
            (7, 0)
        );
        assert_eq!(Position::At(at(9)).seconds_since(at(2)), 7);
        assert_eq!(idle("82").seconds_before(at(7)), 0);
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
