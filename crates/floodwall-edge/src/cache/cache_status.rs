//! `Cache-Status` (RFC 9211): what this cache did, for the administrator who looks at one answer.

use std::fmt::{self, Write as _};

use http::header::CACHE_STATUS;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::request::BypassReason;
use super::storability::NotStored;

/// How a stored response came to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Served {
    /// Fresh.
    Hit,
    /// Stale, because the origin fails (RFC 5861 section 4).
    StaleIfError(OriginSaid),
    /// Read from where it is kept for this, because the origin fails and memory has nothing.
    Kept(OriginSaid),
    /// Stale, while another request revalidates it (RFC 5861 section 3).
    StaleWhileRevalidate,
    /// The origin answered this very request with this status: 304 where it confirmed the copy.
    Fetched(Forwarded, StatusCode, Option<NotStored>),
    /// Stored just now on behalf of another request this one waited for.
    Collapsed(Forwarded),
}

/// What the origin said to a request that is answered with a stale copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OriginSaid {
    /// It was not asked: it is known to be down, or others are asking, or it may not be asked.
    NotAsked,
    /// Nothing that can be used.
    Nothing,
    /// This status.
    Status(StatusCode),
}

impl Served {
    /// The field's value, given the whole seconds of freshness left and the status sent.
    pub(crate) fn cache_status(self, ttl_seconds: i64, sent: StatusCode) -> HeaderValue {
        let mut text = String::with_capacity(80);
        let written = self.write(&mut text, ttl_seconds, sent);
        let value = HeaderValue::try_from(text).ok();
        value.filter(|_| written.is_ok()).unwrap_or(HeaderValue::from_static("floodwall; hit"))
    }

    fn write(self, text: &mut String, ttl: i64, sent: StatusCode) -> fmt::Result {
        match self {
            Self::Hit => write!(text, "floodwall; hit; ttl={ttl}"),
            Self::StaleIfError(OriginSaid::NotAsked) => {
                write!(text, "floodwall; hit; ttl={ttl}; detail=stale-if-error")
            }
            Self::StaleIfError(OriginSaid::Nothing) => {
                write!(text, "floodwall; fwd=stale; ttl={ttl}; detail=stale-if-error")
            }
            Self::StaleIfError(OriginSaid::Status(status)) => {
                let status = status.as_u16();
                write!(text, "floodwall; fwd=stale; fwd-status={status}; ttl={ttl}; detail=stale-if-error")
            }
            Self::Kept(OriginSaid::NotAsked) => write!(text, "floodwall; hit; ttl={ttl}; detail=kept-copy"),
            Self::Kept(OriginSaid::Nothing) => {
                write!(text, "floodwall; fwd=uri-miss; ttl={ttl}; detail=kept-copy")
            }
            Self::Kept(OriginSaid::Status(status)) => {
                let status = status.as_u16();
                write!(text, "floodwall; fwd=uri-miss; fwd-status={status}; ttl={ttl}; detail=kept-copy")
            }
            Self::StaleWhileRevalidate => {
                write!(text, "floodwall; hit; ttl={ttl}; detail=stale-while-revalidate")
            }
            Self::Fetched(forwarded, said, not_stored) => {
                write!(text, "floodwall; fwd={}", forwarded.reason().0)?;
                if said != sent {
                    // Section 2.3: told where it is not the status that is sent.
                    write!(text, "; fwd-status={}", said.as_u16())?;
                }
                match not_stored {
                    None => write!(text, "; ttl={ttl}; stored"),
                    Some(reason) => write!(text, "; detail={}", reason.as_str()),
                }
            }
            Self::Collapsed(forwarded) => {
                write!(text, "floodwall; fwd={}; collapsed; ttl={ttl}", forwarded.reason().0)
            }
        }
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

    /// The `fwd` parameter (RFC 9211 section 2.2), and what there is to say beside it.
    fn reason(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Bypass(BypassReason::Method) => ("method", None),
            Self::Bypass(BypassReason::Authorization) => ("request", Some("authorization")),
            Self::Bypass(BypassReason::Body) => ("bypass", Some("body")),
            Self::Bypass(BypassReason::KeyTooLong) => ("bypass", Some("key-too-long")),
            Self::UriMiss => ("uri-miss", None),
            Self::VaryMiss => ("vary-miss", None),
            Self::Stale => ("stale", None),
        }
    }

    /// The field's value for an answer that is passed on as it comes.
    pub(crate) fn cache_status(self, not_stored: Option<NotStored>) -> HeaderValue {
        if (self, not_stored) == (Self::UriMiss, Some(NotStored::Request)) {
            // What every answer says that is just passed through: not put together each time.
            return HeaderValue::from_static("floodwall; fwd=uri-miss; detail=request");
        }
        let mut text = String::with_capacity(64);
        let (forward, detail) = self.reason();
        text.push_str("floodwall; fwd=");
        text.push_str(forward);
        match (detail, not_stored) {
            (None, _) if matches!(self, Self::Bypass(_)) => {}
            (None, None) => text.push_str("; stored"),
            (Some(detail), _) => {
                text.push_str("; detail=");
                text.push_str(detail);
            }
            (None, Some(reason)) => {
                text.push_str("; detail=");
                text.push_str(reason.as_str());
            }
        }
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("floodwall; fwd=bypass"))
    }
}
