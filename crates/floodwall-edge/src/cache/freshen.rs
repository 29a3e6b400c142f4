//! Stored responses that change: freshened by a 304 (RFC 9111 sections 3.2 and 4.3.4) or by the
//! answer to a HEAD (section 4.3.5), dropped after
//! an unsafe method (section 4.4).

use std::sync::Arc;

use floodwall_model::Timestamp;
use http::header::{CONTENT_LENGTH, CONTENT_LOCATION, ETAG, HeaderName, LAST_MODIFIED, LOCATION};
use http::{HeaderMap, StatusCode};

use super::entry::CachedResponse;
use super::freshness::Exchange;
use super::headers::{StoredHead, copy_head, storable_fields};
use super::key::KeyRef;
use super::request::CacheRequest;
use super::storability::{NotStored, Plan, judge_confirmed};
use super::store::ResponseCache;
use super::validation::{confirms, merged_fields};

/// What became of a stored response after a 304.
#[derive(Clone, Debug)]
pub(crate) enum Freshened {
    /// Confirmed and stored anew: serve it.
    Stored(Arc<CachedResponse>),
    /// Confirmed for the asking request alone: the new header forbids storing it, and it is no
    /// longer stored.
    Unstored(Arc<CachedResponse>, NotStored),
    /// The 304 is not about this response: ask again without conditions
    /// ([`super::prepare_fill`]).
    Mismatch,
}

impl ResponseCache {
    /// Freshens `stored` by the header of a 304 (RFC 9111 sections 4.3.4 and 3.2).
    pub(crate) fn freshen(
        &self,
        request: &CacheRequest<'_>,
        stored: &CachedResponse,
        not_modified: &HeaderMap,
        exchange: &Exchange,
    ) -> Freshened {
        if !confirms(not_modified, stored) {
            return Freshened::Mismatch;
        }
        let Some(merged) = merged_fields(stored.fields(), not_modified) else {
            return Freshened::Mismatch;
        };
        let received = exchange.response_received.wall_unix_seconds();
        let fields: Vec<_> = storable_fields(&merged).collect();
        let Some(head) = copy_head(fields.into_iter(), received) else {
            return Freshened::Mismatch;
        };
        let status = stored.status();
        match judge_confirmed(request, status, &merged, exchange, self.settings()) {
            Ok(plan) => self.store_freshened(request, with_body_of(stored, head, plan), exchange),
            Err(reason) => {
                self.note_not_stored(request, status, reason, exchange.response_received);
                let plan = Plan::for_one_answer(status, &merged, exchange, self.settings());
                Freshened::Unstored(with_body_of(stored, head, plan), reason)
            }
        }
    }

    /// Freshens `stored` by the answer to a HEAD that found it stale (section 4.3.5): where the status
    /// is the same, and at least one of `ETag`, `Last-Modified` and `Content-Length` came, and all
    /// that came agree. Where they do not, the copy stays what it is, stale.
    pub(crate) fn freshen_by_head(
        &self,
        request: &CacheRequest<'_>,
        stored: &CachedResponse,
        status: StatusCode,
        headers: &HeaderMap,
        exchange: &Exchange,
    ) {
        let came =
            [ETAG, LAST_MODIFIED, CONTENT_LENGTH].into_iter().filter(|name| headers.contains_key(name));
        let mut agreed = came.map(|name| headers.get(&name) == stored.fields().get(&name)).peekable();
        if status != stored.status() || agreed.peek().is_none() || !agreed.all(|agrees| agrees) {
            return;
        }
        let Some(merged) = merged_fields(stored.fields(), headers) else { return };
        let Ok(plan) = judge_confirmed(request, status, &merged, exchange, self.settings()) else { return };
        let received = exchange.response_received.wall_unix_seconds();
        let fields: Vec<_> = storable_fields(&merged).collect();
        if let Some(head) = copy_head(fields.into_iter(), received) {
            // A copy that cannot be put back stays what it was.
            let _ = self.store_freshened(request, with_body_of(stored, head, plan), exchange);
        }
    }

    fn store_freshened(
        &self,
        request: &CacheRequest<'_>,
        response: Arc<CachedResponse>,
        exchange: &Exchange,
    ) -> Freshened {
        let fits = response.weight() <= self.response_bytes_max(request.key());
        let key = request.key().to_key().filter(|_| fits);
        let outcome = key
            .ok_or(NotStored::TooLarge)
            .and_then(|key| self.insert(key, exchange.request_sent, Arc::clone(&response)));
        match outcome {
            Ok(()) => Freshened::Stored(response),
            Err(reason) => Freshened::Unstored(response, reason),
        }
    }

    /// After the answer to an unsafe method: drops what it may have changed (RFC 9111 section 4.4),
    /// that is the address itself and, on the same host, its `Location` and `Content-Location`.
    /// Answers to safe methods and errors change nothing.
    pub(crate) fn invalidate_after(
        &self,
        request: &CacheRequest<'_>,
        status: StatusCode,
        headers: &HeaderMap,
        now: Timestamp,
    ) {
        if request.method.is_safe() || !(status.is_success() || status.is_redirection()) {
            return;
        }
        self.invalidate(request, request.path_and_query, now);
        for name in [LOCATION, CONTENT_LOCATION] {
            if let Some(path_and_query) = same_host_target(headers, &name, request.authority) {
                self.invalidate(request, path_and_query, now);
            }
        }
    }

    /// Drops all that is stored for `path_and_query` on the request's site and authority, over
    /// either scheme, and answers to it that were asked for before `now`.
    pub(crate) fn invalidate(&self, request: &CacheRequest<'_>, path_and_query: &str, now: Timestamp) {
        for https in [false, true] {
            self.remove(KeyRef { https, path_and_query, ..request.key() }, now);
        }
    }
}

fn with_body_of(stored: &CachedResponse, head: StoredHead, plan: Plan) -> Arc<CachedResponse> {
    Arc::new(CachedResponse::new(stored.status(), head, plan, stored.body().clone()))
}

/// The path and query a `Location` or `Content-Location` names on the same host; `None` for
/// another host and for relative references, which section 4.4 does not require.
fn same_host_target<'a>(headers: &'a HeaderMap, name: &HeaderName, authority: &str) -> Option<&'a str> {
    let target = headers.get(name)?.to_str().ok()?;
    let target = target.split('#').next()?;
    let after_scheme = target.strip_prefix("http://").or_else(|| target.strip_prefix("https://"));
    match after_scheme.or_else(|| target.strip_prefix("//")) {
        None => target.starts_with('/').then_some(target),
        Some(rest) => {
            let slash = rest.find('/')?;
            let (host, path) = rest.split_at_checked(slash)?;
            host.eq_ignore_ascii_case(authority).then_some(path)
        }
    }
}
