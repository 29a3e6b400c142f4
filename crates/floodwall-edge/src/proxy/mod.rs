//! One request from its facts to its answer.
//!
//! The order is the house's one idea: whatever the cache answers is answered to everybody; only
//! what must reach the origin is metered; and what fails behind us falls back to the kept copy.

mod asking;
mod cached;
mod fetch;
mod filling;
mod stand_in;
mod visit;

use std::net::IpAddr;
use std::pin::Pin;

use floodwall_detection::RequestSeen;
use floodwall_model::{AccessRecord, Prefix, ReferenceId, SiteId};
use floodwall_policy::{Decided, OrderEffect, RefusalNote, Rung};
use http::request::Parts;
use http::{Method, Response, Version, header};

use crate::admission;
use crate::authority;
use crate::body::{Ledger, Payload, ResponseBody};
use crate::cache::{Forwarded, LookUp, Served};
use crate::connection::{FIELDS_MAX, HEAD_BYTES_MAX, Peer};
use crate::forwarded;
use crate::headers;
use crate::incoming::Incoming;
use crate::pages::{self, Addressee};
use crate::sightings::{Asked, Note};
use crate::upstream::RequestBody;
use crate::worker::Worker;

pub(crate) use filling::Filling;
pub(crate) use visit::Visit;

/// What became of a request as soon as its header was known.
#[expect(clippy::large_enum_variant, reason = "an answer that is there takes no memory of its own")]
pub(crate) enum Begun {
    /// Answered at once: from the cache, or refused.
    Answered(Response<ResponseBody>),
    /// It has to wait, for the origin or for who asks it already.
    Waits(Box<Waiting>),
}

/// A request that could not be answered at once.
pub(crate) struct Waiting {
    ledger: Ledger,
    visit: Visit,
    body: RequestBody,
    found: LookUp,
}

/// Answers a request at once where that is possible. No future is made for it then: the one for all
/// that can happen with an origin takes kilobytes, and most answers should not need it.
pub(crate) fn begin(mut ledger: Ledger, peer: Peer, head: Parts, incoming: Incoming) -> Begun {
    let is_head = head.method == Method::HEAD;
    let mut visit = match route(&mut ledger, peer, head) {
        Ok(routed) => routed,
        Err(response) => return Begun::Answered(finish(ledger, is_head, *response)),
    };
    if let Some(response) = admission::person_reported(&mut ledger, &visit) {
        ledger.seen.of_the_edge();
        return Begun::Answered(finish(ledger, is_head, response));
    }
    let body = RequestBody::of_visitor(incoming, &ledger.worker, visit.site);
    let now = ledger.received;
    let found = ledger.worker.shared.cache.look_up(&visit.cache_request(!body.is_empty()), now);
    if matches!(found, LookUp::Miss { .. })
        && let Some(response) = cached::without_unused_parameters(&mut ledger, &mut visit, now)
    {
        return Begun::Answered(finish(ledger, is_head, response));
    }
    match cached::at_once(&mut ledger, &visit, &found, Served::Hit, now) {
        Some(response) => Begun::Answered(finish(ledger, is_head, response)),
        None => {
            if !visit.peer_trusted {
                let peer = visit.peer.address.ip();
                visit.introduction = Some(ledger.state.introduction(peer, visit.https, &visit.authority));
            }
            // A trusted proxy's fingerprints are its own, not its visitors'.
            visit.marks = if visit.peer_trusted { None } else { ledger.state.marks() };
            Begun::Waits(Box::new(Waiting { ledger, visit, body, found }))
        }
    }
}

/// Answers a request that has to wait; cannot fail. Two futures, because the one that only passes a
/// request on is the one that a flood of look-ups makes, and it is smaller.
pub(crate) fn answer(waiting: Box<Waiting>) -> Pin<Box<dyn Future<Output = Response<ResponseBody>>>> {
    match cached::passes_through(&waiting.visit, &waiting.found) {
        Some(forwarded) => in_place(|| pass_through(waiting, forwarded)),
        None => Box::pin(answer_or_fetch(waiting)),
    }
}

