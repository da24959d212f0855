//! What is allocated for an event. A program of its own, because the counting allocator serves the whole of it.

#[path = "../benches/change_events.rs"]
mod change_events;
#[path = "../benches/documents.rs"]
mod documents;

use std::sync::Arc;

use cdc::encode::{
    self, Compression, Config, JsonMode, RoutingKey, Shape, debezium::Debezium, document::Document,
    event::Event, extended_json, raw_event::RawEvent,
};

use self::documents::SIZES;

const MODES: [JsonMode; 2] = [JsonMode::Relaxed, JsonMode::Canonical];

/// The parts of a message, each allocated once: the body, the namespace and the document's key; a constant routing key
/// is shared.
const PARTS: u64 = 3;
/// How often a body at most grows that turns out longer than expected: canonical text may.
const GROWTHS_MAX: [(JsonMode, u64); 2] = [(JsonMode::Relaxed, 0), (JsonMode::Canonical, 1)];

/// The shapes whose bodies are all that they make.
fn shapes() -> [Arc<dyn Shape>; 4] {
    [
        Arc::new(Document),
        Arc::new(Event),
        Arc::new(Debezium::new(&encode::debezium::Options::default())),
        Arc::new(RawEvent),
    ]
}

/// How often `run` allocates in this thread; a reallocation counts as one.
fn allocations(run: impl FnOnce()) -> u64 {
    allocation_counter::measure(run).count_total
}

/// Writes twice into one buffer and counts both times.
fn cold_and_warm(mut write: impl FnMut(&mut Vec<u8>)) -> [u64; 2] {
    let mut out = Vec::new();
    [(); 2].map(|()| {
        out.clear();
        allocations(|| write(&mut out))
    })
}

/// A writer allocates for a cold buffer, or nobody counts; and never for a warm one.
#[track_caller]
fn check(what: &str, write: impl FnMut(&mut Vec<u8>)) {
    let [cold, warm] = cold_and_warm(write);
    assert!(cold > 0, "{what}: a buffer grows by allocations");
    assert_eq!(warm, 0, "{what}: allocations into a warm buffer");
}

#[test]
fn a_warm_writer_allocates_nothing() {
    for bytes in SIZES {
        let document = documents::document(bytes);
        for mode in MODES {
            check(&format!("{bytes} bytes, {mode:?}"), |out| {
                extended_json::write_document(&document, mode, out).expect("it is BSON");
            });
        }
    }
}

#[test]
fn a_warm_body_allocates_nothing() {
    for bytes in SIZES {
        let insert = change_events::insert(&documents::document(bytes));
        for mode in MODES {
            for shape in shapes() {
                check(&format!("{shape:?}, {bytes} bytes, {mode:?}"), |out| {
                    shape.write(&insert, mode, out).expect("it is BSON");
                });
            }
        }
    }
}

#[test]
fn a_message_allocates_its_parts_once() {
    for bytes in SIZES {
        let insert = change_events::insert(&documents::document(bytes));
        for shape in shapes() {
            for (mode, growths) in GROWTHS_MAX {
                let config = Config {
                    shape: Arc::clone(&shape),
                    mode,
                    compression: Compression::default(),
                    routing_key: RoutingKey::parse("test_queue").expect("a constant"),
                    ..Config::default()
                };
                let count = allocations(|| {
                    encode::encode(&insert, &config).expect("it is BSON");
                });
                assert!(
                    (PARTS..=PARTS + growths).contains(&count),
                    "{shape:?}, {mode:?}, {bytes} bytes: {count} allocations"
                );
            }
        }
    }
}
