//! What the cache answers, and what has to go to the origin.

use std::sync::Arc;
use std::time::Duration;

use floodwall_model::{Timestamp, Verdict};
use floodwall_policy::{Decided, OrderEffect};
use http::{Method, Response};

use super::fetch::{self, Fetch};
use super::visit::Visit;
use super::{counters, note_cache, reference};
use crate::admission;
use crate::body::{Ledger, Payload};
use crate::cache::{CachedResponse, Forwarded, LookUp, OriginSaid, Served};
use crate::edge::Shared;
use crate::flights::{Boarding, Landing};
use crate::pages::{self, Addressee};
use crate::upstream::RequestBody;

/// How often a request may find that what it waited for is no use to it, before it goes by itself.
const ROUNDS_MAX: usize = 3;

/// The longest a request waits for another's fetch of the same page.
const FOLLOW_PATIENCE: Duration = Duration::from_secs(5);

/// For this long after one request set out to revalidate a copy beside serving it, no other does.
const REVALIDATION_LEASE: Duration = Duration::from_secs(5);

/// A copy that is stale and may stand in for the origin's answer.
#[derive(Clone, Debug)]
pub(crate) struct StaleCopy {
    pub(crate) response: Arc<CachedResponse>,
    pub(crate) may_serve_on_error: bool,
}

impl StaleCopy {
    /// The copy, where it may be served because the origin fails.
    pub(crate) fn on_error(&self) -> Option<&CachedResponse> {
        self.may_serve_on_error.then_some(self.response.as_ref())
    }
}

/// What a request does that has to wait.
enum Next<'a> {
    Answer(Box<Response<Payload>>),
    LookAgain,
    Fetch(Fetch<'a>),
    PassThrough(Forwarded),
}

/// Answers from the cache alone; `None` where the request has to wait for something.
pub(super) fn at_once(
    ledger: &mut Ledger,
    visit: &Visit,
    found: &LookUp,
    served: Served,
    now: Timestamp,
) -> Option<Response<Payload>> {
    match found {
        LookUp::Fresh(copy) => Some(from_cache(ledger, visit, copy, served, now)),
        LookUp::Unsatisfiable => Some(pages::not_cached(Addressee::of(
            &visit.headers,
            reference(ledger, visit.client, Decided::NotCached),
        ))),
        LookUp::Stale { response, may_serve_on_error: true, may_serve_while_revalidating, .. }
            if ledger.worker.shared.origins.all_down(visit.site)
                || (!may_serve_while_revalidating && response.is_being_revalidated(now)) =>
        {
            let served = Served::StaleIfError(OriginSaid::NotAsked);
            Some(from_cache(ledger, visit, response, served, now))
        }
        LookUp::Stale { response, may_serve_while_revalidating, may_serve_on_error, .. }
            if *may_serve_while_revalidating
                || (*may_serve_on_error
                    && admission::is_pressed(&ledger.worker, visit.site, visit.target.path())) =>
        {
            if response.try_begin_revalidation(now, REVALIDATION_LEASE) {
                let copy = StaleCopy { response: response.clone(), may_serve_on_error: *may_serve_on_error };
                fetch::revalidate_beside(&ledger.worker, visit, copy);
            }
            Some(from_cache(ledger, visit, response, Served::StaleWhileRevalidate, now))
        }
        _ => None,
    }
}

/// Answers from the copy of the same address without parameters that nobody uses in calm times, while
/// more is asked for than the origin can answer. `None`, and the visit as it was, where there is none.
pub(super) fn without_unused_parameters(
    ledger: &mut Ledger,
    visit: &mut Visit,
    now: Timestamp,
) -> Option<Response<Payload>> {
    let reduced = admission::without_unused_parameters(&ledger.worker, visit)?;
    let asked_for = std::mem::replace(&mut visit.target, reduced);
    let found = ledger.worker.shared.cache.look_up(&visit.cache_request(false), now);
    let answer = at_once(ledger, visit, &found, Served::Hit, now);
    if answer.is_none() {
        visit.target = asked_for;
    }
    answer
}

/// Answers a request that [`at_once`] found to have to wait.
pub(super) async fn answer(
    ledger: &mut Ledger,
    visit: &mut Visit,
    body: RequestBody,
    mut found: LookUp,
) -> Response<Payload> {
    let shared = ledger.worker.shared.clone();
    for _ in 0..ROUNDS_MAX {
        match next_step(&shared, ledger, visit, &found).await {
            Next::Answer(response) => return *response,
            Next::LookAgain => {}
            Next::Fetch(fetch) => return fetch::fetch(ledger, visit, fetch).await,
            Next::PassThrough(forwarded) => return fetch::pass_through(ledger, visit, body, forwarded).await,
        }
        let now = ledger.worker.now();
        let served = Served::Collapsed(found.forwarded().unwrap_or(Forwarded::UriMiss));
        found = shared.cache.look_up(&visit.cache_request(!body.is_empty()), now);
        if let Some(response) = at_once(ledger, visit, &found, served, now) {
            return response;
        }
    }
    fetch::pass_through(ledger, visit, body, found.forwarded().unwrap_or(Forwarded::UriMiss)).await
}

