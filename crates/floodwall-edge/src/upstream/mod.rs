//! Origins: which one is asked, whether it is up, how many requests it is given at once.

pub(crate) mod answer;
mod body;
mod buffers;
mod connection;
mod deadline;
mod exchange;
mod hope;
mod pool;
pub(crate) mod probe;
mod request;
mod resolve;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use floodwall_model::{OriginHealth, OriginStatus, SiteId, Timestamp};
use floodwall_policy::{CircuitSettings, OriginFailure as Cause, Permit, PrefixMap, SharedCircuit};
use http::StatusCode;
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::config::{OriginConfig, SiteConfig};

pub(crate) use answer::{AnswerFields, FieldLines};
pub(crate) use body::{OriginBody, RequestBody};
pub(crate) use buffers::Buffers;
pub(crate) use deadline::Bell;
pub(crate) use exchange::{Answered, Attempt, Patience, exchange};
use hope::Hope;
pub(crate) use pool::Pool;
pub(crate) use request::OriginRequest;
use resolve::Resolved;

/// Requests that may wait for a turn at one origin; further ones are refused at once.
const WAITING_MAX: usize = 1024;

/// The longest a request waits for its turn.
const TURN_WAIT_MAX: Duration = Duration::from_secs(10);

/// What an origin can take too long for, once it is connected to.
const ANSWER: &str = "answer";
const PROGRESS: &str = "progress of the answer";

/// On whose behalf an origin is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    Visitor,
    Prober,
}

/// Why an origin gave no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum OriginFailure {
    #[error("the origin is known to be down; it is tried again several times a second")]
    KnownDown,
    #[error("too many requests wait for the origin already")]
    Busy,
    #[error("cannot connect: {0}")]
    Connect(Arc<str>),
    #[error("no {what} within {} s", after.as_secs_f32())]
    TimedOut { what: &'static str, after: Duration },
    #[error("no answer within {} s, after which a kept copy stands in", after.as_secs_f32())]
    Slow { after: Duration },
    #[error("the answer broke off or was not HTTP: {0}")]
    Broken(Arc<str>),
    #[error("the visitor's request body did not arrive: {0}")]
    Visitor(Arc<str>),
    #[error("the visitor's request body came too slowly")]
    VisitorSlow,
}

impl OriginFailure {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::KnownDown | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Connect(_) | Self::Broken(_) => StatusCode::BAD_GATEWAY,
            Self::TimedOut { .. } | Self::Slow { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Visitor(_) => StatusCode::BAD_REQUEST,
            Self::VisitorSlow => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// Whether it may be for what was asked that there was no answer.
    fn is_about_one_page(&self) -> bool {
        matches!(self, Self::TimedOut { what: ANSWER | PROGRESS, .. } | Self::Broken(_))
    }

    /// What it says about the origin's health: nothing when we did not ask it, nothing when the
    /// visitor's own body failed, and nothing when it was our patience that was short.
    fn cause(&self) -> Option<Cause> {
        match self {
            Self::Connect(_) => Some(Cause::Connect),
            Self::TimedOut { .. } => Some(Cause::TimedOut),
            Self::Broken(_) => Some(Cause::ClosedEarly),
            Self::KnownDown | Self::Busy | Self::Visitor(_) | Self::VisitorSlow | Self::Slow { .. } => None,
        }
    }
}

/// One origin and what is known of it, shared by all workers.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) config: OriginConfig,
    pub(crate) url: Arc<str>,
    /// Place among all origins: the key of the workers' pools.
    pub(crate) number: usize,
    /// `Host` for the edge's own probes.
    probe_host: Arc<str>,
    resolved: Resolved,
    /// Networks it may not be in.
    out_of_reach: PrefixMap<()>,
    circuit: SharedCircuit,
    /// What the circuit says, readable without its lock.
    down: AtomicBool,
    last_answer_nanos: AtomicU64,
    last_failure: Mutex<Option<Arc<str>>>,
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    /// Something it was asked got no whole answer, and nothing was answered since.
    suspect: AtomicBool,
    /// A probe is on its way.
    probed: AtomicBool,
    /// Told when it is back.
    returned: Arc<Notify>,
}

impl Origin {
    fn new(
        config: &OriginConfig,
        site: &SiteConfig,
        number: usize,
        probe_host: Arc<str>,
        returned: Arc<Notify>,
    ) -> Self {
        Self {
            url: config.url().into(),
            number,
            probe_host,
            resolved: Resolved::default(),
            out_of_reach: PrefixMap::new(site.out_of_reach.iter().map(|prefix| (*prefix, ()))),
            circuit: SharedCircuit::new(CircuitSettings::default()),
            down: AtomicBool::new(false),
            last_answer_nanos: AtomicU64::new(0),
            last_failure: Mutex::new(None),
            turns: Arc::new(Semaphore::new(config.requests_max.clamp(1, Semaphore::MAX_PERMITS))),
            waiting: AtomicUsize::new(0),
            suspect: AtomicBool::new(false),
            probed: AtomicBool::new(false),
            returned,
            config: config.clone(),
        }
    }

    /// Those of its addresses that the settings let the edge reach.
    fn within_reach(&self, addresses: &[SocketAddr]) -> std::io::Result<SmallVec<[SocketAddr; 4]>> {
        let within = addresses.iter().filter(|address| self.out_of_reach.get(address.ip()).is_none());
        let within: SmallVec<[SocketAddr; 4]> = within.copied().collect();
        if within.is_empty() {
            let problem =
                format!("{} is in a network that server.internal keeps out of reach", self.config.host);
            return Err(std::io::Error::new(std::io::ErrorKind::PermissionDenied, problem));
        }
        Ok(within)
    }

