//! One request before the gate: from what the visitor carries to a pass, or to the answer instead.

use std::rc::Rc;
use std::time::Duration;

use floodwall_model::{Prefix, Timestamp};
use floodwall_policy::{
    Binding, Challenge, ClientFingerprint, CrawlerStanding, Decided, Difficulty, GateFacts, Keyring,
    OrderEffect, ProofKind, Refusal, RefusalReason, RequestKind, Rung, Standing, Ticket, TokenClaims,
    TokenId, Turn, WorkChallenge,
};
use http::header::{
    ACCEPT, ACCEPT_LANGUAGE, CACHE_CONTROL, HeaderName, HeaderValue, LOCATION, SET_COOKIE, USER_AGENT,
};
use http::{Method, Response, StatusCode};

use super::class::{Offered, PathClass};
use super::credentials::{Cookies, Credentials, Mark, with_mark};
use super::gatehouse::{AdmissionMode, SiteGates};
use super::waiting::Waits;
use super::{AtGate, Pass};
use crate::body::{Ledger, Payload};
use crate::pages::{self, ASKS_FOR_PLACE, Language, OverloadPage, PlaceInLine};
use crate::proxy::{Visit, reference_on};
use crate::sightings::Note;
use crate::worker::Worker;

/// How long a token is good that was given with the redirect, and one that was worked or waited for.
const REDIRECT_LIFETIME: Duration = Duration::from_secs(3600);
const PROOF_LIFETIME: Duration = Duration::from_secs(8 * 3600);

/// A monitoring probe's credential.
static PROBE: HeaderName = HeaderName::from_static("floodwall-probe");

const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// What a request wants of the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// An answer for one visitor, or for all who wait with him.
    Answer,
    /// To know whether a copy is still good, on behalf of all who would be given it.
    Revalidation,
}

/// A pass in calm times, or where there is no gate.
pub(crate) fn at_once(worker: &Rc<Worker>, visit: &Visit, purpose: Purpose, now: Timestamp) -> Option<Pass> {
    let Some((place, class)) = worker.shared.gatehouse.class_of(visit.site, visit.target.path()) else {
        return Some(Pass::uncounted(worker, now));
    };
    // What is done for all is charged to nobody.
    let charge_to = (purpose == Purpose::Answer).then_some(visit.client);
    class.admit_calmly(charge_to, now).then(|| Pass::new(worker, AtGate::of(visit, place), now))
}

/// Judges a request that [`at_once`] gave no pass; waits where it has to.
pub(crate) async fn enter(
    ledger: &mut Ledger,
    visit: &Visit,
    purpose: Purpose,
) -> Result<Pass, Box<Response<Payload>>> {
    let worker = ledger.worker.clone();
    let now = worker.now();
    let house = &worker.shared.gatehouse;
    let gates = house.site(visit.site).zip(house.class_of(visit.site, visit.target.path()));
    let Some((site, (place, class))) = gates else {
        return Ok(Pass::uncounted(&worker, now));
    };
    let bearer = Bearer::of(&worker, visit, site, &house.keys().keyring, purpose, now);
    if !bearer.credentials.tokens.is_empty() {
        ledger.seen.token(bearer.token.is_some());
    }
    let observes = site.settings.mode == AdmissionMode::Observe;
    let is_person = bearer.standing == Standing::Known
        || bearer.token.is_some_and(|claims| claims.proof >= ProofKind::WaitingRoom);
    let seen = site.signatures.look(visit, bearer.system, is_person, now);
    let mut desk = Desk { class, visit, bearer, turn: None, now };
    if seen.is_suspect && desk.bearer.standing == Standing::Unknown && desk.bearer.key_holder.is_none() {
        desk.bearer.standing = Standing::Suspect;
    }
    let token = match desk.exchange(&house.keys().keyring) {
        Exchanged::Token(token) => token,
        Exchanged::Answer(_) if observes => None,
        Exchanged::Answer(answer) => return Err(answer),
    };
    if visit.headers.contains_key(&ASKS_FOR_PLACE) {
        ledger.seen.asks_for_place();
        return Err(Box::new(desk.told_place(&worker, ledger, token, &house.keys().keyring)));
    }
    let (offered, rung) = class.offer(&desk.facts(token), now);
    let has_proof = token.is_some() || desk.bearer.key_holder.is_some();
    if class.is_pressed() && !has_proof && desk.bearer.standing != Standing::Allowed {
        site.signatures.note_surplus(visit, desk.bearer.system, &seen, now);
    }
    let answer = match offered {
        Offered::Admitted => {
            if rung == Rung::Open {
                site.known.lock().note(Prefix::of_client(visit.client), now);
                site.signatures.note_calm(visit, &seen, now);
                let client = Prefix::of_client(visit.client);
                site.queries.lock().note(visit.target.path(), visit.target.query(), client);
            }
            return Ok(Pass::new(&worker, AtGate::of(visit, place), now));
        }
        offered if observes => {
            let gate = AtGate::of(visit, place);
            if let Offered::Waits(id, told) = offered {
                drop(Waits::new(&worker, gate, id, told));
            }
            class.let_in_all_the_same();
            return Ok(Pass::new(&worker, gate, now));
        }
        Offered::Waits(id, told) => {
            ledger.set_waits_for_origin(true);
            let woken = Waits::new(&worker, AtGate::of(visit, place), id, told).woken().await;
            ledger.set_waits_for_origin(false);
            match woken {
                Ok(pass) => {
                    ledger.seen.waited();
                    return Ok(pass);
                }
                Err(refusal) => desk.refused(ledger, refusal),
            }
        }
        Offered::Refused(refusal) => desk.refused(ledger, refusal),
        Offered::Challenged(challenge) => desk.challenged(&worker, ledger, challenge, &house.keys().keyring),
    };
    Err(Box::new(answer))
}

