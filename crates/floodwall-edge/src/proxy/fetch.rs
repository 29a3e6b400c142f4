//! Requests to the origin: to fill the cache, to revalidate a copy, or just to pass on.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use floodwall_model::Timestamp;
use floodwall_policy::Decided;
use http::header::{CACHE_STATUS, CONTENT_LENGTH, RANGE};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::BodyExt;

use super::asking::{ask_once, exchange_counted};
use super::cached::{StaleCopy, refused, stored_answer};
use super::filling::Filling;
use super::stand_in::{keep, may_stand_in, stand_in, stand_in_for_head};
use super::visit::Visit;
use super::{counters, note_cache, reference};
use crate::admission::{self, Pass, Purpose};
use crate::body::{Ledger, Payload};
use crate::cache::{
    CachedResponse, Exchange, Fill, Forwarded, Freshened, NotStored, OriginSaid, Revalidation, Served,
    Unstored, after_revalidation, is_origin_failure, prepare_fill, prepare_revalidation,
};
use crate::flights::{Landing, Lead};
use crate::pages::{self, Addressee};
use crate::upstream::{AnswerFields, Answered, FieldLines, OriginBody, OriginFailure, Patience, RequestBody};
use crate::worker::Worker;

/// An answer up to this size is read whole before it is passed on, so that all who wait for it are
/// answered at the origin's pace and not at the first visitor's. Larger ones are streamed.
const READ_WHOLE_BYTES_MAX: u64 = 1 << 20;

/// With a copy at hand that may stand in, a visitor waits this long for the origin. After that they
/// get the copy, and the origin is asked once more with all the time it is given otherwise.
const PATIENCE_WITH_COPY: Duration = Duration::from_secs(3);

/// A fetch on behalf of one visitor and all who wait with them.
pub(crate) struct Fetch<'a> {
    pub(crate) copy: Option<StaleCopy>,
    pub(crate) lead: Option<Lead<'a>>,
    pub(crate) forwarded: Forwarded,
}

impl Fetch<'_> {
    fn land(&mut self, landing: Landing) {
        if let Some(lead) = self.lead.take() {
            lead.land(landing);
        }
    }

    /// Lands with an answer that is not stored; if only for this visitor's sake, others try anew.
    fn land_unstored(&mut self, visit: &Visit, reason: NotStored) {
        let for_all = reason.marks_address() && !reason.is_about_asker(&visit.cache_request(false));
        self.land(if for_all { Landing::NotStored } else { Landing::ForOneOnly });
    }

    /// Gets a place at the origin. Where one asks for all whether a copy is still good, the place is
    /// theirs, and nothing is asked of the one.
    async fn enter(&self, ledger: &mut Ledger, visit: &Visit) -> Result<Pass, Box<Response<Payload>>> {
        let now = ledger.worker.now();
        let for_all = self.copy.is_some() && self.lead.is_some();
        let purpose = if for_all { Purpose::Revalidation } else { Purpose::Answer };
        if let Some(pass) = admission::at_once(&ledger.worker, visit, purpose, now) {
            return Ok(pass);
        }
        admission::enter(ledger, visit, purpose).await
    }

    /// The copy in memory, where it may be served because the origin fails.
    pub(super) fn on_error(&self) -> Option<&CachedResponse> {
        self.copy.as_ref().and_then(StaleCopy::on_error)
    }
}

/// What came of asking the origin.
enum Outcome {
    /// It answered with this status, and what answers the visitor is in the cache now, or is not for
    /// that reason.
    Whole(std::sync::Arc<CachedResponse>, StatusCode, Option<NotStored>),
    /// Its answer, on its way.
    Passing(Box<Response<OriginBody>>, Result<Box<Fill>, NotStored>),
    /// It failed, or answers that it failed.
    Failed(OriginFailure),
    FailedWith(Box<Response<OriginBody>>),
}

