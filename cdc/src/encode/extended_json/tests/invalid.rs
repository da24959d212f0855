//! What is refused, and which byte is blamed.

use super::{Error, JsonMode, VALUE, bytes, document, field, written};

/// Checks what is wrong with a value.
#[track_caller]
fn check(kind: u8, value: &str, expected: &Error) {
    check_bytes(&field(kind, &bytes(value)), expected);
}

#[track_caller]
fn check_bytes(bson: &[u8], expected: &Error) {
    assert_eq!(written(bson, JsonMode::Relaxed).as_ref(), Err(expected));
    assert_eq!(written(bson, JsonMode::Canonical).as_ref(), Err(expected));
}

/// Checks what is wrong with a whole document.
#[track_caller]
fn check_document(hex: &str, expected: &Error) {
    check_bytes(&bytes(hex), expected);
}

fn past_end(offset: usize) -> Error {
    Error::PastEnd { offset }
}

fn length(offset: usize, length: i32) -> Error {
    Error::Length { offset, length }
}

fn terminator(offset: usize) -> Error {
    Error::Terminator { offset }
}

#[test]
fn documents_whose_length_is_wrong() {
    check_document("", &past_end(0));
    check_document("050000", &past_end(0));
    check_document("05000000", &past_end(4));
    check_document("0100000000", &length(0, 1));
    check_document("0400000000", &length(0, 4));
    check_document("00000000000000000000", &length(0, 0));
    check_document("ffffffff00", &length(0, -1));
    check_document("0600000000", &past_end(4));
    check_document("050000000000", &length(0, 5));
    check_document("12000000 02 666f6f00 04000000 626172", &past_end(4));
    check_document(
        "12000000 02 666f6f00 04000000 62617200 00deadbeef",
        &length(0, 18),
    );
    check_document("13000000 02 666f6f00 04000000 62617200 00", &past_end(4));
    check_document("11000000 02 666f6f00 04000000 62617200 00", &length(0, 17));
    check_document("12000000 02 666f", &past_end(4));
}

#[test]
fn documents_without_terminator() {
    check_document("0500000001", &terminator(4));
    check_document("05000000ff", &terminator(4));
    check_document("0500000070", &terminator(4));
}

#[test]
fn documents_that_end_before_their_length() {
    check_document("07000000 00 00 00", &Error::Kind { offset: 4, kind: 0 });
    check_document("08000000 0a 00 00 00", &Error::Kind { offset: 6, kind: 0 });
}

#[test]
fn unknown_types() {
    for kind in [0x14, 0x15, 0x70, 0x7e, 0x80, 0xfe] {
        check(kind, "", &Error::Kind { offset: 4, kind });
    }
}

#[test]
fn names_that_do_not_end_or_are_not_utf_8() {
    check_bytes(&document(b"\x0a"), &past_end(5));
    check_bytes(&document(b"\x0aab"), &past_end(5));
    check_bytes(&document(b"\x0aabcdefghijkl"), &past_end(5));
    check_bytes(&document(b"\x0aab\xe9\0"), &Error::Utf8 { offset: 7 });
    check_bytes(&document(b"\x0a\xc3\0"), &Error::Utf8 { offset: 5 });
    // In an array they are not written, and looked at all the same.
    check(
        0x04,
        "0b000000 0a 3000 0a e900 00",
        &Error::Utf8 { offset: VALUE + 8 },
    );
}

#[test]
fn numbers_and_ids_that_are_cut_short() {
    for (kind, bytes) in [
        (0x01, 8),
        (0x07, 12),
        (0x08, 1),
        (0x09, 8),
        (0x10, 4),
        (0x12, 8),
        (0x13, 16),
    ] {
        check(kind, &"00".repeat(bytes - 1), &past_end(VALUE));
    }
    check(0x11, "00000000 000000", &past_end(VALUE + 4));
    check(
        0x0c,
        "02000000 6200 0102030405060708090a0b",
        &past_end(VALUE + 6),
    );
}