/// Who asks, as far as the gate is concerned.
struct Bearer<'a> {
    binding: Binding,
    /// The autonomous system of his address.
    system: Option<u32>,
    /// The program whose key the request carries.
    key_holder: Option<TokenId>,
    token: Option<TokenClaims>,
    credentials: Credentials<'a>,
    ticket: Option<Ticket>,
    kind: RequestKind,
    standing: Standing,
}

impl<'a> Bearer<'a> {
    fn of(
        worker: &Worker,
        visit: &'a Visit,
        site: &SiteGates,
        keyring: &Keyring,
        purpose: Purpose,
        now: Timestamp,
    ) -> Self {
        let binding =
            Binding { site: site.tag, fingerprint: fingerprint(visit), generation: site.settings.generation };
        let credentials = Credentials::of(&visit.headers);
        let tokens = credentials.tokens.iter();
        let token = tokens.filter_map(|text| keyring.verify_token(text, &binding, now).ok());
        let token = token.max_by_key(|claims| claims.proof);
        let marked = match &visit.mark {
            Some(Mark::Ticket(ticket)) => Some(ticket.as_bytes()),
            _ => None,
        };
        let tickets = credentials.tickets.iter().copied().chain(marked);
        let ticket = tickets.filter_map(|text| keyring.verify_ticket(text, &binding, now).ok()).next();
        let user_agent = visit.headers.get(USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
        let register = worker.shared.gatehouse.register();
        let crawler = register
            .map_or(CrawlerStanding::NotClaimed, |register| register.crawler(visit.client, user_agent));
        let system = register.and_then(|register| register.autonomous_system(visit.client));
        let key_holder = register.and_then(|register| register.key_holder(visit.site, &visit.headers));
        let probe = visit.headers.get(&PROBE).is_some_and(|text| {
            keyring.verify_probe(text.as_bytes(), binding.site, binding.generation, now).is_ok()
        });
        let standing = if purpose == Purpose::Revalidation
            || probe
            || crawler == CrawlerStanding::Verified
            || site.is_allowed(visit.client)
            || worker.shared.orders.of(visit.client, now) == Some(OrderEffect::Allow)
        {
            Standing::Allowed
        } else if crawler == CrawlerStanding::Refused {
            Standing::Suspect
        } else if site.known.lock().is_known(Prefix::of_client(visit.client), now) {
            Standing::Known
        } else {
            Standing::Unknown
        };
        let exempt =
            purpose == Purpose::Revalidation || key_holder.is_some() || site.is_exempt(visit.target.path());
        let kind = if exempt { RequestKind::Exempt } else { kind_of(visit) };
        Self { binding, system, key_holder, token, credentials, ticket, kind, standing }
    }
}

/// What came of looking at credentials that can be exchanged.
enum Exchanged {
    Token(Option<TokenClaims>),
    /// The visitor is sent back with a better one.
    Answer(Box<Response<Payload>>),
}

/// One request at one gate.
struct Desk<'a> {
    class: &'a PathClass,
    visit: &'a Visit,
    bearer: Bearer<'a>,
    /// What the waiting room said to the visitor's ticket, once it was presented.
    turn: Option<Turn>,
    now: Timestamp,
}

