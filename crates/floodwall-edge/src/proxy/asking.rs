//! One question to a site's origins: of which one, once more of another where nothing was sent, counted
//! and timed.

use std::rc::Rc;
use std::time::Duration;

use floodwall_model::Timestamp;
use http::{HeaderMap, Response};

use super::counters;
use super::visit::Visit;
use crate::cache::Exchange;
use crate::upstream::{Answered, Attempt, OriginBody, OriginFailure, Patience, RequestBody, exchange};
use crate::worker::Worker;

/// As [`exchange_counted`], with the answer's fields as a table.
pub(super) async fn ask_once(
    worker: &Rc<Worker>,
    visit: &Visit,
    fields: HeaderMap,
    body: RequestBody,
    patience: Patience,
    now: Timestamp,
) -> Result<(Box<Response<OriginBody>>, Exchange), OriginFailure> {
    let (answered, times) = exchange_counted(worker, visit, fields, body, patience, now).await?;
    Ok((answered.into_response()?, times))
}

/// One exchange with the origin, counted and timed.
pub(super) async fn exchange_counted(
    worker: &Rc<Worker>,
    visit: &Visit,
    fields: HeaderMap,
    body: RequestBody,
    patience: Patience,
    now: Timestamp,
) -> Result<(Box<Answered>, Exchange), OriginFailure> {
    let counters = counters(worker, visit.site);
    let origins = &worker.shared.origins;
    let hope = if patience.hopes() { worker.shared.config.timeouts.origin_return } else { Duration::ZERO };
    let mut request_sent = now;
    let origin = match origins.choose(visit.site) {
        Ok(origin) => origin,
        Err(failure) => {
            // Rare and large: in a box, so that requests that are only passed on do not carry it.
            let hoped_for = Box::pin(origins.hope_for(visit.site, hope, false)).await;
            request_sent = worker.now();
            hoped_for.ok_or(failure)?
        }
    };
    counters.origin_requests.add(1);
    let mut request = visit.request_to_origin(fields, body);
    let mut outcome = exchange(worker, origin, &mut request, request_sent, patience).await;
    if let Err(Attempt { failure: OriginFailure::Connect(_), unsent: true }) = &outcome
        && let Some(other) = match origins.other_than(visit.site, origin) {
            Some(other) => Some(other),
            None => Box::pin(origins.hope_for(visit.site, hope, true)).await,
        }
    {
        // Not a byte was sent: whatever was asked may be asked of another, or once more.
        counters.origin_errors.add(1);
        counters.origin_requests.add(1);
        request_sent = worker.now();
        outcome = exchange(worker, other, &mut request, request_sent, patience).await;
    }
    match outcome.map_err(|attempt| attempt.failure) {
        Ok(answered) => {
            let response_received = answered.at;
            let waited = response_received.since(request_sent).as_micros();
            counters.origin_wait_us.add(u64::try_from(waited).unwrap_or(u64::MAX));
            counters.origin_5xx.add(u64::from(answered.status.is_server_error()));
            let site = worker.shared.config.sites.get(usize::from(visit.site.0));
            let stale_if_error = site.and_then(|site| site.stale_if_error);
            Ok((answered, Exchange { request_sent, response_received, stale_if_error }))
        }
        Err(failure) => {
            counters.origin_errors.add(1);
            Err(failure)
        }
    }
}
