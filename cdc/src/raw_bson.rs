//! Reads raw BSON and trusts no byte of it. Nothing is copied and nothing is built.
//!
//! A value is cut out of its document only if it fits, and a nested document only if it is framed as it should be.
//! One check is left to the reader of a text, who has to look at its bytes anyway: that it is UTF-8.
//!
//! Format: <https://bsonspec.org/spec.html>.

mod cursor;
pub(crate) mod frame;
mod mended;
mod scan;
mod text;

pub use self::{
    cursor::{Binary, Cursor, Field},
    mended::Mended,
    text::Text,
};

/// Deepest nesting of documents and arrays that is written, the outermost document included.
///
/// The specification asks for 100 levels, and a server takes 250 at most (its `maxBSONDepth`), to which a change event
/// adds one or two.
pub const DEPTH_MAX: usize = 256;

/// What is wrong with the bytes, and where: offsets count from the start of the outermost document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A value ends outside the document that holds it.
    #[error("value runs past the end of its document at byte {offset}")]
    PastEnd {
        /// Where the value, or the part of it that does not fit, begins.
        offset: usize,
    },
    /// A length that no value of its type can have, or that contradicts another.
    #[error("impossible length {length} at byte {offset}")]
    Length {
        /// Where the length is.
        offset: usize,
        /// The length that is there.
        length: i32,
    },
    /// A byte that has to be zero is not.
    #[error("missing terminator at byte {offset}")]
    Terminator {
        /// Where the zero should be.
        offset: usize,
    },
    /// A type that BSON does not have, or a document that ends before its stated length (type 0x00).
    #[error("unknown element type {kind:#04x} at byte {offset}")]
    Kind {
        /// Where the type is.
        offset: usize,
        /// The type that is there.
        kind: u8,
    },
    /// A boolean that is neither 0 nor 1.
    #[error("boolean is {value:#04x} at byte {offset}")]
    Boolean {
        /// Where the boolean is.
        offset: usize,
        /// The byte that is there.
        value: u8,
    },
    /// A string or name that is not UTF-8.
    #[error("invalid utf-8 at byte {offset}")]
    Utf8 {
        /// The first byte that cannot be decoded.
        offset: usize,
    },
    /// More levels than [`DEPTH_MAX`].
    #[error("nested deeper than {DEPTH_MAX} levels at byte {offset}")]
    Depth {
        /// Where the document or array that is too deep begins.
        offset: usize,
    },
}

impl Error {
    /// Where the fault is, counted from the start of the outermost document.
    pub fn offset(&self) -> usize {
        match self {
            Self::PastEnd { offset }
            | Self::Length { offset, .. }
            | Self::Terminator { offset }
            | Self::Kind { offset, .. }
            | Self::Boolean { offset, .. }
            | Self::Utf8 { offset }
            | Self::Depth { offset } => *offset,
        }
    }
}
