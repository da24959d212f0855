//! Integers, doubles and decimals.

use super::{check, check_same};

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
fn check_decimal(hex: &str, text: &str) {
    check_same(0x13, hex, &format!(r#"{{"$numberDecimal":"{text}"}}"#));
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
