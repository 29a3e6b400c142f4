//! Conditions: a visitor's against a stored response (RFC 9111 section 4.3.2), ours against the
//! origin (4.3.1), and what its answer means (4.3.3, 4.3.4).

use http::header::{
    ACCEPT_ENCODING, ACCEPT_LANGUAGE, AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    DATE, ETAG, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
    LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::cookies;
use super::entry::CachedResponse;
use super::freshness::single_date;
use super::languages;
use super::variant::Codings;

/// What the origin's answer to a revalidation means (RFC 9111 section 4.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Revalidation {
    /// 304: freshen the stored response and serve it.
    NotModified,
    /// A failure of the origin: serve the stored response where it may serve on error, else pass
    /// the failure on. Either way it stays stored.
    OriginFailed,
    /// A new answer: pass it on, and store it where it may be stored.
    Replaced,
}

/// Reads the status of the origin's answer to a revalidation.
pub(crate) fn after_revalidation(status: StatusCode) -> Revalidation {
    if status == StatusCode::NOT_MODIFIED {
        Revalidation::NotModified
    } else if is_origin_failure(status) {
        Revalidation::OriginFailed
    } else {
        Revalidation::Replaced
    }
}

/// The statuses that count as an error for stale-if-error (RFC 5861 section 4). A connection that
/// fails or times out counts as well; that the caller sees for itself.
pub(crate) fn is_origin_failure(status: StatusCode) -> bool {
    matches!(status.as_u16(), 500 | 502 | 503 | 504)
}

