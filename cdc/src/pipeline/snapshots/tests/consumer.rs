//! A consumer that keeps a copy of a database by what the target has, and says where the copy is not what it should be.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use bson::Timestamp;

use super::database::{Database, Place, State};
use crate::{
    encode,
    event::Operation,
    message::{Message, Value},
};

/// See the module's text. Of two states of a document it keeps the later one.
pub(super) struct Consumer<'a> {
    database: &'a Database,
    changes: HashMap<String, (Place, Option<i32>)>,
    copy: BTreeMap<Place, (Timestamp, Option<i32>)>,
    seen: HashSet<String>,
    /// Whether nothing was ever read twice.
    is_exact: bool,
    last_change: Option<Timestamp>,
    /// Collections of the run of which a last document was marked.
    pub(super) ended: HashSet<String>,
}

impl<'a> Consumer<'a> {
    pub(super) fn new(database: &'a Database, encode: &encode::Config, is_exact: bool) -> Self {
        let all = (0..database.told.len()).filter_map(|index| {
            let event = database.event(index)?;
            let change = database.told[index].change.as_ref()?;
            let id = encode::encode(&event, encode).unwrap().message_id;
            Some((id.to_string(), (change.place, change.version)))
        });
        Self {
            database,
            changes: all.collect(),
            copy: BTreeMap::new(),
            seen: HashSet::new(),
            is_exact,
            last_change: None,
            ended: HashSet::new(),
        }
    }

    /// Takes a message, unless it did before.
    pub(super) fn take(&mut self, message: &Message) -> Result<(), String> {
        let id = message.message_id.to_string();
        if !self.seen.insert(id.clone()) {
            return Ok(());
        }
        let time = message.cluster_time;
        let (place, version) = if message.operation == Operation::Read {
            let version = version(message);
            let place = self.database.place(version).ok_or("an unknown document")?;
            (place, Some(version))
        } else {
            *self.changes.get(&id).ok_or("an unknown change")?
        };
        let (known, state) = self.copy.entry(place).or_insert((time, version));
        if *known <= time {
            (*known, *state) = (time, version);
        }
        if message.operation == Operation::Read {
            self.compare(message)
        } else {
            self.last_change = self.last_change.max(Some(time));
            Ok(())
        }
    }

    /// The copy is what the database was at the time of what was read.
    fn compare(&mut self, message: &Message) -> Result<(), String> {
        let time = message.cluster_time;
        if self.is_exact && Some(time) < self.last_change {
            return Err(format!("read at {time} after {:?}", self.last_change));
        }
        let state = self.database.state(time);
        for (place, (known, version)) in &self.copy {
            let is_later = time < *known && !self.is_exact;
            if !is_later && state.get(place) != version.as_ref() {
                let is = state.get(place);
                return Err(format!("{place:?} is {version:?}, not {is:?}, at {time}"));
            }
        }
        let run = message.snapshot().unwrap_or_default();
        for mark in marks(message) {
            match mark.as_str() {
                "collection-last" => {
                    self.ended.insert(format!("{run} {}", message.namespace));
                    let collection = self.database.place(version(message)).map(|(one, _)| one);
                    self.complete(&state, |place| Some(place.0) == collection)?;
                }
                "run-last" => {
                    self.ended.insert(run.to_owned());
                    self.complete(&state, |_| true)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Every wanted document of `state` is known.
    fn complete(&self, state: &State, is_of_it: impl Fn(&Place) -> bool) -> Result<(), String> {
        let all = state.iter().filter(|(place, version)| {
            is_of_it(place) && self.database.wants(**version) && !self.database.refuses(place.0)
        });
        let mut missing = all.filter(|(place, _)| !self.copy.contains_key(place));
        missing
            .next()
            .map_or(Ok(()), |(place, _)| Err(format!("{place:?} is missing")))
    }

    /// In the end it is the database.
    pub(super) fn end(&self) -> Result<(), String> {
        let state = self.database.state(Timestamp {
            time: u32::MAX,
            increment: 0,
        });
        self.complete(&state, |_| true)?;
        for (place, (_, version)) in &self.copy {
            if state.get(place) != version.as_ref() {
                let is = state.get(place);
                return Err(format!("{place:?} is {version:?}, not {is:?}, in the end"));
            }
        }
        Ok(())
    }
}

/// The version of the document that was read.
pub(super) fn version(message: &Message) -> i32 {
    let body = std::str::from_utf8(&message.body).unwrap();
    let (_, rest) = body.split_once("\"v\":").unwrap();
    let digits = rest.chars().skip_while(|one| !one.is_ascii_digit());
    let digits: String = digits.take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

pub(super) fn marks(message: &Message) -> Vec<String> {
    let marks = message.more_headers.iter().find_map(|header| match header {
        ("cdc-snapshot-mark", Value::Text(marks)) => Some(marks),
        _ => None,
    });
    let marks = marks.into_iter().flat_map(|marks| marks.split(','));
    marks.map(str::to_owned).collect()
}

/// How often each document was read in each run, those included that were read again for a mark.
pub(super) fn reads(
    database: &Database,
    messages: &[Arc<Message>],
) -> HashMap<(String, Place), HashSet<String>> {
    let mut reads: HashMap<_, HashSet<String>> = HashMap::new();
    for message in messages {
        if let Some(run) = message.snapshot() {
            let place = database.place(version(message)).unwrap();
            let ids = reads.entry((run.to_owned(), place)).or_default();
            ids.insert(message.message_id.to_string());
        }
    }
    reads
}
