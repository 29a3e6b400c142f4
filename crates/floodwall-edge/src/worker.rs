//! One worker: a thread with its own runtime, listeners, connections and upstream pool.
//!
//! Nothing a worker does on the hot path takes a lock that another worker holds for long: the cache
//! and the limiter are sharded or lock-free, counters are its own, connections never move.

use std::cell::{Cell, RefCell};
use std::collections::hash_map::RandomState;
use std::future::pending;
use std::hash::BuildHasher;
use std::net::{IpAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use floodwall_model::{Prefix, ReferenceId, Timestamp};
use floodwall_policy::Share;
use slab::Slab;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::admission;
use crate::connection::{self, CoarseTime, ConnectionState, Order, OwnedMark, TICK};
use crate::counters::Counters;
use crate::edge::{Phase, Shared};
use crate::http1::READ_BYTES;
use crate::sightings::{Agents, Sightings};
use crate::upstream::{Bell, Buffers, Pool, probe};

/// Pause after accept fails for want of a resource, so that the failure does not become a busy loop.
const ACCEPT_BACKOFF: std::time::Duration = std::time::Duration::from_millis(20);

/// A listening socket and what its connections begin with.
pub(crate) struct Listener {
    pub(crate) socket: StdListener,
    pub(crate) kind: ListenerKind,
}

/// What a listener's connections begin with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListenerKind {
    /// A TLS hello.
    pub(crate) tls: bool,
    /// Before it, those of trusted proxies, a PROXY protocol header.
    pub(crate) proxied: bool,
}

