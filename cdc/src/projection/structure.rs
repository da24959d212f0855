//! What describes a collection, a view or an index. Its expressions may have values of documents in them.

use bson::spec::ElementType;

use super::copy::Copy;
use crate::raw_bson::{Cursor, Error};

/// Fields that hold descriptions.
const PARTS: [&str; 4] = ["indexes", "index", "indexOptions", "collectionOptions"];
/// Fields that hold no value of a document. Others are left out: `partialFilterExpression`, `validator`, a view's
/// `pipeline`, `zones`, and what a later server adds.
const KEPT: [&str; 37] = [
    "2dsphereIndexVersion",
    "autoIndexId",
    "bits",
    "capped",
    "changeStreamPreAndPostImages",
    "clusteredIndex",
    "collation",
    "default_language",
    "dropTarget",
    "expireAfterSeconds",
    "hidden",
    "idIndex",
    "key",
    "keyPattern",
    "language_override",
    "max",
    "min",
    "name",
    "numInitialChunks",
    "oldShardKey",
    "prepareUnique",
    "presplitHashedZones",
    "reshardUUID",
    "shardKey",
    "size",
    "sparse",
    "textIndexVersion",
    "timeseries",
    "to",
    "unique",
    "uuid",
    "v",
    "validationAction",
    "validationLevel",
    "viewOn",
    "weights",
    "wildcardProjection",
];

/// Copies a description, or an array of them.
pub(super) fn structure<'a>(copy: &mut Copy<'a, '_>, mut from: Cursor<'a>) -> Result<(), Error> {
    copy.framed(|copy| {
        while let Some(field) = from.field()? {
            let is = |names: &[&str]| {
                let mut names = names.iter();
                names.any(|name| name.as_bytes() == field.name.as_bytes())
            };
            match field.kind {
                ElementType::EmbeddedDocument if is(&PARTS) => {
                    copy.head(field.kind, &field);
                    structure(copy, from.document()?)?;
                }
                ElementType::Array if is(&PARTS) => {
                    copy.head(field.kind, &field);
                    each(copy, from.document()?)?;
                }
                _ if is(&KEPT) => copy.element(&field, &mut from)?,
                kind => from.skip(kind)?,
            }
        }
        Ok(())
    })
}

fn each<'a>(copy: &mut Copy<'a, '_>, mut from: Cursor<'a>) -> Result<(), Error> {
    copy.framed(|copy| {
        while let Some(field) = from.field()? {
            if field.kind == ElementType::EmbeddedDocument {
                copy.head(field.kind, &field);
                structure(copy, from.document()?)?;
            } else {
                from.skip(field.kind)?;
            }
        }
        Ok(())
    })
}