#[test]
fn booleans_that_are_neither_true_nor_false() {
    for value in 2..=0xff {
        let offset = VALUE;
        check_bytes(&field(0x08, &[value]), &Error::Boolean { offset, value });
    }
}

#[test]
fn strings_of_all_types_whose_length_is_wrong() {
    // String, code, symbol, and the namespace of a database pointer.
    for kind in [0x02, 0x0d, 0x0e, 0x0c] {
        check(kind, "000000", &past_end(VALUE));
        check(kind, "00000000", &length(VALUE, 0));
        check(kind, "00000000 00", &length(VALUE, 0));
        check(kind, "ffffffff 6200", &length(VALUE, -1));
        check(kind, "00000080 6200", &length(VALUE, i32::MIN));
        check(kind, "05000000 6200 6200", &past_end(VALUE + 4));
        check(kind, "ffffff7f 6200", &past_end(VALUE + 4));
    }
    // The terminator of the document is not that of the string.
    check(0x02, "05000000 61626364", &past_end(VALUE + 4));
}

#[test]
fn strings_of_all_types_without_terminator() {
    for kind in [0x02, 0x0d, 0x0e, 0x0c] {
        check(kind, "04000000 61626364", &terminator(VALUE + 7));
        check(kind, "01000000 01", &terminator(VALUE + 4));
    }
}

#[test]
fn strings_of_all_types_that_are_not_utf_8() {
    for kind in [0x02, 0x0d, 0x0e] {
        check(kind, "02000000 e900", &Error::Utf8 { offset: VALUE + 4 });
        check(
            kind,
            "0c000000 6162636465666768 696ae9 00",
            &Error::Utf8 { offset: VALUE + 14 },
        );
        check(
            kind,
            "06000000 22 c3a9 22 e9 00",
            &Error::Utf8 { offset: VALUE + 8 },
        );
        // A surrogate, and a zero in two bytes.
        check(
            kind,
            "04000000 eda080 00",
            &Error::Utf8 { offset: VALUE + 4 },
        );
        check(kind, "03000000 c080 00", &Error::Utf8 { offset: VALUE + 4 });
    }
    let id = "56e1fc72e0c917e9c4714161";
    check(
        0x0c,
        &format!("02000000 e900 {id}"),
        &Error::Utf8 { offset: VALUE + 4 },
    );
}

#[test]
fn a_byte_that_is_not_utf_8_is_found_at_every_place_of_a_long_string() {
    for byte in 0x80..=0xff {
        for place in 0..20 {
            let mut text = [b'x'; 20];
            text[place] = byte;
            let bson = field(0x02, &[b"\x15\0\0\0", text.as_slice(), &[0]].concat());
            check_bytes(
                &bson,
                &Error::Utf8 {
                    offset: VALUE + 4 + place,
                },
            );
        }
    }
}

#[test]
fn an_empty_string_with_one_zero_too_many() {
    check(
        0x02,
        "01000000 00 00",
        &Error::Kind {
            offset: VALUE + 5,
            kind: 0,
        },
    );
}

#[test]
fn nested_documents_that_do_not_fit() {
    for kind in [0x03, 0x04] {
        // The length takes the terminator of the outer document.
        check(kind, "06000000 00", &past_end(VALUE + 4));
        check(kind, "04000000 00", &length(VALUE, 4));
        check(kind, "ffffffff 00", &length(VALUE, -1));
        check(kind, "05000000 01", &terminator(VALUE + 4));
        // One byte short, so that the last byte is the outer document's.
        check(
            kind,
            "0c000000 08 3000 01 00 00000000 00",
            &Error::Kind {
                offset: VALUE + 8,
                kind: 0,
            },
        );
        check(
            kind,
            "0b000000 10 3000 0a00000a 00",
            &terminator(VALUE + 10),
        );
    }
}

