//! Cookies that say nothing about the answer: those that measurement scripts set for themselves, and the
//! edge's own.
//!
//! Most visitors of a public site carry some. They are taken out of requests that fill the cache,
//! so that what comes back does not depend on them, and a request with no others counts as one
//! without cookies. Any other cookie may be a session, and counts as personal.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

/// Set by Google Analytics and Ads, Matomo, Hotjar, Clarity, Meta and Siteimprove.
const MEASURING: [&str; 11] =
    ["_ga", "_gid", "_gat", "__utma", "__utmb", "__utmc", "__utmz", "_fbp", "_clck", "_clsk", "nmstat"];
const MEASURING_PREFIXES: [&str; 7] =
    ["_ga_", "_gat_", "_gac_", "_gcl_", "_pk_id.", "_pk_ses.", "_hjSession"];

/// Whether a request carries a cookie that may be about the visitor.
pub(crate) fn has_personal(headers: &HeaderMap) -> bool {
    headers.get_all(COOKIE).iter().flat_map(pairs).any(is_personal)
}

/// Takes the measuring cookies out of a request.
pub(crate) fn remove_measuring(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().flat_map(pairs).all(is_personal) {
        return;
    }
    let mut kept: Vec<u8> = Vec::new();
    for pair in headers.get_all(COOKIE).iter().flat_map(pairs).filter(|pair| is_personal(pair)) {
        if !kept.is_empty() {
            kept.extend_from_slice(b"; ");
        }
        kept.extend_from_slice(pair);
    }
    headers.remove(COOKIE);
    if !kept.is_empty()
        && let Ok(value) = HeaderValue::try_from(kept)
    {
        // There was a cookie field a line ago: there is room for one.
        let _full = headers.try_insert(COOKIE, value);
    }
}

/// RFC 6265 section 4.2.1: `name=value` pairs between semicolons.
fn pairs(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let all = line.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    all.filter(|pair| !pair.is_empty())
}

fn is_personal(pair: &[u8]) -> bool {
    let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
    !crate::admission::is_own_cookie(pair)
        && !MEASURING.iter().any(|measuring| name == measuring.as_bytes())
        && !MEASURING_PREFIXES.iter().any(|prefix| name.starts_with(prefix.as_bytes()))
}
