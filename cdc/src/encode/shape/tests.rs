//! What is true of every shape.

use proptest::{
    collection::vec,
    prelude::{any, prop_assert},
    test_runner::TestCaseResult,
};

use super::*;
use crate::{
    encode::samples::{bare_update, delete, event, every_type, insert, read, rename, update},
    event::Mark,
};

/// Every shape that users can choose, and those that settings change.
fn shapes() -> Vec<Arc<dyn Shape>> {
    let special = Options {
        debezium: debezium::Options {
            name: "shop".to_owned(),
            has_schema: true,
        },
        cloudevents: cloudevents::Options {
            mode: cloudevents::Mode::Binary,
            ..cloudevents::Options::default()
        },
    };
    let all = [Options::default(), special];
    let all = all.iter().flat_map(|options| {
        let formats = Format::NAMES.into_iter();
        formats.map(move |(_, format)| format.shape(options))
    });
    all.collect()
}

/// Whether `event` gives a body, or an error that leaves the buffer as it was; and JSON, where the shape says so.
fn is_an_error_or_a_body(event: &ChangeEvent) -> TestCaseResult {
    for shape in shapes() {
        for mode in [JsonMode::Relaxed, JsonMode::Canonical] {
            let (mut whole, mut trimmed) = (b"before".to_vec(), b"before".to_vec());
            let written = shape.write(event, mode, &mut whole).map(drop);
            let outcomes = [
                (written, whole),
                (shape.write_trimmed(event, mode, &mut trimmed), trimmed),
            ];
            for (written, body) in outcomes {
                let body = body.strip_prefix(b"before").unwrap();
                if written.is_err() {
                    prop_assert!(body.is_empty(), "{:?}", shape);
                } else if shape.content_type().contains("json") {
                    let json = serde_json::from_slice::<serde_json::Value>(body);
                    prop_assert!(json.is_ok(), "{:?}: {:?}", shape, json);
                }
            }
            let _ = shape.headers(event);
        }
    }
    Ok(())
}

#[test]
fn events_with_changed_bytes_are_an_error_or_become_a_body() {
    let document =
        bson::doc! { "fullDocument": every_type(), "fullDocumentBeforeChange": { "_id": 1 } };
    let samples = [
        insert(),
        update(),
        bare_update(),
        delete(),
        rename(),
        read(&[Mark::RunFirst, Mark::RangeLast]),
        event("replace", document),
    ];
    let byte = || proptest::prop_oneof![0..0x14_u8, any::<u8>()];
    let changes = vec((any::<usize>(), byte()), 0..4);
    crate::property::run(&(0..samples.len(), changes), |(sample, changes)| {
        let mut raw = samples[sample].raw().to_vec();
        for (position, byte) in changes {
            let length = raw.len();
            raw[position % length] = byte;
        }
        match ChangeEvent::parse(raw.into()) {
            Ok(event) => is_an_error_or_a_body(&event),
            Err(_) => Ok(()),
        }
    });
}

#[test]
fn whatever_has_a_body_whole_has_one_without_its_documents_that_is_no_longer() {
    for event in [insert(), update(), bare_update(), delete(), read(&[])] {
        for shape in shapes() {
            let (mut whole, mut trimmed) = (Vec::new(), Vec::new());
            let mode = JsonMode::Canonical;
            shape.write(&event, mode, &mut whole).unwrap();
            shape.write_trimmed(&event, mode, &mut trimmed).unwrap();
            assert!(trimmed.len() <= whole.len(), "{shape:?}");
            let text = String::from_utf8_lossy(&trimmed);
            for part in ["cents", "fullDocument"] {
                assert!(!text.contains(part), "{shape:?}: {text}");
            }
        }
    }
}

#[test]
fn every_shape_has_a_name_of_its_own() {
    let names: std::collections::BTreeSet<_> =
        Format::NAMES.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), Format::NAMES.len());
    assert_eq!(Format::NAMES[0].0, "document");
}