/// State of one worker thread; never leaves it.
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) counters: Arc<Counters>,
    /// What detection is told.
    pub(crate) sightings: Arc<Sightings>,
    pub(crate) agents: Agents,
    pub(crate) pool: Pool,
    pub(crate) buffers: Buffers,
    /// What visitors send is read here first.
    pub(crate) scratch: RefCell<Box<[u8]>>,
    /// Memory that the heads of answers are written into, one after the other.
    pub(crate) spare_text: Cell<Vec<u8>>,
    date: RefCell<DateText>,
    /// Rung at every tick.
    pub(crate) bell: Bell,
    tls: Option<TlsAcceptor>,
    connections: RefCell<Slab<Rc<ConnectionState>>>,
    started: Timestamp,
    coarse_now: Cell<CoarseTime>,
    random: Cell<u64>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker")
            .field("connections", &self.connections.borrow().len())
            .finish_non_exhaustive()
    }
}

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>, counters: Arc<Counters>, sightings: Arc<Sightings>) -> Self {
        let tls = shared.tls.clone().map(TlsAcceptor::from);
        let started = shared.clock.now();
        Self {
            shared,
            counters,
            sightings,
            agents: Agents::default(),
            pool: Pool::default(),
            buffers: Buffers::default(),
            scratch: RefCell::new(vec![0; READ_BYTES].into_boxed_slice()),
            spare_text: Cell::default(),
            date: RefCell::default(),
            bell: Bell::default(),
            tls,
            connections: RefCell::new(Slab::new()),
            started,
            coarse_now: Cell::new(CoarseTime(0)),
            // Seeded by the operating system through the hasher's keys.
            random: Cell::new(RandomState::new().hash_one(1_u8)),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    pub(crate) fn coarse_now(&self) -> CoarseTime {
        self.coarse_now.get()
    }

    /// `now` as a `Date` field has it (RFC 9110 section 5.6.7), put into words once a second.
    pub(crate) fn http_date(&self, now: Timestamp) -> DateText {
        let second = now.wall_unix_seconds();
        let mut date = self.date.borrow_mut();
        if date.second != second {
            let since_epoch = std::time::Duration::from_secs(u64::try_from(second).unwrap_or_default());
            let words = httpdate::fmt_http_date(std::time::UNIX_EPOCH + since_epoch);
            // Always 29 bytes: IMF-fixdate.
            if let Ok(text) = words.as_bytes().try_into() {
                *date = DateText { second, text };
            }
        }
        *date
    }

    /// Whether what this peer says of others is believed.
    pub(crate) fn is_trusted_proxy(&self, peer: IpAddr) -> bool {
        self.shared.config.trusted_proxies.iter().any(|proxy| proxy.contains(peer))
    }

    /// A fingerprint with its number, which nobody outside can make two of that are the same.
    pub(crate) fn mark(&self, words: &str) -> OwnedMark {
        let [a, b, c, d, ..] = self.shared.mark_keys.hash_one(words).to_le_bytes();
        // 0 is no fingerprint.
        OwnedMark { number: u32::from_le_bytes([a, b, c, d]).max(1), words: words.into() }
    }

    pub(crate) fn tls_acceptor(&self) -> Option<TlsAcceptor> {
        self.tls.clone()
    }

    /// A reference ID for one request. It needs to be unlikely to repeat, not to be a secret.
    pub(crate) fn next_reference(&self) -> ReferenceId {
        ReferenceId::from_random(self.next_random())
    }

    /// 64 bits that are unlikely to repeat, and no secret: `SplitMix64` (Steele, Lea, Flood 2014), seeded
    /// per worker.
    pub(crate) fn next_random(&self) -> u64 {
        let next = self.random.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.random.set(next);
        let mut mixed = next;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Puts a connection under the reaper's eyes until the returned value is dropped.
    pub(crate) fn register(self: &Rc<Self>, state: &Rc<ConnectionState>, share: Option<Share>) -> Registered {
        let slot = self.connections.borrow_mut().insert(state.clone());
        self.counters.worker.connections_accepted.add(1);
        self.counters.worker.connections_open.add(1);
        Registered { worker: self.clone(), slot, share }
    }

    /// One look at every connection: turns the coarse clock and gives the orders that are due.
    fn reap(&self) {
        let since_start = self.now().since(self.started).as_millis();
        self.coarse_now.set(CoarseTime(u64::try_from(since_start).unwrap_or(u64::MAX)));
        let phase = self.shared.phase();
        let connections = self.connections.borrow();
        for (_, connection) in connections.iter() {
            let mut order = connection.due(self.coarse_now.get(), &self.shared.config.timeouts);
            if order == Order::Close {
                self.counters.worker.connections_timed_out.add(u64::from(connection.order() != Order::Close));
            }
            order = match phase {
                Phase::Serving => order,
                Phase::Draining if order == Order::Close => order,
                Phase::Draining => Order::Drain,
                Phase::Stopping => Order::Close,
            };
            connection.give_order(order);
        }
    }

    /// The first connection it has.
    #[cfg(test)]
    pub(crate) fn first_connection(&self) -> Option<Rc<ConnectionState>> {
        self.connections.borrow().iter().next().map(|(_, state)| state.clone())
    }

    fn is_empty(&self) -> bool {
        self.connections.borrow().is_empty()
    }
}

/// A time in words, and which.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DateText {
    second: i64,
    pub(crate) text: [u8; 29],
}

/// Keeps a connection in its worker's list.
pub(crate) struct Registered {
    worker: Rc<Worker>,
    slot: usize,
    share: Option<Share>,
}

impl Registered {
    /// The connection turned out to be `visitor`'s: counts it under him. Whether he may have it.
    pub(crate) fn is_of(&mut self, visitor: IpAddr) -> bool {
        let open = self.worker.shared.connections_open.load(Ordering::Relaxed);
        match connection_share(&self.worker, visitor, open) {
            Ok(share) => {
                self.share = share;
                true
            }
            Err(HasItsShare) => {
                self.worker.counters.worker.connections_refused.add(1);
                false
            }
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.worker.connections.borrow_mut().try_remove(self.slot);
        self.worker.counters.worker.connections_open.sub(1);
        self.worker.shared.connections_open.fetch_sub(1, Ordering::Relaxed);
        if let Some(share) = self.share.take() {
            self.worker.shared.connection_shares.release(share);
        }
    }
}

/// Runs one worker on the calling thread until the edge has been shut down and drained.
///
/// # Errors
/// When the runtime or a listener cannot be set up on this thread.
pub(crate) fn run(
    shared: Arc<Shared>,
    counters: Arc<Counters>,
    sightings: Arc<Sightings>,
    listeners: Vec<Listener>,
    first: bool,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Few tasks are ready at once on one thread: look at the sockets often, for latency.
        .event_interval(31)
        .build_local(tokio::runtime::LocalOptions::default())?;
    runtime.block_on(async move {
        let worker = Rc::new(Worker::new(shared, counters, sightings));
        for listener in listeners {
            let socket = TcpListener::from_std(listener.socket)?;
            tokio::task::spawn_local(accept(worker.clone(), socket, listener.kind));
        }
        if first {
            tokio::task::spawn_local(admission::run(worker.clone()));
            tokio::task::spawn_local(probe::run(worker.clone()));
        }
        watch_over(&worker).await;
        Ok(())
    })
}

/// The worker's once-a-tick duties, until it has nothing left to do.
async fn watch_over(worker: &Rc<Worker>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut phases = worker.shared.phases.subscribe();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            changed = phases.changed() => if changed.is_err() { return },
        }
        worker.reap();
        worker.bell.ring();
        worker.pool.sweep(worker.coarse_now(), worker.shared.config.timeouts.keep_alive_idle);
        match worker.shared.phase() {
            Phase::Serving => {}
            Phase::Draining if worker.is_empty() => return,
            Phase::Draining => ticks.reset_after(std::time::Duration::from_millis(50)),
            Phase::Stopping => {
                // The tasks have their orders: give them one turn to obey.
                tokio::task::yield_now().await;
                return;
            }
        }
    }
}

