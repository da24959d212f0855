//! What is read beside changes, of the settings.

use std::num::NonZeroU32;

use bson::DateTime;

use super::{
    Config, Faults,
    kind::{Kind, list, number},
    settings::{Mongo, Snapshots},
};
use crate::{
    snapshot::{
        INITIAL, OnRenameIn, Options, When,
        requests::{Filter, Request},
    },
    source::{Collections, Databases, HistoryLost},
    start::rfc3339,
};

/// Longest name of a run in bytes.
const RUN_BYTES_MAX: usize = 100;
const STAGES: &str = "documents that are read do not pass through the stages of CDC_AGGREGATION, so both together would \
                      publish what those leave out; take one of them away";

/// A snapshot, as it was asked for.
#[derive(Debug, Default)]
pub struct Asked<'a> {
    /// `--collections NAMES`.
    pub collections: Option<&'a str>,
    /// `--filter JSON`.
    pub filter: Option<&'a str>,
    /// `--rate N`.
    pub rate: Option<&'a str>,
    /// `--name RUN`.
    pub name: Option<&'a str>,
}

impl Asked<'_> {
    /// Checks its form; no server is asked. Without a name it has that of the moment `now`.
    ///
    /// # Errors
    /// All faults together.
    pub fn check(&self, config: &Config, now: DateTime) -> Result<Request, Faults> {
        let mut faults = Faults::default();
        let scope = &config.source.scope;
        if !scope.aggregation.is_empty() {
            faults.add("CDC_AGGREGATION", STAGES);
        }
        let name = self.name.map_or_else(|| name_of(now), str::to_owned);
        if let Some(fault) = fault_of(&name) {
            faults.add("--name", format!("`{name}` {fault}"));
        }
        let mut read = Request::new(name);
        read.requested_at = now;
        if let Some(text) = self.collections {
            read.collections = collections(&scope.databases, text, &mut faults);
        }
        if let Some(text) = self.filter {
            let filter = Filter::parse(text).map_err(|fault| faults.add("--filter", fault));
            read.filter = filter.ok();
        }
        if let Some(text) = self.rate {
            let rate = (rate().parse)(text).map_err(|fault| faults.add("--rate", fault));
            read.rate = rate.ok().map(NonZeroU32::get);
        }
        faults.or(read)
    }
}

/// Names and patterns, each as it can be given again.
fn collections(databases: &Databases, text: &str, faults: &mut Faults) -> Option<Vec<String>> {
    let texts = (list().parse)(text).map_err(|fault| vec![fault]);
    let parsed =
        texts.and_then(|texts| Collections::parse(databases, texts.iter().map(String::as_str)));
    match parsed {
        Ok(all) => Some(all.texts().collect()),
        Err(wrong) => {
            for fault in wrong {
                faults.add("--collections", fault);
            }
            None
        }
    }
}

/// Checks the name of a run.
///
/// # Errors
/// What is wrong with it, as a fault of `place`.
pub fn run_name(place: &str, name: &str) -> Result<(), Faults> {
    let mut faults = Faults::default();
    if let Some(fault) = fault_of_form(name) {
        faults.add(place, format!("`{name}` {fault}"));
    }
    faults.or(())
}

/// A name for a run that is asked for now, in UTC: without a colon, so that it needs no quotes anywhere.
fn name_of(now: DateTime) -> String {
    let seconds = now.timestamp_millis().div_euclid(1_000);
    let text = rfc3339(DateTime::from_millis(seconds * 1_000));
    text.trim_end_matches('Z').replace(':', "-")
}

fn fault_of(name: &str) -> Option<String> {
    if name == INITIAL {
        return Some(
            "is the name of the run with which a pipeline begins (CDC_SNAPSHOT)".to_owned(),
        );
    }
    fault_of_form(name)
}

fn fault_of_form(name: &str) -> Option<String> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let is_good = (1..=RUN_BYTES_MAX).contains(&name.len()) && name.chars().all(is_plain);
    (!is_good).then(|| {
        format!("is not a name: 1 to {RUN_BYTES_MAX} of the letters A to Z and a to z, digits, `.`, `_` and `-`")
    })
}

/// Documents per second.
pub(super) fn rate() -> Kind<NonZeroU32> {
    let Kind { form, parse, .. } = number::<u32>(1..=u32::MAX.into());
    Kind::new(form, move |text| {
        let rate = NonZeroU32::new(parse(text)?);
        rate.ok_or_else(|| "is nothing".to_owned())
    })
}

/// The stages of the user's own are asked of a change stream, which has no documents that nobody changes.
pub(super) fn options(snapshots: &Snapshots, mongo: &Mongo, faults: &mut Faults) -> Options {
    let wanted = [
        ("CDC_SNAPSHOT", snapshots.when == When::Initial),
        (
            "CDC_ON_RENAME_IN",
            snapshots.on_rename_in == OnRenameIn::Snapshot,
        ),
        (
            "CDC_ON_HISTORY_LOST",
            mongo.on_history_lost == HistoryLost::Snapshot,
        ),
    ];
    for (variable, _) in wanted.into_iter().filter(|(_, is_wanted)| *is_wanted) {
        if !mongo.aggregation.is_empty() {
            faults.add(variable, STAGES);
        }
    }
    Options {
        when: snapshots.when,
        rate: snapshots.rate,
        on_rename_in: snapshots.on_rename_in,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Given, *};

    fn check(asked: &Asked<'_>) -> Result<Request, Faults> {
        let (config, _) = Config::check(&Given::new()).unwrap();
        asked.check(&config, DateTime::from_millis(1_795_964_645_678))
    }

    #[test]
    fn a_run_is_named_by_the_moment_unless_it_has_a_name() {
        let request = check(&Asked::default()).unwrap();
        assert_eq!(request.run, "2026-11-29T15-04-05");
        assert_eq!((request.collections, request.rate), (None, None));
        let asked = Asked {
            collections: Some("scrabble.games, mo*,"),
            filter: Some(r#"{"n": 3}"#),
            rate: Some("2000"),
            name: Some("games_2.a-B"),
        };
        let request = check(&asked).unwrap();
        assert_eq!(request.run, "games_2.a-B");
        let collections = ["games", "mo*"].map(str::to_owned);
        assert_eq!(request.collections.as_deref(), Some(&collections[..]));
        assert_eq!(request.rate, Some(2000));
        assert_eq!(request.filter, Filter::parse(r#"{"n": 3}"#).ok());
    }

    #[test]
    fn every_fault_is_told_with_its_flag() {
        let asked = Asked {
            collections: Some("system.views,a$"),
            filter: Some("[]"),
            rate: Some("0"),
            name: Some("a b"),
        };
        let faults = check(&asked).unwrap_err();
        let places: Vec<&str> = faults.iter().map(|(place, _)| place).collect();
        let expected = [
            "--name",
            "--collections",
            "--collections",
            "--filter",
            "--rate",
        ];
        assert_eq!(places, expected);
        for name in [INITIAL, "", &"n".repeat(101), "a/b", "\u{e4}"] {
            let asked = Asked {
                name: Some(name),
                ..Asked::default()
            };
            let faults = check(&asked).unwrap_err().to_string();
            assert!(faults.contains("--name: `"), "{faults}");
        }
        let nothing = Asked {
            collections: Some(" , "),
            ..Asked::default()
        };
        let faults = check(&nothing).unwrap_err().to_string();
        assert_eq!(faults, "  --collections: names nothing");
    }
}
