//! Keeps a copy of the collections by what the messages say, and finds where it is not exact.
//!
//! It knows the messages in the order in which they arrived and nothing of the engine between. First copies are applied
//! one after the other, and each must fit: what a snapshot read is what the copy has already, or new in a collection
//! that no snapshot has read to its end. Updates are applied by what they did to the fields; where the document after
//! the update came too, both must be the same.

mod changes;
mod compare;
mod description;
mod event;
mod ids;
mod prepare;
mod requests;
mod runs;

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    rc::Rc,
};

use bson::Document;

pub(super) use self::{
    changes::change,
    compare::{Audit, Outcome, compare_at_end, compare_marks},
    prepare::prepare,
    requests::request_runs,
};
use self::{
    event::{Event, Kind},
    runs::Runs,
};
use super::{change::COLLECTIONS, ledger::Flaw, record::Record};

/// Collections beside those of the writers: with `_id`s of all types, with a collation, and clustered.
const OWN: [&str; 3] = ["typed", "collated", "clustered"];

/// An `_id` as BSON, which tells all types apart.
pub(super) type Key = Vec<u8>;

/// The copy, and what was noticed.
#[derive(Debug)]
pub(super) struct Copy {
    collections: Vec<Collection>,
    seen: HashSet<String>,
    newest: Moment,
    pub(super) runs: Runs,
    pub(super) received: u64,
}

#[derive(Debug, Default)]
struct Collection {
    documents: HashMap<Key, Rc<Content>>,
    /// Whether a snapshot has read all of it.
    is_whole: bool,
}

/// A document with the bytes that it has as BSON.
#[derive(Debug, PartialEq)]
pub(super) struct Content {
    pub(super) document: Document,
    pub(super) bytes: Vec<u8>,
}

/// A place in the order of messages. What a snapshot read comes after every change of that cluster time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    pub(super) time: (u32, u32),
    pub(super) is_read: bool,
}

/// The copy of some collections at a marked point.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) time: (u32, u32),
    /// Which it is, in words.
    pub(super) name: String,
    /// Whether a collection or the run ends there.
    pub(super) is_end: bool,
    pub(super) views: Vec<View>,
}

/// The documents of one collection that the copy has.
#[derive(Debug)]
pub(super) struct View {
    pub(super) collection: &'static str,
    /// Whether none may be missing.
    pub(super) is_whole: bool,
    pub(super) documents: HashMap<Key, Rc<Content>>,
}

impl Content {
    pub(super) fn new(document: Document) -> Rc<Self> {
        let bytes = document.to_vec().unwrap_or_default();
        Rc::new(Self { document, bytes })
    }
}

impl Copy {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self {
            collections: names().map(|_| Collection::default()).collect(),
            seen: HashSet::new(),
            newest: Moment {
                time: (0, 0),
                is_read: false,
            },
            runs: Runs::default(),
            received: 0,
        }
    }

    /// Applies one message. Returns what there is to be compared now.
    ///
    /// # Errors
    /// In words, if the message does not fit.
    pub(super) fn receive(&mut self, id: &str, event: Event) -> Result<Option<Mark>, String> {
        self.received += 1;
        if !self.seen.insert(id.to_owned()) {
            return Ok(None);
        }
        let before = self.newest;
        self.newest = before.max(event.moment);
        if event.moment < before {
            return Err(format!("{event} came after {before:?}"));
        }
        let (collection, moment) = (event.collection, event.moment);
        let reading = match &event.kind {
            Kind::Read(reading) => Some(reading.clone()),
            _ => None,
        };
        if let Some(reading) = &reading {
            self.runs.read(reading, collection, &event.key);
        }
        self.collections[collection].apply(event)?;
        let Some(reading) = reading.filter(|reading| !reading.marks.is_empty()) else {
            return Ok(None);
        };
        let is_end = reading.has("collection-last");
        self.collections[collection].is_whole |= is_end;
        let views = if reading.has("run-last") {
            self.all()
        } else {
            vec![self.view(collection)]
        };
        Ok(Some(Mark {
            time: moment.time,
            name: format!("{} of {}", reading.marks.join(","), reading.run),
            is_end,
            views,
        }))
    }

    /// All of it.
    pub(super) fn all(&self) -> Vec<View> {
        let numbers = 0..self.collections.len();
        numbers.map(|number| self.view(number)).collect()
    }

    fn view(&self, number: usize) -> View {
        let collection = &self.collections[number];
        View {
            collection: names().nth(number).unwrap_or_default(),
            is_whole: collection.is_whole,
            documents: collection.documents.clone(),
        }
    }
}