/// As `Box::pin`, which makes a future elsewhere and then copies all the room it has, nearly nothing of
/// which is set yet.
fn in_place<F: Future>(future: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::into_pin(Box::write(Box::new_uninit(), future()))
}

async fn answer_or_fetch(mut waiting: Box<Waiting>) -> Response<ResponseBody> {
    let is_head = waiting.visit.method == Method::HEAD;
    let Waiting { ledger, visit, body, found } = waiting.as_mut();
    let (body, found) = (std::mem::replace(body, RequestBody::Empty), found.clone());
    let response = cached::answer(ledger, visit, body, found).await;
    finish(waiting.ledger, is_head, response)
}

async fn pass_through(mut waiting: Box<Waiting>, forwarded: Forwarded) -> Response<ResponseBody> {
    let is_head = waiting.visit.method == Method::HEAD;
    let Waiting { ledger, visit, body, .. } = waiting.as_mut();
    let body = std::mem::replace(body, RequestBody::Empty);
    let (response, lines) = fetch::pass_through_as_it_comes(ledger, visit, body, forwarded).await;
    let mut response = finish(waiting.ledger, is_head, response);
    response.body_mut().set_lines(lines);
    response
}

fn finish(mut ledger: Ledger, is_head: bool, response: Response<Payload>) -> Response<ResponseBody> {
    ledger.answered(response.status());
    let (mut parts, payload) = response.into_parts();
    if ledger.secure
        && let Some(Some(value)) =
            ledger.site.and_then(|site| ledger.worker.shared.hsts.get(usize::from(site.0)))
        && !parts.headers.contains_key(header::STRICT_TRANSPORT_SECURITY)
    {
        // What the origin says of it stands. Where that is among its lines, it comes first, and browsers
        // look at the first (RFC 6797 section 8.1). A header that is full goes without.
        let _full = parts.headers.try_append(header::STRICT_TRANSPORT_SECURITY, value.clone());
    }
    // RFC 9110 section 9.3.2: the header says what GET would, the body stays away.
    let payload = if is_head { Payload::Empty } else { payload };
    Response::from_parts(parts, ResponseBody::new(payload, ledger))
}

/// Finds the site and turns away what no site should see.
fn route(ledger: &mut Ledger, peer: Peer, parts: Parts) -> Result<Visit, Box<Response<Payload>>> {
    let worker = ledger.worker.clone();
    let shared = &worker.shared;
    let client = forwarded::client_address(peer.address.ip(), &shared.config.trusted_proxies, &parts.headers);
    if shared.access.is_some() {
        ledger.access = Some(Box::new(access_record(ledger, client.address, &parts)));
    }
    if let Some(fault) = authority::fault_of_h2(&parts) {
        worker.counters.worker.malformed_requests.add(1);
        return Err(Box::new(pages::malformed_request(
            fault,
            Addressee::of(&parts.headers, reference(ledger, client.address, Decided::Malformed)),
        )));
    }
    let https = client.scheme_https.unwrap_or(peer.tls);
    let asked = authority::of(&parts).and_then(|given| {
        ledger.state.host(given, https, || {
            let authority = authority::canonical(given, https);
            shared.sites.look_up(&authority).map(|site| (authority.into(), site))
        })
    });
    let Some((authority, site)) = asked else {
        worker.counters.worker.unknown_hosts.add(1);
        let mut response = pages::unknown_host(Addressee::of(
            &parts.headers,
            reference(ledger, client.address, Decided::UnknownHost),
        ));
        if parts.version < Version::HTTP_2 {
            // Nobody who asks for a host we do not have needs the connection kept.
            response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
        }
        return Err(Box::new(response));
    };
    worker.counters.site(site).requests.add(1);
    ledger.site = Some(site);
    if let Some(access) = ledger.access.as_mut() {
        access.site = shared.config.sites.get(usize::from(site.0)).map(|site| site.name.clone());
    }
    let target = parts.uri.path_and_query().map_or("*", |target| target.as_str());
    ledger.seen =
        seen(&worker, site, client.address, &authority, parts.method.as_str(), target, &parts.headers);
    if let Some(refusal) = refuse_blocked(ledger, client.address, &parts) {
        return Err(Box::new(refusal));
    }
    if let Some(refusal) = refuse_outright(ledger, client.address, &parts) {
        return Err(Box::new(refusal));
    }
    if let Some(refusal) = refuse_undeclared(ledger, site, client.address, &parts) {
        return Err(Box::new(refusal));
    }
    ledger.secure = https;
    if !https
        && shared.config.sites.get(usize::from(site.0)).is_some_and(|site| site.https_only)
        && let Some(location) = over_https(&authority, &parts)
    {
        return Err(Box::new(pages::moved_to_https(
            &location,
            Addressee::of(&parts.headers, reference(ledger, client.address, Decided::MovedToHttps)),
        )));
    }
    let trusted = client.trusted_peer;
    let mut visit = Visit::new(site, authority, client.address, peer, trusted, https, parts);
    visit.take_mark(ledger.received);
    if visit.mark.is_some() {
        // The mark is another each time: with it, detection would take a page for one that never repeats.
        let (client, method) = (visit.client, visit.method.as_str());
        ledger.seen =
            seen(&worker, site, client, &visit.authority, method, visit.target.as_str(), &visit.headers);
    }
    if let Some(site) = shared.config.sites.get(usize::from(site.0)) {
        visit.keep_known_parameters(&site.query);
    }
    Ok(visit)
}

