//! Numbers as people read them.

/// A count as a number to calculate with.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts, bytes and microseconds of a bench are far below 2^52"
)]
pub(super) fn float(count: u64) -> f64 {
    count as f64
}

/// Rounded, with commas between thousands.
pub(super) fn whole(value: f64) -> String {
    let text = format!("{value:.0}");
    let digits = text.trim_start_matches('-');
    let mut grouped = text[..text.len() - digits.len()].to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && digit.is_ascii_digit() {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// About three digits that count.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 99.95 => whole(value),
        size if size >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A ratio; a digit more near 1, where the bars are.
pub(super) fn ratio(value: f64) -> String {
    if value.abs() < 9.9995 {
        format!("{value:.3}")
    } else {
        short(value)
    }
}

/// Bytes in the unit that fits, powers of 1,000.
pub(super) fn bytes(count: u64) -> String {
    let (value, unit) = match count {
        0..1_000 => (float(count), "B"),
        1_000..1_000_000 => (float(count) / 1e3, "KB"),
        _ => (float(count) / 1e6, "MB"),
    };
    format!("{} {unit}", without_zeros(&short(value)))
}

/// A count in the unit that fits, where it comes out even.
pub(super) fn count(count: u64) -> String {
    match count {
        1_000_000.. if count.is_multiple_of(1_000_000) => format!("{} M", count / 1_000_000),
        1_000.. if count.is_multiple_of(1_000) => format!("{} k", count / 1_000),
        _ => whole(float(count)),
    }
}

/// KiB as MiB.
pub(super) fn mebibytes(kib: f64) -> f64 {
    kib / 1_024.0
}

/// Drops zeros that end a fraction.
pub(super) fn without_zeros(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let values = [0.0, 999.4, 1_000.0, -12_345.6, 1_234_567.0];
        let texts = ["0", "999", "1,000", "-12,346", "1,234,567"];
        assert_eq!(values.map(whole), texts);
    }

    #[test]
    fn a_figure_has_about_three_digits() {
        let values = [0.1234, 9.996, 12.34, 99.96, 123.4];
        assert_eq!(values.map(short), ["0.12", "10.0", "12.3", "100", "123"]);
    }

    #[test]
    fn a_ratio_near_1_has_a_digit_more() {
        assert_eq!([0.9496, 105.4, 9.99].map(ratio), ["0.950", "105", "9.990"]);
    }

    #[test]
    fn sizes_and_counts_take_the_unit_that_fits() {
        assert_eq!(
            [400, 2_000, 2_048, 20_000, 10_000_000].map(bytes),
            ["400 B", "2 KB", "2.05 KB", "20 KB", "10 MB"]
        );
        assert_eq!(
            [10_000, 1_000_000, 1_500_000, 1_234].map(count),
            ["10 k", "1 M", "1500 k", "1,234"]
        );
    }
}