impl Outcome {
    /// What it tells of how much the origin has to do.
    fn tell(&self, pass: &mut Pass, now: Timestamp) {
        match self {
            Self::Whole(_, said, _) => pass.answered_by(*said, now),
            Self::Passing(response, _) | Self::FailedWith(response) => {
                pass.answered_by(response.status(), now);
            }
            Self::Failed(failure) => pass.failed(failure),
        }
    }
}

/// Fetches a page from the origin, metered.
pub(crate) async fn fetch(ledger: &mut Ledger, visit: &Visit, mut fetch: Fetch<'_>) -> Response<Payload> {
    let entered = match refused(ledger, visit, true, ledger.worker.now()) {
        Some(refusal) => Err(Box::new(refusal)),
        None => fetch.enter(ledger, visit).await,
    };
    let mut pass = match entered {
        Ok(pass) => pass,
        Err(refusal) => {
            // No room, or over the limit: no work at the origin, but a copy costs it none.
            let instead = stand_in(ledger, visit, &fetch, OriginSaid::NotAsked, false).await;
            return instead.unwrap_or(*refusal);
        }
    };
    note_cache(ledger, "miss");
    counters(&ledger.worker, visit.site).cache_misses.add(1);
    ledger.set_waits_for_origin(true);
    let patience = if may_stand_in(&ledger.worker, visit, &fetch) {
        Patience::of_visitor(PATIENCE_WITH_COPY)
    } else {
        Patience::of_edge(ledger.worker.shared.config.timeouts.origin_response)
    };
    let outcome = ask(&ledger.worker, visit, fetch.copy.as_ref(), patience).await;
    ledger.set_waits_for_origin(false);
    let now = ledger.worker.now();
    outcome.tell(&mut pass, now);
    pass.end(now);
    match outcome {
        Outcome::Whole(copy, said, not_stored) => {
            match not_stored {
                None => fetch.land(Landing::Stored),
                Some(reason) => fetch.land_unstored(visit, reason),
            }
            stored_answer(visit, &copy, Served::Fetched(fetch.forwarded, said, not_stored), now)
        }
        Outcome::Failed(failure) => {
            let was_slow = matches!(failure, OriginFailure::Slow { .. });
            let all_its_time = ledger.worker.shared.config.timeouts.origin_response;
            if let (true, Some(copy)) = (was_slow, &fetch.copy)
                && copy.response.try_begin_revalidation(now, all_its_time)
            {
                revalidate_beside(&ledger.worker, visit, copy.clone());
            }
            let instead = stand_in(ledger, visit, &fetch, OriginSaid::Nothing, was_slow).await;
            fetch.land(Landing::Failed);
            instead.unwrap_or_else(|| origin_failed(ledger, visit, &failure))
        }
        Outcome::FailedWith(response) => {
            let said = OriginSaid::Status(response.status());
            let instead = stand_in(ledger, visit, &fetch, said, false).await;
            fetch.land(Landing::Failed);
            instead
                .unwrap_or_else(|| passed_on(response, fetch.forwarded, Some(NotStored::ServerError), None))
        }
        Outcome::Passing(response, fill) => {
            let not_stored = fill.as_ref().err().copied();
            if not_stored == Some(NotStored::TooLarge) && visit.headers.contains_key(RANGE) {
                // The whole was asked for, to cut the part from. It will not be kept, and a visitor
                // who goes on with a large download must not begin again.
                fetch.land_unstored(visit, NotStored::TooLarge);
                drop(response);
                return part_of_large(ledger, visit, fetch.forwarded).await;
            }
            match not_stored {
                Some(reason) => fetch.land_unstored(visit, reason),
                // It is stored once the visitor has taken it, which may be long: nobody waits.
                None => fetch.land(Landing::NotStored),
            }
            let filling = fill.ok().map(|fill| Box::new(Filling::new(*fill)));
            passed_on(response, fetch.forwarded, not_stored, filling)
        }
    }
}

