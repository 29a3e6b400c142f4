//! "I am a person and cannot get in": what visitors report from a page that asks something of them.

use std::collections::VecDeque;
use std::time::Duration;

use floodwall_model::{PersonReport, Prefix, ReferenceId, SiteId, Timestamp};
use floodwall_policy::Decided;
use http::header::{ACCEPT_LANGUAGE, REFERER};
use http::{Method, Response};
use parking_lot::Mutex;

use crate::body::{Ledger, Payload};
use crate::pages::{self, Addressee, Language, OverloadPage, PERSON_PATH};
use crate::proxy::{Visit, reference};
use crate::worker::Worker;

/// Reports kept for the operator; of older ones only the number is known.
const KEPT_MAX: usize = 100;

/// The reports of one site.
#[derive(Debug, Default)]
pub(super) struct Reports {
    kept: Mutex<(u64, VecDeque<PersonReport>)>,
}

impl Reports {
    fn add(&self, report: PersonReport) {
        let mut kept = self.kept.lock();
        kept.0 = kept.0.saturating_add(1);
        if kept.1.len() >= KEPT_MAX {
            kept.1.pop_front();
        }
        kept.1.push_back(report);
    }

    /// How many there were, and the newest.
    pub(super) fn newest(&self) -> (u64, Option<PersonReport>) {
        let kept = self.kept.lock();
        (kept.0, kept.1.back().copied())
    }

    /// How many there were, and the last of them, oldest first.
    pub(super) fn all(&self) -> (u64, Vec<PersonReport>) {
        let kept = self.kept.lock();
        (kept.0, kept.1.iter().copied().collect())
    }
}

/// The answer to a report; `None` where the request is none.
pub(crate) fn reported(ledger: &mut Ledger, visit: &Visit) -> Option<Response<Payload>> {
    if visit.target.path() != PERSON_PATH {
        return None;
    }
    if visit.method != Method::POST {
        return Some(pages::method_not_allowed(Addressee::of(
            &visit.headers,
            reference(ledger, visit.client, Decided::MethodNotAllowed),
        )));
    }
    let told = visit.target.query().and_then(reference_of);
    note(&ledger.worker, visit.site, visit.client, told, ledger.received);
    let page = OverloadPage {
        language: Language::of(visit.headers.get(ACCEPT_LANGUAGE)),
        reference: told.unwrap_or_else(|| reference(ledger, visit.client, Decided::Answered)),
        target: came_from(visit),
        retry_after: Duration::ZERO,
    };
    Some(pages::person_reported(&page))
}

/// The page he reported from, where the browser tells; else the home page.
fn came_from(visit: &Visit) -> &str {
    let referrer = visit.headers.get(REFERER).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (_, address) = referrer.split_once("://").unwrap_or_default();
    let target = address.strip_prefix(&*visit.authority).unwrap_or_default();
    if target.starts_with('/') { target } else { "/" }
}

/// The reference that the form names.
fn reference_of(query: &str) -> Option<ReferenceId> {
    query.split('&').find_map(|pair| pair.strip_prefix("reference="))?.parse().ok()
}

/// Keeps the report, of one address as many as it may take tickets: one a second, and sixty at once.
fn note(worker: &Worker, site: SiteId, client: std::net::IpAddr, told: Option<ReferenceId>, now: Timestamp) {
    let client = Prefix::of_client(client);
    let Some(gates) = worker.shared.gatehouse.site(site) else { return };
    if worker.shared.admission.may_take_ticket(site, client, now) {
        gates.reports.add(PersonReport { reference: told, client, at: now });
    }
}
