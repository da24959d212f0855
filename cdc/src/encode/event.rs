//! Format `event`: the change event as the server sent it.

use super::{
    JsonMode,
    extended_json::{self, Object},
};
use crate::raw_bson::Cursor;

/// Fields that hold a document as a whole.
const WHOLE_DOCUMENTS: [&str; 2] = ["fullDocument", "fullDocumentBeforeChange"];

/// Writes `event`, all of its fields in their order, to the end of `out`.
///
/// # Errors
/// Fails if a byte of the event is not as BSON demands; `out` is then as it was.
pub fn write(event: &[u8], mode: JsonMode, out: &mut Vec<u8>) -> Result<(), extended_json::Error> {
    extended_json::write_bytes(event, mode, out)
}

/// The same, without the fields that hold a document as a whole.
///
/// # Errors
/// As [`write`].
pub fn write_trimmed(
    event: &[u8],
    mode: JsonMode,
    out: &mut Vec<u8>,
) -> Result<(), extended_json::Error> {
    extended_json::all_or_nothing(out, |out| {
        let mut object = Object::open(mode, out);
        let mut cursor = Cursor::of_bytes(event)?;
        while let Some(field) = cursor.field()? {
            let is_whole = WHOLE_DOCUMENTS
                .iter()
                .any(|name| field.name.as_bytes() == name.as_bytes());
            if is_whole {
                object.skip(&field, &mut cursor)?;
            } else {
                object.element(&field, &mut cursor)?;
            }
        }
        object.close();
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    #[test]
    fn a_trimmed_event_keeps_all_but_the_whole_documents() {
        let event = rawdoc! {
            "operationType": "update", "fullDocument": { "a": "x" }, "ns": { "db": "d" },
            "fullDocumentBeforeChange": { "a": "y" }, "documentKey": { "_id": 1 },
        };
        let mut out = Vec::new();
        write_trimmed(event.as_bytes(), JsonMode::Relaxed, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            r#"{"operationType":"update","ns":{"db":"d"},"documentKey":{"_id":1}}"#
        );
    }
}
