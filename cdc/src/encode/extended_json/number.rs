//! Integers and doubles.

use crate::encode::JsonMode;

/// Writes an integer in decimal digits.
pub(super) fn integer(integer: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
}

pub(super) fn int32(int: i32, mode: JsonMode, out: &mut Vec<u8>) {
    match mode {
        JsonMode::Relaxed => integer(int, out),
        JsonMode::Canonical => {
            out.extend_from_slice(br#"{"$numberInt":""#);
            integer(int, out);
            out.extend_from_slice(br#""}"#);
        }
    }
}

pub(super) fn int64(int: i64, mode: JsonMode, out: &mut Vec<u8>) {
    match mode {
        JsonMode::Relaxed => integer(int, out),
        JsonMode::Canonical => number_long(int, out),
    }
}

/// Writes an integer with the type that only 64-bit integers have, in both modes.
pub(super) fn number_long(int: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"$numberLong":""#);
    integer(int, out);
    out.extend_from_slice(br#""}"#);
}

/// Writes the shortest digits that read back as the same double; JSON has none for what is not finite.
pub(super) fn double(double: f64, mode: JsonMode, out: &mut Vec<u8>) {
    if double.is_finite() && mode == JsonMode::Relaxed {
        out.extend_from_slice(zmij::Buffer::new().format_finite(double).as_bytes());
        return;
    }
    out.extend_from_slice(br#"{"$numberDouble":""#);
    if double.is_finite() {
        out.extend_from_slice(zmij::Buffer::new().format_finite(double).as_bytes());
    } else if double.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if double.is_sign_positive() {
        out.extend_from_slice(b"Infinity");
    } else {
        out.extend_from_slice(b"-Infinity");
    }
    out.extend_from_slice(br#""}"#);
}