/// Accepts until the edge drains; the socket closes with this task.
async fn accept(worker: Rc<Worker>, socket: TcpListener, kind: ListenerKind) {
    let mut phases = worker.shared.phases.subscribe();
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = until_draining(&mut phases) => return,
        };
        match accepted {
            Ok((stream, address)) => admit_connection(&worker, stream, address, kind),
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                // Out of descriptors or memory: existing connections go on; those end and free some.
                worker.counters.worker.connections_refused.add(1);
                tracing::debug!(%error, "accept failed; pausing");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

fn admit_connection(
    worker: &Rc<Worker>,
    stream: TcpStream,
    address: std::net::SocketAddr,
    kind: ListenerKind,
) {
    let open = worker.shared.connections_open.fetch_add(1, Ordering::Relaxed);
    if open >= worker.shared.config.connections_max {
        // New ones are refused before established ones are evicted: the latter are likelier people.
        worker.shared.connections_open.fetch_sub(1, Ordering::Relaxed);
        worker.counters.worker.connections_refused.add(1);
        return;
    }
    let Ok(share) = connection_share(worker, address.ip(), open) else {
        worker.shared.connections_open.fetch_sub(1, Ordering::Relaxed);
        worker.counters.worker.connections_refused.add(1);
        return;
    };
    tokio::task::spawn_local(connection::serve(worker.clone(), stream, address, kind, share));
}

struct HasItsShare;

/// Counts a connection under its peer's prefix. Trusted proxies bring many people's connections and
/// are not counted.
fn connection_share(worker: &Worker, peer: IpAddr, open: usize) -> Result<Option<Share>, HasItsShare> {
    if worker.is_trusted_proxy(peer) {
        return Ok(None);
    }
    let share = worker.shared.connection_shares.take(Prefix::of_client(peer), open);
    share.map(Some).ok_or(HasItsShare)
}

async fn until_draining(phases: &mut tokio::sync::watch::Receiver<Phase>) {
    if phases.wait_for(|phase| *phase != Phase::Serving).await.is_err() {
        pending::<()>().await;
    }
}

fn is_about_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}