impl Desk<'_> {
    fn facts(&self, token: Option<TokenClaims>) -> GateFacts {
        GateFacts {
            client: self.visit.client,
            fingerprint: self.bearer.binding.fingerprint,
            system: self.bearer.system,
            // A key was given by the operator: it counts as much as any proof, and has a token's share.
            token: self
                .bearer
                .key_holder
                .map(|id| (id, ProofKind::Work))
                .or_else(|| token.map(|claims| (claims.id, claims.proof))),
            standing: self.bearer.standing,
            kind: self.bearer.kind,
            keeps_no_cookies: self.keeps_no_cookies(),
        }
    }

    /// Exchanges what was worked or waited for. A page is asked for once more with the token, so that
    /// no answer of the origin has to carry it; what is part of a page goes on with it.
    fn exchange(&mut self, keyring: &Keyring) -> Exchanged {
        let held = self.bearer.token;
        let paid = held.is_some_and(|claims| claims.proof >= ProofKind::WaitingRoom);
        let is_page = self.bearer.kind == RequestKind::Page;
        if !paid && let Some(claims) = self.redeemed(keyring) {
            let by_cookie = !matches!(self.visit.mark, Some(Mark::Ticket(_)));
            return if is_page && by_cookie {
                Exchanged::Answer(Box::new(self.sent_back(keyring, &claims)))
            } else {
                Exchanged::Token(Some(claims))
            };
        }
        if is_page && held.is_some() && self.visit.mark.is_some() {
            return Exchanged::Answer(Box::new(see_again(self.visit, self.visit.target.as_str())));
        }
        Exchanged::Token(held)
    }

    /// What was solved counts at once; a ticket where the waiting room is in use and its turn has come.
    fn redeemed(&mut self, keyring: &Keyring) -> Option<TokenClaims> {
        let bearer = &self.bearer;
        let works = bearer.credentials.works.iter();
        let mut solved = works
            .filter_map(|text| keyring.redeem_solution(text, &bearer.binding, PROOF_LIFETIME, self.now).ok());
        if let Some(claims) = solved.next() {
            return Some(claims);
        }
        let ticket = bearer.ticket?;
        if bearer.kind != RequestKind::Page || !self.class.has_waiting_room() {
            return None;
        }
        let turn = self.class.present(&ticket, self.now);
        self.turn = Some(turn);
        match turn {
            Turn::Come { called_unix_s } => {
                Some(keyring.redeem_ticket(&ticket, called_unix_s, PROOF_LIFETIME))
            }
            Turn::Wait { .. } => None,
        }
    }

    /// To the same address, with a token.
    fn sent_back(&self, keyring: &Keyring, claims: &TokenClaims) -> Response<Payload> {
        let mut response = see_again(self.visit, self.visit.target.as_str());
        let cookies = Cookies::new(self.visit.https);
        let token = cookies.token(&keyring.issue_token(claims), PROOF_LIFETIME);
        token.into_iter().chain(cookies.forget_exchanged()).for_each(|cookie| set(&mut response, cookie));
        response
    }

    fn refused(&self, ledger: &mut Ledger, refusal: Refusal) -> Response<Payload> {
        let sent_form = !matches!(self.visit.method, Method::GET | Method::HEAD);
        let page = self.page(ledger, refusal.reason.into(), refusal.retry_after);
        pages::busy(&page, refusal.reason, sent_form)
    }

    fn challenged(
        &self,
        worker: &Worker,
        ledger: &mut Ledger,
        challenge: Challenge,
        keyring: &Keyring,
    ) -> Response<Payload> {
        match challenge {
            Challenge::Redirect => {
                ledger.seen.decided(Decided::Redirect);
                self.redirected(worker, keyring)
            }
            Challenge::Choice => self.shown(worker, ledger, keyring, Shows::Choice),
            Challenge::WaitingRoom => self.shown(worker, ledger, keyring, Shows::WaitingRoom),
        }
    }

    /// The invisible proof.
    fn redirected(&self, worker: &Worker, keyring: &Keyring) -> Response<Payload> {
        let target = with_mark(self.visit.target.as_str(), &Mark::of_redirect(self.now));
        let mut response = see_again(self.visit, &target);
        let claims = TokenClaims {
            site: self.bearer.binding.site,
            fingerprint: self.bearer.binding.fingerprint,
            proof: ProofKind::Redirect,
            generation: self.bearer.binding.generation,
            issued_unix_s: u32::try_from(self.now.wall_unix_seconds()).unwrap_or(0),
            lifetime_s: u32::try_from(REDIRECT_LIFETIME.as_secs()).unwrap_or(0),
            id: TokenId(worker.next_random()),
        };
        let cookie = Cookies::new(self.visit.https).token(&keyring.issue_token(&claims), REDIRECT_LIFETIME);
        cookie.into_iter().for_each(|cookie| set(&mut response, cookie));
        response
    }

    /// The page with the choice, or that of the waiting room. Either gives a ticket, so that whoever
    /// cannot or will not let his browser work has waited from the beginning.
    fn shown(
        &self,
        worker: &Worker,
        ledger: &mut Ledger,
        keyring: &Keyring,
        shows: Shows,
    ) -> Response<Payload> {
        let Some((ticket, place)) = self.place_in_line(worker) else {
            let refusal = Refusal { reason: RefusalReason::OverShare, retry_after: TICKETS_RETRY };
            return self.refused(ledger, refusal);
        };
        let ticket = keyring.issue_ticket(&ticket);
        let decided = match shows {
            Shows::Choice => Decided::Choice,
            Shows::WaitingRoom | Shows::Place => Decided::WaitingRoom,
        };
        let mut page = self.page(ledger, decided, place.refresh);
        let with_ticket;
        if self.keeps_no_cookies() {
            with_ticket = with_mark(self.visit.target.as_str(), &Mark::of_ticket(&ticket));
            page.target = &with_ticket;
        }
        let mut response = match shows {
            Shows::Choice => pages::choice(&page, &self.work(worker, keyring), Some(&place)),
            Shows::WaitingRoom => pages::waiting(&page, &place),
            Shows::Place => pages::place(&page, &place),
        };
        let cookie = Cookies::new(self.visit.https).ticket(&ticket);
        cookie.into_iter().for_each(|cookie| set(&mut response, cookie));
        response
    }

    fn work(&self, worker: &Worker, keyring: &Keyring) -> WorkChallenge {
        let difficulty =
            if is_slow_device(self.visit) { Difficulty::SLOW_DEVICE } else { self.class.difficulty() };
        keyring.issue_challenge(&self.bearer.binding, difficulty, worker.next_random(), self.now)
    }

    /// The answer to the script of a page that asks where its visitor stands: it asks for the same
    /// address, and must not reach the origin.
    fn told_place(
        &self,
        worker: &Worker,
        ledger: &mut Ledger,
        token: Option<TokenClaims>,
        keyring: &Keyring,
    ) -> Response<Payload> {
        let paid = token.is_some_and(|claims| claims.proof >= ProofKind::WaitingRoom);
        if paid || !self.class.has_waiting_room() {
            let mut come = Response::new(Payload::Empty);
            *come.status_mut() = StatusCode::NO_CONTENT;
            come.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            return come;
        }
        self.shown(worker, ledger, keyring, Shows::Place)
    }

    /// The visitor's place in line, with the ticket to give him; `None` where his network has taken
    /// tickets faster than people do.
    fn place_in_line(&self, worker: &Worker) -> Option<(Ticket, PlaceInLine)> {
        if let Some(Turn::Wait { ahead, expected, refresh, ticket }) = self.turn {
            return Some((ticket, PlaceInLine { ahead, expected, refresh }));
        }
        if let Some(ticket) = self.bearer.ticket {
            // The ladder climbed between two looks, or his turn has come: he learns more when he asks again.
            return Some((ticket, self.class.end_of_line(&ticket, self.now)));
        }
        let may_take = worker.shared.admission.may_take_ticket(
            self.visit.site,
            Prefix::of_client(self.visit.client),
            self.now,
        );
        if !may_take {
            return None;
        }
        let ticket = Ticket::take(&self.bearer.binding, worker.next_random(), self.now);
        Some((ticket, self.class.end_of_line(&ticket, self.now)))
    }

    fn keeps_no_cookies(&self) -> bool {
        matches!(self.visit.mark, Some(Mark::Redirected | Mark::Ticket(_)))
    }

    fn page(&self, ledger: &mut Ledger, decided: Decided, retry_after: Duration) -> OverloadPage<'_> {
        OverloadPage {
            language: Language::of(self.visit.headers.get(ACCEPT_LANGUAGE)),
            reference: reference_on(ledger, self.visit.client, decided, self.class.rung()),
            target: self.visit.target.as_str(),
            retry_after,
        }
    }
}