    pub(crate) fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    /// Notes that the origin answered, with whatever status.
    pub(crate) fn answered(&self, now: Timestamp) {
        self.last_answer_nanos.store(now.monotonic_nanos(), Ordering::Relaxed);
        if self.suspect.load(Ordering::Relaxed) {
            self.suspect.store(false, Ordering::Relaxed);
        }
        if self.circuit.on_success(now).is_some() {
            self.down.store(false, Ordering::Relaxed);
            self.returned.notify_waiters();
        }
    }

    /// Notes that the origin failed to answer what was sent to it at `sent`.
    ///
    /// That it takes no connection says that it is down. That one page hangs or breaks says so of
    /// that page: anybody who knows such a page could have all others withheld. So it only makes
    /// the prober ask at once, whose own questions, for the root page, count.
    pub(crate) fn failed(&self, failure: &OriginFailure, sent: Timestamp, now: Timestamp, asked_by: Asker) {
        let Some(cause) = failure.cause() else { return };
        *self.last_failure.lock() = Some(failure.to_string().into());
        if asked_by == Asker::Visitor && failure.is_about_one_page() {
            self.suspect.store(true, Ordering::Relaxed);
            return;
        }
        if let Some(health) = self.circuit.on_failure(sent, now, cause) {
            self.down.store(health == OriginHealth::Down, Ordering::Relaxed);
        }
    }

    /// Whether the prober should ask the origin now.
    fn wants_probe(&self, now: Timestamp, quiet_for: Duration) -> bool {
        match self.circuit.permit(now) {
            Permit::Trial => true,
            Permit::Withhold => false,
            Permit::Go => {
                let last = self.last_answer_nanos.load(Ordering::Relaxed);
                let quiet = u128::from(now.monotonic_nanos().saturating_sub(last));
                last == 0 || quiet >= quiet_for.as_nanos() || self.suspect.load(Ordering::Relaxed)
            }
        }
    }

    /// A turn at the origin, when one is free.
    fn turn_at_once(&self) -> Option<OwnedSemaphorePermit> {
        self.turns.clone().try_acquire_owned().ok()
    }

    /// Waits for a turn at the origin, boundedly in number and time.
    async fn turn(&self) -> Result<OwnedSemaphorePermit, OriginFailure> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(OriginFailure::Busy);
        }
        let _leaves_queue = Leaves(&self.waiting);
        match tokio::time::timeout(TURN_WAIT_MAX, self.turns.clone().acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(OriginFailure::Busy),
        }
    }
}

/// Takes itself out of a count when dropped, also when the waiting request is cancelled.
struct Leaves<'a>(&'a AtomicUsize);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All origins of all sites.
#[derive(Debug)]
pub(crate) struct Origins {
    sites: Vec<SiteOrigins>,
}

#[derive(Debug)]
struct SiteOrigins {
    origins: Vec<Arc<Origin>>,
    next: AtomicUsize,
    hope: Hope,
}

impl Origins {
    pub(crate) fn new(sites: &[SiteConfig]) -> Self {
        let mut number = 0;
        let sites = sites.iter().map(|site| {
            let hope = Hope::default();
            let named = site.hosts.iter().find(|host| !host.contains('*'));
            let origins = site.origins.iter().map(|config| {
                number += 1;
                let host = named.cloned().unwrap_or_else(|| config.host.as_str().into());
                Arc::new(Origin::new(config, site, number, host, hope.returned()))
            });
            SiteOrigins { origins: origins.collect(), next: AtomicUsize::new(0), hope }
        });
        Self { sites: sites.collect() }
    }

    /// The origin to ask: in turn among those that are not down.
    pub(crate) fn choose(&self, site: SiteId) -> Result<&Arc<Origin>, OriginFailure> {
        let site = self.sites.get(usize::from(site.0)).ok_or(OriginFailure::KnownDown)?;
        let count = site.origins.len();
        let start = if count > 1 { site.next.fetch_add(1, Ordering::Relaxed) } else { 0 };
        (0..count)
            .filter_map(|step| site.origins.get(start.wrapping_add(step) % count))
            .find(|origin| !origin.is_down())
            .ok_or(OriginFailure::KnownDown)
    }

    /// Another origin of the site that is not down.
    pub(crate) fn other_than(&self, site: SiteId, origin: &Origin) -> Option<&Arc<Origin>> {
        self.choose_untouched(site).find(|other| other.number != origin.number && !other.is_down())
    }

    /// Whether every origin of the site is down.
    pub(crate) fn all_down(&self, site: SiteId) -> bool {
        self.choose_untouched(site).all(|origin| origin.is_down())
    }

    fn choose_untouched(&self, site: SiteId) -> impl Iterator<Item = &Arc<Origin>> {
        self.sites.get(usize::from(site.0)).into_iter().flat_map(|site| &site.origins)
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Origin>> {
        self.sites.iter().flat_map(|site| &site.origins)
    }

    /// State of a site's origins, for people.
    pub(crate) fn status(&self, site: SiteId) -> Vec<OriginStatus> {
        self.choose_untouched(site)
            .map(|origin| {
                let circuit = origin.circuit.snapshot();
                OriginStatus {
                    url: origin.url.clone(),
                    health: circuit.health(),
                    since: circuit.since(),
                    last_failure: origin.last_failure.lock().clone(),
                }
            })
            .collect()
    }
}
