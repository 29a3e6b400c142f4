//! Times as logs write them, to microseconds since 1970-01-01T00:00:00Z.
//!
//! Read without a calendar library: a line has one, and half a million lines are read in a second.
//! Days are counted as in Howard Hinnant's `days_from_civil`. A leap second counts as the second
//! after it. Years from 1970 to 9999.

use super::MONTHS;
use super::lines::{fraction_micros, number};

/// A time, and whether it tells parts of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) unix_micros: i64,
    pub(super) within_second: bool,
}

/// `17/May/2015:10:05:03 +0000`, with or without a fraction of a second. Where no offset from UTC
/// stands, the local time's is `offset_s`.
pub(super) fn combined(text: &[u8], offset_s: i32) -> Option<Read> {
    let (date, rest) = text.split_at_checked(11)?;
    let [d1, d2, b'/', month @ .., b'/', y1, y2, y3, y4] = date else { return None };
    let month = MONTHS.iter().position(|name| name.as_bytes().eq_ignore_ascii_case(month))?;
    let date = (digits(&[*y1, *y2, *y3, *y4])?, i64::try_from(month).ok()? + 1, digits(&[*d1, *d2])?);
    let [b':', rest @ ..] = rest else { return None };
    let (time, rest) = rest.split_at_checked(8)?;
    let (fraction, rest) = fraction(rest)?;
    let offset = match rest {
        b"" => offset_s,
        [b' ', offset @ ..] => offset_seconds(offset)?,
        _ => return None,
    };
    whole(date, clock(time)?, fraction, offset)
}

/// `2015-05-17T10:05:03.125Z`, with a space for the `T`, with `+02:00`, `+0200` or nothing for the
/// `Z`, with or without seconds and their fraction (RFC 3339 and what is near it).
pub(super) fn iso(text: &[u8], offset_s: i32) -> Option<Read> {
    let (day, rest) = text.split_at_checked(10)?;
    let [b'T' | b't' | b' ', rest @ ..] = rest else { return None };
    let (time, rest) = match rest {
        [_, _, b':', _, _, b':', ..] => rest.split_at_checked(8)?,
        _ => rest.split_at_checked(5)?,
    };
    let (fraction, rest) = fraction(rest)?;
    let offset = match rest {
        b"" => offset_s,
        b"Z" | b"z" => 0,
        _ => offset_seconds(rest.trim_ascii_start())?,
    };
    whole(date(day)?, clock(time)?, fraction, offset)
}

/// `2015-05-17`, as year, month and day.
pub(super) fn date(text: &[u8]) -> Option<(i64, i64, i64)> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return None };
    Some((digits(&[*y1, *y2, *y3, *y4])?, digits(&[*m1, *m2])?, digits(&[*d1, *d2])?))
}

/// A date and `10:05:03`, in UTC.
pub(super) fn date_and_clock(date: (i64, i64, i64), time: &[u8]) -> Option<Read> {
    let (time, rest) = time.split_at_checked(8)?;
    let (fraction, rest) = fraction(rest)?;
    if rest.is_empty() { whole(date, clock(time)?, fraction, 0) } else { None }
}

/// Seconds since 1970, with or without a fraction; or milli-, micro- or nanoseconds, told apart by
/// how many digits there are.
pub(super) fn epoch(text: &[u8]) -> Option<Read> {
    let (whole, fraction) = super::lines::cut(text, b'.').unwrap_or((text, b""));
    let value = i64::try_from(number(whole)?).ok()?;
    let read = |unix_micros, within_second| Read { unix_micros, within_second };
    Some(match whole.len() {
        0..=11 => {
            let micros = i64::try_from(fraction_micros(fraction)?).ok()?;
            read(value * 1_000_000 + micros, !fraction.is_empty())
        }
        12..=14 => read(value.checked_mul(1_000)?, true),
        15..=16 => read(value, true),
        _ => read(value / 1_000, true),
    })
}

/// Any of the forms above.
pub(super) fn any(text: &[u8], offset_s: i32) -> Option<Read> {
    match text {
        [_, _, b'/', ..] => combined(text, offset_s),
        [_, _, _, _, b'-', ..] => iso(text, offset_s),
        _ => epoch(text),
    }
}

/// `+0200`, `+02:00`, `+02`, in seconds.
pub(super) fn offset_seconds(text: &[u8]) -> Option<i32> {
    let (sign, rest) = text.split_first()?;
    let sign = match sign {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = match rest {
        [h1, h2] => ([*h1, *h2], *b"00"),
        [h1, h2, m1, m2] | [h1, h2, b':', m1, m2] => ([*h1, *h2], [*m1, *m2]),
        _ => return None,
    };
    let (hours, minutes) = (digits(&hours)?, digits(&minutes)?);
    (hours <= 15 && minutes < 60).then(|| i32::try_from(hours * 3_600 + minutes * 60).ok())?.map(|s| sign * s)
}

/// The digits after a point, in microseconds, and what follows them.
fn fraction(text: &[u8]) -> Option<(Option<u64>, &[u8])> {
    let [b'.' | b',', rest @ ..] = text else { return Some((None, text)) };
    let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, rest) = rest.split_at_checked(end)?;
    Some((Some(fraction_micros(digits)?), rest))
}

/// `10:05:03` or `10:05`, in seconds.
fn clock(text: &[u8]) -> Option<i64> {
    let (hours, minutes, seconds) = match text {
        [h1, h2, b':', m1, m2, b':', s1, s2] => ([*h1, *h2], [*m1, *m2], [*s1, *s2]),
        [h1, h2, b':', m1, m2] => ([*h1, *h2], [*m1, *m2], *b"00"),
        _ => return None,
    };
    let (hours, minutes, seconds) = (digits(&hours)?, digits(&minutes)?, digits(&seconds)?);
    (hours < 24 && minutes < 60 && seconds <= 60).then_some(hours * 3_600 + minutes * 60 + seconds)
}

fn digits(text: &[u8]) -> Option<i64> {
    i64::try_from(number(text)?).ok()
}

fn whole(
    (year, month, day): (i64, i64, i64),
    seconds: i64,
    fraction: Option<u64>,
    offset_s: i32,
) -> Option<Read> {
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // March is the first month, so that the leap day is the last day of a year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    let unix_s = days * 86_400 + seconds - i64::from(offset_s);
    let fraction_micros = i64::try_from(fraction.unwrap_or(0)).ok()?;
    Some(Read { unix_micros: unix_s * 1_000_000 + fraction_micros, within_second: fraction.is_some() })
}
