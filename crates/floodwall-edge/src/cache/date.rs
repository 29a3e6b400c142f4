//! HTTP dates (RFC 9110 section 5.6.7) as a cache reads them.
//!
//! RFC 9111 section 4.2 asks a cache to be kinder than the grammar in one thing, the case of
//! letters, and in nothing else: an abbreviation other than GMT makes a date invalid. The day of the
//! week is read but not believed: it says nothing that the date does not.

const SECONDS_A_DAY: i64 = 86_400;

const MONTHS: [&[u8]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
const DAYS: [(&[u8], &[u8]); 7] = [
    (b"mon", b"monday"),
    (b"tue", b"tuesday"),
    (b"wed", b"wednesday"),
    (b"thu", b"thursday"),
    (b"fri", b"friday"),
    (b"sat", b"saturday"),
    (b"sun", b"sunday"),
];

/// Unix seconds of an HTTP date in any of its three forms; `None` when it is none, or before 1970.
pub(crate) fn parse_date(text: &[u8]) -> Option<i64> {
    let text = text.trim_ascii();
    imf_fixdate(text).or_else(|| rfc850_date(text)).or_else(|| asctime_date(text))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn imf_fixdate(text: &[u8]) -> Option<i64> {
    let (name, rest) = split(text, 3)?;
    DAYS.iter().find(|(short, _)| name.eq_ignore_ascii_case(short))?;
    let rest = rest.strip_prefix(b", ")?;
    let (day, rest) = split(rest, 2)?;
    let (month, rest) = split(rest.strip_prefix(b" ")?, 3)?;
    let (year, rest) = split(rest.strip_prefix(b" ")?, 4)?;
    let (time, zone) = split(rest.strip_prefix(b" ")?, 8)?;
    zone.eq_ignore_ascii_case(b" GMT").then_some(())?;
    unix_seconds(number(year)?, month_of(month)?, number(day)?, time)
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`. Years from 70 on are of the last century: a year that seems
/// more than fifty years ahead is a past one (RFC 9110 section 5.6.7), and Unix time begins in 1970.
fn rfc850_date(text: &[u8]) -> Option<i64> {
    let comma = text.iter().position(|byte| *byte == b',')?;
    let (name, rest) = split(text, comma)?;
    DAYS.iter().find(|(_, long)| name.eq_ignore_ascii_case(long))?;
    let (day, rest) = split(rest.strip_prefix(b", ")?, 2)?;
    let (month, rest) = split(rest.strip_prefix(b"-")?, 3)?;
    let (year, rest) = split(rest.strip_prefix(b"-")?, 2)?;
    let (time, zone) = split(rest.strip_prefix(b" ")?, 8)?;
    zone.eq_ignore_ascii_case(b" GMT").then_some(())?;
    let year = number(year)?;
    let year = if year < 70 { year.checked_add(2000)? } else { year.checked_add(1900)? };
    unix_seconds(year, month_of(month)?, number(day)?, time)
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime_date(text: &[u8]) -> Option<i64> {
    let (name, rest) = split(text, 3)?;
    DAYS.iter().find(|(short, _)| name.eq_ignore_ascii_case(short))?;
    let (month, rest) = split(rest.strip_prefix(b" ")?, 3)?;
    let (day, rest) = split(rest.strip_prefix(b" ")?, 2)?;
    let day = day.strip_prefix(b" ").unwrap_or(day);
    let (time, rest) = split(rest.strip_prefix(b" ")?, 8)?;
    let (year, rest) = split(rest.strip_prefix(b" ")?, 4)?;
    rest.is_empty().then_some(())?;
    unix_seconds(number(year)?, month_of(month)?, number(day)?, time)
}

fn split(text: &[u8], at: usize) -> Option<(&[u8], &[u8])> {
    text.split_at_checked(at)
}

/// The value of at most four digits.
fn number(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    digits.iter().try_fold(0_i64, |sum, digit| sum.checked_mul(10)?.checked_add(i64::from(digit - b'0')))
}

/// From 1 to 12.
fn month_of(name: &[u8]) -> Option<i64> {
    let place = MONTHS.iter().position(|month| name.eq_ignore_ascii_case(month))?;
    i64::try_from(place).ok()?.checked_add(1)
}

/// `time` is `08:49:37`; a leap second counts as the second before it.
fn unix_seconds(year: i64, month: i64, day: i64, time: &[u8]) -> Option<i64> {
    let (hour, rest) = split(time, 2)?;
    let (minute, second) = split(rest.strip_prefix(b":")?, 2)?;
    let (hour, minute, second) = (number(hour)?, number(minute)?, number(second.strip_prefix(b":")?)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let valid = (1970..=9999).contains(&year)
        && (1..=days).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !valid {
        return None;
    }
    Some(days_since_1970(year, month, day) * SECONDS_A_DAY + hour * 3600 + minute * 60 + second.min(59))
}

/// Days from 1970-01-01 in the Gregorian calendar. Years begin in March here, so that the leap day
/// is the last of one: <https://howardhinnant.github.io/date_algorithms.html>, `days_from_civil`.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (century_four, year_of_four) = (year / 400, year % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_four = year_of_four * 365 + year_of_four / 4 - year_of_four / 100 + day_of_year;
    century_four * 146_097 + day_of_four - 719_468
}
