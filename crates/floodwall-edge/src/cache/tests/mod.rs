//! Tests of the cache, one file per section of the RFC, and the values they share.

mod dates;
mod directives;
mod freshness;
mod invalidation;
mod languages;
mod properties;
mod purge;
mod ranges;
mod storability;
mod store;
mod targeted;
mod texts;
mod validation;
mod variants;

use std::sync::Arc;
use std::time::Duration;

use floodwall_model::{SiteId, Timestamp};
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::{CacheRequest, CacheSettings, CachedResponse, Exchange, NotStored, ResponseCache};

/// `Tue, 08 Nov 2022 14:00:00 GMT`.
pub(super) const POLLS_OPEN: i64 = 1_667_916_000;
pub(super) const POLLS_OPEN_DATE: &str = "Tue, 08 Nov 2022 14:00:00 GMT";
/// Ten hours before, so that the heuristic lifetime is an hour before it is capped.
pub(super) const TEN_HOURS_BEFORE: &str = "Tue, 08 Nov 2022 04:00:00 GMT";

/// The moment `seconds` after the polls opened.
pub(super) fn at(seconds: u64) -> Timestamp {
    Timestamp::new(Duration::from_secs(5000), POLLS_OPEN * 1_000_000).plus(Duration::from_secs(seconds))
}

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    map
}

/// One `name: value` a line; nothing for an empty text.
pub(super) fn header_lines(text: &str) -> HeaderMap {
    let fields: Vec<(&str, &str)> =
        text.lines().filter_map(|line| line.trim().split_once(':')).map(|(n, v)| (n, v.trim())).collect();
    headers(&fields)
}

pub(super) fn get<'a>(path_and_query: &'a str, headers: &'a HeaderMap) -> CacheRequest<'a> {
    CacheRequest {
        site: SiteId(0),
        https: true,
        authority: "www.sos.example.gov",
        method: &Method::GET,
        path_and_query,
        headers,
        has_body: false,
    }
}

pub(super) fn exchange(seconds: u64) -> Exchange {
    Exchange { request_sent: at(seconds), response_received: at(seconds), stale_if_error: None }
}

pub(super) fn settings() -> CacheSettings {
    CacheSettings { memory_bytes_max: 4 << 20, object_bytes_max: 256 << 10, ..CacheSettings::default() }
}

pub(super) fn cache() -> ResponseCache {
    ResponseCache::new(settings())
}

/// Fetches and stores, as the proxy does.
pub(super) fn store(
    cache: &ResponseCache,
    request: &CacheRequest<'_>,
    status: u16,
    fields: &HeaderMap,
    body: &[u8],
    seconds: u64,
) -> Result<Arc<CachedResponse>, NotStored> {
    let status = StatusCode::from_u16(status).unwrap();
    let mut fill = cache.begin_fill(request, status, fields, &exchange(seconds))?;
    for piece in body.chunks(1000) {
        fill.push(piece);
    }
    cache.finish_fill(fill, at(seconds)).map_err(|unstored| unstored.reason)
}

/// Stores a 200 to a plain GET of `path` and says what came of it.
pub(super) fn store_page(
    cache: &ResponseCache,
    path: &str,
    fields: &str,
    seconds: u64,
) -> Result<Arc<CachedResponse>, NotStored> {
    store(cache, &get(path, &HeaderMap::new()), 200, &header_lines(fields), b"<h1>Vote</h1>", seconds)
}
