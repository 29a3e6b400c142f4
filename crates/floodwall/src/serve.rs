//! `floodwall serve`: builds the parts, runs the control loop, drains, loses nothing.
//!
//! The edge has its own threads. This thread runs the control loop and the console; the store and
//! the access log have a thread each behind bounded queues. Nothing here is waited for by a request.

mod learned;
mod pace;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use floodwall_console::{Console, Losses, Readiness, SiteFigures, Snapshot};
use floodwall_edge::{AccessSink, BoundAddresses, BoundEdge, EdgeError, EdgeHandle};
use floodwall_model::{Clock, EdgeCounts, OriginHealth, Timestamp};
use floodwall_policy::{CrawlerCheckSettings, ReferenceKey};
use floodwall_store::{HandleSettings, Store, StoreError, StoreFigures, StoreHandle};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::access_log::{AccessLog, AccessLogError, AccessLogHandle};
use crate::admin_socket::{AdminDesk, AdminSocket};
use crate::baselines_file;
use crate::certificates::CertificateWatch;
use crate::clock::{ProcessorUse, SystemClock};
use crate::control::{Command, Control, Event, Figures, RungNews, SecondSeen};
use crate::crawler_watch::CrawlerWatch;
use crate::edge_account::RunningEdge;
use crate::edge_config::edge_config;
use crate::history::StoreHistory;
use crate::incident::{self, IncidentArchive, close_left_open, to_stored};
use crate::service_manager::ServiceManager;
use crate::settings::{Settings, VerifyCrawlers};
use crate::state_secret::{self, SecretError};
use learned::{detection, save_baselines};
use pace::{Beat, Pace};

/// How long writing the last records may take after the last connection has ended.
const FLUSH_DEADLINE: Duration = Duration::from_secs(5);

/// The store's file in the state directory.
pub(crate) const STORE_FILE: &str = "floodwall.db";

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
        "the state directory {directory} cannot be made: {source}; run `install -d -o USER {directory}` as root, \
         with the user Floodwall runs as, or name another with server.state (--state)"
    )]
    State { directory: String, source: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    AccessLog(#[from] AccessLogError),
    #[error(transparent)]
    Edge(#[from] EdgeError),
    #[error("cannot listen on {address} for the console: {}", explain_admin(source))]
    Admin { address: SocketAddr, source: io::Error },
    #[error(
        "the operating system gave no event loop or signals: {0}; see the limit on open files (ulimit -n, LimitNOFILE)"
    )]
    Runtime(io::Error),
    #[error("the operating system gave no random numbers: {0}")]
    Entropy(String),
}

impl ServeError {
    /// Whether another program listens where this one was to.
    pub(crate) fn is_about_a_port_in_use(&self) -> bool {
        match self {
            Self::Edge(EdgeError::Listen { source, .. }) | Self::Admin { source, .. } => {
                source.kind() == io::ErrorKind::AddrInUse
            }
            _ => false,
        }
    }

    /// Whether it is the settings' fault: then starting again without changing them does not help,
    /// while a port in use, a locked store or a full disk may pass.
    pub(crate) fn is_about_settings(&self) -> bool {
        let is_about_address = |source: &io::Error| source.kind() == io::ErrorKind::AddrNotAvailable;
        match self {
            Self::State { .. } => true,
            Self::Secret(error) => {
                matches!(error, SecretError::WrongSize { .. } | SecretError::OpenToOthers { .. })
            }
            Self::Edge(EdgeError::Tls(_)) => true,
            Self::AccessLog(error) => !matches!(error, AccessLogError::Thread(_)),
            Self::Edge(EdgeError::Listen { source, .. }) | Self::Admin { source, .. } => {
                is_about_address(source)
            }
            Self::Edge(_) | Self::Store(_) | Self::Runtime(_) | Self::Entropy(_) => false,
        }
    }
}

fn explain_admin(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there already; stop it (`ss -ltnp` names it) or \
             choose another address with server.admin (--admin)"
                .to_owned()
        }
        _ => format!("{error}; choose another address with server.admin (--admin)"),
    }
}

