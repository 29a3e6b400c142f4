//! Entry points for fuzzing: each takes arbitrary bytes and panics when a promise is broken.

use std::net::{IpAddr, Ipv4Addr};

use crate::access_log::{Line, LogFormat, LogReader};
use crate::claims::{self, ClaimFormat, ENTRY_BYTES_MAX, Item, LINKS_MAX, ReadCounts};
use crate::flow::{FlowReader, TEMPLATES_MAX};

/// A log: every line is one request, one count, nothing or one fault, in every format; what is told of
/// a request stands in its line.
pub fn access_log(data: &[u8]) {
    let _ = LogFormat::detect(data);
    for format in LogFormat::ALL {
        let mut reader = LogReader::new(*format, 3_600).mixed();
        for line in data.split(|byte| *byte == b'\n') {
            let Line::Request(record) = reader.read(line) else { continue };
            let texts = [Some(record.method), Some(record.path), record.query, record.host, record.referer];
            for text in texts.into_iter().chain([record.user_agent, record.forwarded_for]).flatten() {
                let within = text.is_empty() || memchr::memmem::find(line, text).is_some();
                assert!(within, "a text that the line has not");
            }
        }
    }
}

/// Datagrams of flow telemetry, each with its length in two bytes before it: no more records than
/// bytes, no more templates than there may be.
pub fn flow(data: &[u8]) {
    let mut reader = FlowReader::new();
    let mut rest = data;
    while let [high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let Some((datagram, next)) = after.split_at_checked(length) else { break };
        rest = next;
        let mut records = 0;
        let _ = reader.read(IpAddr::V4(Ipv4Addr::LOCALHOST), datagram, |_| records += 1);
        assert!(records <= datagram.len(), "more records than bytes");
        assert!(reader.templates() <= TEMPLATES_MAX, "templates without bound");
    }
}

/// A file of claims, in every format: what is handed over is counted, and within its bounds.
pub fn claims(data: &[u8]) {
    let _ = ClaimFormat::detect(data);
    for (format, _) in ClaimFormat::ALL {
        let (mut taken, mut counts) = (0, ReadCounts::default());
        let _ = claims::read(format, data, None, &mut counts, |item| {
            taken += 1;
            if let Item::Post(post) = item {
                // A title and a text, with a line's end between them.
                assert!(post.text.len() <= 2 * ENTRY_BYTES_MAX + 1, "a text without bound");
                assert!(post.links.len() <= LINKS_MAX, "links without bound");
                assert!(
                    post.posted.earliest_unix_s <= post.posted.latest_unix_s,
                    "a time that ends before it begins"
                );
            }
        });
        assert_eq!(counts.taken, taken, "an entry that is not counted");
    }
}