/// What detection is told of a request, without its answer.
fn seen(
    worker: &Worker,
    site: SiteId,
    client: IpAddr,
    authority: &str,
    method: &str,
    target: &str,
    headers: &header::HeaderMap,
) -> Option<RequestSeen> {
    let path = memchr::memchr(b'?', target.as_bytes()).and_then(|end| target.get(..end)).unwrap_or(target);
    let class = admission::class_number(worker, site, path);
    let asked = Asked { site, client, authority, method, target, headers, class };
    asked.seen(&worker.shared.readers, &worker.agents)
}

/// The same address over HTTPS; `None` for what has to be answered in clear text: by it a certificate
/// authority sees that the host is ours (RFC 8555 section 8.3).
fn over_https(authority: &str, parts: &Parts) -> Option<String> {
    const CHALLENGES: &str = "/.well-known/acme-challenge/";
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    // The port is that of clear text; HTTPS is looked for where browsers look for it.
    let host_end = if authority.ends_with(']') { None } else { authority.rfind(':') };
    let host = host_end.map_or(authority, |colon| authority.get(..colon).unwrap_or(authority));
    let slash = if target.starts_with('/') { "" } else { "/" };
    (!target.starts_with(CHALLENGES)).then(|| format!("https://{host}{slash}{target}"))
}

/// Whom an operator blocked is told so, and asked to come on no connection of this kind again.
fn refuse_blocked(ledger: &mut Ledger, client: IpAddr, parts: &Parts) -> Option<Response<Payload>> {
    let worker = ledger.worker.clone();
    if worker.shared.orders.of(client, ledger.received) != Some(OrderEffect::Block) {
        return None;
    }
    worker.counters.worker.blocked_requests.add(1);
    let mut response =
        pages::blocked(Addressee::of(&parts.headers, reference(ledger, client, Decided::Blocked)));
    if parts.version < Version::HTTP_2 {
        response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    }
    Some(response)
}

