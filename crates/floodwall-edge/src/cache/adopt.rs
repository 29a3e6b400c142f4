//! Responses that come back from where they were kept outside of memory.

use std::sync::Arc;
use std::time::Duration;

use floodwall_model::Timestamp;
use http::header::AGE;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::directives::ResponseDirectives;
use super::entry::CachedResponse;
use super::fill::{Fill, FillStart};
use super::freshness::{Exchange, Freshness};
use super::headers::storable_fields;
use super::request::CacheRequest;
use super::storability::Plan;
use super::store::ResponseCache;
use super::variant::Variant;

/// A response as it was kept.
#[derive(Clone, Debug)]
pub(crate) struct KeptResponse {
    pub(crate) status: StatusCode,
    pub(crate) fields: HeaderMap,
    /// Fields of the request it was chosen by.
    pub(crate) selecting: HeaderMap,
    /// When it was received or last confirmed.
    pub(crate) received_unix_micros: i64,
    pub(crate) body: Vec<u8>,
}

impl ResponseCache {
    /// Takes a kept response back into memory, to stand in while the origin fails: stale, whatever its
    /// age, because the clock may have been set meanwhile and it was not there to be purged. `None`
    /// where it does not answer this request, or is older than itself says or `age_max`.
    pub(crate) fn adopt(
        &self,
        request: &CacheRequest<'_>,
        kept: KeptResponse,
        age_max: Duration,
        now: Timestamp,
    ) -> Option<Arc<CachedResponse>> {
        let KeptResponse { status, mut fields, selecting, received_unix_micros, body } = kept;
        let variant = Variant::of(&fields, &selecting).ok()?;
        if request.has_authorization() || !variant.matches(request.headers) {
            return None;
        }
        let age_micros = now.wall_unix_micros().saturating_sub(received_unix_micros);
        let age = Duration::from_micros(u64::try_from(age_micros).unwrap_or(0));
        fields.insert(AGE, HeaderValue::from(age.as_secs()));
        let directives = ResponseDirectives::of(&fields);
        let exchange = Exchange { request_sent: now, response_received: now, stale_if_error: Some(age_max) };
        let freshness = Freshness::of(status, &fields, &directives, &exchange, self.settings());
        if !freshness.may_serve_on_error(now) {
            return None;
        }
        let plan = Plan { freshness, variant, answers_authorization: false };
        let mut fill = Fill::new(FillStart {
            key: request.key().to_key()?,
            status,
            headers: &fields,
            exchange: &exchange,
            plan,
            response_bytes_max: self.response_bytes_max(request.key()),
            budget: self.fills(),
        })
        .ok()?;
        fill.push(&body);
        let (key, response) = fill.complete().ok()?;
        response.expire();
        let response = Arc::new(response);
        // Where memory has something by now, that is newer; this one answers all the same.
        let _ = self.insert_if_none(key, Arc::clone(&response));
        Some(response)
    }
}

impl CachedResponse {
    /// Whether it may be kept to stand in while the origin fails: pages and redirects that may be
    /// served stale (RFC 9111 section 4.2.4).
    pub(crate) fn may_be_kept(&self) -> bool {
        matches!(self.status().as_u16(), 200 | 301 | 308) && self.freshness().may_stand_in()
    }

    /// Its fields, without those worked out anew for each answer.
    pub(crate) fn kept_fields(&self) -> HeaderMap {
        storable_fields(self.fields()).map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}
