//! One stored response, and the answers made from it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use floodwall_model::Timestamp;
use http::header::{
    AGE, CACHE_CONTROL, CACHE_STATUS, CONTENT_LOCATION, DATE, ETAG, EXPIRES, HeaderName, LAST_MODIFIED, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::cache_status::Served;
use super::freshness::Freshness;
use super::headers::{StoredHead, allocation, set_content_length};
use super::ranges::Part;
use super::storability::Plan;
use super::validation::is_not_modified;
use super::variant::Variant;

/// Uses nearer together than this count as one, so that a hot entry's cache line is not written
/// for every request.
const USE_STEP: Duration = Duration::from_millis(100);

/// A complete stored response. Immutable but for the revalidation lease, the last use, and that it
/// may have been purged.
#[derive(Debug)]
pub(crate) struct CachedResponse {
    status: StatusCode,
    fields: HeaderMap,
    body: Bytes,
    freshness: Freshness,
    variant: Variant,
    answers_authorization: bool,
    weight: u64,
    expired: AtomicBool,
    lease_until_nanos: AtomicU64,
    last_used_nanos: AtomicU64,
}

/// An answer made from a stored response. For HEAD the caller leaves the body out; `Content-Length`
/// is in the header.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The stored status, 304 where the visitor's own copy is good, 206 or 416 where a part was asked
    /// for.
    pub(crate) status: StatusCode,
    /// The header, with `Age` and `Cache-Status`.
    pub(crate) headers: HeaderMap,
    /// The body; shares the stored bytes.
    pub(crate) body: Bytes,
}

impl CachedResponse {
    pub(crate) fn new(status: StatusCode, head: StoredHead, plan: Plan, body: Bytes) -> Self {
        let StoredHead { mut fields, weight: head_weight } = head;
        set_content_length(&mut fields, status, body.len());
        let weight = weight_without_body(head_weight, &plan).saturating_add(allocation(body.len()));
        Self {
            status,
            fields,
            body,
            freshness: plan.freshness,
            variant: plan.variant,
            answers_authorization: plan.answers_authorization,
            weight,
            expired: AtomicBool::new(false),
            lease_until_nanos: AtomicU64::new(0),
            last_used_nanos: AtomicU64::new(plan.freshness.received().monotonic_nanos()),
        }
    }

    /// The answer to a GET or HEAD with this header: 304 where its own condition holds (RFC 9111
    /// section 4.3.2), else the stored response or the part of it that is asked for (RFC 9110
    /// section 14.2; ranges are for GET alone).
    ///
    /// Costs one copy of the header map (two allocations and a reference count per value) and the
    /// two texts of `Age` and `Cache-Status`; the body is shared.
    pub(crate) fn answer(
        &self,
        method: &Method,
        request: &HeaderMap,
        served: Served,
        now: Timestamp,
    ) -> Answer {
        let (status, mut headers, body) = if is_not_modified(self, request) {
            (StatusCode::NOT_MODIFIED, self.not_modified_fields(), Bytes::new())
        } else {
            let part = if *method == Method::GET { Part::asked(self, request) } else { Part::Whole };
            match part {
                Part::Whole => (self.status, self.fields.clone(), self.body.clone()),
                Part::Bytes { first, end } => {
                    let mut headers = self.fields.clone();
                    part.describe(&mut headers, self.body.len());
                    (StatusCode::PARTIAL_CONTENT, headers, self.body.slice(first..end))
                }
                Part::Unsatisfiable => {
                    let mut headers = self.not_modified_fields();
                    part.describe(&mut headers, self.body.len());
                    (StatusCode::RANGE_NOT_SATISFIABLE, headers, Bytes::new())
                }
            }
        };
        headers.insert(AGE, HeaderValue::from(self.freshness.age(now).as_secs()));
        headers.insert(CACHE_STATUS, served.cache_status(self.seconds_left(now), status));
        Answer { status, headers, body }
    }

    /// The fields RFC 9110 section 15.4.5 asks of a 304. `Last-Modified` only where there is no
    /// `ETag` to go by.
    fn not_modified_fields(&self) -> HeaderMap {
        const ALWAYS: [HeaderName; 6] = [CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, VARY];
        let mut headers = HeaderMap::with_capacity(12);
        for name in &ALWAYS {
            for value in self.fields.get_all(name) {
                headers.append(name, value.clone());
            }
        }
        if !headers.contains_key(ETAG)
            && let Some(modified) = self.fields.get(LAST_MODIFIED)
        {
            headers.insert(LAST_MODIFIED, modified.clone());
        }
        headers
    }

    /// Elects one request to revalidate this copy: true for the first caller, then for nobody
    /// until `lease` has passed. A copy freshened by it starts anew.
    pub(crate) fn try_begin_revalidation(&self, now: Timestamp, lease: Duration) -> bool {
        let until = self.lease_until_nanos.load(Ordering::Relaxed);
        if now.monotonic_nanos() < until {
            return false;
        }
        let next = now.plus(lease).monotonic_nanos();
        self.lease_until_nanos.compare_exchange(until, next, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Whether a request elected by [`Self::try_begin_revalidation`] may still be under way.
    pub(crate) fn is_being_revalidated(&self, now: Timestamp) -> bool {
        now.monotonic_nanos() < self.lease_until_nanos.load(Ordering::Relaxed)
    }

    /// Ends its freshness: it has to be confirmed, and serves unconfirmed only where the origin fails.
    pub(crate) fn expire(&self) {
        self.expired.store(true, Ordering::Release);
    }

    /// Whether it was purged.
    pub(crate) fn is_expired(&self) -> bool {
        self.expired.load(Ordering::Acquire)
    }

    /// Whole seconds of freshness left; none of what was purged.
    fn seconds_left(&self, now: Timestamp) -> i64 {
        let left = self.freshness.seconds_left(now);
        if self.is_expired() { left.min(0) } else { left }
    }

    /// The stored status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The stored header. `Age` and `Cache-Status` in it are placeholders.
    pub(crate) fn fields(&self) -> &HeaderMap {
        &self.fields
    }

    /// The stored body.
    pub(crate) fn body(&self) -> &Bytes {
        &self.body
    }

    /// Its times.
    pub(crate) fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    /// Bytes of memory it takes.
    pub(crate) fn weight(&self) -> u64 {
        self.weight
    }

    pub(crate) fn variant(&self) -> &Variant {
        &self.variant
    }

    pub(crate) fn answers_authorization(&self) -> bool {
        self.answers_authorization
    }

    pub(crate) fn entity_tag(&self) -> Option<&HeaderValue> {
        self.fields.get(ETAG)
    }

    pub(crate) fn touch(&self, now: Timestamp) {
        let step = u64::try_from(USE_STEP.as_nanos()).unwrap_or(u64::MAX);
        let last = self.last_used_nanos.load(Ordering::Relaxed);
        if now.monotonic_nanos().saturating_sub(last) >= step {
            self.last_used_nanos.store(now.monotonic_nanos(), Ordering::Relaxed);
        }
    }

    pub(crate) fn last_used_nanos(&self) -> u64 {
        self.last_used_nanos.load(Ordering::Relaxed)
    }
}

/// What a stored response takes of memory besides its body.
pub(crate) fn weight_without_body(head_weight: u64, plan: &Plan) -> u64 {
    // Two reference counts stand before the value in an `Arc`.
    allocation(size_of::<CachedResponse>().saturating_add(2 * size_of::<usize>()))
        .saturating_add(head_weight)
        .saturating_add(plan.variant.heap_bytes())
}
