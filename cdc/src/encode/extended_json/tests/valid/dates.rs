//! Dates and timestamps.

use super::{check, check_same};

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