/// Serves until told to stop. `ready` is called once everything listens.
pub(crate) fn run(settings: &Settings, ready: impl FnOnce(&Addresses)) -> Result<Ended, ServeError> {
    raise_open_file_limit();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
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
        // Last, so that whoever cannot serve for want of a port has not touched the store.
        let state = &settings.server.state;
        let store = open_store(state)?;
        let secret = state_secret::read_or_make(state)?;
        bound.use_secret(&secret);
        let crawlers = match settings.server.verify_crawlers {
            VerifyCrawlers::Dns => watch_crawlers(&clock),
            VerifyCrawlers::Off => None,
        };
        if let Some(crawlers) = &crawlers {
            bound.use_crawlers(crawlers.clone());
        }
        let admin_socket = open_admin_socket(state);
        let edge = bound.start()?;
        let snapshots = watch::Sender::new(Arc::new(nothing_yet(clock.now())));
        let incidents = IncidentArchive::new(store.clone(), snapshots.subscribe());
        let detection = detection(settings)?;
        let desk = AdminDesk {
            key: ReferenceKey::new(&secret),
            sites: settings.sites.iter().map(|site| site.name.clone()).collect(),
            account: Arc::new(RunningEdge(edge.accounts())),
            crawlers,
            incidents: Some(incidents.clone()),
            clock: clock.clone(),
        };
        let addresses = Addresses { edge: edge.addresses().clone(), admin: admin_address };
        let certificates = edge.certificates().map(CertificateWatch::start);
        let driver = Driver {
            started: clock.now(),
            certificates,
            manager: ServiceManager::find(),
            admin_hosts: settings.server.admin_hosts.clone(),
            control: Control::new(days(settings.store.retention_days), detection),
            processor: ProcessorUse::start(clock.now()),
            baselines: state.join(baselines_file::FILE),
            incidents,
            edge,
            store,
            access_log,
            addresses: addresses.clone(),
            snapshots,
            clock,
            drain: settings.server.timeouts.drain,
        };
        let (stop_admin, admin_stopped) = tokio::sync::oneshot::channel::<()>();
        if let Some(socket) = admin_socket {
            tokio::spawn(socket.serve(Arc::new(desk), async {
                let _ = admin_stopped.await;
            }));
        }
        let ended = driver.run(admin, || ready(&addresses)).await;
        drop(stop_admin);
        ended
    })
}

fn days(number: u32) -> Duration {
    Duration::from_secs(u64::from(number) * 86_400)
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
        incidents: Vec::new(),
        incidents_opened: Vec::new(),
        edge: EdgeCounts::default(),
        losses: Losses::default(),
        listeners: Vec::new(),
        admin_listener: String::new(),
    }
}

fn open_store(directory: &Path) -> Result<StoreHandle, ServeError> {
    std::fs::create_dir_all(directory)
        .map_err(|source| ServeError::State { directory: directory.display().to_string(), source })?;
    let mut store = Store::open(&directory.join(STORE_FILE))?;
    match close_left_open(&mut store) {
        Ok(0) => {}
        Ok(left) => tracing::warn!(
            left,
            "incidents went on when the server last stopped; how they ended is not known"
        ),
        Err(error) => {
            tracing::warn!(%error, "incidents that went on when the server last stopped stay as they are");
        }
    }
    Ok(StoreHandle::start(store, HandleSettings::default())?)
}

/// Without it crawlers are known by their operators' published ranges only.
fn watch_crawlers(clock: &Arc<dyn Clock>) -> Option<Arc<CrawlerWatch>> {
    CrawlerWatch::start(CrawlerCheckSettings::default(), clock.clone())
        .inspect_err(|error| tracing::warn!("{error}"))
        .ok()
}

/// Without it only commands of this host miss something: no reason not to serve.
fn open_admin_socket(directory: &Path) -> Option<AdminSocket> {
    AdminSocket::bind(directory)
        .inspect_err(|error| {
            let directory = directory.display();
            tracing::warn!(%error, %directory, "no admin socket: `floodwall explain` cannot ask this server");
        })
        .ok()
}

/// Carries out what the control loop decides.
struct Driver {
    clock: Arc<dyn Clock>,
    started: Timestamp,
    control: Control,
    edge: EdgeHandle,
    certificates: Option<CertificateWatch>,
    manager: ServiceManager,
    admin_hosts: Vec<String>,
    store: StoreHandle,
    incidents: IncidentArchive,
    /// Where what was learned is saved.
    baselines: PathBuf,
    processor: ProcessorUse,
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
        let mut pace = Pace::start();

        let second = self.second();
        self.carry_out(second);
        let history = Arc::new(StoreHistory::new(self.store.clone(), self.incidents.clone()));
        let settings =
            floodwall_console::Settings { host_names: self.admin_hosts.clone(), ..Default::default() };
        let console = Console::new(self.snapshots.subscribe(), history, self.clock.clone(), &settings);
        let (stop_console, console_stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = floodwall_console::serve(admin, console, async {
            let _ = console_stopped.await;
        });
        let serving = tokio::spawn(serving);
        ready();
        self.manager.ready();

        let ended = loop {
            let event = tokio::select! {
                beat = pace.next() => if self.edge.is_alive() {
                    self.manager.alive();
                    self.count(beat)
                } else {
                    Event::WorkerEnded
                },
                _ = interrupt.recv() => Event::Stop { signal: "SIGINT" },
                _ = terminate.recv() => Event::Stop { signal: "SIGTERM" },
                _ = hang_up.recv() => Event::HangUp,
            };
            if let Some(ended) = self.carry_out(event) {
                break ended;
            }
        };
        let impatient = async {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        };
        self.drain(pace, impatient).await;
        let _ = stop_console.send(());
        let _ = tokio::time::timeout(Duration::from_secs(1), serving).await;
        Ok(ended)
    }

