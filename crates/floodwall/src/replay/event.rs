//! One request of a log, as detection and policy are told of it: small, owned, without its line.

use std::net::IpAddr;

use floodwall_detection::RequestSeen;
use floodwall_exchange::access_log::{LogRecord, OriginUse};
use floodwall_model::Prefix;
use floodwall_policy::never_challenged;

use super::reading::RequestReading;

/// Of all hashes. Always the same, so that a log always gives the same outcome: in a replay there is
/// no attacker who could make use of it.
pub(crate) const SEED: u64 = 0x5EED;

/// What is asked of the origin, as far as a log shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A page.
    Page,
    /// A part of a page: style sheet, script, picture.
    Part,
    /// Something sent, or nothing a challenge could be shown for.
    Other,
    /// What programs fetch and is never challenged.
    Exempt,
    /// No request at all: what came could not be read by the server.
    Malformed,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// When, in microseconds since 1970, clock steps evened out.
    pub(crate) unix_micros: i64,
    pub(crate) client: IpAddr,
    /// The same as detection takes it.
    pub(crate) seen: RequestSeen,
    /// How long the origin took, where the line tells; 0 where not. Microseconds.
    pub(crate) origin_us: u32,
    pub(crate) asked: Asked,
    pub(crate) origin: OriginUse,
    /// The line tells parts of a second.
    pub(crate) within_second: bool,
    /// It came with a `Referer`.
    pub(crate) referred: bool,
}

impl Event {
    /// Takes from a line what is needed later.
    pub(crate) fn of(
        record: &LogRecord<'_>,
        reading: &mut RequestReading,
        trusted_proxies: &[Prefix],
    ) -> Self {
        let client = visitor(record, trusted_proxies);
        Self {
            unix_micros: record.unix_micros,
            client,
            seen: reading.read(record, client),
            origin_us: narrowed(record.origin_us.or(record.duration_us)),
            asked: asked(record),
            origin: record.origin,
            within_second: record.within_second,
            referred: record.referer.is_some(),
        }
    }

    /// Its user agent, hashed; 0 where there is none.
    pub(crate) fn agent(&self) -> u64 {
        self.seen.agent.unwrap_or(0)
    }

    /// The second it lies in.
    pub(crate) fn unix_second(&self) -> i64 {
        self.unix_micros.div_euclid(1_000_000)
    }

    /// Whether it would have reached an origin behind Floodwall. Where the line does not say, parts of
    /// pages are taken to be in the cache, and nothing else.
    pub(crate) fn origin_bound(&self) -> bool {
        match (self.origin, self.asked) {
            (_, Asked::Malformed) | (OriginUse::NotAsked, _) => false,
            (OriginUse::Asked, _) => true,
            (OriginUse::Unknown, asked) => asked != Asked::Part,
        }
    }
}

fn narrowed(value: Option<u64>) -> u32 {
    value.map_or(0, |value| u32::try_from(value).unwrap_or(u32::MAX))
}

/// Who asked: whom the proxies that are trusted say; the last of the list that is none of theirs.
fn visitor(record: &LogRecord<'_>, trusted: &[Prefix]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|prefix| prefix.contains(address));
    let Some(list) = record.forwarded_for.filter(|_| is_trusted(record.client)) else { return record.client };
    let mut visitor = record.client;
    for text in list.rsplit(|byte| *byte == b',') {
        let Some(address) = std::str::from_utf8(text.trim_ascii()).ok().and_then(|text| text.parse().ok())
        else {
            break;
        };
        visitor = address;
        if !is_trusted(address) {
            break;
        }
    }
    visitor
}

fn asked(record: &LogRecord<'_>) -> Asked {
    if record.path.is_empty() || record.method.is_empty() {
        return Asked::Malformed;
    }
    if !matches!(record.method, b"GET" | b"HEAD") {
        return Asked::Other;
    }
    if is_part(record.path) {
        return Asked::Part;
    }
    let exempt = std::str::from_utf8(record.path).is_ok_and(never_challenged);
    if exempt { Asked::Exempt } else { Asked::Page }
}

/// Whether a path is that of a part of a page, by its ending.
pub(crate) fn is_part(path: &[u8]) -> bool {
    // The longest ending known has five letters.
    let Some(dot) = path.iter().rev().take(6).position(|byte| *byte == b'.') else { return false };
    let mut ending = [0_u8; 5];
    let letters = path.iter().rev().take(dot);
    for (place, letter) in ending.iter_mut().zip(letters) {
        *place = letter.to_ascii_lowercase();
    }
    // Backwards, as they were read.
    matches!(
        ending.get(..dot).unwrap_or(&[]),
        b"ssc"
            | b"sj"
            | b"sjm"
            | b"pam"
            | b"gnp"
            | b"gpj"
            | b"gepj"
            | b"fig"
            | b"gvs"
            | b"oci"
            | b"pbew"
            | b"fiva"
            | b"ffow"
            | b"2ffow"
            | b"ftt"
            | b"fto"
            | b"toe"
            | b"4pm"
            | b"mbew"
            | b"3pm"
            | b"fdp"
    )
}

#[cfg(test)]
mod tests {
    use floodwall_exchange::access_log::{Line, LogFormat, LogReader};

    use super::*;

    fn event(line: &str, trusted: &[Prefix]) -> Event {
        let mut reader = LogReader::new(LogFormat::Combined, 0);
        match reader.read(line.as_bytes()) {
            Line::Request(record) => Event::of(&record, &mut RequestReading::new(&[]), trusted),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn what_is_asked_is_told_by_method_and_path() {
        for (request, asked, origin_bound) in [
            ("GET / HTTP/1.1", Asked::Page, true),
            ("GET /register?x=/a.css HTTP/1.1", Asked::Page, true),
            ("HEAD /a.b/register HTTP/1.1", Asked::Page, true),
            ("GET /site.css?v=3 HTTP/1.1", Asked::Part, false),
            ("GET /a/B.JPEG HTTP/1.1", Asked::Part, false),
            ("GET /x.woff2 HTTP/1.1", Asked::Part, false),
            ("GET /x.awoff2 HTTP/1.1", Asked::Page, true),
            ("GET /css HTTP/1.1", Asked::Page, true),
            ("GET /robots.txt HTTP/1.1", Asked::Exempt, true),
            ("POST /site.css HTTP/1.1", Asked::Other, true),
            ("\\x16\\x03", Asked::Malformed, false),
        ] {
            let line = format!("192.0.2.1 - - [01/Jan/2024:00:00:00 +0000] \"{request}\" 200 5");
            let event = event(&line, &[]);
            assert_eq!((event.asked, event.origin_bound()), (asked, origin_bound), "{request}");
        }
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        for (client, list, trusted, visitor) in [
            ("10.0.0.1", "203.0.113.9", &trusted[..], "203.0.113.9"),
            ("10.0.0.1", "198.51.100.1, 203.0.113.9, 10.0.0.7", &trusted, "203.0.113.9"),
            ("10.0.0.1", "10.0.0.7", &trusted, "10.0.0.7"),
            ("10.0.0.1", "unknown, x", &trusted, "10.0.0.1"),
            ("10.0.0.1", "203.0.113.9", &[], "10.0.0.1"),
            ("192.0.2.1", "203.0.113.9", &trusted, "192.0.2.1"),
        ] {
            let line = format!(
                "{client} - - [01/Jan/2024:00:00:00 +0000] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\" \"{list}\""
            );
            assert_eq!(event(&line, trusted).client.to_string(), visitor, "{client} {list}");
        }
    }
}
