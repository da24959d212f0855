//! The change event, with the rules applied wherever it may tell of a document's content.

use std::{borrow::Cow, ops::Range};

use bson::{RawDocument, RawDocumentBuf, rawdoc, spec::ElementType};

use super::{copy::Copy, description::description, structure::structure};
use crate::{
    event::{ChangeEvent, Operation},
    message::MessageId,
    raw_bson::{Cursor, Error, Field},
};

/// Fields that hold no content of a document. Any that is not known, such as one that a later server adds, is left out.
const ENVELOPE: [&str; 11] = [
    "operationType",
    "clusterTime",
    "wallTime",
    "ns",
    "nsType",
    "to",
    "collectionUUID",
    "lsid",
    "txnNumber",
    "commitTimestamp",
    "splitEvent",
];

/// The bytes of the new event, and what `hidden_token` gives where something was changed that the token has too: the new
/// event then tells the token no more.
pub(super) fn rewrite<'e>(
    event: &ChangeEvent,
    mut copy: Copy<'_, '_>,
    hidden_token: impl FnOnce() -> Cow<'e, RawDocument>,
) -> Result<(Vec<u8>, Option<Cow<'e, RawDocument>>), Error> {
    let mut rewrite = Rewrite {
        is_read: *event.operation() == Operation::Read,
        ..Rewrite::default()
    };
    let mut hidden = None;
    let mut cursor = Cursor::of_bytes(copy.whole)?;
    copy.framed(|copy| {
        while let Some(field) = cursor.field()? {
            rewrite.field(copy, &field, &mut cursor)?;
        }
        if rewrite.is_known_by_content
            && let Some(token) = rewrite.token.take()
        {
            let known_as = hidden.insert(hidden_token());
            copy.out.splice(token, stand_in(known_as).into_bytes());
        }
        Ok(())
    })?;
    Ok((copy.out, hidden))
}

/// What takes the place of the resume token, which has the document's key and other content in it: the message's id.
pub(super) fn stand_in(token: &RawDocument) -> RawDocumentBuf {
    rawdoc! { "_data": MessageId::from_token(token).to_string() }
}

#[derive(Debug, Default)]
struct Rewrite {
    /// Whether the event is of a document that a snapshot read.
    is_read: bool,
    /// Where the copy has the resume token.
    token: Option<Range<usize>>,
    /// Whether something was changed that the token has too.
    is_known_by_content: bool,
}

impl Rewrite {
    fn field<'a>(
        &mut self,
        copy: &mut Copy<'a, '_>,
        field: &Field<'a>,
        from: &mut Cursor<'a>,
    ) -> Result<(), Error> {
        let is_document = field.kind == ElementType::EmbeddedDocument;
        match field.name.as_bytes() {
            b"_id" if is_document => {
                let start = from.position();
                copy.element(field, from)?;
                let end = copy.out.len();
                self.token = Some(end - (from.position() - start)..end);
                Ok(())
            }
            b"documentKey" if is_document => self.part(copy, field, from, Copy::document),
            b"fullDocument" | b"fullDocumentBeforeChange" if is_document => {
                copy.head(field.kind, field);
                copy.document(from.document()?)
            }
            b"updateDescription" if is_document => {
                copy.head(field.kind, field);
                description(copy, from.document()?)
            }
            b"operationDescription" | b"stateBeforeChange" if is_document => {
                self.part(copy, field, from, structure)
            }
            b"snapshot" if is_document && self.is_read => copy.element(field, from),
            // Such as a full document that is gone.
            _ if field.kind == ElementType::Null => copy.element(field, from),
            name if ENVELOPE.iter().any(|known| known.as_bytes() == name) => {
                copy.element(field, from)
            }
            _ => from.skip(field.kind),
        }
    }

    /// Copies a document that the token has too.
    fn part<'a, 'r>(
        &mut self,
        copy: &mut Copy<'a, 'r>,
        field: &Field<'a>,
        from: &mut Cursor<'a>,
        write: impl FnOnce(&mut Copy<'a, 'r>, Cursor<'a>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        copy.head(field.kind, field);
        let (place, start) = (from.position(), copy.out.len());
        write(copy, from.document()?)?;
        self.is_known_by_content |= copy.whole[place..from.position()] != copy.out[start..];
        Ok(())
    }
}
