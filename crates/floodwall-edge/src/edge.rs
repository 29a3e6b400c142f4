//! The edge as a whole: bind, start, read its figures, drain, stop.

use std::collections::hash_map::RandomState;
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use floodwall_detection::{SecondSummary, Sketches};
use floodwall_model::{AccessRecord, Clock, EdgeCounts, PersonReport, SiteId, SiteSnapshot, TrafficCounts};
use floodwall_policy::{
    Admission, AdmissionPolicy, ConnectionShares, PrefixLimiter, Secret, SignatureRecord,
};
use tokio::sync::watch;

use crate::admission::{ClientRegister, EdgeAccounts, Gatehouse, Orders};
use crate::cache::{PurgeDepth, PurgeTarget, ResponseCache};
use crate::config::EdgeConfig;
use crate::counters::Counters;
use crate::error::EdgeError;
use crate::flights::Flights;
use crate::handshakes::Handshakes;
use crate::kept::{Kept, KeptCounts};
use crate::listen;
use crate::sightings::{self, Readers, Sightings};
use crate::site_table::SiteTable;
use crate::tls::{self, LiveCertificates};
use crate::upstream::Origins;
use crate::worker::{self, Listener, ListenerKind};

/// Takes the access log's records. Called on a worker's thread: it must not block.
pub trait AccessSink: Send + Sync {
    /// Takes one record, or drops it and counts that.
    fn record(&self, record: AccessRecord);
}

/// Where the edge is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Serving,
    /// No new connections; requests in progress are finished.
    Draining,
    /// Everything is closed.
    Stopping,
}

/// What all workers share.
pub(crate) struct Shared {
    pub(crate) config: EdgeConfig,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sites: SiteTable,
    pub(crate) admission: Admission,
    pub(crate) gatehouse: Gatehouse,
    /// What an operator ordered of addresses.
    pub(crate) orders: Orders,
    /// How requests are read for detection.
    pub(crate) readers: Readers,
    detection_seed: u64,
    pub(crate) policy: AdmissionPolicy,
    pub(crate) cache: ResponseCache,
    /// Set at the start, where copies are kept.
    pub(crate) kept: OnceLock<Kept>,
    pub(crate) flights: Flights,
    pub(crate) origins: Origins,
    pub(crate) tls: Option<Arc<rustls::ServerConfig>>,
    pub(crate) access: Option<Arc<dyn AccessSink>>,
    pub(crate) connections_open: AtomicUsize,
    pub(crate) connection_shares: ConnectionShares,
    pub(crate) handshakes: Handshakes,
    pub(crate) phases: watch::Sender<Phase>,
    /// What clients' fingerprints are hashed with: SipHash, seeded by the operating system.
    pub(crate) mark_keys: RandomState,
    /// Each site's `Strict-Transport-Security`, in the order of their numbers.
    pub(crate) hsts: Vec<Option<http::HeaderValue>>,
    /// This edge's name in `Via` (RFC 9110 section 7.6.3), unique so that a loop is seen.
    pub(crate) via: http::HeaderValue,
}

impl Shared {
    /// See [`EdgeHandle::purge`].
    pub(crate) fn purge(&self, site: Option<SiteId>, target: &PurgeTarget, depth: PurgeDepth) -> usize {
        if let (Some(kept), PurgeDepth::Remove) = (self.kept.get(), depth) {
            kept.purge(site, target);
        }
        self.cache.purge(site, target, depth, self.clock.now())
    }
}

impl Shared {
    pub(crate) fn phase(&self) -> Phase {
        *self.phases.borrow()
    }
}

/// An edge whose listeners are bound and which does not serve yet: bind, drop privileges, serve.
pub struct BoundEdge {
    shared: Arc<Shared>,
    workers: Vec<Vec<Listener>>,
    addresses: BoundAddresses,
    certificates: Option<Arc<LiveCertificates>>,
}

/// Where the edge listens.
#[derive(Clone, Debug, Default)]
pub struct BoundAddresses {
    /// Cleartext.
    pub http: Vec<SocketAddr>,
    /// TLS.
    pub https: Vec<SocketAddr>,
}

