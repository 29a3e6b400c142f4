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
mod person;
mod signatures;
mod ticker;
mod waiting;

use std::rc::Rc;
use std::time::Duration;

use floodwall_model::{SiteId, Timestamp};
use floodwall_policy::Outcome;
use http::StatusCode;

use crate::upstream::OriginFailure;
use crate::worker::Worker;

pub use account::{EdgeAccounts, SiteAccount};
pub(crate) use credentials::{Mark, has_own_cookie, is_own_cookie};
pub(crate) use enter::{Purpose, at_once, enter};
pub(crate) use gatehouse::Gatehouse;
pub use gatehouse::{AdmissionMode, CrawlerRegister, SiteAdmission};
pub(crate) use person::reported as person_reported;
pub(crate) use ticker::run;

/// A request's place at its origin, given back when dropped.
pub(crate) struct Pass {
    worker: Rc<Worker>,
    /// `None` for one that no gate counts.
    class: Option<(SiteId, usize)>,
    admitted: Timestamp,
    outcome: Outcome,
}

impl Pass {
    fn new(worker: &Rc<Worker>, site: SiteId, class: usize, now: Timestamp) -> Self {
        Self { worker: worker.clone(), class: Some((site, class)), admitted: now, outcome: Outcome::Unknown }
    }

    /// A pass that no gate counts.
    fn uncounted(worker: &Rc<Worker>, now: Timestamp) -> Self {
        Self { worker: worker.clone(), class: None, admitted: now, outcome: Outcome::Unknown }
    }

    /// The origin answered with this status, so long after it was asked.
    pub(crate) fn answered(&mut self, status: StatusCode, after: Duration) {
        self.outcome = if says_overload(status) { Outcome::Overloaded } else { Outcome::Answered(after) };
    }

    /// The origin answered with this status; it was asked when the pass was given.
    pub(crate) fn answered_by(&mut self, status: StatusCode, now: Timestamp) {
        self.answered(status, now.since(self.admitted));
    }

    /// The origin gave no answer.
    pub(crate) fn failed(&mut self, failure: &OriginFailure) {
        self.outcome = match failure {
            OriginFailure::Connect(_)
            | OriginFailure::TimedOut { .. }
            | OriginFailure::Slow { .. }
            | OriginFailure::Broken(_)
            | OriginFailure::Busy => Outcome::Overloaded,
            OriginFailure::KnownDown | OriginFailure::Visitor(_) | OriginFailure::VisitorSlow => {
                Outcome::Unknown
            }
        };
    }
}

impl Pass {
    /// Gives the place back; as dropping it does, where the time is known already.
    pub(crate) fn end(mut self, now: Timestamp) {
        self.give_back(now);
    }

    fn give_back(&mut self, now: Timestamp) {
        if let Some((site, class)) = self.class.take()
            && let Some(class) = self.worker.shared.gatehouse.class(site, class)
        {
            class.release(self.outcome, now);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.class.is_some() {
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