/// Asks the origin for the part a visitor wants of what is too large to be kept.
async fn part_of_large(ledger: &mut Ledger, visit: &Visit, forwarded: Forwarded) -> Response<Payload> {
    let worker = ledger.worker.clone();
    let fields = visit.header_to_origin(visit.headers.clone());
    let patience = Patience::of_edge(worker.shared.config.timeouts.origin_response);
    ledger.set_waits_for_origin(true);
    let outcome = ask_once(&worker, visit, fields, RequestBody::Empty, patience, worker.now()).await;
    ledger.set_waits_for_origin(false);
    match outcome {
        Ok((response, _)) => passed_on(response, forwarded, Some(NotStored::TooLarge), None),
        Err(failure) => origin_failed(ledger, visit, &failure),
    }
}

/// Revalidates a copy that is being served meanwhile. The visitor is not charged for it.
pub(crate) fn revalidate_beside(worker: &Rc<Worker>, visit: &Visit, copy: StaleCopy) {
    let (worker, visit) = (worker.clone(), visit.clone());
    tokio::task::spawn_local(async move {
        let patience = Patience::of_edge(worker.shared.config.timeouts.origin_response);
        let outcome = ask(&worker, &visit, Some(&copy), patience).await;
        if let Outcome::Passing(response, Ok(fill)) = outcome {
            let mut filling = Filling::new(*fill);
            let mut body = response.into_body();
            while let Some(frame) = body.frame().await {
                filling.take_in(&Some(frame));
                if filling.is_given_up() {
                    return;
                }
            }
            filling.finish(&worker);
        }
    });
}

/// Passes a request on that has no business with the cache, metered.
pub(crate) async fn pass_through(
    ledger: &mut Ledger,
    visit: &mut Visit,
    body: RequestBody,
    forwarded: Forwarded,
) -> Response<Payload> {
    let (mut response, lines) = pass_through_as_it_comes(ledger, visit, body, forwarded).await;
    if let Some(lines) = lines {
        // A table that is full goes without the rest; an answer's is far from it.
        let _full = lines.append_to(response.headers_mut());
    }
    response
}

/// As [`pass_through`]; with the answer come the origin's fields as lines, where nobody has to look at
/// them.
pub(crate) async fn pass_through_as_it_comes(
    ledger: &mut Ledger,
    visit: &mut Visit,
    body: RequestBody,
    forwarded: Forwarded,
) -> (Response<Payload>, Option<Box<FieldLines>>) {
    let worker = ledger.worker.clone();
    let now = ledger.received;
    if let Some(refusal) = refused(ledger, visit, true, now) {
        return (refusal, None);
    }
    let (mut pass, now) = match admission::at_once(&worker, visit, Purpose::Answer, now) {
        Some(pass) => (pass, now),
        // Rare and large: in a box, so that requests that are only passed on do not carry it.
        None => match Box::pin(admission::enter(ledger, visit, Purpose::Answer)).await {
            Ok(pass) => (pass, worker.now()),
            Err(refusal) => return (*refusal, None),
        },
    };
    note_cache(ledger, "bypass");
    let has_body = !body.is_empty();
    // A HEAD may have to be answered from disk, by what it asks for.
    let is_head = visit.method == Method::HEAD && worker.shared.kept.get().is_some();
    let own_fields = if is_head { visit.headers.clone() } else { std::mem::take(&mut visit.headers) };
    let fields = visit.header_to_origin(own_fields);
    ledger.set_waits_for_origin(true);
    let patience = Patience::of_edge(worker.shared.config.timeouts.origin_response);
    let outcome = exchange_counted(&worker, visit, fields, body, patience, now).await;
    ledger.set_waits_for_origin(false);
    match &outcome {
        Ok((answered, times)) => {
            pass.answered(answered.status, times.response_received.since(times.request_sent));
            pass.end(times.response_received);
        }
        Err(failure) => {
            pass.failed(failure);
            pass.end(worker.now());
        }
    }
    let said = match &outcome {
        Ok((answered, _)) if is_origin_failure(answered.status) => OriginSaid::Status(answered.status),
        _ => OriginSaid::Nothing,
    };
    let failed = outcome.is_err() || said != OriginSaid::Nothing;
    // Rare and large: in a box, so that requests that are only passed on do not carry it.
    if is_head
        && failed
        && let Some(answer) = Box::pin(stand_in_for_head(ledger, visit, said)).await
    {
        return (answer, None);
    }
    let (answered, times) = match outcome {
        // An unsafe method's answer says what it has changed (RFC 9111 section 4.4).
        Ok((answered, _)) if visit.method.is_safe() && matches!(answered.fields, AnswerFields::Lines(_)) => {
            return as_it_came(*answered, forwarded);
        }
        Ok(answered) => answered,
        Err(failure) => return (origin_failed(ledger, visit, &failure), None),
    };
    let response = match answered.into_response() {
        Ok(response) => response,
        Err(failure) => return (origin_failed(ledger, visit, &failure), None),
    };
    let request = visit.cache_request(has_body);
    let (status, received) = (response.status(), times.response_received);
    worker.shared.cache.invalidate_after(&request, status, response.headers(), received);
    (passed_on(response, forwarded, Some(NotStored::Request), None), None)
}

