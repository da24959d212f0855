//! How far the snapshots of a pipeline are: pure data, which the checkpoint holds.
//!
//! The same type says what was read, what was published and what is saved: each follows the one before by the same
//! [`Step`]s, later.

mod stored;

use std::collections::VecDeque;

use bson::{DateTime, Document};

use super::Key;
use crate::event::Namespace;

/// Longest list of what was left out that is kept.
const SKIPPED_MAX: usize = 100;

/// Everything about the snapshots of a pipeline that outlives a session.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// Whether the run with which a pipeline may begin was begun.
    pub has_begun_initial: bool,
    /// The run under way.
    pub run: Option<Run>,
    /// Runs that the engine itself has to make after it.
    pub pending: VecDeque<Wish>,
    /// The run before.
    pub ended: Option<Ended>,
}

/// A run that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// Its name.
    pub name: String,
    /// Whether somebody cancelled it.
    pub is_cancelled: bool,
    /// When it began.
    pub started_at: DateTime,
    /// When it ended.
    pub ended_at: DateTime,
    /// Documents that were read.
    pub documents: u64,
    /// Bytes of them, as BSON.
    pub bytes: u64,
    /// Collections that were read.
    pub collections: u64,
    /// Collections that were left out, and why.
    pub skipped: Vec<(String, String)>,
}

/// What a run is to read.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// Its name.
    pub name: String,
    /// Why there is one.
    pub origin: Origin,
    /// Names and patterns of collections; all that are watched where there are none.
    pub collections: Option<Vec<String>>,
    /// Which documents, a query.
    pub filter: Option<Document>,
    /// Most documents a second.
    pub rate: Option<u32>,
}

/// Why a run was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The settings ask for one.
    Initial,
    /// A person asked for it.
    Request,
    /// A collection came into the scope.
    Rename,
    /// Changes were lost.
    Recovery,
}

/// A run under way.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// What it reads.
    pub wish: Wish,
    /// When it began.
    pub started_at: DateTime,
    /// Documents that were read.
    pub documents: u64,
    /// Bytes of them, as BSON.
    pub bytes: u64,
    /// Documents that its collections had when it began.
    pub total: u64,
    /// Collections that are read.
    pub done: u64,
    /// Collections to read.
    pub todo: VecDeque<Name>,
    /// The collection that is being read.
    pub current: Option<Collection>,
    /// The last collection that had a document.
    pub last: Option<Name>,
    /// Collections that were left out, and why.
    pub skipped: Vec<(String, String)>,
}

/// Database and collection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The database.
    pub database: String,
    /// The collection.
    pub collection: String,
}

/// A collection that is being read.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection {
    /// Which.
    pub name: Name,
    /// Documents that it had when its reading began.
    pub estimate: u64,
    /// Documents that were read.
    pub documents: u64,
    /// Its parts, in the order of the `_id` index; together they are all that was there when its reading began.
    pub ranges: Vec<Range>,
}

/// A part of a collection.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Range {
    /// Its first key; none where it begins with the collection.
    pub from: Option<Key>,
    /// The first key behind it; none where it ends with the collection.
    pub to: Option<Key>,
    /// The last key that was read; none where it is not begun.
    pub after: Option<Key>,
    /// Whether it is one document, the first from `from` on. What is behind the last one of a collection was inserted
    /// later, so the changes tell of it, and a collection that grows all the time is read to its end.
    pub is_single: bool,
    /// Documents that were read.
    pub documents: u64,
    /// Whether it is read.
    pub is_done: bool,
}

/// What happens to [`Progress`].
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The engine has to make a run.
    Wished(Wish),
    /// The next run begins; where it was wished for by the engine itself, it is no longer pending.
    Began(Box<Run>),
    /// The reading of the next collection begins.
    Opened(Box<Collection>),
    /// A range was read up to a key.
    Read {
        /// Index of the range.
        range: usize,
        /// The key.
        key: Key,
        /// Bytes of the document; none where what was passed is not wanted.
        bytes: Option<u64>,
    },
    /// A range was read to its end.
    RangeDone(usize),
    /// A collection was read to its end.
    CollectionDone,
    /// A collection cannot be read.
    Skipped {
        /// Which.
        name: Name,
        /// Why.
        reason: String,
    },
    /// A collection has another name, or is not watched any more.
    Renamed {
        /// Its name before.
        from: Name,
        /// Its name now.
        to: Option<Name>,
    },
    /// The run is over.
    Ended {
        /// Whether somebody cancelled it.
        is_cancelled: bool,
    },
}

impl Progress {
    /// Whether there is anything that an older release must not forget.
    pub fn is_under_way(&self) -> bool {
        self.run.is_some() || !self.pending.is_empty()
    }

    /// Takes a step. One that does not fit, because the run is over, changes nothing.
    pub fn take(&mut self, step: Step) {
        match step {
            Step::Wished(wish) => self.pending.push_back(wish),
            Step::Began(run) => self.begin(*run),
            Step::Ended { is_cancelled } => {
                let ended = self.run.take().map(|run| run.ended(is_cancelled));
                self.ended = ended.or(self.ended.take());
            }
            step => {
                if let Some(run) = &mut self.run {
                    run.take(step);
                }
            }
        }
    }