impl std::fmt::Debug for BoundEdge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BoundEdge").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl BoundEdge {
    /// Loads certificates and binds every listener; serves nothing yet.
    ///
    /// # Errors
    /// All certificate faults, or the first listener that cannot be bound.
    pub fn bind(
        config: EdgeConfig,
        clock: Arc<dyn Clock>,
        access: Option<Arc<dyn AccessSink>>,
    ) -> Result<Self, EdgeError> {
        let certificates = if config.https.is_empty() {
            None
        } else {
            Some(Arc::new(LiveCertificates::load(&config.certificates).map_err(EdgeError::Tls)?))
        };
        let tls = certificates.clone().map(tls::server_config).transpose();
        let tls = tls.map_err(|error| EdgeError::Tls(vec![error]))?;
        let count = config.workers.max(1);
        let mut workers: Vec<Vec<Listener>> = std::iter::repeat_with(Vec::new).take(count).collect();
        let mut addresses = BoundAddresses::default();
        let cleartext = config.http.iter().map(|address| (*address, false));
        for (address, tls) in cleartext.chain(config.https.iter().map(|address| (*address, true))) {
            let sockets =
                listen::bind(address, count).map_err(|source| EdgeError::Listen { address, source })?;
            let bound = sockets.first().and_then(|s| s.local_addr().ok()).unwrap_or(address);
            if tls {
                addresses.https.push(bound);
            } else {
                addresses.http.push(bound);
            }
            for (worker, socket) in workers.iter_mut().zip(sockets) {
                let kind = ListenerKind { tls, proxied: config.proxy_protocol.contains(&address) };
                worker.push(Listener { socket, kind });
            }
        }
        let seed = u128::from_le_bytes(random()?);
        let secret = Secret::new(random()?);
        let detection_seed = u64::from_le_bytes(random()?);
        let shared = Arc::new(build_shared(config, clock, access, tls, (seed, detection_seed), &secret));
        Ok(Self { shared, workers, addresses, certificates })
    }

    /// Where it listens; ports the kernel chose are filled in.
    #[must_use]
    pub fn addresses(&self) -> &BoundAddresses {
        &self.addresses
    }

    /// What its workers would share.
    #[cfg(test)]
    pub(crate) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// Signs what visitors are given with this secret, instead of one that was drawn for this process
    /// alone: what they have outlives a restart, and counts at every edge that has the same.
    pub fn use_secret(&self, secret: &Secret) {
        self.shared.gatehouse.use_secret(secret, self.shared.clock.now());
    }

    /// Asks this register who a client is. The first one that is named stays.
    pub fn use_register(&self, register: Arc<dyn ClientRegister>) {
        self.shared.gatehouse.use_register(register);
    }

    /// Starts one thread per worker, and opens the directory of kept copies: not before, so that whoever
    /// cannot serve for want of a port has not touched it.
    ///
    /// # Errors
    /// When the operating system gives no thread, or the directory cannot be used.
    pub fn start(self) -> Result<EdgeHandle, EdgeError> {
        if let Some(settings) = &self.shared.config.kept {
            let names = self.shared.config.sites.iter().map(|site| site.name.clone()).collect();
            let kept = Kept::open(settings, names).map_err(EdgeError::Kept)?;
            // It is the first and only time.
            let _ = self.shared.kept.set(kept);
        }
        let sites = self.shared.config.sites.len();
        let (mut counters, mut sightings) = (Vec::new(), Vec::new());
        let mut threads = Vec::new();
        for (number, listeners) in self.workers.into_iter().enumerate() {
            let own = Arc::new(Counters::new(sites));
            counters.push(own.clone());
            let seen = Arc::new(Sightings::new(sites, self.shared.detection_seed));
            sightings.push(seen.clone());
            let shared = self.shared.clone();
            let thread = std::thread::Builder::new()
                .name(format!("edge-{number}"))
                .spawn(move || {
                    if let Err(error) = worker::run(shared, own, seen, listeners, number == 0) {
                        tracing::error!(%error, worker = number, "a worker could not start");
                    }
                })
                .map_err(EdgeError::Thread)?;
            threads.push(thread);
        }
        let Self { shared, addresses, certificates, .. } = self;
        Ok(EdgeHandle { shared, counters, sightings, spare: Vec::new(), threads, addresses, certificates })
    }
}

