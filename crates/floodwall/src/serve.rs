//! `floodwall serve`: builds the parts, runs the control loop, drains, loses nothing.
//!
//! The edge has its own threads. This thread runs the control loop and the console; the store and
//! the access log have a thread each behind bounded queues. Nothing here is waited for by a request.

mod driver;
mod learned;
mod pace;
mod watching;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use floodwall_console::{Losses, Readiness, Snapshot};
use floodwall_edge::{AccessSink, BoundAddresses, BoundEdge, EdgeError};
use floodwall_model::{Clock, EdgeCounts, Timestamp};
use floodwall_policy::{CrawlerCheckSettings, ReferenceKey};
use floodwall_store::{HandleSettings, Store, StoreError, StoreHandle};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::access_log::{AccessLog, AccessLogError};
use crate::admin_socket::{AdminDesk, AdminSocket};
use crate::baselines_file;
use crate::certificates::CertificateWatch;
use crate::client_files::{self};
use crate::clock::{ProcessorUse, SystemClock};
use crate::control::Control;
use crate::crawler_watch::CrawlerWatch;
use crate::edge_account::RunningEdge;
use crate::edge_config::edge_config;
use crate::evidence::EvidenceRecorder;
use crate::incident::{IncidentArchive, close_left_open};
use crate::orders::OperatorOrders;
use crate::service_manager::ServiceManager;
use crate::settings::{Settings, VerifyCrawlers};
use crate::state_secret::{self, SecretError};
use crate::status;
use driver::Driver;
use learned::detection;
use watching::WatchStart;

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
    let access_log = settings.server.access_log.as_ref().map(AccessLog::start).transpose()?.map(Arc::new);
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
        let (store, watch) = open_store(settings, clock.now())?;
        let secret = state_secret::read_or_make(state)?;
        bound.use_secret(&secret);
        let client_files = client_files::start(settings, watch_crawlers(settings, &clock));
        bound.use_register(client_files.clone());
        let admin_socket = open_admin_socket(state);
        let edge = bound.start()?;
        let snapshots = watch::Sender::new(Arc::new(nothing_yet(clock.now())));
        let incidents = IncidentArchive::new(store.clone(), snapshots.subscribe());
        let status = status::start(settings, store.clone(), incidents.clone(), snapshots.subscribe());
        let detection = detection(settings)?;
        let (outages, watch) = watching::start(watch, settings, &clock);
        let account = Arc::new(RunningEdge(edge.accounts()));
        let orders = OperatorOrders::start(state, account.clone(), clock.now());
        let desk = AdminDesk {
            key: ReferenceKey::new(&secret),
            sites: settings.sites.iter().map(|site| site.name.clone()).collect(),
            account,
            clients: client_files.clone(),
            incidents: Some(incidents.clone()),
            status: Some(status),
            orders: orders.clone(),
            clock: clock.clone(),
        };
        let addresses = Addresses { edge: edge.addresses().clone(), admin: admin_address };
        let certificates = edge.certificates().map(CertificateWatch::start);
        let driver = Driver {
            started: clock.now(),
            certificates,
            client_files,
            evidence: EvidenceRecorder::start(settings, &clock),
            manager: ServiceManager::find(),
            admin_hosts: settings.server.admin_hosts.clone(),
            control: Control::new(days(settings.store.retention_days), detection).with_watch(outages),
            watch,
            processor: ProcessorUse::start(clock.now()),
            baselines: state.join(baselines_file::FILE),
            incidents,
            orders,
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
        watched: Vec::new(),
        edge: EdgeCounts::default(),
        losses: Losses::default(),
        listeners: Vec::new(),
        admin_listener: String::new(),
    }
}

fn open_store(settings: &Settings, now: Timestamp) -> Result<(StoreHandle, WatchStart), ServeError> {
    let directory = &settings.server.state;
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
    let watch = watching::prepare(settings, &mut store, now)?;
    Ok((StoreHandle::start(store, HandleSettings::default())?, watch))
}

/// Without it crawlers are known by their operators' published ranges only.
fn watch_crawlers(settings: &Settings, clock: &Arc<dyn Clock>) -> Option<Arc<CrawlerWatch>> {
    if settings.server.verify_crawlers == VerifyCrawlers::Off {
        return None;
    }
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
