//! The gates before the origins: who is let through, who waits, who is asked for proof.
//!
//! What is decided, and by what, stands in `floodwall-policy` and in `docs/admission.md`. Here a request
//! becomes what a gate judges by, waits where it is told to, and gets its answer.
//!
//! - [`at_once`] lets requests through in calm times, at the price of a lock that nobody holds for long.
//! - [`enter()`] is for all others: it reads what the visitor carries, asks the gate, waits.
//! - A [`Pass`] is held while the origin works for the request. Dropped, it gives the place back.
//!
//! Limits: a class's gate is shared by all workers through one lock, held for less than a microsecond.
//! A place is held until the head of the origin's answer has come: who is slow to take an answer takes
//! nobody's place. Whatever goes wrong here lets the visitor through.

mod account;
mod class;
mod credentials;
mod enter;
mod gatehouse;
mod orders;
mod person;
mod signatures;
mod ticker;
mod waiting;

use std::rc::Rc;
use std::time::Duration;

use floodwall_model::{SiteId, Timestamp};
use floodwall_policy::{Outcome, WorkKind};
use http::uri::PathAndQuery;
use http::{Method, StatusCode};

use crate::proxy::Visit;
use crate::upstream::OriginFailure;
use crate::worker::Worker;

pub use account::{EdgeAccounts, SiteAccount};
pub(crate) use credentials::{Mark, has_own_cookie, is_own_cookie};
pub(crate) use enter::{Purpose, at_once, enter};
pub(crate) use gatehouse::Gatehouse;
pub use gatehouse::{AdmissionMode, ClientRegister, SiteAdmission};
pub(crate) use orders::Orders;
pub(crate) use person::reported as person_reported;
pub(crate) use ticker::run;

/// Before which gate a request stands, and with what.
#[derive(Clone, Copy, Debug)]
struct AtGate {
    site: SiteId,
    /// The place of its path class among the site's.
    class: usize,
    work: WorkKind,
    /// Whether it has no body, which would take its time.
    is_sent_at_once: bool,
}

impl AtGate {
    fn of(visit: &Visit, class: usize) -> Self {
        let work = WorkKind::of(visit.method.as_str(), visit.target.path());
        let is_sent_at_once = matches!(visit.method, Method::GET | Method::HEAD);
        Self { site: visit.site, class, work, is_sent_at_once }
    }
}

/// A request's place at its origin, given back when dropped.
pub(crate) struct Pass {
    worker: Rc<Worker>,
    /// `None` for one that no gate counts.
    gate: Option<AtGate>,
    admitted: Timestamp,
    /// `None` until something is known of it.
    outcome: Option<Outcome>,
}

impl Pass {
    fn new(worker: &Rc<Worker>, gate: AtGate, now: Timestamp) -> Self {
        Self { worker: worker.clone(), gate: Some(gate), admitted: now, outcome: None }
    }

    /// A pass that no gate counts.
    fn uncounted(worker: &Rc<Worker>, now: Timestamp) -> Self {
        Self { worker: worker.clone(), gate: None, admitted: now, outcome: None }
    }

    /// The origin answered with this status, so long after it was asked.
    pub(crate) fn answered(&mut self, status: StatusCode, after: Duration) {
        let work = match self.gate {
            Some(gate) if !status.is_client_error() => gate.work,
            _ => WorkKind::REFUSED,
        };
        let answered = Outcome::Answered(after, work);
        self.outcome = Some(if says_overload(status) { Outcome::Overloaded } else { answered });
    }

    /// The origin answered with this status; it was asked when the pass was given.
    pub(crate) fn answered_by(&mut self, status: StatusCode, now: Timestamp) {
        self.answered(status, now.since(self.admitted));
    }

    /// The origin gave no answer.
    pub(crate) fn failed(&mut self, failure: &OriginFailure) {
        self.outcome = Some(match failure {
            OriginFailure::Connect(_)
            | OriginFailure::TimedOut { .. }
            | OriginFailure::Slow { .. }
            | OriginFailure::Broken(_)
            | OriginFailure::Busy => Outcome::Overloaded,
            OriginFailure::KnownDown | OriginFailure::Visitor(_) | OriginFailure::VisitorSlow => {
                Outcome::Unknown
            }
        });
    }
}

impl Pass {
    /// Gives the place back; as dropping it does, where the time is known already.
    pub(crate) fn end(mut self, now: Timestamp) {
        self.give_back(now);
    }

    fn give_back(&mut self, now: Timestamp) {
        if let Some(gate) = self.gate.take()
            && let Some(class) = self.worker.shared.gatehouse.class(gate.site, gate.class)
        {
            // Dropped without an outcome, the visitor went away while the origin worked for him.
            let left = if gate.is_sent_at_once {
                Outcome::Left(now.since(self.admitted), gate.work)
            } else {
                Outcome::Unknown
            };
            class.release(self.outcome.unwrap_or(left), now);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.gate.is_some() {
            let now = self.worker.now();
            self.give_back(now);
        }
    }
}

/// Whether a status says that the origin has too much to do (RFC 6585 section 4, RFC 9110 section 15.6).
fn says_overload(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    )
}

/// While so much is asked of a site's path: the same address without query parameters that nobody uses in
/// calm times, under which there may be a copy. `None` where it would be no other address.
pub(crate) fn without_unused_parameters(worker: &Worker, visit: &Visit) -> Option<PathAndQuery> {
    if !matches!(visit.method, Method::GET | Method::HEAD) {
        return None;
    }
    let (path, query) = (visit.target.path(), visit.target.query()?);
    let house = &worker.shared.gatehouse;
    if !house.class_of(visit.site, path)?.1.is_pressed() {
        return None;
    }
    let reduced = house.site(visit.site)?.queries.lock().reduced(path, query)?;
    PathAndQuery::from_maybe_shared(bytes::Bytes::from(reduced)).ok()
}

/// Whether so much is asked of a site's path that the cache should work harder: stale copies are served
/// while they are revalidated.
pub(crate) fn is_pressed(worker: &Worker, site: SiteId, path: &str) -> bool {
    worker.shared.gatehouse.class_of(site, path).is_some_and(|(_, class)| class.is_pressed())
}

/// Which of the site's gates a path belongs to, by its place in the settings; the first where there is
/// one or none.
pub(crate) fn class_number(worker: &Worker, site: SiteId, path: &str) -> usize {
    worker.shared.gatehouse.class_of(site, path).map_or(0, |(place, _)| place)
}
