//! Header fields as they are stored: which are left out (RFC 9111 section 3.1), and a compact copy
//! with its true weight.

use bytes::Bytes;
use http::header::{
    AGE, CACHE_STATUS, CONNECTION, CONTENT_LENGTH, DATE, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use smallvec::SmallVec;

/// Fields of one connection, and those worked out anew for each answer. `Age` goes into the initial
/// age, `Content-Length` follows from the stored body, `Cache-Status` tells of another exchange.
const NEVER_STORED: [HeaderName; 13] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-authentication-info"),
    AGE,
    CONTENT_LENGTH,
    CACHE_STATUS,
];

/// Field names listed in `Connection`, which belong to the connection as well.
type ConnectionNames<'a> = SmallVec<[&'a [u8]; 4]>;

fn connection_names(headers: &HeaderMap) -> ConnectionNames<'_> {
    let lines = headers.get_all(CONNECTION).iter();
    lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii).collect()
}

/// The fields of a response that may be stored.
pub(crate) fn storable_fields(headers: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    let named = connection_names(headers);
    headers.iter().filter(move |(name, _)| {
        let listed = named.iter().any(|listed| listed.eq_ignore_ascii_case(name.as_str().as_bytes()));
        !listed && !NEVER_STORED.contains(name)
    })
}

/// A stored header: no byte of it lies in a connection's read buffer, which it would keep alive
/// whole, and all values share one allocation.
#[derive(Clone, Debug)]
pub(crate) struct StoredHead {
    /// The fields, with room already taken for `Age`, `Cache-Status` and `Content-Length`, so that
    /// answering replaces values and never grows the map.
    pub(crate) fields: HeaderMap,
    /// Bytes of memory it takes.
    pub(crate) weight: u64,
}

/// Copies `fields`, which become the header of a stored response. A `Date` is added when there is
/// none (RFC 9110 section 6.6.1). `None` when there are more fields than a map holds.
pub(crate) fn copy_head<'a>(
    fields: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)> + Clone,
    received_unix_seconds: i64,
) -> Option<StoredHead> {
    let mut count: usize = 0;
    let mut value_bytes: usize = 0;
    for (_, value) in fields.clone() {
        count = count.saturating_add(1);
        value_bytes = value_bytes.saturating_add(value.len());
    }
    let mut buffer = Vec::with_capacity(value_bytes);
    fields.clone().for_each(|(_, value)| buffer.extend_from_slice(value.as_bytes()));
    let mut values = Bytes::from(buffer);

    let mut copy = HeaderMap::try_with_capacity(count.saturating_add(4)).ok()?;
    let mut name_bytes: u64 = 0;
    for (name, value) in fields {
        // Well-known names cost nothing; others get their own allocation here.
        let own_name = HeaderName::from_bytes(name.as_str().as_bytes()).ok()?;
        name_bytes = name_bytes.saturating_add(allocation(name.as_str().len()));
        let own_value = HeaderValue::from_maybe_shared(values.split_to(value.len())).ok()?;
        copy.try_append(own_name, own_value).ok()?;
    }
    if !copy.contains_key(DATE) {
        copy.try_insert(DATE, date_value(received_unix_seconds)).ok()?;
    }
    for name in [AGE, CACHE_STATUS, CONTENT_LENGTH] {
        copy.try_insert(name, HeaderValue::from_static("0")).ok()?;
    }
    let weight = allocation(value_bytes).saturating_add(name_bytes).saturating_add(map_bytes(&copy));
    Some(StoredHead { fields: copy, weight })
}

/// Sets `Content-Length` to what is stored; 204 has none (RFC 9110 section 8.6).
pub(crate) fn set_content_length(fields: &mut HeaderMap, status: StatusCode, body_bytes: usize) {
    if status == StatusCode::NO_CONTENT {
        fields.remove(CONTENT_LENGTH);
    } else if let Some(value) = fields.get_mut(CONTENT_LENGTH) {
        *value = HeaderValue::from(body_bytes);
    }
}

/// What an allocation of `bytes` takes of memory: size classes are up to an eighth apart, and
/// shared buffers carry a small header.
pub(crate) fn allocation(bytes: usize) -> u64 {
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    if bytes == 0 { 0 } else { bytes.saturating_add(bytes / 8).saturating_add(32) }
}

/// The map's own table: an index slot of four bytes and a bucket of about 112 bytes a place.
fn map_bytes(map: &HeaderMap) -> u64 {
    allocation(map.capacity().saturating_mul(120))
}

/// The largest Unix second an HTTP date can say: the end of the year 9999.
const DATE_MAX: i64 = 253_402_300_799;

fn date_value(unix_seconds: i64) -> HeaderValue {
    let seconds = u64::try_from(unix_seconds.clamp(0, DATE_MAX)).unwrap_or(0);
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    HeaderValue::try_from(httpdate::fmt_http_date(at))
        .unwrap_or(HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"))
}