    fn begin(&mut self, run: Run) {
        self.has_begun_initial |= run.wish.origin == Origin::Initial;
        self.pending.retain(|wish| wish.name != run.wish.name);
        self.run = Some(run);
    }
}

impl Run {
    /// A run that has to read these collections.
    pub fn new(
        wish: Wish,
        todo: VecDeque<Name>,
        total: u64,
        skipped: Vec<(String, String)>,
    ) -> Self {
        let mut run = Self {
            wish,
            started_at: DateTime::now(),
            documents: 0,
            bytes: 0,
            total,
            done: 0,
            todo,
            current: None,
            last: None,
            skipped,
        };
        run.skipped.truncate(SKIPPED_MAX);
        run
    }

    fn ended(self, is_cancelled: bool) -> Ended {
        Ended {
            name: self.wish.name,
            is_cancelled,
            started_at: self.started_at,
            ended_at: DateTime::now(),
            documents: self.documents,
            bytes: self.bytes,
            collections: self.done,
            skipped: self.skipped,
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Opened(collection) => {
                self.todo.retain(|name| *name != collection.name);
                self.current = Some(*collection);
            }
            Step::Read { range, key, bytes } => self.read(range, key, bytes),
            Step::RangeDone(range) => {
                if let Some(range) = self.range(range) {
                    range.is_done = true;
                }
            }
            Step::CollectionDone => {
                self.done += u64::from(self.current.take().is_some());
            }
            Step::Skipped { name, reason } => {
                self.todo.retain(|other| *other != name);
                self.current.take_if(|current| current.name == name);
                // It is not asked again for its last document.
                self.last.take_if(|last| *last == name);
                if self.skipped.len() < SKIPPED_MAX {
                    self.skipped.push((name.to_string(), reason));
                }
            }
            Step::Renamed { from, to } => self.rename(&from, to.as_ref()),
            Step::Wished(_) | Step::Began(_) | Step::Ended { .. } => {}
        }
    }

    fn read(&mut self, range: usize, key: Key, bytes: Option<u64>) {
        let Some(range) = self.range(range) else {
            return;
        };
        range.after = Some(key);
        let Some(bytes) = bytes else {
            return;
        };
        range.documents += 1;
        self.documents += 1;
        self.bytes += bytes;
        if let Some(current) = &mut self.current {
            current.documents += 1;
            if self.last.as_ref() != Some(&current.name) {
                self.last = Some(current.name.clone());
            }
        }
    }

    fn range(&mut self, index: usize) -> Option<&mut Range> {
        self.current.as_mut()?.ranges.get_mut(index)
    }

    /// The content goes with the name. What had the new name before is gone.
    fn rename(&mut self, from: &Name, to: Option<&Name>) {
        let was = |name: &Name| Some(name) == to;
        self.todo.retain(|name| !was(name));
        if self
            .current
            .as_ref()
            .is_some_and(|current| was(&current.name))
        {
            self.current = None;
            self.done += 1;
        }
        if self.last.as_ref() == Some(from) {
            self.last = to.cloned();
        }
        match (&mut self.current, to) {
            (Some(current), Some(to)) if current.name == *from => current.name.clone_from(to),
            (Some(current), None) if current.name == *from => {
                self.current = None;
                self.done += 1;
            }
            (_, Some(to)) => {
                for name in self.todo.iter_mut().filter(|name| *name == from) {
                    name.clone_from(to);
                }
            }
            (_, None) => self.todo.retain(|name| name != from),
        }
    }
}

impl Name {
    /// The name of a namespace that is a collection's.
    pub fn of(namespace: Namespace<'_>) -> Option<Self> {
        Some(Self {
            database: namespace.database.to_owned(),
            collection: namespace.collection?.to_owned(),
        })
    }

    /// The same as a namespace.
    pub fn namespace(&self) -> Namespace<'_> {
        Namespace {
            database: &self.database,
            collection: Some(&self.collection),
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.namespace().fmt(f)
    }
}

impl Collection {
    /// One that is not begun, whose last document has the key `last`, cut at `boundaries`, which are in the order of the
    /// index.
    pub fn new(name: Name, estimate: u64, boundaries: &[Key], last: Option<&Key>) -> Self {
        let mut ranges = Vec::new();
        if let Some(last) = last {
            // The server takes no range that ends where nothing can be before.
            let cuts = boundaries
                .iter()
                .filter(|cut| *cut != last && !cut.is_least());
            let cuts: Vec<Option<Key>> = cuts.cloned().map(Some).collect();
            let froms = [None].into_iter().chain(cuts.iter().cloned());
            let tos = cuts.iter().cloned().chain([Some(last.clone())]);
            let ranges_before = froms.zip(tos).map(|(from, to)| Range {
                from,
                to,
                ..Range::default()
            });
            ranges.extend(ranges_before.filter(|_| !last.is_least()));
            ranges.push(Range {
                from: Some(last.clone()),
                is_single: true,
                ..Range::default()
            });
        }
        Self {
            name,
            estimate,
            documents: 0,
            ranges,
        }
    }
}

#[cfg(test)]
mod tests;
