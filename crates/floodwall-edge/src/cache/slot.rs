//! What is stored under one key: the one response of an address, or its variants (RFC 9111 section
//! 4.1). A slot is never changed in place: a changed copy replaces it.

use std::sync::Arc;

use floodwall_model::Timestamp;
use http::HeaderMap;

use super::entry::CachedResponse;
use super::headers::allocation;

/// Variants of one address; of more, the least recently used goes.
pub(crate) const VARIANTS_MAX: usize = 16;

#[derive(Clone, Debug)]
pub(crate) enum Slot {
    One(Arc<CachedResponse>),
    Several(Arc<[Arc<CachedResponse>]>),
}

impl Slot {
    fn responses(&self) -> &[Arc<CachedResponse>] {
        match self {
            Self::One(response) => std::slice::from_ref(response),
            Self::Several(responses) => responses,
        }
    }

    /// The response to a request with this header; of several, the most recent (section 4.1).
    pub(crate) fn select(&self, request: &HeaderMap, now: Timestamp) -> Option<Arc<CachedResponse>> {
        match self {
            Self::One(response) => response.variant().matches(request).then(|| Arc::clone(response)),
            Self::Several(responses) => {
                let matching = responses.iter().filter(|one| one.variant().matches(request));
                let latest = matching.max_by_key(|one| one.freshness().received())?;
                latest.touch(now);
                Some(Arc::clone(latest))
            }
        }
    }

    /// The slot with `new` in place of the response for the same requests, its responses weighing
    /// `bytes_max` at the most. `None` when a later one is there already.
    ///
    /// After the origin has changed its `Vary`, older variants may match the same requests: the
    /// most recent is selected, and the others go as the least used.
    pub(crate) fn with(&self, new: Arc<CachedResponse>, bytes_max: u64) -> Option<Self> {
        let (same, mut kept): (Vec<_>, Vec<_>) =
            self.responses().iter().cloned().partition(|one| one.variant() == new.variant());
        if same.iter().any(|one| one.freshness().received() > new.freshness().received()) {
            return None;
        }
        if new.variant().is_for_everybody() {
            return Some(Self::One(new));
        }
        kept.sort_unstable_by_key(|one| std::cmp::Reverse(one.last_used_nanos()));
        kept.truncate(VARIANTS_MAX.saturating_sub(1));
        while !kept.is_empty() && sum_weights(&kept).saturating_add(new.weight()) > bytes_max {
            kept.pop();
        }
        kept.push(new);
        Self::of(kept)
    }

    /// The slot without what answers a request with this header; `None` when nothing is left.
    pub(crate) fn without(&self, request: &HeaderMap) -> Option<Self> {
        let kept = self.responses().iter().filter(|one| !one.variant().matches(request));
        Self::of(kept.cloned().collect())
    }

    fn of(mut responses: Vec<Arc<CachedResponse>>) -> Option<Self> {
        if responses.len() > 1 {
            return Some(Self::Several(responses.into()));
        }
        responses.pop().map(Self::One)
    }

    /// Makes all of it stale; see [`CachedResponse::expire`].
    pub(crate) fn expire(&self) {
        self.responses().iter().for_each(|one| one.expire());
    }

    pub(crate) fn any(&self, is: impl Fn(&CachedResponse) -> bool) -> bool {
        self.responses().iter().any(|one| is(one))
    }

    pub(crate) fn depends_on_cookie(&self) -> bool {
        self.responses().iter().any(|one| one.variant().depends_on_cookie())
    }

    /// What the list of several variants takes at the most; reckoned for every slot.
    pub(crate) fn list_bytes() -> u64 {
        allocation(VARIANTS_MAX.saturating_mul(size_of::<usize>()))
    }

    pub(crate) fn responses_weight(&self) -> u64 {
        sum_weights(self.responses())
    }
}

fn sum_weights(responses: &[Arc<CachedResponse>]) -> u64 {
    responses.iter().fold(0, |sum, one| sum.saturating_add(one.weight()))
}
