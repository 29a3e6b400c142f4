//! Plain counts: `time,count`, one row for each period, as spreadsheets and monitoring write them.
//! The divider is a comma, a semicolon or a tab; a heading and lines that begin with `#` are passed
//! over. The time is RFC 3339 or near it, or seconds since 1970.

use super::lines::{cut, number};
use super::record::{CountRecord, LineFault};
use super::times;

/// What a row is; `None` for a heading.
pub(super) fn read(line: &[u8], offset_s: i32) -> Result<Option<CountRecord>, LineFault> {
    let (time, count) =
        [b',', b';', b'\t'].iter().find_map(|divider| cut(line, *divider)).ok_or(LineFault::Form)?;
    let (time, count) = (unquoted(time), unquoted(count));
    if !time.iter().any(u8::is_ascii_digit) && !count.iter().any(u8::is_ascii_digit) {
        return Ok(None);
    }
    let time = times::any(time, offset_s).ok_or(LineFault::Time)?;
    // Averages and what was divided have a fraction; the part of a request is none.
    let whole = cut(count, b'.').map_or(count, |(whole, _)| whole);
    let count = number(whole).ok_or(LineFault::Count)?;
    Ok(Some(CountRecord { unix_micros: time.unix_micros, count }))
}

fn unquoted(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii();
    text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text)
}