/// The origin's answer with its fields as they came, and how the cache took part behind them.
fn as_it_came(answered: Answered, forwarded: Forwarded) -> (Response<Payload>, Option<Box<FieldLines>>) {
    let Answered { status, fields, mut body, .. } = answered;
    let payload = match body.take_whole() {
        Some(whole) => Payload::Whole(whole),
        None => Payload::Origin(Box::new(body), None),
    };
    let mut response = Response::new(payload);
    *response.status_mut() = status;
    let cache_status = forwarded.cache_status(Some(NotStored::Request));
    match fields {
        AnswerFields::Lines(mut lines) => {
            lines.add(CACHE_STATUS, cache_status);
            (response, Some(lines))
        }
        AnswerFields::Table(table) => {
            *response.headers_mut() = table;
            forwarded.annotate(response.headers_mut(), Some(NotStored::Request));
            (response, None)
        }
    }
}

/// Asks the origin for a page that may be stored, with the copy's validators where there is one.
async fn ask(worker: &Rc<Worker>, visit: &Visit, copy: Option<&StaleCopy>, patience: Patience) -> Outcome {
    let mut fields = visit.header_to_origin(visit.headers.clone());
    match copy {
        Some(copy) => prepare_revalidation(&mut fields, &copy.response),
        None => prepare_fill(&mut fields),
    }
    let (response, times) =
        match ask_once(worker, visit, fields, RequestBody::Empty, patience, worker.now()).await {
            Ok(answer) => answer,
            Err(failure) => return Outcome::Failed(failure),
        };
    let Some(copy) = copy else { return judge(worker, visit, response, &times).await };
    match after_revalidation(response.status()) {
        Revalidation::Replaced if visit.method == Method::HEAD => {
            let request = visit.cache_request(false);
            let (status, fields) = (response.status(), response.headers());
            worker.shared.cache.freshen_by_head(&request, &copy.response, status, fields, &times);
            Outcome::Passing(response, Err(NotStored::Request))
        }
        Revalidation::Replaced => judge(worker, visit, response, &times).await,
        Revalidation::OriginFailed => Outcome::FailedWith(response),
        Revalidation::NotModified => {
            let request = visit.cache_request(false);
            match worker.shared.cache.freshen(&request, &copy.response, response.headers(), &times) {
                Freshened::Stored(copy) => {
                    keep(worker, visit, &copy);
                    Outcome::Whole(copy, StatusCode::NOT_MODIFIED, None)
                }
                Freshened::Unstored(copy, reason) => {
                    Outcome::Whole(copy, StatusCode::NOT_MODIFIED, Some(reason))
                }
                Freshened::Mismatch => Box::pin(ask_anew(worker, visit, patience)).await,
            }
        }
    }
}