/// Random bytes of the operating system.
fn random<const N: usize>() -> Result<[u8; N], EdgeError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| EdgeError::Entropy(error.to_string()))?;
    Ok(bytes)
}

/// The seed in four parts, so that what is shown (the instance) says nothing about what is secret.
fn seed_words(seed: u128) -> [u32; 4] {
    let bytes = seed.to_le_bytes();
    let (words, _) = bytes.as_chunks::<4>();
    let mut parts = [0; 4];
    for (part, word) in parts.iter_mut().zip(words) {
        *part = u32::from_le_bytes(*word);
    }
    parts
}

fn build_shared(
    config: EdgeConfig,
    clock: Arc<dyn Clock>,
    access: Option<Arc<dyn AccessSink>>,
    tls: Option<Arc<rustls::ServerConfig>>,
    (seed, detection_seed): (u128, u64),
    secret: &Secret,
) -> Shared {
    let [instance, .., low, high] = seed_words(seed);
    let hash_seed = (u64::from(high) << 32) | u64::from(low);
    let policy = AdmissionPolicy::new(config.sites.iter().map(|site| site.policy).collect());
    Shared {
        orders: Orders::default(),
        sites: SiteTable::new(&config.sites),
        admission: Admission::new(PrefixLimiter::new(config.tracked_prefixes, hash_seed)),
        readers: Readers::new(&config.sites, detection_seed),
        detection_seed,
        gatehouse: Gatehouse::new(&config.sites, secret, hash_seed, clock.now()),
        policy,
        cache: ResponseCache::new(config.cache.clone()),
        kept: OnceLock::new(),
        flights: Flights::default(),
        origins: Origins::new(&config.sites),
        tls,
        access,
        connections_open: AtomicUsize::new(0),
        connection_shares: ConnectionShares::new(config.connections_max, hash_seed),
        handshakes: Handshakes::new(config.handshakes, hash_seed),
        mark_keys: RandomState::new(),
        phases: watch::Sender::new(Phase::Serving),
        hsts: config.sites.iter().map(|site| site.hsts.and_then(hsts_value)).collect(),
        via: http::HeaderValue::from_str(&format!("1.1 floodwall-{instance:08x}"))
            .unwrap_or_else(|_| http::HeaderValue::from_static("1.1 floodwall")),
        clock,
        config,
    }
}

/// RFC 6797 section 6.1. For the host alone: those below it may be on other servers.
fn hsts_value(span: Duration) -> Option<http::HeaderValue> {
    http::HeaderValue::from_str(&format!("max-age={}", span.as_secs())).ok()
}

/// A running edge. Dropping it stops the edge at once; [`EdgeHandle::shut_down`] does so politely.
pub struct EdgeHandle {
    shared: Arc<Shared>,
    counters: Vec<Arc<Counters>>,
    sightings: Vec<Arc<Sightings>>,
    /// Emptied sketches; one for each worker at the most.
    spare: Vec<Sketches>,
    threads: Vec<JoinHandle<()>>,
    addresses: BoundAddresses,
    certificates: Option<Arc<LiveCertificates>>,
}

