//! Reads documents that exist and puts them into the order of the changes.

mod options;

pub use self::options::{OnRenameIn, Options, When};
