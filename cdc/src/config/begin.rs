//! Where the reading of a stream begins.

use bson::DateTime;

use super::kind::time;

/// Where the reading of a stream begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// With the first message that it still has.
    First,
    /// With the messages that were stored together last.
    Last,
    /// With what comes from now on.
    Next,
    /// With the message of this offset, or the first one after it that it still has.
    Offset(i64),
    /// With the messages that were stored from about this time on.
    Time(DateTime),
}

impl Begin {
    /// What was typed.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "first" => Ok(Self::First),
            "last" => Ok(Self::Last),
            "next" => Ok(Self::Next),
            _ => match text.parse() {
                Ok(offset) if 0 <= offset => Ok(Self::Offset(offset)),
                _ => time(text)
                    .map(Self::Time)
                    .map_err(|fault| format!("{fault}, nor first, last, next or an offset")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_begin_is_a_word_an_offset_or_a_time() {
        let time = DateTime::parse_rfc3339_str("2026-11-28T12:00:00Z").unwrap();
        for (text, begin) in [
            ("first", Begin::First),
            ("last", Begin::Last),
            ("next", Begin::Next),
            ("0", Begin::Offset(0)),
            ("42", Begin::Offset(42)),
            ("2026-11-28T12:00:00Z", Begin::Time(time)),
        ] {
            assert_eq!(Begin::parse(text), Ok(begin), "{text}");
        }
        for text in ["", "-1", "First", "1.5", "yesterday"] {
            assert!(Begin::parse(text).is_err(), "{text}");
        }
    }
}
