//! What each type is written as. Facts are those of the specification and its BSON corpus.

mod dates;
mod numbers;
mod texts;

use super::{JsonMode, bytes, document, field, written};

/// Checks the text of a value in both modes.
#[track_caller]
fn check(kind: u8, value: &str, relaxed: &str, canonical: &str) {
    let bson = field(kind, &bytes(value));
    assert_eq!(
        written(&bson, JsonMode::Relaxed),
        Ok(format!(r#"{{"a":{relaxed}}}"#))
    );
    assert_eq!(
        written(&bson, JsonMode::Canonical),
        Ok(format!(r#"{{"a":{canonical}}}"#))
    );
}

/// Checks a value whose text is the same in both modes.
#[track_caller]
fn check_same(kind: u8, value: &str, text: &str) {
    check(kind, value, text, text);
}

#[track_caller]
fn check_binary(hex: &str, base64: &str, subtype: &str) {
    let text = format!(r#"{{"$binary":{{"base64":"{base64}","subType":"{subtype}"}}}}"#);
    check_same(0x05, hex, &text);
}

/// Checks a whole document.
#[track_caller]
fn check_document(elements: &[u8], relaxed: &str, canonical: &str) {
    let bson = document(elements);
    assert_eq!(written(&bson, JsonMode::Relaxed).as_deref(), Ok(relaxed));
    assert_eq!(
        written(&bson, JsonMode::Canonical).as_deref(),
        Ok(canonical)
    );
}

#[test]
fn documents_nest() {
    check_same(0x03, "0500000000", "{}");
    check_same(0x03, "0d000000 02 00 02000000 6200 00", r#"{"":"b"}"#);
    check_same(0x03, "0e000000 02 6100 02000000 6200 00", r#"{"a":"b"}"#);
}

#[test]
fn fields_may_be_called_anything() {
    check_document(
        b"\x08\0\x00\x08a.b\0\x00\x08$set\0\x01\x08$\0\x01\x08.\0\x00",
        r#"{"":false,"a.b":false,"$set":true,"$":true,".":false}"#,
        r#"{"":false,"a.b":false,"$set":true,"$":true,".":false}"#,
    );
    check_document(
        b"\x0a\x01\"\\\0\x0aabcdefgh\n\0\x0aabcdefghi\0\x0a\xc3\xa9\0",
        r#"{"\u0001\"\\":null,"abcdefgh\n":null,"abcdefghi":null,"é":null}"#,
        r#"{"\u0001\"\\":null,"abcdefgh\n":null,"abcdefghi":null,"é":null}"#,
    );
}

#[test]
fn fields_of_the_same_name_are_all_written() {
    check_document(
        b"\x10foo\0\x01\0\0\0\x10foo\0\x02\0\0\0",
        r#"{"foo":1,"foo":2}"#,
        r#"{"foo":{"$numberInt":"1"},"foo":{"$numberInt":"2"}}"#,
    );
}

#[test]
fn documents_that_look_like_a_type_wrapper_are_taken_as_they_are() {
    check_document(
        b"\x02$regex\0\x0c\0\0\0not-a-regex\0\x02$options\0\x02\0\0\0i\0\x02$banana\0\x05\0\0\0peel\0",
        r#"{"$regex":"not-a-regex","$options":"i","$banana":"peel"}"#,
        r#"{"$regex":"not-a-regex","$options":"i","$banana":"peel"}"#,
    );
    check(
        0x03,
        "10000000 10 247479706500 02000000 00",
        r#"{"$type":2}"#,
        r#"{"$type":{"$numberInt":"2"}}"#,
    );
}

#[test]
fn database_references_are_documents() {
    check_same(
        0x03,
        "38000000 02 2472656600 0b000000 636f6c6c656374696f6e00 \
         07 24696400 58921b3e6e32ab156a22b59e 02 2464623200 03000000 646200 00",
        r#"{"$ref":"collection","$id":{"$oid":"58921b3e6e32ab156a22b59e"},"$db2":"db"}"#,
    );
}

#[test]
fn arrays_keep_their_order_whatever_their_indexes_say() {
    let ten = r#"{"$numberInt":"10"}"#;
    let twenty = r#"{"$numberInt":"20"}"#;
    check_same(0x04, "0500000000", "[]");
    check(
        0x04,
        "0c000000 10 3000 0a000000 00",
        "[10]",
        &format!("[{ten}]"),
    );
    check(
        0x04,
        "0b000000 10 00 0a000000 00",
        "[10]",
        &format!("[{ten}]"),
    );
    check(
        0x04,
        "0e000000 10 61626300 0a000000 00",
        "[10]",
        &format!("[{ten}]"),
    );
    check(
        0x04,
        "13000000 10 3000 0a000000 10 3000 14000000 00",
        "[10,20]",
        &format!("[{ten},{twenty}]"),
    );
}

#[test]
fn binaries_are_base64_with_their_subtype() {
    check_binary("00000000 00", "", "00");
    check_binary("01000000 00 ff", "/w==", "00");
    check_binary("02000000 00 ffff", "//8=", "00");
    check_binary("03000000 00 ffffff", "////", "00");
    check_binary("02000000 01 ffff", "//8=", "01");
    for subtype in [0x03, 0x04, 0x05, 0x06, 0x07] {
        let subtype = format!("{subtype:02x}");
        let value = format!("10000000 {subtype} 73ffd26444b34c6990e8e7d1dfc035d4");
        check_binary(&value, "c//SZESzTGmQ6OfR38A11A==", &subtype);
    }
    check_binary("02000000 08 ffff", "//8=", "08");
    check_binary("0a000000 09 27000000fe420000e040", "JwAAAP5CAADgQA==", "09");
    check_binary("02000000 80 ffff", "//8=", "80");
    check_binary("02000000 ff ffff", "//8=", "ff");
}

#[test]
fn old_binaries_lose_the_second_length() {
    check_binary("06000000 02 02000000 ffff", "//8=", "02");
    check_binary("04000000 02 00000000", "", "02");
}

#[test]
fn object_ids_are_24_digits() {
    check_same(
        0x07,
        "000000000000000000000000",
        r#"{"$oid":"000000000000000000000000"}"#,
    );
    check_same(
        0x07,
        "ffffffffffffffffffffffff",
        r#"{"$oid":"ffffffffffffffffffffffff"}"#,
    );
    check_same(
        0x07,
        "56e1fc72e0c917e9c4714161",
        r#"{"$oid":"56e1fc72e0c917e9c4714161"}"#,
    );
}

#[test]
fn booleans_and_nulls_are_those_of_json() {
    check_same(0x08, "01", "true");
    check_same(0x08, "00", "false");
    check_same(0x0a, "", "null");
}

#[test]
fn database_pointers_are_wrapped() {
    check_same(
        0x0c,
        "02000000 6200 56e1fc72e0c917e9c4714161",
        r#"{"$dbPointer":{"$ref":"b","$id":{"$oid":"56e1fc72e0c917e9c4714161"}}}"#,
    );
    check_same(
        0x0c,
        "03000000 c3a900 56e1fc72e0c917e9c4714161",
        r#"{"$dbPointer":{"$ref":"é","$id":{"$oid":"56e1fc72e0c917e9c4714161"}}}"#,
    );
}

#[test]
fn the_remaining_types_are_wrapped_constants() {
    check_same(0x06, "", r#"{"$undefined":true}"#);
    check_same(0xff, "", r#"{"$minKey":1}"#);
    check_same(0x7f, "", r#"{"$maxKey":1}"#);
}

#[test]
fn an_empty_document_is_an_empty_object() {
    check_document(b"", "{}", "{}");
}
