//! What detection is told of each request: noted while it goes through, counted when it is answered.
//!
//! A worker counts what it saw in sketches of its own, one for each site that was asked for anything.
//! Once a second the control plane puts empty ones in their place and adds up what it took: the lock is
//! another's for as long as it takes to exchange a few hundred bytes. Memory: [`Sketches::BYTES`] for each worker
//! and site that had a request, taken at the first.

use std::cell::Cell;
use std::net::IpAddr;

use floodwall_detection::{
    AdmissionSeen, AgentKind, CachePart, ContentKind, PathClass, Referrer, RequestReader, RequestSeen,
    RequestText, SecondSummary, Sketches, TokenSeen,
};
use floodwall_model::SiteId;
use floodwall_policy::Decided;
use http::header::{HeaderMap, HeaderValue, REFERER, USER_AGENT};
use parking_lot::Mutex;

use crate::config::SiteConfig;

/// Agents of which a worker remembers what they are. Reading a long one takes as long as ten requests
/// from the cache.
const AGENTS_KEPT: usize = 1024;

/// What is counted for a request whose visitor went before it was answered; nginx's number for it.
const GONE: u16 = 499;

/// One worker's sketches, by site.
#[derive(Debug)]
pub(crate) struct Sightings {
    seed: u64,
    sites: Vec<Mutex<Option<Sketches>>>,
}

impl Sightings {
    /// The seed must be the same for all workers, and secret.
    pub(crate) fn new(sites: usize, seed: u64) -> Self {
        Self { seed, sites: std::iter::repeat_with(Mutex::default).take(sites).collect() }
    }

    /// Counts an answered request.
    pub(crate) fn observe(&self, site: SiteId, seen: &RequestSeen) {
        if let Some(sketches) = self.sites.get(usize::from(site.0)) {
            sketches.lock().get_or_insert_with(|| Sketches::new(self.seed)).observe(seen);
        }
    }

    /// Takes what was counted of a site and leaves `spare`, or a new one; `None` where nothing was.
    fn take(&self, site: SiteId, spare: &mut Vec<Sketches>) -> Option<Sketches> {
        let mut place = self.sites.get(usize::from(site.0))?.lock();
        let counted = place.as_mut().filter(|sketches| !sketches.is_empty())?;
        let empty = spare.pop().unwrap_or_else(|| Sketches::new(self.seed));
        Some(std::mem::replace(counted, empty))
    }
}

/// Adds up what all workers counted of a site since it was last asked, and keeps the emptied sketches
/// for the next time: one for each worker at the most.
pub(crate) fn add_up<'a>(
    workers: impl Iterator<Item = &'a Sightings>,
    site: SiteId,
    spare: &mut Vec<Sketches>,
) -> SecondSummary {
    let mut sum: Option<Sketches> = None;
    for worker in workers {
        let Some(mut counted) = worker.take(site, spare) else { continue };
        match sum.as_mut() {
            None => sum = Some(counted),
            Some(sum) => {
                sum.merge(&counted);
                counted.clear();
                spare.push(counted);
            }
        }
    }
    let Some(mut sum) = sum else { return SecondSummary::default() };
    let summary = sum.take_summary();
    spare.push(sum);
    summary
}

/// Reads requests for detection, by site.
#[derive(Debug)]
pub(crate) struct Readers(Vec<RequestReader>);

impl Readers {
    pub(crate) fn new(sites: &[SiteConfig], seed: u64) -> Self {
        let reader = |site: &SiteConfig| {
            let hosts: Vec<&str> = site.hosts.iter().map(|host| &**host).collect();
            RequestReader::new(seed, &hosts)
        };
        Self(sites.iter().map(reader).collect())
    }
}

/// What one worker remembers of agents: the last one for each place.
#[derive(Debug)]
pub(crate) struct Agents(Box<[Cell<(u64, AgentKind)>]>);

impl Default for Agents {
    fn default() -> Self {
        Self(vec![Cell::new((0, AgentKind::Absent)); AGENTS_KEPT].into())
    }
}

impl Agents {
    fn kind(&self, hash: u64, agent: &HeaderValue) -> AgentKind {
        let place = usize::try_from(hash).unwrap_or(usize::MAX) % AGENTS_KEPT;
        let Some(cell) = self.0.get(place) else { return AgentKind::of(Some(text(agent))) };
        let (known, kind) = cell.get();
        // Keyed hashes of 64 bits: that two agents share one is too rare to matter, and to be sought.
        if known == hash && hash != 0 {
            return kind;
        }
        let kind = AgentKind::of(Some(text(agent)));
        cell.set((hash, kind));
        kind
    }
}

