//! Deep and large documents.

use std::thread;

use super::{Error, JsonMode, bytes, document, write_bytes, written};
use crate::raw_bson::DEPTH_MAX;

/// Stack that is enough for the deepest document in an unoptimised build, half of what a thread
/// has by default.
const STACK_BYTES: usize = 1 << 20;
/// Largest document that a server stores.
const DOCUMENT_BYTES_MAX: usize = 16 << 20;

/// Type and name of a nested document, an array and code with scope, all called `a`.
const KINDS: [u8; 3] = [0x03, 0x04, 0x0f];

/// A document with `depth` levels, of all types that nest.
fn nested(depth: usize) -> Vec<u8> {
    let mut inner = document(&[]);
    for level in 1..depth {
        let kind = KINDS[level % KINDS.len()];
        let mut element = vec![kind, b'a', 0];
        if kind == 0x0f {
            let length = u32::try_from(inner.len() + 9).unwrap();
            element.extend(length.to_le_bytes());
            element.extend(bytes("01000000 00"));
        }
        element.extend(inner);
        inner = document(&element);
    }
    inner
}

fn on_a_small_stack(check: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(check)
        .unwrap();
    thread.join().unwrap();
}

#[test]
fn a_hundred_levels_are_written() {
    on_a_small_stack(|| {
        let text = written(&nested(100), JsonMode::Canonical).unwrap();
        let closed = text
            .bytes()
            .filter(|byte| matches!(byte, b'}' | b']'))
            .count();
        assert_eq!(
            closed, 133,
            "33 of the 99 inner levels are code with scope, which is two"
        );
    });
}

#[test]
fn the_deepest_level_is_written_and_the_next_is_an_error() {
    on_a_small_stack(|| {
        written(&nested(DEPTH_MAX), JsonMode::Relaxed).unwrap();
        let err = written(&nested(DEPTH_MAX + 1), JsonMode::Relaxed).unwrap_err();
        assert!(matches!(err, Error::Depth { .. }), "{err}");
    });
}

#[test]
fn nesting_without_end_is_an_error_and_no_overflow() {
    on_a_small_stack(|| {
        let mut elements = Vec::new();
        let mut length = 8 * 100_000;
        while length > 8 {
            elements.extend(u32::to_le_bytes(length));
            elements.extend([0x03, b'a', 0]);
            length -= 8;
        }
        elements.extend(document(&[]));
        elements.resize(8 * 100_000, 0);
        let err = written(&elements, JsonMode::Relaxed).unwrap_err();
        assert_eq!(
            err,
            Error::Depth {
                offset: 7 * DEPTH_MAX
            }
        );
    });
}

#[test]
fn a_large_string_is_written() {
    let text = "x".repeat(DOCUMENT_BYTES_MAX - 100) + "é\"";
    let length = u32::try_from(text.len() + 1).unwrap().to_le_bytes();
    let bson = document(&[b"\x02a\0", length.as_slice(), text.as_bytes(), &[0]].concat());
    let expected = format!(r#"{{"a":"{}\""}}"#, text.strip_suffix('"').unwrap());
    assert!(written(&bson, JsonMode::Relaxed).unwrap() == expected);
}

#[test]
fn a_large_binary_is_written() {
    let payload = vec![0; 3 * 5_000_000];
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    let bson = document(&[b"\x05a\0", length.as_slice(), &[0], &payload].concat());
    let text = written(&bson, JsonMode::Relaxed).unwrap();
    assert_eq!(
        text.bytes().filter(|byte| *byte == b'A').count(),
        4 * 5_000_000
    );
}

#[test]
fn many_small_fields_are_written() {
    let bson = document(&b"\x10a\0\x07\0\0\0".repeat(DOCUMENT_BYTES_MAX / 7 - 1));
    let text = written(&bson, JsonMode::Relaxed).unwrap();
    assert_eq!(text.matches(r#""a":7"#).count(), DOCUMENT_BYTES_MAX / 7 - 1);
}

#[test]
fn a_warm_buffer_is_not_allocated_again() {
    let bson = nested(50);
    let mut out = Vec::new();
    write_bytes(&bson, JsonMode::Canonical, &mut out).unwrap();
    out.shrink_to_fit();
    let (capacity, address) = (out.capacity(), out.as_ptr());
    for _ in 0..10 {
        out.clear();
        write_bytes(&bson, JsonMode::Canonical, &mut out).unwrap();
    }
    assert_eq!((out.capacity(), out.as_ptr()), (capacity, address));
}
