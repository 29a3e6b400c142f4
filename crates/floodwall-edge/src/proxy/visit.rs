//! A request on its way through the edge: what is known of it, and how it is passed on.

use std::net::IpAddr;
use std::rc::Rc;

use bytes::Bytes;
use floodwall_model::{Prefix, Protocol, RequestFacts, SiteId, Timestamp};
use http::header::{self, HeaderMap};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Version};

use crate::admission::{Mark, has_own_cookie, is_own_cookie};
use crate::cache::CacheRequest;
use crate::connection::{ClientMarks, Peer};
use crate::forwarded::{self, Introduction};
use crate::headers;
use crate::query::QueryRules;
use crate::upstream::{OriginRequest, RequestBody};

/// One request to a declared site.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) site: SiteId,
    pub(crate) authority: Rc<str>,
    pub(crate) client: IpAddr,
    pub(crate) peer: Peer,
    /// Whether the peer is a proxy whose forwarding fields are believed.
    pub(crate) peer_trusted: bool,
    pub(crate) https: bool,
    pub(crate) protocol: Protocol,
    pub(crate) method: Method,
    pub(crate) target: PathAndQuery,
    pub(crate) headers: HeaderMap,
    /// The host to cache under where a trusted proxy names another in `X-Forwarded-Host`: origins
    /// build addresses with it, and the proxy may have it from the visitor.
    pub(crate) told_host: Option<String>,
    /// What the origin is told of the visitor, where the peer is no trusted proxy.
    pub(crate) introduction: Option<Rc<Introduction>>,
    /// The client's fingerprints, where there is a gate to go by.
    pub(crate) marks: Option<Rc<ClientMarks>>,
    /// The gate's mark, where the query had one.
    pub(crate) mark: Option<Mark>,
}

impl Visit {
    pub(crate) fn new(
        site: SiteId,
        authority: Rc<str>,
        client: IpAddr,
        peer: Peer,
        peer_trusted: bool,
        https: bool,
        parts: Parts,
    ) -> Self {
        let target = origin_form(parts.uri.into_parts().path_and_query);
        let protocol = protocol_of(parts.version);
        let (method, headers) = (parts.method, parts.headers);
        let told_host = if peer_trusted { forwarded::told_host(&headers, &authority) } else { None };
        Self {
            site,
            authority,
            client,
            peer,
            peer_trusted,
            https,
            protocol,
            method,
            target,
            headers,
            told_host,
            introduction: None,
            marks: None,
            mark: None,
        }
    }

    /// Takes the gate's mark out of the query: it is for the edge alone.
    pub(crate) fn take_mark(&mut self, now: Timestamp) {
        let Some(query) = self.target.query() else { return };
        if let Some((target, mark)) = Mark::take(self.target.path(), query, now)
            && let Ok(target) = PathAndQuery::from_maybe_shared(Bytes::from(target))
        {
            self.target = target;
            self.mark = Some(mark);
        }
    }

    /// Leaves out the query parameters that the site's pages do not read, where it says which they do.
    /// Requests that change something are passed on as they came.
    pub(crate) fn keep_known_parameters(&mut self, rules: &QueryRules) {
        if !matches!(self.method, Method::GET | Method::HEAD) {
            return;
        }
        let Some(query) = self.target.query() else { return };
        if let Some(reduced) = rules.reduced(self.target.path(), query)
            && let Ok(target) = PathAndQuery::from_maybe_shared(Bytes::from(reduced))
        {
            self.target = target;
        }
    }

