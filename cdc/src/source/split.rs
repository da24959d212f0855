//! Puts the parts of a large change event together again.
//!
//! The server cuts an event over 16 MB at its top-level fields and sends the parts one after the other, each with
//! `splitEvent: {fragment, of}` and a token of its own.
//! <https://www.mongodb.com/docs/manual/reference/operator/aggregation/changeStreamSplitLargeEvent/>
//!
//! Memory: the event grows in one buffer, to which each part is added as it comes. An event holds at most a document and
//! what an update changed of it, 16 MB each, so the most in use here is about 32 MB for the event and 16 MB for the
//! part; the driver's batch comes on top. [`LIMIT_BYTES`] is the end of it whatever the server sends.

use bson::spec::ElementType;
use bytes::Bytes;

use crate::raw_bson::{self, Cursor};

/// Largest event.
const LIMIT_BYTES: usize = 64 << 20;
/// What marks a part. It is left out of the event.
const MARK: &str = "splitEvent";
/// The token, which each part has.
const TOKEN: &str = "_id";

/// Why parts make no event.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are not BSON.
    #[error("a part is not valid BSON")]
    Corrupt,
    /// A part without its number, or with one that cannot be.
    #[error("a part has no usable number")]
    Unnumbered,
    /// A part is missing, or came twice.
    #[error("part {found} came where part {expected} was due")]
    OutOfSequence {
        /// `fragment/of`, or `none` for an event that is no part.
        found: String,
        /// `fragment/of`.
        expected: String,
    },
    /// Two parts have the same field.
    #[error("the field `{0}` came twice")]
    Repeated(String),
    /// More than an event can be.
    #[error("the event is over {LIMIT_BYTES} bytes")]
    TooLarge,
}

/// An event in the making.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    begun: Option<Begun>,
}

#[derive(Debug)]
struct Begun {
    last: Mark,
    names: Vec<String>,
    /// Elements without the document around them.
    elements: Vec<u8>,
}

/// `splitEvent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    fragment: i32,
    of: i32,
}

impl Assembly {
    /// Whether some parts of an event are here and others are not.
    pub(super) fn is_begun(&self) -> bool {
        self.begun.is_some()
    }

    /// Takes a document of the stream; gives an event that is whole, be it by itself.
    pub(super) fn add(&mut self, raw: Bytes) -> Result<Option<Bytes>, Error> {
        let begun = self.begun.take();
        let expected = begun.as_ref().map(|begun| begun.last.next());
        let found = mark(&raw)?;
        match (found, expected) {
            (None, None) => return Ok(Some(raw)),
            (Some(Mark { fragment: 1, .. }), None) => {}
            (found, expected) if found == expected => {}
            (found, expected) => {
                let expected = expected.or_else(|| found.map(Mark::first));
                return Err(Error::OutOfSequence {
                    found: text(found),
                    expected: text(expected),
                });
            }
        }
        let Some(mark) = found else {
            return Ok(Some(raw));
        };
        let mut begun = begun.unwrap_or_else(|| Begun::new(mark));
        begun.last = mark;
        let token = begun.append(&raw)?;
        if mark.fragment == mark.of {
            return begun.finish(&token).map(Some);
        }
        self.begun = Some(begun);
        Ok(None)
    }
}

impl Begun {
    fn new(last: Mark) -> Self {
        Self {
            last,
            names: Vec::new(),
            elements: Vec::new(),
        }
    }

    /// Adds the fields of `part` and returns its token's element.
    fn append(&mut self, part: &[u8]) -> Result<Vec<u8>, Error> {
        if self.elements.len() + part.len() > LIMIT_BYTES {
            return Err(Error::TooLarge);
        }
        // A large block grows in place, without a second copy of the event.
        self.elements.reserve_exact(part.len());
        let mut token = None;
        let mut cursor = Cursor::of_bytes(part)?;
        let mut start = cursor.position();
        while let Some(field) = cursor.field()? {
            cursor.skip(field.kind)?;
            let element = &part[start..cursor.position()];
            start = cursor.position();
            match field.name.to_str()? {
                TOKEN => token = Some(element.to_vec()),
                MARK => {}
                name if self.names.iter().any(|other| other == name) => {
                    return Err(Error::Repeated(name.to_owned()));
                }
                name => {
                    self.names.push(name.to_owned());
                    self.elements.extend_from_slice(element);
                }
            }
        }
        token.ok_or(Error::Corrupt)
    }

    /// The event, with `token` as its first field.
    fn finish(self, token: &[u8]) -> Result<Bytes, Error> {
        let mut bytes = self.elements;
        let length = size_of::<i32>() + token.len() + bytes.len() + 1;
        let length = i32::try_from(length).map_err(|_| Error::TooLarge)?;
        bytes.reserve_exact(token.len() + size_of::<i32>() + 1);
        let head = length
            .to_le_bytes()
            .into_iter()
            .chain(token.iter().copied());
        bytes.splice(0..0, head);
        bytes.push(0);
        Ok(bytes.into())
    }
}

impl Mark {
    fn next(self) -> Self {
        Self {
            fragment: self.fragment + 1,
            ..self
        }
    }

    fn first(self) -> Self {
        Self {
            fragment: 1,
            ..self
        }
    }
}

/// Which part it is; none for an event that was not split.
fn mark(raw: &[u8]) -> Result<Option<Mark>, Error> {
    // What is wrong with an event that was not split is told where it is read.
    let Ok((mut cursor, Some(kind))) = find_mark(raw) else {
        return Ok(None);
    };
    if kind != ElementType::EmbeddedDocument {
        return Err(Error::Unnumbered);
    }
    let inside = cursor.document()?;
    let number = |name| {
        let mut inside = inside;
        match inside.find(name)? {
            Some(ElementType::Int32) => Ok(i32::from_le_bytes(*inside.array()?)),
            _ => Err(Error::Unnumbered),
        }
    };
    let mark = Mark {
        fragment: number("fragment")?,
        of: number("of")?,
    };
    let is_possible = (1..=mark.of).contains(&mark.fragment);
    is_possible.then_some(Some(mark)).ok_or(Error::Unnumbered)
}

fn find_mark(raw: &[u8]) -> Result<(Cursor<'_>, Option<ElementType>), raw_bson::Error> {
    let mut cursor = Cursor::of_bytes(raw)?;
    let kind = cursor.find(MARK)?;
    Ok((cursor, kind))
}

impl From<raw_bson::Error> for Error {
    fn from(_: raw_bson::Error) -> Self {
        Self::Corrupt
    }
}

fn text(mark: Option<Mark>) -> String {
    mark.map_or_else(
        || "none".to_owned(),
        |mark| format!("{}/{}", mark.fragment, mark.of),
    )
}

#[cfg(test)]
mod tests;
