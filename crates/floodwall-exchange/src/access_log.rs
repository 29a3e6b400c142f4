//! Access logs, both ways.
//!
//! # Reading
//!
//! [`LogReader`] reads lines of the formats that are in use ([`LogFormat`]), each into a [`LogRecord`]
//! that borrows from it. Nothing a line holds is trusted: what cannot be read is a [`LineFault`], to be
//! counted.
//!
//! # Writing
//!
//! One access record as one line: in the combined format that Apache and nginx write, or as JSON.
//!
//! **Combined**: `client - - [08/Nov/2022:14:02:07 +0000] "GET /x HTTP/1.1" 200 123 "referer" "agent"`.
//! Within quotes, `"` and `\` are written `\"` and `\\`; control characters and everything that is
//! not ASCII is written byte by byte as `\xHH`, as Apache and nginx do; so is a space within method
//! or target, so that the request always has three parts. What was not sent is `-`.
//!
//! **JSON**: one object with the same keys on every line, `null` for what is not known. Times are
//! RFC 3339 in UTC with milliseconds. Beyond what JSON requires (RFC 8259, section 7), characters
//! that steer a terminal or end a line for some readers are written `\uHHHH`.
//!
//! Both append exactly one line to the caller's buffer, allocate nothing else and cannot fail. A
//! text is cut after [`TEXT_BYTES_MAX`] bytes and ends in `...` then: who asks does not choose how
//! much disk one request takes.

mod combined;
mod counts;
mod escape;
mod haproxy;
mod json;
mod lines;
mod reader;
mod record;
mod times;
mod w3c;

use std::fmt::Display;
use std::io::Write;

use floodwall_model::{AccessRecord, Timestamp};
use jiff::tz::Offset;

use escape::{push_json_text, push_quoted};
pub use reader::{LINE_BYTES_MAX, LogFormat, LogReader, UnknownFormat, parse_utc_offset};
pub use record::{CountRecord, Line, LineFault, LogRecord, OriginUse};

/// Bytes of one text (target, `Referer`, `User-Agent`, ...) that a line holds at most, before
/// escaping; an escaped one takes up to six times as much.
pub const TEXT_BYTES_MAX: usize = 4096;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Appends `record` as one line of the combined format, the newline included. (The format has no
/// place for host, site, duration, cache and reference; JSON has.)
pub fn push_combined(line: &mut Vec<u8>, record: &AccessRecord) {
    push(line, record.client);
    line.extend_from_slice(b" - - [");
    push_combined_time(line, record.received);
    line.extend_from_slice(b"] \"");
    for part in [&record.method, &record.target] {
        // An empty part would leave two for three.
        push_quoted(line, if part.is_empty() { "-" } else { part }, true);
        line.push(b' ');
    }
    line.extend_from_slice(record.protocol.as_str().as_bytes());
    line.extend_from_slice(b"\" ");
    push(line, record.status);
    line.push(b' ');
    push(line, record.body_bytes);
    for text in [&record.referer, &record.user_agent] {
        line.extend_from_slice(b" \"");
        push_quoted(line, text.as_deref().unwrap_or("-"), false);
        line.push(b'"');
    }
    line.push(b'\n');
}

/// Appends `record` as one JSON object on a line of its own, the newline included.
pub fn push_json(line: &mut Vec<u8>, record: &AccessRecord) {
    line.extend_from_slice(b"{\"time\":\"");
    push(line, format_args!("{:.3}", wall(record.received)));
    line.extend_from_slice(b"\",\"client\":\"");
    push(line, record.client);
    line.push(b'"');
    push_json_field(line, "site", record.site.as_deref());
    push_json_field(line, "host", Some(&record.host));
    push_json_field(line, "method", Some(&record.method));
    push_json_field(line, "target", Some(&record.target));
    push_json_field(line, "protocol", Some(record.protocol.as_str()));
    line.extend_from_slice(b",\"status\":");
    push(line, record.status);
    line.extend_from_slice(b",\"body_bytes\":");
    push(line, record.body_bytes);
    line.extend_from_slice(b",\"duration_us\":");
    push(line, u64::try_from(record.duration.as_micros()).unwrap_or(u64::MAX));
    push_json_field(line, "referer", record.referer.as_deref());
    push_json_field(line, "user_agent", record.user_agent.as_deref());
    push_json_field(line, "cache", record.cache);
    line.extend_from_slice(b",\"reference\":\"");
    push(line, record.reference);
    line.extend_from_slice(b"\"}\n");
}

/// `,"key":"text"`, or `,"key":null`.
fn push_json_field(line: &mut Vec<u8>, key: &str, text: Option<&str>) {
    line.extend_from_slice(b",\"");
    line.extend_from_slice(key.as_bytes());
    line.extend_from_slice(b"\":");
    match text {
        Some(text) => {
            line.push(b'"');
            push_json_text(line, text);
            line.push(b'"');
        }
        None => line.extend_from_slice(b"null"),
    }
}

/// The time for people. One that no calendar holds becomes the nearest that it does.
fn wall(time: Timestamp) -> jiff::Timestamp {
    let nearest = if time.wall_unix_micros() < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    jiff::Timestamp::from_microsecond(time.wall_unix_micros()).unwrap_or(nearest)
}

/// `08/Nov/2022:14:02:07 +0000`.
fn push_combined_time(line: &mut Vec<u8>, time: Timestamp) {
    let civil = Offset::UTC.to_datetime(wall(time));
    let month = usize::try_from(civil.month() - 1).ok().and_then(|month| MONTHS.get(month)).unwrap_or(&"-");
    let (day, year) = (civil.day(), civil.year());
    let (hour, minute, second) = (civil.hour(), civil.minute(), civil.second());
    push(line, format_args!("{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000"));
}

/// Appends a value whose text is our own: numbers, addresses, times.
fn push(line: &mut Vec<u8>, value: impl Display) {
    // Writing to a `Vec` does not fail.
    let _ = write!(line, "{value}");
}

#[cfg(test)]
mod reading_tests;
#[cfg(test)]
mod tests;
