//! `Cache-Status` (RFC 9211): what this cache did, for the administrator who looks at one answer.

use std::fmt::Write as _;

use http::header::CACHE_STATUS;
use http::{HeaderMap, HeaderValue};

use super::request::BypassReason;
use super::storability::NotStored;

/// How a stored response came to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Served {
    /// Fresh.
    Hit,
    /// Stale, because the origin failed (RFC 5861 section 4).
    StaleIfError,
    /// Stale, while another request revalidates it (RFC 5861 section 3).
    StaleWhileRevalidate,
    /// Just confirmed by the origin with 304.
    Revalidated,
    /// Stored just now on behalf of another request this one waited for.
    Collapsed,
}

impl Served {
    /// The field's value, given the whole seconds of freshness left.
    pub(crate) fn cache_status(self, ttl_seconds: i64) -> HeaderValue {
        let mut text = String::with_capacity(64);
        let written = match self {
            Self::Hit => write!(text, "floodwall; hit; ttl={ttl_seconds}"),
            Self::StaleIfError => {
                write!(text, "floodwall; hit; ttl={ttl_seconds}; detail=stale-if-error")
            }
            Self::StaleWhileRevalidate => {
                write!(text, "floodwall; hit; ttl={ttl_seconds}; detail=stale-while-revalidate")
            }
            Self::Revalidated => {
                write!(text, "floodwall; fwd=stale; fwd-status=304; ttl={ttl_seconds}; stored")
            }
            Self::Collapsed => write!(text, "floodwall; fwd=uri-miss; collapsed; ttl={ttl_seconds}"),
        };
        let value = HeaderValue::try_from(text).ok();
        value.filter(|_| written.is_ok()).unwrap_or(HeaderValue::from_static("floodwall; hit"))
    }
}

/// Why a request went to the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Forwarded {
    /// It does not go through the cache.
    Bypass(BypassReason),
    /// Nothing is stored for the address.
    UriMiss,
    /// Something is stored for the address, for other requests (`Vary`).
    VaryMiss,
    /// What is stored is stale.
    Stale,
}

impl Forwarded {
    /// Adds this cache's member after those of caches nearer to the origin (RFC 9211 section 2).
    /// `not_stored` is `None` where the answer is being stored.
    pub(crate) fn annotate(self, headers: &mut HeaderMap, not_stored: Option<NotStored>) {
        // A header that is full goes without.
        let _full = headers.try_append(CACHE_STATUS, self.cache_status(not_stored));
    }

    /// The field's value.
    pub(crate) fn cache_status(self, not_stored: Option<NotStored>) -> HeaderValue {
        if (self, not_stored) == (Self::UriMiss, Some(NotStored::Request)) {
            // What every answer says that is just passed through: not put together each time.
            return HeaderValue::from_static("floodwall; fwd=uri-miss; detail=request");
        }
        let mut text = String::with_capacity(64);
        let (forward, detail) = match self {
            Self::Bypass(BypassReason::Method) => ("method", None),
            Self::Bypass(BypassReason::Range) => ("partial", None),
            Self::Bypass(BypassReason::Authorization) => ("request", Some("authorization")),
            Self::Bypass(BypassReason::Body) => ("bypass", Some("body")),
            Self::Bypass(BypassReason::KeyTooLong) => ("bypass", Some("key-too-long")),
            Self::UriMiss => ("uri-miss", None),
            Self::VaryMiss => ("vary-miss", None),
            Self::Stale => ("stale", None),
        };
        text.push_str("floodwall; fwd=");
        text.push_str(forward);
        match (detail, not_stored) {
            (None, None) if matches!(self, Self::Bypass(_)) => {}
            (None, None) => text.push_str("; stored"),
            (Some(detail), _) => {
                text.push_str("; detail=");
                text.push_str(detail);
            }
            (None, Some(_)) if matches!(self, Self::Bypass(_)) => {}
            (None, Some(reason)) => {
                text.push_str("; detail=");
                text.push_str(reason.as_str());
            }
        }
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("floodwall; fwd=bypass"))
    }
}
