//! What answers in the origin's place: a stale copy in memory, or one kept on disk.

use std::sync::Arc;
use std::time::Duration;

use http::Response;

use super::cached::{StaleCopy, from_cache};
use super::fetch::{Fetch, revalidate_beside};
use super::visit::Visit;
use crate::body::{Ledger, Payload};
use crate::cache::{CachedResponse, OriginSaid, Served};
use crate::worker::Worker;

/// After a copy was read from disk, all are answered from it for so long before one asks the origin.
const KEPT_LEASE: Duration = Duration::from_secs(1);

/// Offers what was stored in memory to be kept on disk.
pub(super) fn keep(worker: &Worker, visit: &Visit, copy: &Arc<CachedResponse>) {
    if let Some(kept) = worker.shared.kept.get() {
        kept.offer(visit.cache_request(false).key(), copy, worker.now());
    }
}

/// Whether something may stand in, so that the origin need not be waited for to the end.
pub(super) fn may_stand_in(worker: &Worker, visit: &Visit, fetch: &Fetch<'_>) -> bool {
    let kept = worker.shared.kept.get();
    fetch.on_error().is_some()
        || (fetch.copy.is_none() && kept.is_some_and(|kept| kept.may_have(&visit.cache_request(false))))
}

/// Answers in the origin's place. Counted as stale and never as a refusal: it is an answer. With
/// `ask_beside` the origin was only slow, and is given all its time for those who come later.
pub(super) async fn stand_in(
    ledger: &mut Ledger,
    visit: &Visit,
    fetch: &Fetch<'_>,
    said: OriginSaid,
    ask_beside: bool,
) -> Option<Response<Payload>> {
    if let Some(copy) = fetch.on_error() {
        let now = ledger.worker.now();
        let served = Served::StaleIfError(said);
        let answer = from_cache(ledger, visit, copy, served, now);
        return Some(answer);
    }
    let copy = from_disk(ledger, visit).await?;
    if ask_beside {
        let copy = StaleCopy { response: copy.clone(), may_serve_on_error: true };
        revalidate_beside(&ledger.worker, visit, copy);
    }
    let now = ledger.worker.now();
    Some(from_cache(ledger, visit, &copy, Served::Kept(said), now))
}

/// As [`stand_in`], for a HEAD of which memory has nothing.
pub(super) async fn stand_in_for_head(
    ledger: &mut Ledger,
    visit: &Visit,
    said: OriginSaid,
) -> Option<Response<Payload>> {
    let copy = from_disk(ledger, visit).await?;
    let now = ledger.worker.now();
    Some(from_cache(ledger, visit, &copy, Served::Kept(said), now))
}

/// The copy on disk; it is in memory from then on, and all are answered from it for a while.
async fn from_disk(ledger: &mut Ledger, visit: &Visit) -> Option<Arc<CachedResponse>> {
    let shared = ledger.worker.shared.clone();
    let kept = shared.kept.get()?;
    let request = visit.cache_request(false);
    // It is not the visitor who is waited for.
    ledger.set_waits_for_origin(true);
    let read = kept.read(&request).await;
    ledger.set_waits_for_origin(false);
    let now = ledger.worker.now();
    let copy = shared.cache.adopt(&request, read?, kept.age_max(), now)?;
    copy.try_begin_revalidation(now, KEPT_LEASE);
    Some(copy)
}
