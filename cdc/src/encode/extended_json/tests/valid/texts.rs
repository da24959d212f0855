//! Strings, and the types that are made of them.

use super::super::{JsonMode, field, written};
use super::{check, check_same};

#[track_caller]
fn check_string(string: &[u8], json: &str) {
    let length = u32::try_from(string.len() + 1).unwrap().to_le_bytes();
    let bson = field(0x02, &[length.as_slice(), string, &[0]].concat());
    let expected = Ok(format!(r#"{{"a":"{json}"}}"#));
    assert_eq!(written(&bson, JsonMode::Relaxed), expected);
    assert_eq!(written(&bson, JsonMode::Canonical), expected);
}

#[test]
fn strings_are_taken_as_they_are() {
    check_string(b"", "");
    check_string(b"b", "b");
    check_string(b"abababababab", "abababababab");
    check_string(
        b"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9",
        "éééééé",
    );
    check_string(b"\xe2\x98\x86\xe2\x98\x86\xe2\x98\x86\xe2\x98\x86", "☆☆☆☆");
    check_string(b"\xf0\x9d\x84\x9e", "𝄞");
    check_string(b"\x7f\xe2\x80\xa8\xe2\x80\xa9/", "\u{7f}\u{2028}\u{2029}/");
}

#[test]
fn strings_are_escaped_where_json_demands_it() {
    check_string(b"ab\0bab\0babab", r"ab\u0000bab\u0000babab");
    check_string(b"\0", r"\u0000");
    check_string(b"ab\\\"ab", r#"ab\\\"ab"#);
    let control: Vec<u8> = (1..0x20).collect();
    let expected = [
        r"\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f\u0010\u0011\u0012",
        r"\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f",
    ];
    check_string(&control, &expected.concat());
}

#[test]
fn a_character_to_escape_is_found_at_every_place_of_a_long_string() {
    for place in 0..40 {
        let mut text = [b'x'; 40];
        text[place] = b'"';
        let expected = std::str::from_utf8(&text).unwrap().replace('"', "\\\"");
        check_string(&text, &expected);
    }
}

#[test]
fn every_ascii_character_is_written_as_json_has_it() {
    for byte in 0..0x80_u8 {
        let text = String::from_utf8(vec![byte; 9]).unwrap();
        let bson = field(0x02, &[b"\x0a\0\0\0", text.as_bytes(), &[0]].concat());
        let json = written(&bson, JsonMode::Relaxed).unwrap();
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read, serde_json::json!({ "a": text }), "{json}");
    }
}

#[test]
fn regular_expressions_are_not_escaped_but_by_json() {
    let regex = |value, pattern: &str, options: &str| {
        let parts = format!(r#"{{"pattern":"{pattern}","options":"{options}"}}"#);
        check_same(0x0b, value, &format!(r#"{{"$regularExpression":{parts}}}"#));
    };
    regex("00 00", "", "");
    regex("61626300 00", "abc", "");
    regex("61626300 696d00", "abc", "im");
    regex("61622f636400 696d00", "ab/cd", "im");
    regex("61625c22616200 00", r#"ab\\\"ab"#, "");
}

#[test]
fn options_of_regular_expressions_are_sorted() {
    let regex = |value, options: &str| {
        let parts = format!(r#"{{"pattern":"abc","options":"{options}"}}"#);
        check_same(0x0b, value, &format!(r#"{{"$regularExpression":{parts}}}"#));
    };
    regex("61626300 6d697800", "imx");
    regex("61626300 7875736d6c6900", "ilmsux");
    regex("61626300 6d2269226d00", r#"\"\"imm"#);
    regex("61626300 78c3a900", "xé");
}

#[test]
fn code_and_symbols_are_wrapped_strings() {
    for (kind, name) in [(0x0d, "$code"), (0x0e, "$symbol")] {
        check_same(kind, "01000000 00", &format!(r#"{{"{name}":""}}"#));
        check_same(kind, "02000000 6200", &format!(r#"{{"{name}":"b"}}"#));
        check_same(kind, "03000000 c3a900", &format!(r#"{{"{name}":"é"}}"#));
        check_same(
            kind,
            "05000000 61006222 00",
            &format!(r#"{{"{name}":"a\u0000b\""}}"#),
        );
    }
}

#[test]
fn code_with_scope_always_shows_its_scope() {
    check_same(
        0x0f,
        "0e000000 01000000 00 0500000000",
        r#"{"$code":"","$scope":{}}"#,
    );
    check_same(
        0x0f,
        "12000000 05000000 6162636400 0500000000",
        r#"{"$code":"abcd","$scope":{}}"#,
    );
    check(
        0x0f,
        "19000000 05000000 6162636400 0c000000 10 7800 01000000 00",
        r#"{"$code":"abcd","$scope":{"x":1}}"#,
        r#"{"$code":"abcd","$scope":{"x":{"$numberInt":"1"}}}"#,
    );
}