#[test]
fn what_is_wrong_inside_a_nested_document_is_found() {
    check(
        0x03,
        "12000000 02 62617200 05000000 62617a00 00",
        &past_end(VALUE + 13),
    );
    let null_in_name = "15000000 10 666f0000 01000000 0a 62617200 00 0000";
    check(
        0x03,
        null_in_name,
        &Error::Kind {
            offset: VALUE + 12,
            kind: 0,
        },
    );
    check(
        0x04,
        "12000000 02 3000 05000000 62617200 0a 3100 00",
        &terminator(VALUE + 15),
    );
    check(
        0x03,
        "09000000 08 7800 02 00",
        &Error::Boolean {
            offset: VALUE + 7,
            value: 2,
        },
    );
}

#[test]
fn binaries_whose_length_is_wrong() {
    check(0x05, "ffffffff 00", &length(VALUE, -1));
    check(
        0x05,
        "ff000000 05 73ffd26444b34c6990e8e7d1dfc035d4",
        &past_end(VALUE + 5),
    );
    check(0x05, "01000000", &past_end(VALUE + 4));
    check(0x05, "01000000 00", &past_end(VALUE + 5));
}

#[test]
fn old_binaries_whose_lengths_differ() {
    check(0x05, "06000000 02 03000000 ffff", &length(VALUE + 5, 3));
    check(0x05, "06000000 02 01000000 ffff", &length(VALUE + 5, 1));
    check(0x05, "06000000 02 ffffffff ffff", &length(VALUE + 5, -1));
    check(0x05, "03000000 02 ffffff", &past_end(VALUE + 5));
}

#[test]
fn regular_expressions_with_a_part_missing_or_too_many() {
    check(0x0b, "616263", &past_end(VALUE));
    check(0x0b, "61626300 696d", &past_end(VALUE + 4));
    check(
        0x0b,
        "6100 6300 696d00",
        &Error::Kind {
            offset: VALUE + 4,
            kind: 0x69,
        },
    );
    check(
        0x0b,
        "61626300 6900 6d00",
        &Error::Kind {
            offset: VALUE + 6,
            kind: 0x6d,
        },
    );
    check(0x0b, "e900 00", &Error::Utf8 { offset: VALUE });
    check(0x0b, "00 69e900", &Error::Utf8 { offset: VALUE + 2 });
}

#[test]
fn code_with_scope_whose_lengths_contradict_each_other() {
    check(0x0f, "00000000 01000000 00 0500000000", &length(VALUE, 0));
    check(0x0f, "ffffffff 01000000 00 0500000000", &length(VALUE, -1));
    check(0x0f, "0d000000 01000000 00 0500000000", &length(VALUE, 13));
    check(0x0f, "0f000000 01000000 00 0500000000", &length(VALUE, 15));
    check(0x0f, "ff000000 01000000 00 0500000000", &length(VALUE, 255));
    check(
        0x0f,
        "0e000000 ffffffff 00 0500000000",
        &length(VALUE + 4, -1),
    );
    check(
        0x0f,
        "0e000000 00000000 00 0500000000",
        &length(VALUE + 4, 0),
    );
    check(
        0x0f,
        "0e000000 01000000 00 0400000000",
        &length(VALUE + 9, 4),
    );
    check(
        0x0f,
        "0f000000 02000000 e900 0500000000",
        &Error::Utf8 { offset: VALUE + 8 },
    );
}

#[test]
fn errors_read_as_part_of_a_sentence() {
    let text = |err: Error| err.to_string();
    assert_eq!(
        text(past_end(7)),
        "value runs past the end of its document at byte 7"
    );
    assert_eq!(text(length(7, -1)), "impossible length -1 at byte 7");
    assert_eq!(text(terminator(7)), "missing terminator at byte 7");
    assert_eq!(
        text(Error::Kind {
            offset: 4,
            kind: 0x14
        }),
        "unknown element type 0x14 at byte 4"
    );
    assert_eq!(
        text(Error::Boolean {
            offset: 7,
            value: 2
        }),
        "boolean is 0x02 at byte 7"
    );
    assert_eq!(text(Error::Utf8 { offset: 7 }), "invalid utf-8 at byte 7");
    assert_eq!(
        text(Error::Depth { offset: 7 }),
        "nested deeper than 256 levels at byte 7"
    );
}
