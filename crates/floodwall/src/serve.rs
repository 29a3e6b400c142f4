//! `floodwall serve`: builds the parts, runs the control loop, drains, loses nothing.
//!
//! The edge has its own threads. This thread runs the control loop and the console; the store and
//! the access log have a thread each behind bounded queues. Nothing here is waited for by a request.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use floodwall_console::{Console, Losses, Readiness, SiteFigures, Snapshot};
use floodwall_edge::{AccessSink, BoundAddresses, BoundEdge, EdgeError, EdgeHandle};
use floodwall_model::{Clock, EdgeCounts, OriginHealth, Timestamp};
use floodwall_store::{HandleSettings, Store, StoreError, StoreHandle};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::access_log::{AccessLog, AccessLogError, AccessLogHandle};
use crate::clock::SystemClock;
use crate::control::{Command, Control, Event, Figures};
use crate::edge_config::edge_config;
use crate::history::StoreHistory;
use crate::settings::Settings;

/// How long writing the last records may take after the last connection has ended.
const FLUSH_DEADLINE: Duration = Duration::from_secs(5);

/// The store's file in the state directory.
const STORE_FILE: &str = "floodwall.db";

/// Where everything listens.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    pub(crate) edge: BoundAddresses,
    pub(crate) admin: SocketAddr,
}

/// How serving ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    /// By a fault of our own and not because somebody asked.
    pub(crate) failed: bool,
}

/// Why serving could not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error(
        "the state directory {directory} cannot be made: {source}; make it, or name another with server.state (--state)"
    )]
    State { directory: String, source: std::io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    AccessLog(#[from] AccessLogError),
    #[error(transparent)]
    Edge(#[from] EdgeError),
    #[error(
        "cannot listen on the admin address {address}: {source}; choose another with server.admin (--admin)"
    )]
    Admin { address: SocketAddr, source: std::io::Error },
    #[error("the operating system gave no event loop or signals: {0}")]
    Runtime(std::io::Error),
}

/// Serves until told to stop. `ready` is called once everything listens.
pub(crate) fn run(settings: &Settings, ready: impl FnOnce(&Addresses)) -> Result<Ended, ServeError> {
    raise_open_file_limit();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let store = open_store(&settings.server.state)?;
    let access_log = match &settings.server.access_log {
        Some(log) => Some(Arc::new(AccessLog::start(log)?)),
        None => None,
    };
    let sink = access_log.clone().map(|log| log as Arc<dyn AccessSink>);
    let bound = BoundEdge::bind(edge_config(settings), clock.clone(), sink)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServeError::Runtime)?;
    runtime.block_on(async {
        let address = settings.server.admin;
        let admin =
            TcpListener::bind(address).await.map_err(|source| ServeError::Admin { address, source })?;
        let admin_address = admin.local_addr().map_err(ServeError::Runtime)?;
        let edge = bound.start()?;
        let addresses = Addresses { edge: edge.addresses().clone(), admin: admin_address };
        let driver = Driver {
            started: clock.now(),
            control: Control::new(Duration::from_secs(u64::from(settings.store.retention_days) * 86_400)),
            edge,
            store,
            access_log,
            addresses: addresses.clone(),
            snapshots: watch::Sender::new(Arc::new(nothing_yet(clock.now()))),
            clock,
            drain: settings.server.timeouts.drain,
        };
        driver.run(admin, || ready(&addresses)).await
    })
}

/// Takes as many open files as the system lets this user have: each connection is one.
fn raise_open_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, current = ?limit.current, "the limit of open files could not be raised");
    }
}

/// What there is to show before the first second.
fn nothing_yet(now: Timestamp) -> Snapshot {
    Snapshot {
        at: now,
        started: now,
        version: env!("CARGO_PKG_VERSION"),
        readiness: Readiness::NotReady("the server is starting".to_owned()),
        sites: Vec::new(),
        edge: EdgeCounts::default(),
        losses: Losses::default(),
        listeners: Vec::new(),
        admin_listener: String::new(),
    }
}

fn open_store(directory: &Path) -> Result<StoreHandle, ServeError> {
    std::fs::create_dir_all(directory)
        .map_err(|source| ServeError::State { directory: directory.display().to_string(), source })?;
    let store = Store::open(&directory.join(STORE_FILE))?;
    Ok(StoreHandle::start(store, HandleSettings::default())?)
}

/// Carries out what the control loop decides.
struct Driver {
    clock: Arc<dyn Clock>,
    started: Timestamp,
    control: Control,
    edge: EdgeHandle,
    store: StoreHandle,
    access_log: Option<Arc<AccessLogHandle>>,
    addresses: Addresses,
    snapshots: watch::Sender<Arc<Snapshot>>,
    drain: Duration,
}