    fn count(&mut self, beat: Beat) -> Event {
        match beat {
            Beat::Second => self.second(),
            Beat::Between => Event::HalfSecond { now: self.clock.now(), sites: self.edge.sites() },
        }
    }

    /// What the data plane has counted up to now.
    fn second(&mut self) -> Event {
        let now = self.clock.now();
        let seen = SecondSeen { sites: self.edge.take_seconds(), processor: self.processor.since_last(now) };
        let mut edge = self.edge.counts();
        if let Some(log) = &self.access_log {
            edge.access_records_dropped = log.dropped();
        }
        Event::Second { now, sites: self.edge.sites(), edge, seen }
    }

    fn carry_out(&mut self, event: Event) -> Option<Ended> {
        let mut ended = None;
        // Before more is handed over: what still waits now is what the disk has not taken in time.
        let store = self.store.figures();
        for command in self.control.handle(event) {
            match command {
                Command::Publish(figures) => self.publish(figures, &store),
                Command::AddTraffic(minutes) => self.store.add_traffic(&minutes),
                Command::Prune { before_unix_seconds } => self.store.prune(before_unix_seconds),
                Command::ReportOrigin { site, url, health, why } => {
                    report_origin(&site, &url, health, why.as_deref());
                }
                Command::ReportRung(news) => report_rung(&news),
                Command::TellIncident { news, record } => incident::tell(news, &record),
                Command::TellNotice { site, words } => tracing::warn!(%site, "detection: {words}"),
                Command::KeepIncident(record) => {
                    if !self.store.put_incident(to_stored(&record)) {
                        tracing::warn!(incident = %record.key, "the store takes no more incidents for now");
                    }
                }
                Command::SaveBaselines => {
                    let (path, learned) = (self.baselines.clone(), self.control.baselines());
                    // Takes some ten milliseconds a site, and the disk's time.
                    tokio::task::spawn_blocking(move || save_baselines(&path, &learned));
                }
                Command::ReopenLogs => {
                    if let Some(log) = &self.access_log {
                        tracing::info!("reopening the access log");
                        log.reopen();
                    }
                }
                Command::ReloadCertificates => {
                    if let Some(watch) = &self.certificates {
                        watch.look_now();
                    }
                }
                Command::Drain { reason, failed } => {
                    tracing::info!(
                        reason,
                        deadline_ms = u64::try_from(self.drain.as_millis()).unwrap_or(u64::MAX),
                        "stopping: no new connections, requests in progress may finish"
                    );
                    ended = Some(Ended { failed });
                }
            }
        }
        ended
    }

    fn publish(&self, figures: Figures, store: &StoreFigures) {
        let draining = self.control.is_stopping();
        let readiness = if draining {
            Readiness::NotReady("the server is stopping".to_owned())
        } else {
            Readiness::Ready
        };
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
                    gates_last_minute: site.gates_last_minute,
                })
                .collect(),
            incidents: figures.incidents,
            incidents_opened: figures.incidents_opened,
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
    async fn drain(&mut self, mut pace: Pace, impatient: impl Future<Output = ()>) {
        self.manager.stopping(self.drain);
        self.edge.begin_drain();
        // Those who ask whether we are ready are to send nobody more, from now on.
        let now = self.second();
        self.carry_out(now);
        let mut looks = tokio::time::interval(Duration::from_millis(50));
        let until = self.clock.now().plus(self.drain);
        let mut impatient = std::pin::pin!(impatient);
        let mut hurried = false;
        while self.edge.is_serving() && self.clock.now() < until && !hurried {
            tokio::select! {
                _ = looks.tick() => {}
                beat = pace.next() => {
                    // A drain may be longer than the service manager's patience with a silent server.
                    self.manager.alive();
                    let event = self.count(beat);
                    self.carry_out(event);
                }
                () = &mut impatient => hurried = true,
            }
        }
        let connections = self.edge.shut_down(Duration::ZERO);
        if connections > 0 && hurried {
            tracing::warn!(connections, "a second signal: closed before their requests were finished");
        } else if connections > 0 {
            tracing::warn!(
                connections,
                "the time to finish (server.timeouts.drain) is over: closed before their requests were finished"
            );
        }
        let last = self.second();
        self.carry_out(last);
        save_baselines(&self.baselines, &self.control.baselines());
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

fn report_rung(news: &RungNews) {
    let RungNews { site, class, rung, rung_name: asks, .. } = news;
    if news.is_worse() {
        tracing::warn!(%site, %class, rung, asks, "{}", news.words());
    } else {
        tracing::info!(%site, %class, rung, asks, "{}", news.words());
    }
}
