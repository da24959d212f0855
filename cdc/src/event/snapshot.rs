//! What an event says of the snapshot that read its document.

use bson::{RawDocument, spec::ElementType};

use crate::raw_bson::{Cursor, Error};

/// Where in a snapshot a document was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot<'a> {
    /// Name of the run.
    pub run: &'a str,
    /// Number of the range within its collection, from 1 on, and how many there are.
    pub range: (u16, u16),
    /// Whether the run reads only some of the documents, by a filter.
    pub is_filtered: bool,
    /// What it is the first or the last of.
    pub marks: Marks,
}

/// A place in a run that a consumer may want to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The first document of a range.
    RangeFirst,
    /// The last document of a range.
    RangeLast,
    /// The first document of a collection.
    CollectionFirst,
    /// The last document of a collection.
    CollectionLast,
    /// The first document of the run.
    RunFirst,
    /// The last document of the run.
    RunLast,
}

/// A set of marks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Marks(u8);

impl Mark {
    const ALL: [Self; 6] = [
        Self::RunFirst,
        Self::CollectionFirst,
        Self::RangeFirst,
        Self::RangeLast,
        Self::CollectionLast,
        Self::RunLast,
    ];

    /// Its name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RangeFirst => "range-first",
            Self::RangeLast => "range-last",
            Self::CollectionFirst => "collection-first",
            Self::CollectionLast => "collection-last",
            Self::RunFirst => "run-first",
            Self::RunLast => "run-last",
        }
    }
}

impl Marks {
    /// Adds one.
    #[doc(hidden)]
    pub fn add(&mut self, mark: Mark) {
        self.0 |= 1 << mark as u8;
    }

    /// The set as a number.
    pub(super) fn bits(self) -> u8 {
        self.0
    }

    /// Whether it is there.
    pub fn has(self, mark: Mark) -> bool {
        self.0 & 1 << mark as u8 != 0
    }

    fn read(mut names: Cursor<'_>) -> Result<Self, Error> {
        let mut marks = Self::default();
        while let Some(field) = names.field()? {
            if field.kind != ElementType::String {
                names.skip(field.kind)?;
                continue;
            }
            let name = names.string()?;
            let is_it = |mark: &Mark| mark.as_str().as_bytes() == name.as_bytes();
            if let Some(mark) = Mark::ALL.into_iter().find(is_it) {
                marks.add(mark);
            }
        }
        Ok(marks)
    }

    /// Those that are there, the firsts before the lasts.
    pub fn iter(self) -> impl Iterator<Item = Mark> {
        Mark::ALL.into_iter().filter(move |mark| self.has(*mark))
    }
}

impl<'a> Snapshot<'a> {
    /// Reads what [`Reading::event`](super::Reading::event) wrote; none where that is something else.
    pub(super) fn parse(document: &'a RawDocument) -> Option<Self> {
        Self::read(Cursor::new(document).ok()?).ok().flatten()
    }

    fn read(mut cursor: Cursor<'a>) -> Result<Option<Self>, Error> {
        let (mut run, mut range, mut ranges) = (None, None, None);
        let (mut marks, mut is_filtered) = (Marks::default(), false);
        while let Some(field) = cursor.field()? {
            match (field.name.as_bytes(), field.kind) {
                (b"run", ElementType::String) => run = Some(cursor.string()?.to_str()?),
                (b"range", ElementType::Int32) => range = number(&mut cursor)?,
                (b"ranges", ElementType::Int32) => ranges = number(&mut cursor)?,
                (b"filtered", ElementType::Boolean) => is_filtered = *cursor.array()? == [1],
                (b"marks", ElementType::Array) => marks = Marks::read(cursor.document()?)?,
                (_, kind) => cursor.skip(kind)?,
            }
        }
        let found = run.zip(range.zip(ranges));
        Ok(found.map(|(run, range)| Self {
            run,
            range,
            is_filtered,
            marks,
        }))
    }
}

fn number(cursor: &mut Cursor<'_>) -> Result<Option<u16>, Error> {
    let number = i32::from_le_bytes(*cursor.array()?);
    Ok(number.try_into().ok())
}
