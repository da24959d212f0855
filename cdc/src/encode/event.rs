//! Format `event`: the change event as the server sent it.

use bson::RawDocument;

use super::{JsonMode, extended_json};

/// Writes `event`, all of its fields in their order, to the end of `out`.
///
/// # Errors
/// Fails if a byte of the event is not as BSON demands; `out` is then as it was.
pub fn write(
    event: &RawDocument,
    mode: JsonMode,
    out: &mut Vec<u8>,
) -> Result<(), extended_json::Error> {
    extended_json::write_document(event, mode, out)
}
