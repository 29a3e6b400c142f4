//! Published lists of targets: the JSON that DDoSia's clients are sent, as researchers publish it, and
//! plain lists with one host a line.

use serde_json::Value;

use super::json::{Shape, each_entry};
use super::{ImportFault, ReadCounts, cut};

const SHAPE: Shape = Shape { format: "target list", entries: "targets", within: &["data"] };
/// Entries of one list at most.
const ENTRIES_MAX: u64 = 1_000_000;
/// Bytes of a field that are kept.
const FIELD_BYTES_MAX: usize = 2_048;
/// Object identifiers begin with the second of their making; before this one they are no times.
const FIRST_SECOND: i64 = 1_262_304_000;

/// One entry: a host, and a request that is sent to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedTarget {
    /// The host.
    pub host: String,
    /// The address; empty where there is none.
    pub address: String,
    /// `http`, `http2`, `tcp`, `nginx_loris`.
    pub kind: String,
    /// `GET`, `POST`.
    pub method: String,
    /// The path and query.
    pub path: String,
    /// The port.
    pub port: u16,
    /// When the target was put on the list, by its identifier, in seconds since 1970; `None` where it
    /// does not say.
    pub since_unix_s: Option<i64>,
}

pub(super) fn read(
    text: &str,
    counts: &mut ReadCounts,
    take: &mut dyn FnMut(ListedTarget),
) -> Result<(), ImportFault> {
    let text = text.trim_start_matches('\u{FEFF}');
    if text.trim_start().starts_with('{') {
        return each_entry(&SHAPE, text.as_bytes(), &mut |_, entry| {
            if counts.taken < ENTRIES_MAX
                && let Some(target) = listed(&entry)
            {
                counts.taken += 1;
                take(target);
            } else {
                counts.unreadable += 1;
            }
        });
    }
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            counts.empty += 1;
        } else if counts.taken >= ENTRIES_MAX
            || line.len() > FIELD_BYTES_MAX
            || line.contains(char::is_whitespace)
        {
            counts.unreadable += 1;
        } else {
            counts.taken += 1;
            take(ListedTarget { host: line.to_owned(), ..ListedTarget::default() });
        }
    }
    Ok(())
}

fn listed(entry: &Value) -> Option<ListedTarget> {
    let text = |name: &str| {
        let value = entry.get(name).and_then(Value::as_str).unwrap_or_default();
        cut(value.to_owned(), FIELD_BYTES_MAX)
    };
    let target = ListedTarget {
        host: text("host"),
        address: text("ip"),
        kind: text("type"),
        method: text("method"),
        path: text("path"),
        port: entry
            .get("port")
            .and_then(Value::as_u64)
            .and_then(|port| u16::try_from(port).ok())
            .unwrap_or(0),
        since_unix_s: made_at(&text("target_id")),
    };
    (!target.host.is_empty() || !target.address.is_empty()).then_some(target)
}

/// The second in which a BSON object identifier was made: its first 8 hexadecimal digits.
fn made_at(identifier: &str) -> Option<i64> {
    let is_one = identifier.len() == 24 && identifier.bytes().all(|byte| byte.is_ascii_hexdigit());
    let second = i64::from_str_radix(identifier.get(..8).filter(|_| is_one)?, 16).ok()?;
    (second >= FIRST_SECOND).then_some(second)
}