/// What is refused whatever the site: too many fields, methods for proxies, requests in a circle.
fn refuse_outright(ledger: &mut Ledger, client: IpAddr, parts: &Parts) -> Option<Response<Payload>> {
    let worker = ledger.worker.clone();
    let to = |ledger: &mut Ledger, decided| Addressee::of(&parts.headers, reference(ledger, client, decided));
    if parts.headers.len() > FIELDS_MAX || is_too_large(parts) {
        worker.counters.worker.oversized_headers.add(1);
        return Some(pages::header_too_large(to(ledger, Decided::Malformed)));
    }
    if matches!(parts.method, Method::CONNECT | Method::TRACE) {
        return Some(pages::method_not_allowed(to(ledger, Decided::MethodNotAllowed)));
    }
    if parts.headers.contains_key(header::VIA) && headers::has_been_here(&parts.headers, &worker.shared.via) {
        return Some(pages::loop_detected(to(ledger, Decided::Loop)));
    }
    None
}

/// What a site does not declare reaches no origin, and no copy of it is looked for.
fn refuse_undeclared(
    ledger: &mut Ledger,
    site: SiteId,
    client: IpAddr,
    parts: &Parts,
) -> Option<Response<Payload>> {
    let worker = ledger.worker.clone();
    let declared = worker.shared.config.sites.get(usize::from(site.0))?.declares(parts.uri.path());
    let is_ours = parts.uri.path().starts_with("/.well-known/floodwall/");
    if declared || is_ours {
        return None;
    }
    worker.counters.worker.undeclared_paths.add(1);
    let reference = reference(ledger, client, Decided::UndeclaredPath);
    Some(pages::undeclared_path(Addressee::of(&parts.headers, reference)))
}

/// Whether an HTTP/2 header is over the limit in bytes; HTTP/1 ones are measured by the request guard.
fn is_too_large(parts: &Parts) -> bool {
    let size = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        name.as_str().len().saturating_add(value.len())
    };
    parts.version == Version::HTTP_2
        && parts.headers.iter().map(size).fold(0, usize::saturating_add) > HEAD_BYTES_MAX
}

/// The reference of this request's answer, which says what was decided to whoever has the secret; the
/// access log has it, too.
pub(crate) fn reference(ledger: &mut Ledger, client: IpAddr, decided: Decided) -> ReferenceId {
    reference_on(ledger, client, decided, Rung::Open)
}

/// As [`reference()`], of what a gate decided that stands on this rung.
pub(crate) fn reference_on(ledger: &mut Ledger, client: IpAddr, decided: Decided, rung: Rung) -> ReferenceId {
    ledger.seen.decided(decided);
    let keys = ledger.worker.shared.gatehouse.keys();
    let note = RefusalNote {
        at_unix_s: ledger.received.wall_unix_seconds(),
        decided,
        rung,
        site: ledger.site.and_then(|site| u8::try_from(site.0).ok()),
        client: keys.reference.client_tag(Prefix::of_client(client)),
        counter: ledger.worker.next_random().to_le_bytes()[0],
    };
    let reference = keys.reference.seal(&note);
    drop(keys);
    if let Some(access) = ledger.access.as_mut() {
        access.reference = reference;
    }
    reference
}

fn access_record(ledger: &Ledger, client: IpAddr, parts: &Parts) -> AccessRecord {
    let text = |name| {
        parts
            .headers
            .get(name)
            .map(|v: &header::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned())
    };
    AccessRecord {
        received: ledger.received,
        client,
        site: None,
        method: parts.method.as_str().to_owned(),
        target: parts
            .uri
            .path_and_query()
            .map_or_else(|| "*".to_owned(), |target| target.as_str().to_owned()),
        host: authority::of(parts).unwrap_or_default().to_owned(),
        protocol: visit::protocol_of(parts.version),
        status: 0,
        body_bytes: 0,
        duration: std::time::Duration::ZERO,
        referer: text(header::REFERER),
        user_agent: text(header::USER_AGENT),
        cache: None,
        reference: ledger.worker.next_reference(),
    }
}

/// Notes in the access log how the cache took part.
fn note_cache(ledger: &mut Ledger, how: &'static str) {
    ledger.seen.cache(how);
    if let Some(access) = ledger.access.as_mut() {
        access.cache = Some(how);
    }
}

/// Where a site's own counters are.
fn counters(worker: &Worker, site: SiteId) -> &crate::counters::SiteCounters {
    worker.counters.site(site)
}