/// Asks without conditions, after a 304 that was about something else.
async fn ask_anew(worker: &Rc<Worker>, visit: &Visit, patience: Patience) -> Outcome {
    let mut fields = visit.header_to_origin(visit.headers.clone());
    prepare_fill(&mut fields);
    match ask_once(worker, visit, fields, RequestBody::Empty, patience, worker.now()).await {
        Ok((response, times)) => judge(worker, visit, response, &times).await,
        Err(failure) => Outcome::Failed(failure),
    }
}

/// Stores a small answer at once; begins to store any other that may be.
async fn judge(
    worker: &Rc<Worker>,
    visit: &Visit,
    response: Box<Response<OriginBody>>,
    times: &Exchange,
) -> Outcome {
    let cache = &worker.shared.cache;
    let request = visit.cache_request(false);
    let mut fill = match cache.begin_fill(&request, response.status(), response.headers(), times) {
        Ok(fill) => fill,
        Err(_) if is_origin_failure(response.status()) => return Outcome::FailedWith(response),
        Err(reason) => {
            if reason.supersedes_stored(response.status())
                && !reason.is_about_asker(&request)
                && let Some(kept) = worker.shared.kept.get()
            {
                kept.forget(request.key());
            }
            return Outcome::Passing(response, Err(reason));
        }
    };
    if announced_bytes(response.headers()).is_some_and(|bytes| bytes > READ_WHOLE_BYTES_MAX) {
        return Outcome::Passing(response, Ok(Box::new(fill)));
    }
    let (head, mut body) = response.into_parts();
    while let Some(frame) = body.frame().await {
        let data = match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => data,
            Ok(Err(_trailers)) => continue,
            Err(failure) => return Outcome::Failed(failure),
        };
        let small = to_u64(fill.received().len() + data.len()) <= READ_WHOLE_BYTES_MAX;
        if !(small && fill.has_room(data.len())) {
            // It did not say how large it is, and is large.
            body.put_back(Bytes::from([fill.received(), &data].concat()));
            return Outcome::Passing(Box::new(Response::from_parts(head, body)), Ok(Box::new(fill)));
        }
        fill.push(&data);
    }
    match cache.finish_fill(fill, worker.now()) {
        Ok(copy) => {
            keep(worker, visit, &copy);
            let said = copy.status();
            Outcome::Whole(copy, said, None)
        }
        Err(Unstored { response: Some(copy), reason }) => {
            let said = copy.status();
            Outcome::Whole(copy, said, Some(reason))
        }
        Err(Unstored { response: None, reason }) => {
            let words = format!("the answer did not come as it announced itself ({})", reason.as_str());
            Outcome::Failed(OriginFailure::Broken(words.into()))
        }
    }
}

fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

fn announced_bytes(fields: &HeaderMap) -> Option<u64> {
    fields.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The page in place of an answer that did not come.
fn origin_failed(ledger: &mut Ledger, visit: &Visit, failure: &OriginFailure) -> Response<Payload> {
    let decided =
        if matches!(failure, OriginFailure::Busy) { Decided::OriginBusy } else { Decided::OriginFailed };
    pages::origin_failed(failure, Addressee::of(&visit.headers, reference(ledger, visit.client, decided)))
}

/// The origin's own answer, streamed.
fn passed_on(
    response: Box<Response<OriginBody>>,
    forwarded: Forwarded,
    not_stored: Option<NotStored>,
    filling: Option<Box<Filling>>,
) -> Response<Payload> {
    let (mut parts, mut body) = response.into_parts();
    forwarded.annotate(&mut parts.headers, not_stored);
    let bodiless = matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let payload = if bodiless {
        Payload::Empty
    } else if http_body::Body::is_end_stream(&body) && parts.headers.get(CONTENT_LENGTH).is_none() {
        Payload::Whole(Bytes::new())
    } else if filling.is_none()
        && let Some(whole) = body.take_whole()
    {
        Payload::Whole(whole)
    } else {
        Payload::Origin(Box::new(body), filling)
    };
    Response::from_parts(parts, payload)
}
