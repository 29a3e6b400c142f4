//! Lines of HAProxy's `option httplog` and `option httpslog` (HAProxy configuration manual, section
//! 8.2.3), with the syslog header before them:
//!
//! `... haproxy[14389]: 10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 10/0/30/69/109
//! 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "GET /index.html HTTP/1.1"`
//!
//! Timers are milliseconds; -1 stands for what did not happen. The time is local and says no offset.

use super::lines::{address, cut, cut_last, given, number, quoted, status, word};
use super::record::{LineFault, LogRecord, OriginUse};
use super::times;

pub(super) fn read(line: &[u8], offset_s: i32) -> Result<LogRecord<'_>, LineFault> {
    let (who, time, rest) = around_time(line, offset_s)?;
    let who = who.trim_ascii_end();
    let client = cut_last(who, b' ').map_or(who, |(_, client)| client);
    // The port is always there; in IPv6 nothing but its place tells it from the address.
    let (client, _port) = cut_last(client, b':').ok_or(LineFault::Client)?;
    let mut record = LogRecord::new(time.unix_micros, address(client).ok_or(LineFault::Client)?);
    record.within_second = time.within_second;
    let (_frontend, rest) = word(rest);
    let (server, rest) = word(rest);
    let (timers, rest) = word(rest);
    let (status_text, rest) = word(rest);
    let (bytes, rest) = word(rest);
    if !server.contains(&b'/') || !set_timers(&mut record, timers) {
        return Err(LineFault::Form);
    }
    record.status = status(status_text);
    // With `option logasap` a plus stands before what was not complete.
    record.body_bytes = number(bytes.strip_prefix(b"+").unwrap_or(bytes));
    // No server: answered by HAProxy itself.
    let none =
        server.ends_with(b"/<NOSRV>") || server.ends_with(b"/<STATS>") || server.ends_with(b"/<CACHE>");
    record.origin = if none { OriginUse::NotAsked } else { OriginUse::Asked };
    let (captures, request) = cut(rest, b'"').ok_or(LineFault::Form)?;
    let (request, _) = quoted(request).unwrap_or((request, b""));
    record.set_request(request);
    capture(&mut record, captures);
    Ok(record)
}

fn around_time(line: &[u8], offset_s: i32) -> Result<(&[u8], times::Read, &[u8]), LineFault> {
    // Before the time there is at most the bracket of `haproxy[14389]:`.
    let (before, inside) = cut(line, b'[').ok_or(LineFault::Form)?;
    if let Some((time, rest)) = cut(inside, b']')
        && let Some(time) = times::combined(time, offset_s)
    {
        return Ok((before, time, rest));
    }
    let (between, inside) = cut(inside, b'[').ok_or(LineFault::Time)?;
    let (time, rest) = cut(inside, b']').ok_or(LineFault::Form)?;
    Ok((between, times::combined(time, offset_s).ok_or(LineFault::Time)?, rest))
}

/// `TR/Tw/Tc/Tr/Ta`, in versions before 1.8 `Tq/Tw/Tc/Tr/Tt`.
fn set_timers(record: &mut LogRecord<'_>, text: &[u8]) -> bool {
    let mut timers = text.split(|byte| *byte == b'/');
    let (Some(_), Some(_), Some(connect), Some(response), Some(all), None) =
        (timers.next(), timers.next(), timers.next(), timers.next(), timers.next(), timers.next())
    else {
        return false;
    };
    let micros = |text: &[u8]| number(text)?.checked_mul(1_000);
    record.duration_us = micros(all.strip_prefix(b"+").unwrap_or(all));
    record.origin_us = micros(response).map(|us| us.saturating_add(micros(connect).unwrap_or(0)));
    true
}

/// The host and the user agent, where `capture request header` writes them: the first `{a|b}`.
fn capture<'a>(record: &mut LogRecord<'a>, captures: &'a [u8]) {
    let Some((_, inside)) = cut(captures, b'{') else { return };
    let Some((inside, _)) = cut(inside, b'}') else { return };
    for text in inside.split(|byte| *byte == b'|') {
        let Some(text) = given(text) else { continue };
        if text.contains(&b'/') && text.contains(&b' ') || text.starts_with(b"Mozilla/") {
            record.user_agent = record.user_agent.or(Some(text));
        } else if record.forwarded_for.is_none() && address(text).is_some() {
            record.forwarded_for = Some(text);
        } else if record.host.is_none() && !text.contains(&b'/') {
            record.host = Some(text);
        }
    }
}
