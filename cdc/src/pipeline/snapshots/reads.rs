//! Chunks that are being read, and those that were read.

use std::collections::VecDeque;

use bson::Timestamp;
use bytes::Bytes;
use tokio::task::AbortHandle;

use crate::{
    event::Mark,
    snapshot::{
        Chunk, Collection, Error, Key, Name, Run, Step, Wish,
        requests::{self, Request},
    },
};

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The next documents of a range.
    Chunk(usize),
    /// The last document of a collection, to be marked so, since nobody knew when it was published.
    Last(Mark),
}

/// A read under way.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) id: u64,
    pub(super) what: What,
    pub(super) name: Name,
    time: Timestamp,
    handle: AbortHandle,
}

/// What came of a job.
#[derive(Debug)]
pub(super) enum Done {
    /// What people ask is known.
    Asked(Result<Vec<Request>, requests::Error>),
    /// People were told.
    Told(Result<(), requests::Error>),
    /// A run is prepared.
    Planned(Box<Wish>, Result<Box<Run>, Error>),
    /// A collection is prepared.
    Opened(Name, Result<Collection, Error>),
    /// A read has ended.
    Read(u64, Result<Chunk, Error>),
}

/// Documents that wait for their place.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) what: What,
    pub(super) name: Name,
    pub(super) time: Timestamp,
    /// Never none.
    pub(super) documents: VecDeque<(Key, Bytes)>,
    /// The last key that was looked at.
    pub(super) passed: Option<Key>,
    pub(super) is_end: bool,
}

impl Read {
    pub(super) fn new(
        (id, what, name): (u64, What, Name),
        time: Timestamp,
        handle: AbortHandle,
    ) -> Self {
        Self {
            id,
            what,
            name,
            time,
            handle,
        }
    }

    pub(super) fn time(&self) -> Timestamp {
        self.time
    }

    pub(super) fn abort(self) {
        self.handle.abort();
    }

    /// What was read; none where there is no document.
    pub(super) fn ready(self, chunk: Chunk) -> Result<Ready, Vec<Step>> {
        let ready = Ready {
            what: self.what,
            name: self.name,
            time: self.time,
            documents: chunk.documents.into(),
            passed: chunk.passed,
            is_end: chunk.is_end,
        };
        if ready.documents.is_empty() {
            Err(ready.end())
        } else {
            Ok(ready)
        }
    }
}

impl Ready {
    /// The range that it is of.
    pub(super) fn range(&self) -> Option<usize> {
        match self.what {
            What::Chunk(range) => Some(range),
            What::Last(_) => None,
        }
    }

    /// Nothing more was found up to where the next chunk of its range ends.
    pub(super) fn reach(&mut self, chunk: &Chunk) {
        self.passed = chunk.passed.clone().or_else(|| self.passed.take());
        self.is_end |= chunk.is_end;
    }

    /// Bytes of its documents.
    pub(super) fn bytes(&self) -> usize {
        self.documents
            .iter()
            .map(|(_, document)| document.len())
            .sum()
    }

    /// The key after which the next chunk of the range begins.
    pub(super) fn last_key(&self) -> Option<&Key> {
        let last = self.documents.back().map(|(key, _)| key);
        self.passed.as_ref().or(last)
    }

    /// What follows when its last document is published.
    pub(super) fn end(self) -> Vec<Step> {
        let mut steps = Vec::new();
        match self.what {
            What::Chunk(range) => {
                let passed = self.passed.map(|key| Step::Read {
                    range,
                    key,
                    bytes: None,
                });
                steps.extend(passed);
                steps.extend(self.is_end.then_some(Step::RangeDone(range)));
            }
            // What follows is decided by what is marked.
            What::Last(_) => {}
        }
        steps
    }
}