impl Driver {
    async fn run(mut self, admin: TcpListener, ready: impl FnOnce()) -> Result<Ended, ServeError> {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Runtime)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Runtime)?;
        let mut hang_up = signal(SignalKind::hangup()).map_err(ServeError::Runtime)?;
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);

        let second = self.second();
        self.carry_out(second);
        let history = Arc::new(StoreHistory::new(self.store.clone()));
        let settings = floodwall_console::Settings::default();
        let console = Console::new(self.snapshots.subscribe(), history, self.clock.clone(), &settings);
        let (stop_console, console_stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = floodwall_console::serve(admin, console, async {
            let _ = console_stopped.await;
        });
        let serving = tokio::spawn(serving);
        ready();

        let ended = loop {
            let event = tokio::select! {
                _ = seconds.tick() => if self.edge.is_alive() { self.second() } else { Event::WorkerEnded },
                _ = interrupt.recv() => Event::Stop { signal: "SIGINT" },
                _ = terminate.recv() => Event::Stop { signal: "SIGTERM" },
                _ = hang_up.recv() => Event::ReopenLogs,
            };
            if let Some(ended) = self.carry_out(event) {
                break ended;
            }
        };
        let impatient = async {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        };
        self.drain(impatient).await;
        let _ = stop_console.send(());
        let _ = tokio::time::timeout(Duration::from_secs(1), serving).await;
        Ok(ended)
    }

    /// What the data plane has counted up to now.
    fn second(&self) -> Event {
        let mut edge = self.edge.counts();
        if let Some(log) = &self.access_log {
            edge.access_records_dropped = log.dropped();
        }
        Event::Second { now: self.clock.now(), sites: self.edge.sites(), edge }
    }

    fn carry_out(&mut self, event: Event) -> Option<Ended> {
        let mut ended = None;
        for command in self.control.handle(event) {
            match command {
                Command::Publish(figures) => self.publish(figures),
                Command::AddTraffic(minutes) => self.store.add_traffic(&minutes),
                Command::Prune { before_unix_seconds } => self.store.prune(before_unix_seconds),
                Command::ReportOrigin { site, url, health, why } => {
                    report_origin(&site, &url, health, why.as_deref());
                }
                Command::ReopenLogs => {
                    if let Some(log) = &self.access_log {
                        log.reopen();
                    }
                }
                Command::Drain { reason, failed } => {
                    tracing::info!(reason, deadline_s = self.drain.as_secs_f32(), "draining");
                    ended = Some(Ended { failed });
                }
            }
        }
        ended
    }

    fn publish(&self, figures: Figures) {
        let draining = self.control.is_stopping();
        let readiness = if draining {
            Readiness::NotReady("the server is stopping".to_owned())
        } else {
            Readiness::Ready
        };
        let store = self.store.figures();
        let listeners = self.addresses.edge.http.iter().map(|address| format!("http://{address}"));
        let tls = self.addresses.edge.https.iter().map(|address| format!("https://{address}"));
        self.snapshots.send_replace(Arc::new(Snapshot {
            at: figures.at,
            started: self.started,
            version: env!("CARGO_PKG_VERSION"),
            readiness,
            sites: figures
                .sites
                .into_iter()
                .map(|site| SiteFigures {
                    state: site.snapshot,
                    last_second: site.last_second,
                    last_minute: site.last_minute,
                })
                .collect(),
            edge: figures.edge,
            losses: Losses {
                events_dropped: 0,
                store_backlog_records: store.backlog_records,
                store_records_dropped: store.records_dropped,
            },
            listeners: listeners.chain(tls).collect(),
            admin_listener: format!("http://{}", self.addresses.admin),
        }));
    }

    /// Lets requests in progress finish, then writes every record. `impatient` cuts the first short.
    async fn drain(&mut self, impatient: impl Future<Output = ()>) {
        self.edge.begin_drain();
        let mut pace = tokio::time::interval(Duration::from_millis(50));
        let until = self.clock.now().plus(self.drain);
        let mut impatient = std::pin::pin!(impatient);
        let mut hurried = false;
        while self.edge.is_serving() && self.clock.now() < until && !hurried {
            tokio::select! {
                _ = pace.tick() => {}
                () = &mut impatient => hurried = true,
            }
        }
        let cut_off = self.edge.shut_down(Duration::ZERO);
        if cut_off > 0 {
            tracing::warn!(connections = cut_off, "closed before their requests were finished");
        }
        let last = self.second();
        self.carry_out(last);
        if let Err(error) = self.store.flush_and_close(FLUSH_DEADLINE) {
            tracing::error!(%error, "the store did not take the last records");
        }
        if let Some(log) = &self.access_log
            && let Err(error) = log.close(FLUSH_DEADLINE)
        {
            tracing::error!(%error, "the access log did not take the last lines");
        }
        tracing::info!("stopped");
    }
}

fn report_origin(site: &str, url: &str, health: OriginHealth, why: Option<&str>) {
    match health {
        OriginHealth::Up => tracing::info!(site, origin = url, "the origin answers again"),
        _ => {
            let why = why.unwrap_or("it does not answer");
            tracing::warn!(site, origin = url, why, "the origin is down; kept pages go on");
        }
    }
}
