//! Dates.

use super::number;
use crate::encode::JsonMode;

const MILLISECONDS_PER_DAY: u64 = 86_400_000;
/// The last millisecond of the year 9999.
const RELAXED_MILLISECONDS_MAX: u64 = 253_402_300_799_999;

/// Days from 0000-03-01, where the calendar's cycle of 400 years begins, to 1970-01-01.
const DAYS_TO_EPOCH: u64 = 719_468;
const DAYS_PER_CYCLE: u64 = 146_097;

/// Writes a date that is `milliseconds` from 1970-01-01.
///
/// Relaxed text is readable from 1970 to 9999 only; the specification has numbers for every other year.
pub(super) fn date(milliseconds: i64, mode: JsonMode, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"$date":"#);
    match u64::try_from(milliseconds) {
        Ok(since_epoch) if mode == JsonMode::Relaxed && since_epoch <= RELAXED_MILLISECONDS_MAX => {
            iso_8601(since_epoch, out);
        }
        _ => number::number_long(milliseconds, out),
    }
    out.push(b'}');
}

/// The text of a date that relaxed Extended JSON has one for, without quotes.
pub(super) fn text(milliseconds: i64) -> Option<String> {
    let since_epoch = u64::try_from(milliseconds).ok()?;
    if RELAXED_MILLISECONDS_MAX < since_epoch {
        return None;
    }
    let mut quoted = Vec::with_capacity(26);
    iso_8601(since_epoch, &mut quoted);
    let quoted = String::from_utf8(quoted).ok()?;
    Some(quoted.trim_matches('"').to_owned())
}

/// Writes `"2012-12-24T12:15:30.501Z"`, quotes included; milliseconds only if there are any.
fn iso_8601(since_epoch: u64, out: &mut Vec<u8>) {
    let (year, month, day) = civil(since_epoch / MILLISECONDS_PER_DAY);
    let of_day = since_epoch % MILLISECONDS_PER_DAY;
    let milliseconds = of_day % 1000;

    let mut text = *br#""0000-00-00T00:00:00.000Z""#;
    digits(year, &mut text[1..5]);
    digits(month, &mut text[6..8]);
    digits(day, &mut text[9..11]);
    digits(of_day / 3_600_000, &mut text[12..14]);
    digits(of_day / 60_000 % 60, &mut text[15..17]);
    digits(of_day / 1000 % 60, &mut text[18..20]);
    if milliseconds == 0 {
        out.extend_from_slice(&text[..20]);
        out.extend_from_slice(br#"Z""#);
    } else {
        digits(milliseconds, &mut text[21..24]);
        out.extend_from_slice(&text);
    }
}

/// Year, month and day of the day that is `days` after 1970-01-01.
///
/// Years are counted from March, so that the leap day is the last of its year, and the months' lengths then follow a
/// straight line: 153 days for five months.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + DAYS_TO_EPOCH;
    let of_cycle = days % DAYS_PER_CYCLE;
    let year_of_cycle = (of_cycle - of_cycle / 1460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let day_of_year = of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let year = days / DAYS_PER_CYCLE * 400 + year_of_cycle;
    if month_from_march < 10 {
        (year, month_from_march + 3, day)
    } else {
        (year + 1, month_from_march - 9, day)
    }
}

/// Fills `text` with the last digits of `number`.
fn digits(mut number: u64, text: &mut [u8]) {
    for digit in text.iter_mut().rev() {
        *digit = b"0123456789"[(number % 10) as usize];
        number /= 10;
    }
}
