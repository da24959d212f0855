//! Decimal128, in the text form of its
//! [specification](https://github.com/mongodb/specifications/blob/master/source/bson-decimal128/decimal128.md#to-string-representation).

use super::number;

/// The largest coefficient, 34 digits; a larger one counts as zero.
const COEFFICIENT_MAX: u128 = 9_999_999_999_999_999_999_999_999_999_999_999;
const EXPONENT_BIAS: i32 = 6176;
/// Least adjusted exponent that is written with zeros instead of an exponent.
const PLAIN_EXPONENT_MIN: i32 = -6;
const ZEROS: &[u8; 6] = b"000000";

/// Writes the decimal whose encoding in binary integer decimal format is `bits`.
pub(super) fn decimal128(bits: u128, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"$numberDecimal":""#);
    let negative = bits >> 127 == 1;
    match (bits >> 122) & 0b11111 {
        0b11111 => out.extend_from_slice(b"NaN"),
        0b11110 if negative => out.extend_from_slice(b"-Infinity"),
        0b11110 => out.extend_from_slice(b"Infinity"),
        combination => {
            if negative {
                out.push(b'-');
            }
            // The two highest bits say where the exponent is. Where they are both set, the coefficient is always
            // larger than the largest.
            let (shift, coefficient) = if combination >> 3 == 0b11 {
                (111, 0)
            } else {
                (113, bits & ((1 << 113) - 1))
            };
            let exponent = ((bits >> shift) & 0x3fff) as i32 - EXPONENT_BIAS;
            finite(
                if coefficient > COEFFICIENT_MAX {
                    0
                } else {
                    coefficient
                },
                exponent,
                out,
            );
        }
    }
    out.extend_from_slice(br#""}"#);
}

fn finite(coefficient: u128, exponent: i32, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(coefficient).as_bytes();
    let adjusted = exponent + coefficient.checked_ilog10().unwrap_or(0).cast_signed();
    if exponent > 0 || adjusted < PLAIN_EXPONENT_MIN {
        scientific(digits, adjusted, out);
    } else {
        plain(digits, exponent.unsigned_abs() as usize, out);
    }
}

/// Writes `1.234E+5`.
fn scientific(digits: &[u8], adjusted: i32, out: &mut Vec<u8>) {
    out.push(digits[0]);
    if 1 < digits.len() {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    out.push(b'E');
    if 0 <= adjusted {
        out.push(b'+');
    }
    number::integer(adjusted, out);
}

/// Writes `digits` with a point so that `decimals` of them are behind it.
fn plain(digits: &[u8], decimals: usize, out: &mut Vec<u8>) {
    if decimals == 0 {
        return out.extend_from_slice(digits);
    }
    if decimals < digits.len() {
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    } else {
        out.extend_from_slice(b"0.");
        out.extend_from_slice(&ZEROS[..decimals - digits.len()]);
        out.extend_from_slice(digits);
    }
}
