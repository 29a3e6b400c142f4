//! Cache directives meant for caches like this one: `CDN-Cache-Control` (RFC 9213).
//!
//! With them an origin tells this cache to keep what browsers must not, or the other way round. The
//! field is a Structured Field Dictionary (RFC 9651). One that cannot be parsed is ignored, as
//! section 2.1 says; so is an empty one. It is passed on to visitors unchanged: caches of the same
//! kind may stand between them and us.
//!
//! Where the RFC leaves room, the reading is the one that stores less: a number of another type than
//! Integer, or below zero, counts as zero, and a field over the bounds of `directives` is
//! `no-store`.

use std::time::Duration;

use http::{HeaderMap, HeaderName};
use sfv::{BareItem, Dictionary, ListEntry, Parser};

use super::directives::{BYTES_MAX, DELTA_SECONDS_MAX, DIRECTIVES_MAX, ResponseDirectives};

/// The fields that are for us, the first that can be read counting (RFC 9213 section 2.2).
const TARGETS: [HeaderName; 1] = [HeaderName::from_static("cdn-cache-control")];

/// The directives of the first targeted field that is valid and not empty.
pub(super) fn directives(headers: &HeaderMap) -> Option<ResponseDirectives> {
    TARGETS.iter().find_map(|name| of_field(headers, name))
}

fn of_field(headers: &HeaderMap, name: &HeaderName) -> Option<ResponseDirectives> {
    if !headers.contains_key(name) {
        return None;
    }
    let lines: Vec<&[u8]> = headers.get_all(name).iter().map(http::HeaderValue::as_bytes).collect();
    let text = lines.join(&b","[..]);
    let unreadable = ResponseDirectives { no_store: true, targeted: true, ..ResponseDirectives::default() };
    if text.len() > BYTES_MAX {
        return Some(unreadable);
    }
    let members: Dictionary = Parser::new(text.as_slice()).parse().ok()?;
    if members.is_empty() {
        return None;
    }
    if members.len() > DIRECTIVES_MAX {
        return Some(unreadable);
    }
    let said = |directive: &str| members.get(directive).is_some_and(|value| !is_false(value));
    let number = |directive: &str| members.get(directive).map(seconds);
    Some(ResponseDirectives {
        no_store: said("no-store"),
        no_cache: said("no-cache"),
        private: said("private"),
        public: said("public"),
        must_revalidate: said("must-revalidate"),
        proxy_revalidate: said("proxy-revalidate"),
        must_understand: said("must-understand"),
        max_age: number("max-age"),
        s_maxage: number("s-maxage"),
        stale_if_error: number("stale-if-error"),
        stale_while_revalidate: number("stale-while-revalidate"),
        targeted: true,
    })
}

fn is_false(value: &ListEntry) -> bool {
    matches!(value, ListEntry::Item(item) if item.bare_item == BareItem::Boolean(false))
}

fn seconds(value: &ListEntry) -> Duration {
    let ListEntry::Item(item) = value else {
        return Duration::ZERO;
    };
    let BareItem::Integer(integer) = &item.bare_item else {
        return Duration::ZERO;
    };
    let seconds = u64::try_from(i64::from(*integer)).unwrap_or(0);
    Duration::from_secs(seconds.min(DELTA_SECONDS_MAX))
}