impl std::fmt::Debug for EdgeHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EdgeHandle").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl EdgeHandle {
    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &BoundAddresses {
        &self.addresses
    }

    /// The certificates of the TLS listeners, where there are any: to be loaded anew when they have been
    /// renewed.
    #[must_use]
    pub fn certificates(&self) -> Option<Arc<LiveCertificates>> {
        self.certificates.clone()
    }

    /// Every site's figures as of now.
    #[must_use]
    pub fn sites(&self) -> Vec<SiteSnapshot> {
        let sites = self.shared.config.sites.iter().zip(0_u16..);
        sites
            .map(|(site, place)| {
                let id = SiteId(place);
                let mut counts = TrafficCounts::default();
                for worker in &self.counters {
                    worker.add_site_to(id, &mut counts);
                }
                let (person_reports, last_person_report) = self.shared.gatehouse.newest_person_report(id);
                SiteSnapshot {
                    site: id,
                    name: site.name.clone(),
                    hosts: site.hosts.clone(),
                    role: site.role.clone(),
                    counts,
                    origins: self.shared.origins.status(id),
                    gates: self.shared.gatehouse.status(id),
                    person_reports,
                    last_person_report,
                }
            })
            .collect()
    }

    /// What was asked of each site since this was last asked, for detection, in the order of the sites.
    /// To be asked once a second.
    pub fn take_seconds(&mut self) -> Vec<SecondSummary> {
        let sites = (0_u16..).map(SiteId).take(self.shared.config.sites.len());
        let (workers, spare) = (&self.sightings, &mut self.spare);
        sites.map(|site| sightings::add_up(workers.iter().map(Arc::as_ref), site, spare)).collect()
    }

    /// Tells of addresses and rules, for whoever asks while the edge runs.
    #[must_use]
    pub fn accounts(&self) -> EdgeAccounts {
        EdgeAccounts::new(self.shared.clone())
    }

    /// The rules of a site's signatures that live, and those that have ended lately.
    #[must_use]
    pub fn signatures(&self, site: SiteId) -> Vec<SignatureRecord> {
        self.shared.gatehouse.signatures(site)
    }

    /// How many visitors of a site said that they are people and cannot get in, and the last of them.
    #[must_use]
    pub fn person_reports(&self, site: SiteId) -> (u64, Vec<PersonReport>) {
        self.shared.gatehouse.person_reports(site)
    }

    /// The edge's own figures as of now. `access_records_dropped` is left at zero: the sink's owner
    /// knows it.
    #[must_use]
    pub fn counts(&self) -> EdgeCounts {
        let mut counts = EdgeCounts::default();
        for worker in &self.counters {
            worker.add_worker_to(&mut counts);
        }
        counts.tls_handshakes_in_progress = u64::from(self.shared.handshakes.in_progress());
        let limiter = self.shared.admission.limiter();
        counts.limiter_prefixes = limiter.tracked_in_turns(self.shared.clock.now());
        counts.limiter_evictions = limiter.evictions();
        counts.limiter_bytes_max = limiter.memory_bytes_max();
        counts.cache_entries = to_u64(self.shared.cache.entries());
        counts.cache_bytes = self.shared.cache.bytes();
        counts.cache_bytes_max = self.shared.cache.bytes_max();
        if let Some(kept) = self.kept() {
            counts.kept_copies = kept.copies;
            counts.kept_bytes = kept.bytes;
            counts.kept_bytes_max = kept.bytes_max;
            counts.kept_written = kept.written;
            counts.kept_read = kept.read;
            counts.kept_dropped = kept.dropped;
            counts.kept_write_failures = kept.write_failures;
            counts.kept_corrupt = kept.corrupt;
        }
        counts
    }

    /// Purges cached answers of one site or of all, with [`PurgeDepth::Remove`] copies on disk too, and says of how many addresses some were purged.
    /// Looks at every cached answer; not for the path of a request.
    pub fn purge(&self, site: Option<SiteId>, target: &PurgeTarget, depth: PurgeDepth) -> usize {
        self.shared.purge(site, target, depth)
    }

    /// Figures of the copies on disk, where some are kept.
    #[must_use]
    pub fn kept(&self) -> Option<KeptCounts> {
        self.shared.kept.get().map(Kept::counts)
    }

    /// Whether every worker still runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.threads.iter().all(|thread| !thread.is_finished())
    }

    /// Whether any worker still has connections to serve.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.threads.iter().any(|thread| !thread.is_finished())
    }

    /// Stops accepting and lets requests in progress finish.
    pub fn begin_drain(&self) {
        self.shared.phases.send_replace(Phase::Draining);
    }

    /// Drains for at most `deadline`, then closes what is left. Blocks until every worker has
    /// ended. Returns how many connections had to be cut off.
    pub fn shut_down(&mut self, deadline: Duration) -> u64 {
        self.begin_drain();
        let until = self.shared.clock.now().plus(deadline);
        while !self.threads.iter().all(JoinHandle::is_finished) && self.shared.clock.now() < until {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        let cut_off = self.counters.iter().map(|c| c.worker.connections_open.get()).sum();
        self.stop();
        cut_off
    }

    fn stop(&mut self) {
        self.shared.phases.send_replace(Phase::Stopping);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a worker ended by a panic");
            }
        }
    }
}

impl Drop for EdgeHandle {
    fn drop(&mut self) {
        self.stop();
    }
}

fn to_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
