//! Properties of bytes that need not be BSON.

use bson::{Document, RawDocument};
use proptest::{
    collection::vec,
    prelude::{any, prop_assert_eq},
    test_runner::TestCaseResult,
};

use super::{
    JsonMode, document, reader,
    tree::{documents, encode_fields},
    written,
};

/// Whether both modes either refuse `bytes`, leaving the buffer as it was ([`written`] looks at
/// that), or write JSON; and whether the driver refuses and reads the same bytes.
fn is_an_error_or_json(bytes: &[u8]) -> TestCaseResult {
    let relaxed = written(bytes, JsonMode::Relaxed);
    let canonical = written(bytes, JsonMode::Canonical);
    let driver = RawDocument::from_bytes(bytes).and_then(Document::try_from);
    prop_assert_eq!(
        relaxed.is_ok(),
        driver.is_ok(),
        "{:?} {:?} {:02x?}",
        relaxed,
        driver,
        bytes
    );
    match (relaxed, canonical) {
        (Ok(relaxed), Ok(canonical)) => {
            serde_json::from_str::<reader::Json>(&relaxed)?;
            serde_json::from_str::<reader::Json>(&canonical)?;
        }
        (relaxed, canonical) => prop_assert_eq!(relaxed.err(), canonical.err()),
    }
    Ok(())
}

#[test]
fn any_bytes_are_an_error_or_become_json() {
    crate::property::run(&vec(any::<u8>(), 0..64), |bytes| {
        is_an_error_or_json(&bytes)
    });
}

#[test]
fn any_bytes_in_the_frame_of_a_document_are_an_error_or_become_json() {
    // Small bytes are types, lengths and terminators more often.
    let bytes = vec(proptest::prop_oneof![0..0x14_u8, any::<u8>()], 0..64);
    crate::property::run(&bytes, |bytes| is_an_error_or_json(&document(&bytes)));
}

#[test]
fn documents_with_changed_bytes_are_an_error_or_become_json() {
    let changes = vec(
        (
            any::<usize>(),
            proptest::prop_oneof![0..0x14_u8, any::<u8>()],
        ),
        1..4,
    );
    crate::property::run(&(documents(), changes), |(fields, changes)| {
        let mut bytes = encode_fields(&fields);
        for (position, byte) in changes {
            let length = bytes.len();
            bytes[position % length] = byte;
        }
        is_an_error_or_json(&bytes)
    });
}

#[test]
fn documents_cut_short_are_an_error() {
    let cut = (documents(), any::<usize>());
    crate::property::run(&cut, |(fields, length)| {
        let bytes = encode_fields(&fields);
        let cut = &bytes[..length % bytes.len()];
        prop_assert_eq!(written(cut, JsonMode::Relaxed).is_err(), true);
        // The same bytes, in a frame that is right, so that the cut is inside.
        is_an_error_or_json(&document(cut.get(4..).unwrap_or_default()))
    });
}

#[test]
fn the_first_bytes_of_every_document_are_an_error_at_every_length() {
    crate::property::run(&documents(), |fields| {
        let bytes = encode_fields(&fields);
        for length in 0..bytes.len() {
            prop_assert_eq!(
                written(&bytes[..length], JsonMode::Canonical).is_err(),
                true
            );
        }
        Ok(())
    });
}