async fn next_step<'a>(shared: &'a Shared, ledger: &mut Ledger, visit: &Visit, found: &LookUp) -> Next<'a> {
    let forwarded = found.forwarded().unwrap_or(Forwarded::UriMiss);
    match found {
        LookUp::Stale { response, may_serve_on_error, worth_waiting, .. } => {
            let copy = StaleCopy { response: response.clone(), may_serve_on_error: *may_serve_on_error };
            if *worth_waiting && visit.method == Method::GET {
                board(shared, ledger, visit, Some(copy), forwarded).await
            } else {
                Next::Fetch(Fetch { copy: Some(copy), lead: None, forwarded })
            }
        }
        LookUp::Miss { known_uncacheable: false, alone: true, .. } if visit.method == Method::GET => {
            Next::Fetch(Fetch { copy: None, lead: None, forwarded })
        }
        LookUp::Miss { known_uncacheable: false, .. } if visit.method == Method::GET => {
            board(shared, ledger, visit, None, forwarded).await
        }
        _ => Next::PassThrough(forwarded),
    }
}

/// Why a request is passed on whatever others ask for; `None` where the cache has to do with it.
pub(super) fn passes_through(visit: &Visit, found: &LookUp) -> Option<Forwarded> {
    match found {
        LookUp::Bypass(_) | LookUp::Miss { known_uncacheable: true, .. } => found.forwarded(),
        LookUp::Miss { .. } if visit.method != Method::GET => found.forwarded(),
        _ => None,
    }
}

/// Fetches the page for all who want it, or waits for who does.
async fn board<'a>(
    shared: &'a Shared,
    ledger: &mut Ledger,
    visit: &Visit,
    copy: Option<StaleCopy>,
    forwarded: Forwarded,
) -> Next<'a> {
    let boarding = shared.flights.board(visit.site, visit.https, visit.cached_under(), visit.target.as_str());
    let follow = match boarding {
        Boarding::Lead(lead) => {
            // Between our look into the cache and now, another's flight may have landed: without a
            // second look, everybody in that gap would ask the origin for what is there already.
            let found = shared.cache.look_up(&visit.cache_request(false), ledger.worker.now());
            if matches!(found, LookUp::Fresh(_)) {
                lead.land(Landing::Stored);
                return Next::LookAgain;
            }
            return Next::Fetch(Fetch { copy, lead: Some(lead), forwarded });
        }
        Boarding::Alone => return Next::Fetch(Fetch { copy, lead: None, forwarded }),
        Boarding::Follow(follow) => follow,
    };
    ledger.set_waits_for_origin(true);
    let landing = tokio::time::timeout(FOLLOW_PATIENCE, follow.landing()).await;
    ledger.set_waits_for_origin(false);
    match landing {
        Ok(Landing::Stored | Landing::ForOneOnly | Landing::Abandoned) => Next::LookAgain,
        Ok(Landing::NotStored) => Next::PassThrough(forwarded),
        Ok(Landing::Failed) | Err(_) => {
            // The origin fails or is slow: what is at hand is better than asking it once more.
            if let Some(response) = copy.as_ref().and_then(StaleCopy::on_error) {
                let now = ledger.worker.now();
                let answer =
                    from_cache(ledger, visit, response, Served::StaleIfError(OriginSaid::NotAsked), now);
                return Next::Answer(Box::new(answer));
            }
            match landing {
                Ok(_) => Next::LookAgain,
                Err(_) => Next::Fetch(Fetch { copy, lead: None, forwarded }),
            }
        }
    }
}

/// Answers from a stored response. It costs the origin nothing, so only a limit on all requests,
/// where one is set, can refuse it.
pub(crate) fn from_cache(
    ledger: &mut Ledger,
    visit: &Visit,
    copy: &CachedResponse,
    served: Served,
    now: Timestamp,
) -> Response<Payload> {
    if let Some(refusal) = refused(ledger, visit, false, now) {
        return refusal;
    }
    let counters = counters(&ledger.worker, visit.site);
    match served {
        Served::StaleIfError(_) | Served::StaleWhileRevalidate | Served::Kept(_) => {
            counters.cache_stale.add(1);
            note_cache(ledger, "stale");
        }
        Served::Hit | Served::Collapsed(_) | Served::Fetched(..) => {
            counters.cache_hits.add(1);
            note_cache(ledger, "hit");
        }
    }
    let mut response = stored_answer(visit, copy, served, now);
    let has_failed = matches!(served, Served::StaleIfError(_) | Served::Kept(_));
    let site = ledger.worker.shared.config.sites.get(usize::from(visit.site.0));
    if has_failed && site.is_some_and(|site| site.kept_banner) {
        pages::banner::put_on(&mut response, now.wall_unix_seconds());
    }
    response
}

/// The stored response as an answer to this visitor: 304 where their own copy is good, a part where
/// they ask for one.
pub(crate) fn stored_answer(
    visit: &Visit,
    copy: &CachedResponse,
    served: Served,
    now: Timestamp,
) -> Response<Payload> {
    let answer = copy.answer(&visit.method, &visit.headers, served, now);
    let mut response = Response::new(Payload::Whole(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response
}

/// Asks admission; the page to answer with when it refuses.
pub(crate) fn refused(
    ledger: &mut Ledger,
    visit: &Visit,
    origin_bound: bool,
    now: Timestamp,
) -> Option<Response<Payload>> {
    let shared = &ledger.worker.shared;
    if shared.orders.of(visit.client, now) == Some(OrderEffect::Allow) {
        return None;
    }
    match shared.admission.admit(&shared.policy, &visit.facts(origin_bound), now) {
        Verdict::Admit => None,
        Verdict::Refuse { reason: floodwall_model::Reason::PrefixRate, retry_after } => {
            counters(&ledger.worker, visit.site).refused_prefix_rate.add(1);
            let reference = reference(ledger, visit.client, Decided::PrefixRate);
            Some(pages::too_many_requests(retry_after, Addressee::of(&visit.headers, reference)))
        }
    }
}
