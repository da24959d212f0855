//! When the documents that exist are read, and how fast.

use std::num::NonZeroU32;

/// Name of the run with which a pipeline begins.
pub const INITIAL: &str = "initial";

/// What a user chooses of snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Whether a pipeline begins with one.
    pub when: When,
    /// Most documents in a second; none for as fast as both servers go.
    pub rate: Option<NonZeroU32>,
    /// What follows where a collection comes into the scope by a rename.
    pub on_rename_in: OnRenameIn,
}

/// Whether a pipeline begins with the documents that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// It begins with changes.
    Never,
    /// It begins with every document that exists, once.
    Initial,
}

/// What follows where a collection comes into the scope by a rename: no change tells of its documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRenameIn {
    /// Nothing but the event of the rename.
    Event,
    /// Its documents are read.
    Snapshot,
}

impl Options {
    /// Most documents in a second of a run that wants so many by itself, if it does.
    pub fn rate_of(&self, own: Option<u32>) -> Option<u32> {
        own.or(self.rate.map(NonZeroU32::get))
    }
}

impl When {
    /// The choices and their names.
    pub const NAMES: [(&'static str, Self); 2] =
        [("never", Self::Never), ("initial", Self::Initial)];
}

impl OnRenameIn {
    /// The choices and their names.
    pub const NAMES: [(&'static str, Self); 2] =
        [("event", Self::Event), ("snapshot", Self::Snapshot)];
}
