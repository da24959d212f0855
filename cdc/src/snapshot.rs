//! Snapshots: reads the documents that there are, a chunk at a time, each as it was at one cluster time.
//!
//! A stage beside the source: the pipeline says what to read at which time, and puts it into its place among the changes.

mod error;
mod key;
mod options;
mod progress;
mod reader;
mod reads;
pub mod requests;

#[cfg(test)]
pub(crate) use self::reads::Script;
pub use self::{
    error::{Consequence, Error},
    key::Key,
    options::{INITIAL, OnRenameIn, Options, When},
    progress::{Collection, Ended, Name, Origin, Progress, Range, Run, Step, Wish},
    reader::{Catalog, Chunk, Listing, Piece, check},
    reads::Reader,
};