    /// What policy decides on.
    pub(crate) fn facts(&self, origin_bound: bool) -> RequestFacts<'_> {
        RequestFacts {
            site: self.site,
            client: self.client,
            prefix: Prefix::of_client(self.client),
            method: self.method.as_str(),
            path: self.target.path(),
            origin_bound,
        }
    }

    /// The host as far as answers depend on it.
    pub(crate) fn cached_under(&self) -> &str {
        self.told_host.as_deref().unwrap_or(&self.authority)
    }

    /// What the cache decides on.
    pub(crate) fn cache_request(&self, has_body: bool) -> CacheRequest<'_> {
        CacheRequest {
            site: self.site,
            https: self.https,
            authority: self.cached_under(),
            method: &self.method,
            path_and_query: self.target.as_str(),
            headers: &self.headers,
            has_body,
        }
    }

    /// The header as the origin gets it: what is for one hop removed, and what claims to know who
    /// asks. Made from `fields`, which are the visitor's own or a copy of them.
    pub(crate) fn header_to_origin(&self, mut fields: HeaderMap) -> HeaderMap {
        if self.introduction.is_some()
            && headers::are_as_the_origin_gets_them(
                &mut fields,
                &self.authority,
                forwarded::is_strangers_claim,
            )
        {
            return fields;
        }
        headers::remove_hop_by_hop(&mut fields);
        let host_stands =
            fields.get(header::HOST).is_some_and(|host| host.as_bytes() == self.authority.as_bytes());
        if !host_stands && let Ok(host) = header::HeaderValue::from_str(&self.authority) {
            fields.insert(header::HOST, host);
        }
        tidy_cookies(&mut fields);
        if self.introduction.is_some() {
            // Who asks is said when the head is written.
            forwarded::remove_strangers_claims(&mut fields);
        } else {
            let peer = self.peer.address.ip();
            forwarded::append_forwarding(&mut fields, peer, self.https, &self.authority, self.peer_trusted);
        }
        fields
    }

    /// The request as the origin gets it.
    pub(crate) fn request_to_origin(&self, fields: HeaderMap, body: RequestBody) -> OriginRequest {
        let (method, target) = (self.method.clone(), self.target.clone());
        OriginRequest { method, target, fields, introduction: self.introduction.clone(), body }
    }
}

/// The target as the origin gets it. An absolute-form target without a path means the root, with
/// its query where it has one (RFC 9112 section 3.2.1). `OPTIONS *` (RFC 9110 section 9.3.7) asks
/// the server; the origin is asked for its root.
fn origin_form(target: Option<PathAndQuery>) -> PathAndQuery {
    const ROOT: PathAndQuery = PathAndQuery::from_static("/");
    match target {
        Some(target) if target.as_str().starts_with('/') => target,
        Some(target) if target.as_str().starts_with('?') => {
            PathAndQuery::from_maybe_shared(Bytes::from(["/", target.as_str()].concat())).unwrap_or(ROOT)
        }
        _ => ROOT,
    }
}

/// The protocol by its version.
pub(super) fn protocol_of(version: Version) -> Protocol {
    match version {
        Version::HTTP_2 => Protocol::Http2,
        Version::HTTP_10 => Protocol::Http10,
        _ => Protocol::Http11,
    }
}

/// HTTP/2 may send one cookie per field; HTTP/1.1 wants them in one (RFC 9113 section 8.2.3). What is for
/// the edge's own gate stays here.
fn tidy_cookies(fields: &mut HeaderMap) {
    let mut crumbs = fields.get_all(header::COOKIE).iter();
    let Some(first) = crumbs.next() else { return };
    if crumbs.next().is_none() && !has_own_cookie(first.as_bytes()) {
        return;
    }
    let lines = fields.get_all(header::COOKIE).iter().map(header::HeaderValue::as_bytes);
    let pairs = lines.flat_map(|line| line.split(|byte| *byte == b';')).map(<[u8]>::trim_ascii);
    let kept: Vec<&[u8]> = pairs.filter(|pair| !pair.is_empty() && !is_own_cookie(pair)).collect();
    let joined = kept.join(&b"; "[..]);
    if joined.is_empty() {
        fields.remove(header::COOKIE);
    } else if let Ok(one) = header::HeaderValue::from_maybe_shared(Bytes::from(joined)) {
        fields.insert(header::COOKIE, one);
    }
}
