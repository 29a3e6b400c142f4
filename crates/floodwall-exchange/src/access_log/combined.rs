//! Combined and common lines (Apache `mod_log_config`, nginx `combined`), with what people put around
//! them: a syslog header or the host (`vhost_combined`) before, and after: in quotes what a proxy
//! said of the visitor, durations named `rt=`, `urt=` and the like, or one in seconds with a point.

use super::lines::{address, cut, given, number, quoted, seconds, status, word};
use super::record::{LineFault, LogRecord, OriginUse};
use super::times;

/// Brackets that may stand before the one with the time: a user's name is a stranger's choice.
const BRACKETS_MAX: usize = 4;

pub(super) fn read(line: &[u8], offset_s: i32) -> Result<LogRecord<'_>, LineFault> {
    let (who, time, rest) = around_time(line, offset_s)?;
    let (client, host) = client(who)?;
    let mut record = LogRecord::new(time.unix_micros, client);
    record.within_second = time.within_second;
    record.host = host;
    let rest = rest.trim_ascii_start();
    let [b'"', request @ ..] = rest else { return Err(LineFault::Form) };
    let (request, rest) = quoted(request).ok_or(LineFault::Form)?;
    record.set_request(request);
    let (status_text, rest) = word(rest);
    record.status = status(status_text);
    if record.status.is_none() && !matches!(status_text, b"-" | b"000") {
        return Err(LineFault::Form);
    }
    let (bytes, rest) = word(rest);
    record.body_bytes = number(bytes);
    if record.body_bytes.is_none() && given(bytes).is_some() {
        return Err(LineFault::Form);
    }
    extras(&mut record, rest);
    Ok(record)
}

/// What stands before the time, the time, and what follows it.
fn around_time(line: &[u8], offset_s: i32) -> Result<(&[u8], times::Read, &[u8]), LineFault> {
    let mut from = 0;
    let mut fault = LineFault::Form;
    for _ in 0..BRACKETS_MAX {
        let Some(at) = line.get(from..).and_then(|rest| memchr::memchr(b'[', rest)) else { break };
        let Some((who, [_, inside @ ..])) = line.split_at_checked(from + at) else { break };
        if let Some((time, rest)) = cut(inside, b']') {
            fault = LineFault::Time;
            if let Some(time) = times::combined(time, offset_s) {
                return Ok((who, time, rest));
            }
        }
        from += at + 1;
    }
    Err(fault)
}

/// The client, and the host that `vhost_combined` has before it.
fn client(who: &[u8]) -> Result<(std::net::IpAddr, Option<&[u8]>), LineFault> {
    let (first, rest) = word(who);
    if let Some(client) = address(first) {
        return Ok((client, None));
    }
    let (second, after) = word(rest);
    if let Some(client) = address(second).filter(|_| !after.is_empty()) {
        return Ok((client, Some(first)));
    }
    // A syslog header ends in a colon.
    if let Some((_, line)) = memchr::memmem::find(who, b": ").and_then(|at| who.split_at_checked(at + 2)) {
        let (first, _) = word(line);
        return address(first).map(|client| (client, None)).ok_or(LineFault::Client);
    }
    let name = first.iter().any(u8::is_ascii_alphabetic) && first.contains(&b'.');
    Err(if name { LineFault::ClientName } else { LineFault::Client })
}

/// `Referer`, `User-Agent`, and what else a format of one's own has after them.
fn extras<'a>(record: &mut LogRecord<'a>, mut rest: &'a [u8]) {
    let mut place = 0;
    loop {
        rest = rest.trim_ascii_start();
        match rest {
            [] => return,
            [b'"', inside @ ..] => {
                // A line that was cut off has no closing quote; what there is of it counts.
                let (text, after) = quoted(inside).unwrap_or((inside, b""));
                match place {
                    0 => record.referer = given(text),
                    1 => record.user_agent = given(text),
                    _ if record.forwarded_for.is_none() && is_address_list(text) => {
                        record.forwarded_for = Some(text);
                    }
                    _ => {}
                }
                (place, rest) = (place + 1, after);
            }
            _ => {
                let (text, after) = word(rest);
                bare(record, text);
                rest = after;
            }
        }
    }
}

fn is_address_list(text: &[u8]) -> bool {
    let first = cut(text, b',').map_or(text, |(first, _)| first);
    address(first.trim_ascii()).is_some()
}

/// A word after the quotes.
fn bare(record: &mut LogRecord<'_>, text: &[u8]) {
    let (name, value) = cut(text, b'=').unwrap_or((b"", text));
    let value = value.trim_ascii_start();
    let value = value.strip_prefix(b"\"").unwrap_or(value);
    let value = value.strip_suffix(b"\"").unwrap_or(value);
    match name {
        b"rt" | b"request_time" => record.duration_us = seconds(value).or(record.duration_us),
        b"urt" | b"uht" | b"upstream_response_time" => {
            record.origin_us = seconds(value);
            record.origin = if record.origin_us.is_some() { OriginUse::Asked } else { OriginUse::NotAsked };
        }
        b"cs" | b"cache" | b"upstream_cache_status" => record.origin = cache_status(value),
        b"" if record.duration_us.is_none() && value.contains(&b'.') => record.duration_us = seconds(value),
        _ => {}
    }
}

/// What nginx, Varnish and others call how the cache took part.
pub(super) fn cache_status(value: &[u8]) -> OriginUse {
    let is = |word: &str| value.eq_ignore_ascii_case(word.as_bytes());
    if ["hit", "stale", "updating", "refreshhit", "hit-stale"].iter().any(|word| is(word)) {
        OriginUse::NotAsked
    } else if ["miss", "bypass", "expired", "revalidated", "pass"].iter().any(|word| is(word)) {
        OriginUse::Asked
    } else {
        OriginUse::Unknown
    }
}
