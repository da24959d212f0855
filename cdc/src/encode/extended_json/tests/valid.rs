//! What each type is written as. Facts are those of the specification and its BSON corpus.

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
fn check_double(value: &str, relaxed: &str) {
    check(
        0x01,
        value,
        relaxed,
        &format!(r#"{{"$numberDouble":"{relaxed}"}}"#),
    );
}

#[track_caller]
fn check_string(string: &[u8], json: &str) {
    let length = u32::try_from(string.len() + 1).unwrap().to_le_bytes();
    let bson = field(0x02, &[length.as_slice(), string, &[0]].concat());
    let expected = Ok(format!(r#"{{"a":"{json}"}}"#));
    assert_eq!(written(&bson, JsonMode::Relaxed), expected);
    assert_eq!(written(&bson, JsonMode::Canonical), expected);
}

#[track_caller]
fn check_decimal(hex: &str, text: &str) {
    check_same(0x13, hex, &format!(r#"{{"$numberDecimal":"{text}"}}"#));
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
fn finite_doubles_are_the_shortest_digits_that_read_back() {
    check_double("000000000000f03f", "1.0");
    check_double("000000000000f0bf", "-1.0");
    check_double("000000008000f03f", "1.0001220703125");
    check_double("000000008000f0bf", "-1.0001220703125");
    check_double("9a9999999999b93f", "0.1");
    check_double("333333333333d33f", "0.3");
    check_double("0000000000000000", "0.0");
    check_double("0000000000000080", "-0.0");
}

#[test]
fn doubles_of_extreme_magnitude_have_an_exponent() {
    check_double("81e97df41022b143", "1.2345678901234568e+18");
    check_double("81e97df41022b1c3", "-1.2345678901234568e+18");
    check_double("0100000000000000", "5e-324");
    check_double("ffffffffffffef7f", "1.7976931348623157e+308");
    check_double("0000e0ffffffef41", "4294967295.0");
}

#[test]
fn doubles_that_are_not_finite_have_a_name_in_both_modes() {
    let name = |name| format!(r#"{{"$numberDouble":"{name}"}}"#);
    check_same(0x01, "000000000000f87f", &name("NaN"));
    check_same(0x01, "120000000000f87f", &name("NaN"));
    check_same(0x01, "000000000000f8ff", &name("NaN"));
    check_same(0x01, "000000000000f07f", &name("Infinity"));
    check_same(0x01, "000000000000f0ff", &name("-Infinity"));
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
fn dates_from_1970_to_9999_are_readable_in_relaxed_text() {
    let date = |value, relaxed: &str, milliseconds: &str| {
        let canonical = format!(r#"{{"$date":{{"$numberLong":"{milliseconds}"}}}}"#);
        check(
            0x09,
            value,
            &format!(r#"{{"$date":"{relaxed}"}}"#),
            &canonical,
        );
    };
    date("0000000000000000", "1970-01-01T00:00:00Z", "0");
    date("0100000000000000", "1970-01-01T00:00:00.001Z", "1");
    date(
        "c4d8d6cc3b010000",
        "2012-12-24T12:15:30.500Z",
        "1356351330500",
    );
    date(
        "c5d8d6cc3b010000",
        "2012-12-24T12:15:30.501Z",
        "1356351330501",
    );
    date(
        "ffdb1fd277e60000",
        "9999-12-31T23:59:59.999Z",
        "253402300799999",
    );
}

#[test]
fn dates_before_1970_and_after_9999_are_numbers_in_both_modes() {
    let date = |value, milliseconds: &str| {
        check_same(
            0x09,
            value,
            &format!(r#"{{"$date":{{"$numberLong":"{milliseconds}"}}}}"#),
        );
    };
    date("ffffffffffffffff", "-1");
    date("c43ce7b9bdffffff", "-284643869500");
    date("00dc1fd277e60000", "253402300800000");
    date("0000000000000080", "-9223372036854775808");
    date("ffffffffffffff7f", "9223372036854775807");
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

#[test]
fn integers_are_exact() {
    let int = |value, digits: &str| {
        check(
            0x10,
            value,
            digits,
            &format!(r#"{{"$numberInt":"{digits}"}}"#),
        );
    };
    int("00000080", "-2147483648");
    int("ffffff7f", "2147483647");
    int("ffffffff", "-1");
    int("00000000", "0");
    int("01000000", "1");

    let long = |value, digits: &str| {
        check(
            0x12,
            value,
            digits,
            &format!(r#"{{"$numberLong":"{digits}"}}"#),
        );
    };
    long("0000000000000080", "-9223372036854775808");
    long("ffffffffffffff7f", "9223372036854775807");
    long("0100000000002000", "9007199254740993");
    long("ffffffffffffffff", "-1");
    long("0000000000000000", "0");
}

#[test]
fn timestamps_have_unsigned_parts() {
    check_same(
        0x11,
        "2a000000 15cd5b07",
        r#"{"$timestamp":{"t":123456789,"i":42}}"#,
    );
    check_same(
        0x11,
        "ffffffff ffffffff",
        r#"{"$timestamp":{"t":4294967295,"i":4294967295}}"#,
    );
    check_same(
        0x11,
        "00286bee 00286bee",
        r#"{"$timestamp":{"t":4000000000,"i":4000000000}}"#,
    );
}

#[test]
fn decimals_that_are_not_finite_have_a_name() {
    check_decimal("0000000000000000000000000000007c", "NaN");
    check_decimal("000000000000000000000000000000fc", "NaN");
    check_decimal("0000000000000000000000000000007e", "NaN");
    check_decimal("1200000000000000000000000000007e", "NaN");
    check_decimal("00000000000000000000000000000078", "Infinity");
    check_decimal("000000000000000000000000000000f8", "-Infinity");
}

#[test]
fn decimals_with_an_impossible_coefficient_are_zero() {
    check_decimal("0000000000000000000000000000106c", "0");
    check_decimal("dcba9876543210deadbeef00000010ec", "-0");
    check_decimal("ffffffffffffffffffffffffffff116c", "0E+3");
    // One more than 34 nines.
    check_decimal("00000000648e8d37c087adbe09ed4130", "0");
}

#[test]
fn decimals_near_one_have_no_exponent() {
    check_decimal("00000000000000000000000000004030", "0");
    check_decimal("000000000000000000000000000040b0", "-0");
    check_decimal("00000000000000000000000000003e30", "0.0");
    check_decimal("02000000000000000000000000004030", "2");
    check_decimal("d0070000000000000000000000003a30", "2.000");
    check_decimal("01000000000000000000000000003e30", "0.1");
    check_decimal("d2040000000000000000000000003430", "0.001234");
    check_decimal("40ef5a07000000000000000000002a30", "0.00123400000");
    check_decimal(
        "f2af967ed05c82de3297ff6fde3cfc2f",
        "0.1234567890123456789012345678901234",
    );
    check_decimal(
        "f2af967ed05c82de3297ff6fde3cf22f",
        "0.000001234567890123456789012345678901234",
    );
    check_decimal(
        "f2af967ed05c82de3297ff6fde3c4030",
        "1234567890123456789012345678901234",
    );
    check_decimal(
        "ffffffffffffffffffffffffffff4030",
        "5192296858534827628530496329220095",
    );
}

#[test]
fn decimals_far_from_one_have_an_exponent() {
    check_decimal(
        "f2af967ed05c82de3297ff6fde3cf02f",
        "1.234567890123456789012345678901234E-7",
    );
    check_decimal("64000000000000000000000000002cb0", "-1.00E-8");
    check_decimal("01000000000000000000000000004630", "1E+3");
    check_decimal("1a040000000000000000000000004230", "1.050E+4");
    check_decimal("69000000000000000000000000004230", "1.05E+3");
    check_decimal("0000000000000000000000000000205f", "0E+6000");
    check_decimal("00000000000000000000000000007a2b", "0E-611");
    check_decimal("01000000000000000000000000000000", "1E-6176");
    check_decimal("01000000000000000000000000000080", "-1E-6176");
    check_decimal(
        "ffffffff638e8d37c087adbe09ed0100",
        "9.999999999999999999999999999999999E-6143",
    );
    check_decimal(
        "ffffffff638e8d37c087adbe09edff5f",
        "9.999999999999999999999999999999999E+6144",
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
