//! What an update changed: its values are the document's, and its names are paths of it.
//!
//! <https://www.mongodb.com/docs/manual/reference/change-events/update/#std-label-change-events-update-updateDescription>

use bson::spec::ElementType;

use super::{copy::Copy, matcher::Fate};
use crate::raw_bson::{Cursor, Error, Text};

/// What an update description has.
const PARTS: [&str; 4] = [
    "updatedFields",
    "removedFields",
    "truncatedArrays",
    "disambiguatedPaths",
];

/// Copies an update description. Names that are left out of the document are left out of every part, and so is a part that
/// is not known.
pub(super) fn description<'a>(copy: &mut Copy<'a, '_>, mut from: Cursor<'a>) -> Result<(), Error> {
    copy.framed(|copy| {
        while let Some(field) = from.field()? {
            let name = field.name.as_bytes();
            if !matches!(
                field.kind,
                ElementType::Array | ElementType::EmbeddedDocument
            ) || !PARTS.iter().any(|part| part.as_bytes() == name)
            {
                from.skip(field.kind)?;
                continue;
            }
            copy.head(field.kind, &field);
            let inside = from.document()?;
            match name {
                b"updatedFields" => copy.document(inside)?,
                b"disambiguatedPaths" => named_paths(copy, inside)?,
                _ => paths(copy, inside)?,
            }
        }
        Ok(())
    })
}

/// Copies an array of paths, or of documents with a path each.
fn paths<'a>(copy: &mut Copy<'a, '_>, mut from: Cursor<'a>) -> Result<(), Error> {
    let mut index = itoa::Buffer::new();
    copy.framed(|copy| {
        let mut count = 0_usize;
        while let Some(field) = from.field()? {
            let start = from.position();
            let path = path(field.kind, &mut from)?;
            if path.is_some_and(|path| stays(copy, path, field.kind)) {
                copy.named(field.kind, index.format(count).as_bytes());
                copy.out
                    .extend_from_slice(&copy.whole[start..from.position()]);
                count += 1;
            }
        }
        Ok(())
    })
}

/// The path that a value is or has.
fn path<'a>(kind: ElementType, from: &mut Cursor<'a>) -> Result<Option<Text<'a>>, Error> {
    match kind {
        ElementType::String => from.string().map(Some),
        ElementType::EmbeddedDocument => {
            let mut inside = from.document()?;
            match inside.find("field")? {
                Some(ElementType::String) => inside.string().map(Some),
                _ => Ok(None),
            }
        }
        kind => from.skip(kind).map(|()| None),
    }
}

/// Copies a document whose names are paths.
fn named_paths<'a>(copy: &mut Copy<'a, '_>, mut from: Cursor<'a>) -> Result<(), Error> {
    copy.framed(|copy| {
        while let Some(field) = from.field()? {
            if stays(copy, field.name, field.kind) {
                copy.element(&field, &mut from)?;
            } else {
                from.skip(field.kind)?;
            }
        }
        Ok(())
    })
}

/// Whether an entry of type `kind` for `path` still makes sense. Nothing is truncated, which a document tells, where the rules
/// leave a null.
fn stays(copy: &mut Copy<'_, '_>, path: Text<'_>, kind: ElementType) -> bool {
    let (root, mark) = (copy.matcher.root(), copy.matcher.mark());
    let fate = copy.matcher.enter(&root, path.as_bytes(), false);
    copy.matcher.leave(mark);
    match fate {
        Fate::Gone => false,
        Fate::Null => kind != ElementType::EmbeddedDocument,
        Fate::Whole | Fate::Inside(_) => true,
    }
}
