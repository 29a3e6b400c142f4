//! JSON lines: nginx with a `log_format` of one's own (`escape=json`), Caddy's access log, and the
//! lines that Floodwall itself writes.
//!
//! nginx names nothing by itself, so keys are known by the names of its variables and what people
//! commonly call them; a member that is nobody's is passed over. Strings are taken as they stand,
//! escapes included, and need not be UTF-8: nginx passes a visitor's bytes through.

use std::net::{IpAddr, Ipv4Addr};

use super::combined::cache_status;
use super::lines::{address, given, number, quoted, seconds, status};
use super::record::{LineFault, LogRecord, OriginUse};
use super::times;

/// How deep objects and arrays may lie in one another.
const DEPTH_MAX: usize = 8;

/// Where in a line a member stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the top, or in an object somebody put his variables into.
    Top,
    /// In Caddy's `request`.
    Request,
    /// In Caddy's `request.headers`: names of fields with lists of their values.
    Headers,
}

/// What a line said.
struct Told<'a> {
    record: LogRecord<'a>,
    time: Option<times::Read>,
    client: Option<IpAddr>,
    client_seen: bool,
    offset_s: i32,
}

pub(super) fn read(line: &[u8], offset_s: i32) -> Result<LogRecord<'_>, LineFault> {
    let [b'{', members @ ..] = line.trim_ascii() else { return Err(LineFault::Form) };
    let mut told = Told {
        record: LogRecord::new(0, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        time: None,
        client: None,
        client_seen: false,
        offset_s,
    };
    let rest = object(members, Place::Top, DEPTH_MAX, &mut told).ok_or(LineFault::Form)?;
    if !rest.trim_ascii_start().is_empty() {
        return Err(LineFault::Form);
    }
    let time = told.time.ok_or(LineFault::Time)?;
    told.record.unix_micros = time.unix_micros;
    told.record.within_second = time.within_second;
    told.record.client = told.client.ok_or(LineFault::Client)?;
    Ok(told.record)
}

/// The members of an object whose brace was read; what follows it.
fn object<'a>(mut rest: &'a [u8], place: Place, depth: usize, told: &mut Told<'a>) -> Option<&'a [u8]> {
    loop {
        rest = rest.trim_ascii_start();
        rest = match rest {
            [b'}', after @ ..] => return Some(after),
            [b',', after @ ..] => after.trim_ascii_start(),
            _ => rest,
        };
        let [b'"', key @ ..] = rest else { return None };
        let (key, after) = quoted(key)?;
        let [b':', value @ ..] = after.trim_ascii_start() else { return None };
        rest = member(key, value.trim_ascii_start(), place, depth.checked_sub(1)?, told)?;
    }
}

/// One member's value; what follows it.
fn member<'a>(
    key: &'a [u8],
    value: &'a [u8],
    place: Place,
    depth: usize,
    told: &mut Told<'a>,
) -> Option<&'a [u8]> {
    match value {
        [b'"', text @ ..] => {
            let (text, rest) = quoted(text)?;
            told.tell(key, text, place);
            Some(rest)
        }
        [b'{', members @ ..] => match (place, key) {
            (Place::Top, b"request") => object(members, Place::Request, depth, told),
            (Place::Request, b"headers") => object(members, Place::Headers, depth, told),
            // Answers' fields and the like are a server's or a stranger's names, not a log's.
            (Place::Top, key) if key.starts_with(b"@") || key == b"nginx" || key == b"access" => {
                object(members, Place::Top, depth, told)
            }
            _ => skip(value, depth),
        },
        [b'[', first @ ..] if place == Place::Headers => {
            if let [b'"', text @ ..] = first.trim_ascii_start() {
                told.tell(key, quoted(text)?.0, place);
            }
            skip(value, depth)
        }
        [b'[', ..] => skip(value, depth),
        _ => {
            let end = value.iter().position(|byte| matches!(byte, b',' | b'}' | b']' | b' '))?;
            let (text, rest) = value.split_at_checked(end)?;
            if text.is_empty() {
                return None;
            }
            if text != b"null" {
                told.tell(key, text, place);
            }
            Some(rest)
        }
    }
}

