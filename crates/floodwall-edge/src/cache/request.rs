//! A request as the cache sees it.

use floodwall_model::SiteId;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};

use super::cookies;
use super::key::{KEY_BYTES_MAX, KeyRef};

/// The parts of a request the cache decides on; borrows, so building one costs nothing.
///
/// Whatever of the target the origin gets to see must be in here, or one visitor could choose what
/// another is shown: `authority` is the host exactly as it is forwarded, and fields that claim
/// another host or scheme (`X-Forwarded-Host` and the like) must be set or removed by the proxy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheRequest<'a> {
    /// The site asked for.
    pub(crate) site: SiteId,
    /// Whether the visitor speaks TLS: origins answer `http` with a redirect to `https`.
    pub(crate) https: bool,
    /// Host, and port where there is one, exactly as forwarded to the origin.
    pub(crate) authority: &'a str,
    /// The method.
    pub(crate) method: &'a Method,
    /// Path and query exactly as forwarded, from the leading `/`.
    pub(crate) path_and_query: &'a str,
    /// The visitor's header.
    pub(crate) headers: &'a HeaderMap,
    /// Whether a body comes with it. It is not part of the key, so such a request bypasses.
    pub(crate) has_body: bool,
}

/// Why a request is neither answered from the cache nor its answer stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BypassReason {
    /// Neither GET nor HEAD.
    Method,
    /// A GET or HEAD with a body.
    Body,
    /// Authority, path and query together are longer than a key may be.
    KeyTooLong,
    /// It carries `Authorization`, and what is stored is not for those who do.
    Authorization,
}

impl<'a> CacheRequest<'a> {
    /// The primary key (RFC 9111 section 2). Site, scheme, authority, path and query; GET and HEAD
    /// share it, since HEAD is answered from what GET stored.
    pub(crate) fn key(&self) -> KeyRef<'a> {
        KeyRef {
            site: self.site,
            https: self.https,
            authority: self.authority,
            path_and_query: self.path_and_query,
        }
    }

    /// Why this request has no business with the cache, whatever is stored.
    pub(crate) fn bypass(&self) -> Option<BypassReason> {
        if !matches!(*self.method, Method::GET | Method::HEAD) {
            Some(BypassReason::Method)
        } else if self.has_body {
            Some(BypassReason::Body)
        } else if self.authority.len().saturating_add(self.path_and_query.len()) > KEY_BYTES_MAX {
            Some(BypassReason::KeyTooLong)
        } else {
            None
        }
    }

    pub(crate) fn has_authorization(&self) -> bool {
        self.headers.contains_key(AUTHORIZATION)
    }

    /// Whether a cookie with it may be about the visitor; measuring scripts' own do not count.
    pub(crate) fn has_personal_cookie(&self) -> bool {
        cookies::has_personal(self.headers)
    }

    /// Whether the origin may know who asks.
    pub(crate) fn is_personal(&self) -> bool {
        self.has_authorization() || self.has_personal_cookie()
    }
}