impl Collection {
    fn apply(&mut self, event: Event) -> Result<(), String> {
        let held = self.documents.get(&event.key).map(Rc::clone);
        let told = event.to_string();
        let what_is_wrong = |what: &str| Err(format!("{told}: {what}"));
        let is_unknown = held.is_none() && !self.is_whole;
        let after = match (event.kind, held) {
            (Kind::Insert(_), Some(_)) => {
                return what_is_wrong("the copy has the document already");
            }
            (Kind::Read(reading), Some(held)) => {
                let read = Content::new(reading.document);
                if read.bytes != held.bytes {
                    let difference = difference(&held.document, &read.document);
                    return what_is_wrong(&format!("not what the copy has: {difference}"));
                }
                Some(held)
            }
            (Kind::Read(reading), None) if is_unknown => Some(Content::new(reading.document)),
            (Kind::Insert(new), None) | (Kind::Replace(new), Some(_)) => Some(Content::new(new)),
            (Kind::Replace(new), None) if is_unknown => Some(Content::new(new)),
            (Kind::Update { after, changed }, Some(held)) => {
                let mut document = held.document.clone();
                description::apply(&mut document, &changed)
                    .map_err(|what| format!("{told}: {what}"))?;
                let content = Content::new(document);
                if let Some(after) = after.map(Content::new)
                    && after.bytes != content.bytes
                {
                    let difference = difference(&content.document, &after.document);
                    return what_is_wrong(&format!("not what it says it changed: {difference}"));
                }
                Some(content)
            }
            (Kind::Update { after, .. }, None) if is_unknown => after.map(Content::new),
            (Kind::Delete, Some(_)) => None,
            (Kind::Delete, None) if is_unknown => None,
            (_, None) => return what_is_wrong("the copy has no such document"),
        };
        match after {
            Some(content) => self.documents.insert(event.key, content),
            None => self.documents.remove(&event.key),
        };
        Ok(())
    }
}

/// Applies a message and notes what is wrong with it; returns whether nobody else has to look at it.
pub(super) fn receive(
    copy: &RefCell<Copy>,
    record: &Record,
    id: &str,
    body: &[u8],
    database: &str,
) -> bool {
    let event = match Event::parse(body, database) {
        Ok(Some(event)) => event,
        Ok(None) => return false,
        Err(what) => {
            record.violation(Flaw::Unexpected, what);
            return true;
        }
    };
    let is_ours_alone = event.moment.is_read || OWN.contains(&event.collection());
    match copy.borrow_mut().receive(id, event) {
        Ok(Some(mark)) => record.audit.take(mark),
        Ok(None) => {}
        Err(what) => record.violation(Flaw::Inexact, what),
    }
    is_ours_alone
}

/// The collections that are copied, by number.
fn names() -> impl Iterator<Item = &'static str> {
    COLLECTIONS.into_iter().chain(OWN)
}

/// The first field in which two documents differ, for people.
pub(super) fn difference(expected: &Document, found: &Document) -> String {
    const SHOWN_CHARS: usize = 120;
    let short = |text: String| text.chars().take(SHOWN_CHARS).collect::<String>();
    for ((name, expected), (other, found)) in expected.iter().zip(found) {
        if name != other {
            return format!("field {other} where {name} is expected");
        }
        if expected != found {
            let (expected, found) = (short(expected.to_string()), short(found.to_string()));
            return format!("{name} is {found}, expected is {expected}");
        }
    }
    format!("{} fields, expected are {}", found.len(), expected.len())
}

#[cfg(test)]
mod tests;