/// Passes over an object or an array.
fn skip(value: &[u8], depth_max: usize) -> Option<&[u8]> {
    let (mut rest, mut depth) = (value, 0_usize);
    loop {
        let at = rest.iter().position(|byte| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']'))?;
        let (found, after) = rest.get(at..)?.split_first()?;
        rest = after;
        match found {
            b'"' => rest = quoted(rest)?.1,
            b'{' | b'[' => depth += 1,
            _ => depth = depth.checked_sub(1)?,
        }
        if depth > depth_max {
            return None;
        }
        if depth == 0 {
            return Some(rest);
        }
    }
}

impl<'a> Told<'a> {
    fn tell(&mut self, key: &'a [u8], text: &'a [u8], place: Place) {
        match place {
            Place::Top => self.tell_top(key, text),
            Place::Request => self.tell_request(key, text),
            Place::Headers => self.tell_header(key, text),
        }
    }

    fn tell_top(&mut self, key: &[u8], text: &'a [u8]) {
        let record = &mut self.record;
        match key {
            b"time_iso8601" | b"@timestamp" | b"timestamp" | b"time" | b"time_local" | b"msec" | b"ts"
            | b"datetime" => {
                // The finer one counts, whichever comes first.
                let time = times::any(text, self.offset_s);
                let finer = time.is_some_and(|time| time.within_second);
                self.time = if finer || self.time.is_none() { time.or(self.time) } else { self.time };
            }
            b"remote_addr" | b"client" | b"client_ip" | b"clientip" | b"remote_ip" | b"ip" => {
                self.client = self.client.or_else(|| address(text));
            }
            b"http_x_forwarded_for" | b"x_forwarded_for" | b"xff" => record.forwarded_for = given(text),
            b"request" if record.method.is_empty() => record.set_request(text),
            b"request_method" | b"method" | b"verb" => record.method = text,
            b"request_uri" | b"target" => record.set_target(text),
            b"uri" | b"url" | b"path" if record.path.is_empty() => record.set_target(text),
            b"args" | b"query_string" => record.query = record.query.or(given(text)),
            b"host" | b"http_host" => record.host = given(text),
            b"server_name" => record.host = record.host.or(given(text)),
            b"status" | b"response" | b"status_code" => record.status = status(text),
            b"body_bytes_sent" | b"body_bytes" | b"size" => record.body_bytes = number(text),
            b"bytes_sent" | b"bytes" => record.body_bytes = record.body_bytes.or(number(text)),
            b"request_time" | b"duration" => record.duration_us = seconds(text),
            b"duration_us" => record.duration_us = number(text),
            b"upstream_response_time" => self.upstream_time(text),
            b"upstream_addr" => {
                if given(text).is_none() {
                    record.origin = OriginUse::NotAsked;
                } else if record.origin == OriginUse::Unknown {
                    record.origin = OriginUse::Asked;
                }
            }
            b"upstream_cache_status" | b"cache" | b"cache_status" => {
                let used = cache_status(text);
                record.origin = if used == OriginUse::Unknown { record.origin } else { used };
            }
            b"http_referer" | b"referer" | b"referrer" | b"http_referrer" => record.referer = given(text),
            b"http_user_agent" | b"user_agent" | b"agent" => record.user_agent = given(text),
            _ => {}
        }
    }

    /// nginx lists one for each server that was asked: `0.012, 0.340`; the last one answered.
    fn upstream_time(&mut self, text: &[u8]) {
        let last = text.rsplit(|byte| *byte == b',' || *byte == b':').next().unwrap_or(b"");
        self.record.origin_us = seconds(last.trim_ascii());
        if self.record.origin_us.is_some() && self.record.origin == OriginUse::Unknown {
            self.record.origin = OriginUse::Asked;
        }
    }

    fn tell_request(&mut self, key: &[u8], text: &'a [u8]) {
        match key {
            // The visitor by Caddy's own trusted proxies; `remote_ip` is who it spoke with.
            b"client_ip" => {
                self.client = address(text).or(self.client);
                self.client_seen = true;
            }
            b"remote_ip" | b"remote_addr" if !self.client_seen => {
                self.client = address(text).or(self.client);
            }
            b"method" => self.record.method = text,
            b"uri" => self.record.set_target(text),
            b"host" => self.record.host = given(text),
            _ => {}
        }
    }

    fn tell_header(&mut self, key: &[u8], text: &'a [u8]) {
        let is = |name: &str| key.eq_ignore_ascii_case(name.as_bytes());
        if is("User-Agent") {
            self.record.user_agent = given(text);
        } else if is("Referer") {
            self.record.referer = given(text);
        } else if is("X-Forwarded-For") {
            self.record.forwarded_for = given(text);
        }
    }
}