/// What is shown to one who waits.
#[derive(Clone, Copy, Debug)]
enum Shows {
    Choice,
    WaitingRoom,
    /// His place alone, for the script of a page.
    Place,
}

/// When to ask again who could not be given a ticket, his network having taken so many.
const TICKETS_RETRY: Duration = Duration::from_secs(10);

/// An answer that sends the visitor to another address of the same site, with the same method (RFC 9110
/// section 15.4.8).
fn see_again(visit: &Visit, target: &str) -> Response<Payload> {
    let mut response = Response::new(Payload::Empty);
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    // Two slashes at its beginning would be read as another host (RFC 3986 section 4.2).
    let scheme = if visit.https { "https" } else { "http" };
    let location = if target.starts_with("//") || target.starts_with("/\\") {
        HeaderValue::try_from(format!("{scheme}://{}{target}", visit.authority))
    } else {
        HeaderValue::try_from(target)
    };
    if let Ok(location) = location {
        response.headers_mut().insert(LOCATION, location);
    }
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn set(response: &mut Response<Payload>, cookie: HeaderValue) {
    // An answer of ours has a handful of fields: there is room.
    let _full = response.headers_mut().try_append(SET_COOKIE, cookie);
}

/// A kind of client, the same for many: how it calls itself. Not the address, which changes on the way
/// home; and nothing that differs from page to page.
fn fingerprint(visit: &Visit) -> ClientFingerprint {
    let name = visit.headers.get(USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    // FNV-1a: the same in every process, as tokens outlive one.
    let hash = name
        .iter()
        .take(256)
        .fold(0x811C_9DC5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    ClientFingerprint(hash)
}

/// Whether a challenge could be shown for a request: it asks for a page, and says nothing else.
fn kind_of(visit: &Visit) -> RequestKind {
    const PAGES: [&[u8]; 4] = [b"document", b"iframe", b"frame", b"fencedframe"];
    if !matches!(visit.method, Method::GET | Method::HEAD) {
        return RequestKind::Other;
    }
    if visit.headers.contains_key(&ASKS_FOR_PLACE) {
        // On behalf of a page, whose ticket it presents; `fetch` says `empty` and takes everything.
        return RequestKind::Page;
    }
    // Fetch metadata request headers, section 2.1; browsers of all makers send it since 2023.
    if let Some(destination) = visit.headers.get(SEC_FETCH_DEST) {
        let is_page = PAGES.contains(&destination.as_bytes());
        return if is_page { RequestKind::Page } else { RequestKind::Other };
    }
    let accepted = visit.headers.get(ACCEPT).map(HeaderValue::as_bytes).unwrap_or_default();
    let page = accepted.is_empty()
        || accepted.starts_with(b"*/*")
        || memchr::memmem::find(accepted, b"text/html").is_some();
    if page { RequestKind::Page } else { RequestKind::Other }
}

/// Whether it is a phone or tablet, of which many are slow.
fn is_slow_device(visit: &Visit) -> bool {
    let name = visit.headers.get(USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    memchr::memmem::find(name, b"Mobi").is_some() || memchr::memmem::find(name, b"Android").is_some()
}
