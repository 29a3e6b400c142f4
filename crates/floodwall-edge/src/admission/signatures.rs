//! What a flood has in common, as seen at the gates: traits of requests in, suspects out.
//!
//! In calm times one visitor in a while is sampled; while more is asked for than the origin can answer,
//! what asks is sampled too, and once a second a search runs on a thread of its own. What it finds acts
//! only after a trial, and only puts who has proven nothing at the end of the line.

use std::rc::Rc;

use floodwall_model::{Prefix, SiteId, Timestamp};
use floodwall_policy::{
    ClientTraits, Referrer, RequestShape, SignatureRecord, SignatureSettings, SignatureStage, SignatureWatch,
    TraitKeys,
};
use http::header::{ACCEPT_LANGUAGE, HeaderValue, REFERER, USER_AGENT};
use parking_lot::Mutex;

use crate::connection::OwnedMark;
use crate::proxy::Visit;
use crate::worker::Worker;

/// The samples and rules of one site.
pub(super) struct Signatures {
    keys: TraitKeys,
    watch: Mutex<SignatureWatch>,
}

/// One request's traits, and whether they are those of a rule that acts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    traits: ClientTraits,
    pub(super) is_suspect: bool,
}

impl Signatures {
    pub(super) fn new(seed: u64) -> Self {
        let watch = SignatureWatch::new(SignatureSettings::default(), seed);
        Self { keys: watch.keys(), watch: Mutex::new(watch) }
    }

    /// Looks at a request that would take work at the origin.
    pub(super) fn look(&self, visit: &Visit, system: Option<u32>, is_person: bool, now: Timestamp) -> Seen {
        let traits = self.keys.traits(&shape_of(visit, system), names_of(visit));
        let client = Prefix::of_client(visit.client);
        let rule = self.watch.lock().observe(client, &traits, is_person, now);
        Seen { traits, is_suspect: rule.is_some() }
    }

    /// The visitor was let in while nothing was asked of anybody.
    pub(super) fn note_calm(&self, visit: &Visit, seen: &Seen, now: Timestamp) {
        self.watch.lock().note_calm(Prefix::of_client(visit.client), &seen.traits, now);
    }

    /// The visitor, who has proven nothing, asks while more is asked for than there is.
    pub(super) fn note_surplus(&self, visit: &Visit, system: Option<u32>, seen: &Seen, now: Timestamp) {
        self.watch.lock().note_surplus(&seen.traits, &shape_of(visit, system), names_of(visit), now);
    }

    /// The rules that live, and those that have ended lately.
    pub(super) fn records(&self) -> Vec<SignatureRecord> {
        let watch = self.watch.lock();
        watch.live().chain(watch.ended()).cloned().collect()
    }
}

/// A second has passed at a site; where a search is due it runs beside, and its findings are taken in
/// when it is done.
pub(super) fn tick(worker: &Rc<Worker>, site: SiteId, overloaded: bool, now: Timestamp) {
    let Some(gates) = worker.shared.gatehouse.site(site) else { return };
    let Some(search) = gates.signatures.watch.lock().tick(overloaded, now) else { return };
    let worker = worker.clone();
    tokio::task::spawn_local(async move {
        let findings = tokio::task::spawn_blocking(move || search.run()).await;
        let Some(gates) = worker.shared.gatehouse.site(site) else { return };
        let now = worker.now();
        let mut watch = gates.signatures.watch.lock();
        // A search that ended by a panic has found nothing, and the next may.
        watch.conclude(&findings.unwrap_or_default(), now);
        let name = worker.shared.config.sites.get(usize::from(site.0)).map(|site| site.name.as_ref());
        for rule in watch.live().filter(|rule| rule.stage == SignatureStage::Trial && rule.proposed == now) {
            tracing::info!(
                site = name.unwrap_or_default(),
                rule = %rule.id,
                matches = rule.words,
                "admission: a rule is on trial"
            );
        }
    });
}

fn shape_of(visit: &Visit, system: Option<u32>) -> RequestShape<'_> {
    let field = |name| visit.headers.get(name).map(HeaderValue::as_bytes);
    let marks = visit.marks.as_deref();
    RequestShape {
        client: visit.client,
        method: visit.method.as_str(),
        path: visit.target.path(),
        query: visit.target.query(),
        user_agent: field(USER_AGENT),
        referrer: Referrer::of(field(REFERER), &visit.authority),
        protocol: visit.protocol,
        asks_for_language: visit.headers.contains_key(ACCEPT_LANGUAGE),
        fingerprint: marks.and_then(|marks| marks.tls.as_ref()).map(OwnedMark::as_mark),
        http2_settings: marks.and_then(|marks| marks.http2.as_ref()).map(OwnedMark::as_mark),
        system,
    }
}

fn names_of(visit: &Visit) -> impl Iterator<Item = &str> {
    visit.headers.keys().map(http::HeaderName::as_str)
}