/// A request as it came, without its answer.
pub(crate) struct Asked<'a> {
    pub(crate) site: SiteId,
    pub(crate) client: IpAddr,
    pub(crate) authority: &'a str,
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) headers: &'a HeaderMap,
    /// The part of the site that it belongs to, as the gates divide it.
    pub(crate) class: usize,
}

impl Asked<'_> {
    /// What can be said of it before it is answered. No text is kept.
    pub(crate) fn seen(&self, readers: &Readers, agents: &Agents) -> Option<RequestSeen> {
        let reader = readers.0.get(usize::from(self.site.0))?;
        let referer = self.headers.get(REFERER).map(text);
        let agent = self.headers.get(USER_AGENT);
        let mut seen = reader.read(&RequestText {
            client: self.client,
            method: self.method,
            target: self.target,
            referer,
            user_agent: None,
            status: 0,
        });
        if let Some(agent) = agent {
            // By its bytes: whether all of them are text is asked of what is not known yet.
            let hash = reader.hash_agent(agent.as_bytes());
            seen.agent = Some(hash);
            seen.agent_kind = agents.kind(hash, agent);
        }
        if seen.referrer == Referrer::Elsewhere && referer.is_some_and(|text| names(text, self.authority)) {
            // Of `*.example.gov` no page is known by name.
            seen.referrer = Referrer::Own;
        }
        seen.path_class = PathClass::new(u8::try_from(self.class).unwrap_or(u8::MAX));
        seen.cache = CachePart::OriginBound;
        Some(seen)
    }
}

/// A field's value. What is no text is told apart by nothing else than that it is there.
fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or("?")
}

/// Whether a referrer is of this authority.
fn names(referer: &str, authority: &str) -> bool {
    let Some((_, rest)) = referer.split_once("://") else { return false };
    let named = rest.split(['/', '?', '#']).next().unwrap_or("");
    !authority.is_empty() && named.eq_ignore_ascii_case(authority)
}

/// Notes how a request was answered, one thing after the other.
pub(crate) trait Note {
    /// The cache answered, or the origin has to.
    fn cache(&mut self, how: &str);
    /// The edge answered by itself; the site's cache was not asked.
    fn of_the_edge(&mut self);
    /// A reference was given for what was decided.
    fn decided(&mut self, decided: Decided);
    /// It waited, and was let in.
    fn waited(&mut self);
    /// The visitor carried tokens; whether one of them counts.
    fn token(&mut self, counts: bool);
    /// A page of the gate asks by itself how the visitor's place in line stands.
    fn asks_for_place(&mut self);
}

impl Note for Option<RequestSeen> {
    fn cache(&mut self, how: &str) {
        let Some(seen) = self else { return };
        if matches!(how, "hit" | "stale") {
            seen.cache = CachePart::Answered;
            // A copy was given instead of what the gate said.
            if seen.admission != AdmissionSeen::Waited {
                seen.admission = AdmissionSeen::Admitted;
            }
        } else {
            seen.cache = CachePart::OriginBound;
        }
    }

    fn of_the_edge(&mut self) {
        let Some(seen) = self else { return };
        seen.cache = CachePart::Unknown;
        seen.kind = ContentKind::Other;
    }

    fn decided(&mut self, decided: Decided) {
        let Some(seen) = self else { return };
        seen.admission = match decided {
            Decided::PrefixRate
            | Decided::NoRoom
            | Decided::OverShare
            | Decided::Displaced
            | Decided::WaitedOut
            | Decided::Blocked => AdmissionSeen::Refused,
            Decided::MovedToHttps => {
                seen.cache = CachePart::Unknown;
                return;
            }
            Decided::Redirect | Decided::Choice | Decided::WaitingRoom => AdmissionSeen::Challenged,
            Decided::Answered
            | Decided::TokenGiven
            | Decided::Connection
            | Decided::UnknownHost
            | Decided::UndeclaredPath
            | Decided::Malformed
            | Decided::MethodNotAllowed
            | Decided::Loop
            | Decided::NotCached
            | Decided::OriginBusy
            | Decided::OriginFailed => return,
        };
    }

    fn waited(&mut self) {
        if let Some(seen) = self {
            seen.admission = AdmissionSeen::Waited;
        }
    }

    fn token(&mut self, counts: bool) {
        if let Some(seen) = self {
            seen.token = if counts { TokenSeen::Valid } else { TokenSeen::Invalid };
        }
    }

    fn asks_for_place(&mut self) {
        if let Some(seen) = self {
            seen.kind = ContentKind::Other;
        }
    }
}

/// With the status of its answer; that of a visitor who went where there was none.
pub(crate) fn answered(mut seen: RequestSeen, status: Option<http::StatusCode>) -> RequestSeen {
    seen.status = status.map_or(GONE, |status| status.as_u16());
    seen
}
