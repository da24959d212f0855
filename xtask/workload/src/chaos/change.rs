//! What a writer does to the database, and what its change must look like when it arrives.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Collections that the writers share.
pub const COLLECTIONS: [&str; 3] = ["games", "moves", "players"];

/// A writer's number.
pub type WriterId = u16;

/// One change, known by its writer and its sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChangeId {
    /// Who made it.
    pub writer: WriterId,
    /// Sequence number within the writer, from 0; part of the document, save for a delete.
    pub number: u32,
}

/// Kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A new document.
    Insert,
    /// Some fields of a document.
    Update,
    /// All fields of a document.
    Replace,
    /// The end of a document; its `_id` is never used again.
    Delete,
    /// The end of a collection that is called as a document would be, and that nothing else was done to.
    Drop,
}

impl Operation {
    /// The operation's name in a change event.
    pub fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Replace => "replace",
            Self::Delete => "delete",
            Self::Drop => "drop",
        }
    }

    /// The operation of this name.
    pub fn parse(name: &str) -> Option<Self> {
        let all = [
            Self::Insert,
            Self::Update,
            Self::Replace,
            Self::Delete,
            Self::Drop,
        ];
        all.into_iter().find(|operation| operation.name() == name)
    }
}

/// A document, known by the insert that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DocumentId(pub ChangeId);

impl DocumentId {
    /// Its `_id`.
    pub fn text(self) -> String {
        format!("w{}-{}", self.0.writer, self.0.number)
    }

    /// The document with this `_id`.
    pub fn parse(text: &str) -> Option<Self> {
        let (writer, number) = text.strip_prefix('w')?.split_once('-')?;
        Some(Self(ChangeId {
            writer: writer.parse().ok()?,
            number: number.parse().ok()?,
        }))
    }
}

/// A change as it is asked of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// What is done.
    pub operation: Operation,
    /// Index into [`COLLECTIONS`].
    pub collection: u8,
    /// To which document, or to which collection.
    pub document: DocumentId,
    /// [`fingerprint`] of the new content; 0 where there is none.
    pub content: u64,
}

/// Content of `length` bytes that no other change has, with what JSON must escape in it.
pub fn content(id: ChangeId, length: usize) -> String {
    let unit = format!("{}.{} \"é\\\n\u{1f3b2} ", id.writer, id.number);
    let mut text = unit.repeat(length / unit.len() + 1);
    let end = (length.min(text.len())..=text.len()).find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or_default());
    text
}

/// A hash of a content.
pub fn fingerprint(content: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_written() {
        let id = DocumentId(ChangeId {
            writer: 3,
            number: 4_000_000_000,
        });
        assert_eq!(DocumentId::parse(&id.text()), Some(id));
        assert_eq!(DocumentId::parse("3-4"), None);
        assert_eq!(DocumentId::parse("w3-x"), None);
    }

    #[test]
    fn contents_have_the_length_asked_for_and_differ() {
        let id = |number| ChangeId { writer: 1, number };
        for length in [0, 1, 200, 1_000_000] {
            let long = content(id(7), length).len();
            assert!((length..length + 4).contains(&long), "{length}: {long}");
        }
        assert_ne!(content(id(7), 200), content(id(8), 200));
    }
}