/// Fields by which some frameworks answer for another path or method than the request line says.
/// The cache does not key by them: who could send them could have one page stored in another's
/// place.
const STEERING: [&str; 6] = [
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

/// Sets the header of a request that goes to the origin to fill the cache: without the visitor's
/// conditions, range and measuring cookies, so that the whole answer comes back and serves others
/// too, and with `Accept-Encoding` and `Accept-Language` reduced to the form copies are told apart by. The visitor's own condition is
/// then answered from what comes back, with [`CachedResponse::answer`].
pub(crate) fn prepare_fill(headers: &mut HeaderMap) {
    const OWN_QUESTIONS: [HeaderName; 6] =
        [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE, IF_RANGE, RANGE];
    for name in &OWN_QUESTIONS {
        headers.remove(name);
    }
    for name in STEERING {
        headers.remove(name);
    }
    cookies::remove_measuring(headers);
    let codings = Codings::accepted_by(headers).field();
    // A header that is full keeps what the visitor sent.
    let _full = headers.try_insert(ACCEPT_ENCODING, codings);
    match languages::field(headers) {
        Some(field) => drop(headers.try_insert(ACCEPT_LANGUAGE, field)),
        None => drop(headers.remove(ACCEPT_LANGUAGE)),
    }
}

/// Sets the header of a request that revalidates `stored`: as [`prepare_fill`], with our conditions
/// (RFC 9111 section 4.3.1). Without a validator it asks for the whole answer.
pub(crate) fn prepare_revalidation(headers: &mut HeaderMap, stored: &CachedResponse) {
    prepare_fill(headers);
    if let Some(tag) = stored.entity_tag() {
        let _full = headers.try_insert(IF_NONE_MATCH, tag.clone());
    }
    if let Some(modified) = stored.fields().get(LAST_MODIFIED) {
        let _full = headers.try_insert(IF_MODIFIED_SINCE, modified.clone());
    }
}

/// Whether the visitor's own copy is as good as the stored response: RFC 9111 section 4.3.2, RFC
/// 9110 section 13.2.2. Conditions apply to what would be a 200 only; `If-Match` and
/// `If-Unmodified-Since` are not for caches (RFC 9110 sections 13.1.1, 13.1.4).
pub(crate) fn is_not_modified(stored: &CachedResponse, request: &HeaderMap) -> bool {
    if stored.status() != StatusCode::OK {
        return false;
    }
    if request.contains_key(IF_NONE_MATCH) {
        let own_tag = stored.entity_tag().and_then(|tag| opaque_tag(tag.as_bytes()));
        let mut lines = request.get_all(IF_NONE_MATCH).iter();
        return lines.any(|line| lists_tag(line.as_bytes(), own_tag));
    }
    // A date that is invalid or occurs twice is ignored (RFC 9110 section 13.1.3).
    let Some(since) = single_date(request, &IF_MODIFIED_SINCE) else {
        return false;
    };
    // Without Last-Modified the stored Date stands in; one is always stored.
    let changed =
        single_date(stored.fields(), &LAST_MODIFIED).or_else(|| single_date(stored.fields(), &DATE));
    changed.is_some_and(|changed| changed <= since)
}

/// Whether an `If-None-Match` line is `*` or lists the tag, compared weakly (RFC 9110 section
/// 8.8.3.2). Stops at the first thing that is not an entity tag.
fn lists_tag(line: &[u8], own_tag: Option<&[u8]>) -> bool {
    let mut rest = line.trim_ascii();
    if rest == b"*" {
        return true;
    }
    let Some(own_tag) = own_tag else { return false };
    while !rest.is_empty() {
        let Some((tag, after)) = split_tag(rest) else {
            return false;
        };
        if tag == own_tag {
            return true;
        }
        let after = after.trim_ascii_start();
        rest = match after.strip_prefix(b",") {
            Some(next) => next.trim_ascii_start(),
            None => return false,
        };
    }
    false
}

/// The first entity tag of a list, quotes included and `W/` left out, and what follows it.
fn split_tag(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let tag = text.strip_prefix(b"W/").unwrap_or(text);
    let inner = tag.strip_prefix(b"\"")?;
    let end = inner.iter().position(|byte| *byte == b'"')?.checked_add(2)?;
    tag.split_at_checked(end)
}

/// An entity tag without `W/`; `None` when it is not one.
fn opaque_tag(value: &[u8]) -> Option<&[u8]> {
    split_tag(value.trim_ascii()).filter(|(_, after)| after.is_empty()).map(|(tag, _)| tag)
}

/// Whether a 304 speaks of `stored` (RFC 9111 section 4.3.4): by a strong tag, strongly; by a weak
/// one, weakly; else by its date; and without any validator, because we asked of this one only.
pub(crate) fn confirms(not_modified: &HeaderMap, stored: &CachedResponse) -> bool {
    if let Some(theirs) = not_modified.get(ETAG) {
        let Some(ours) = stored.entity_tag() else {
            return false;
        };
        let (theirs, ours) = (theirs.as_bytes().trim_ascii(), ours.as_bytes().trim_ascii());
        return if theirs.starts_with(b"W/") {
            opaque_tag(theirs).is_some_and(|tag| opaque_tag(ours) == Some(tag))
        } else {
            theirs == ours
        };
    }
    match (not_modified.get(LAST_MODIFIED), stored.fields().get(LAST_MODIFIED)) {
        (Some(_), Some(_)) => {
            single_date(not_modified, &LAST_MODIFIED) == single_date(stored.fields(), &LAST_MODIFIED)
        }
        _ => true,
    }
}

/// The stored header with the 304's fields in place of its own (RFC 9111 section 3.2). Fields that
/// describe the stored body stay: a 304 has none to describe, and servers set them by mistake.
/// `None` when the result would hold more fields than a map can.
pub(crate) fn merged_fields(stored: &HeaderMap, not_modified: &HeaderMap) -> Option<HeaderMap> {
    const OF_THE_BODY: [HeaderName; 4] = [CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_TYPE, CONTENT_RANGE];
    let mut merged = stored.clone();
    // Age and Date are those of the exchange that confirmed it (section 4.2.3); without them it
    // was answered by the origin itself just now.
    merged.remove(AGE);
    merged.remove(DATE);
    for name in not_modified.keys() {
        if OF_THE_BODY.contains(name) {
            continue;
        }
        merged.remove(name);
        for value in not_modified.get_all(name) {
            merged.try_append(name.clone(), HeaderValue::clone(value)).ok()?;
        }
    }
    Some(merged)
}
