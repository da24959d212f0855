//! Moments and positions as they are typed after a command's flags.

use bson::DateTime;

use super::{Faults, kind::time};
use crate::{
    position::{Position, read_time},
    start::Start,
};

/// Where to go on, as it was typed.
#[derive(Debug, Clone, Copy)]
pub enum Wish<'a> {
    /// `--at TIME`.
    At(&'a str),
    /// `--cluster-time T:I`.
    ClusterTime(&'a str),
    /// `--token HEX`.
    Token(&'a str),
    /// `--now`.
    Now,
    /// `--earliest`.
    Earliest,
}

impl Wish<'_> {
    /// Checks its form; no server is asked.
    ///
    /// # Errors
    /// The fault, with the flag.
    pub fn check(self) -> Result<Start, Faults> {
        let (flag, checked) = match self {
            Self::At(text) => ("--at", time(text).map(Start::Time)),
            Self::ClusterTime(text) => {
                let read = read_time(text).map(Start::ClusterTime);
                (
                    "--cluster-time",
                    read.map_err(|fault| format!("`{text}`: {fault}")),
                )
            }
            // A token may hold content.
            Self::Token(text) => {
                let read = Position::after_token(text.trim()).map(Start::After);
                ("--token", read.map_err(str::to_owned))
            }
            Self::Now => return Ok(Start::Now),
            Self::Earliest => return Ok(Start::Earliest),
        };
        checked.map_err(|fault| fault_of(flag, fault))
    }
}

/// Checks `--from TIME --to TIME`, where the latter may be left out.
///
/// # Errors
/// All faults together.
pub fn range(from: &str, to: Option<&str>) -> Result<(DateTime, Option<DateTime>), Faults> {
    let mut faults = Faults::default();
    let mut read = |flag, text| {
        let read = time(text);
        read.map_err(|fault| faults.add(flag, fault)).ok()
    };
    let begin = read("--from", from);
    let end = to.and_then(|to| read("--to", to));
    if begin.zip(end).is_some_and(|(begin, end)| end <= begin) {
        faults.add("--to", "is not later than --from");
    }
    faults.or((begin.unwrap_or(DateTime::MIN), end))
}

fn fault_of(flag: &str, fault: String) -> Faults {
    let mut faults = Faults::default();
    faults.add(flag, fault);
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_wrongly_is_told_with_its_flag() {
        for (wish, text) in [
            (Wish::At("noon"), "--at: `noon` is not a time"),
            (
                Wish::ClusterTime("7"),
                "--cluster-time: `7`: a cluster time is",
            ),
            (Wish::Token("8"), "--token: a resume token is"),
        ] {
            let fault = wish.check().expect_err(text).to_string();
            assert!(fault.trim().starts_with(text), "{fault}");
        }
        assert_eq!(Wish::Earliest.check().ok(), Some(Start::Earliest));
    }

    #[test]
    fn a_range_has_a_begin_before_its_end() {
        let (noon, one) = ("2026-11-28T12:00:00Z", "2026-11-28T13:00:00Z");
        assert!(range(noon, Some(one)).is_ok() && range(noon, None).is_ok());
        for (from, to, text) in [
            (one, Some(noon), "--to: is not later"),
            (noon, Some(noon), "--to: is not later"),
            ("noon", Some("one"), "--from: `noon` is not a time"),
        ] {
            let fault = range(from, to).expect_err(text).to_string();
            assert!(fault.contains(text), "{fault}");
        }
    }
}
