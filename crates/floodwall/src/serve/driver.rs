//! The driver of the control loop: hands it what happens, and does what it decides.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use floodwall_console::{Console, Losses, Readiness, SiteFigures, Snapshot};
use floodwall_edge::EdgeHandle;
use floodwall_model::{Clock, OriginHealth, Timestamp};
use floodwall_store::{StoreFigures, StoreHandle};
use floodwall_watch::Judged;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::learned::save_baselines;
use super::pace::{Beat, Pace};
use super::{Addresses, Ended, FLUSH_DEADLINE, ServeError, watching};
use crate::access_log::AccessLogHandle;
use crate::certificates::CertificateWatch;
use crate::client_files::{self, ClientFiles};
use crate::clock::ProcessorUse;
use crate::control::{Command, Control, Event, Figures, RungNews, SecondSeen};
use crate::evidence::EvidenceRecorder;
use crate::history::StoreHistory;
use crate::incident::{self, IncidentArchive, to_stored};
use crate::orders::OperatorOrders;
use crate::outage;
use crate::service_manager::ServiceManager;

/// Carries out what the control loop decides.
pub(super) struct Driver {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) started: Timestamp,
    pub(super) control: Control,
    pub(super) edge: EdgeHandle,
    pub(super) certificates: Option<CertificateWatch>,
    pub(super) client_files: Arc<ClientFiles>,
    pub(super) evidence: EvidenceRecorder,
    pub(super) orders: Arc<OperatorOrders>,
    pub(super) manager: ServiceManager,
    pub(super) admin_hosts: Vec<String>,
    pub(super) store: StoreHandle,
    pub(super) incidents: IncidentArchive,
    /// Where the watch's results come from.
    pub(super) watch: Option<mpsc::Receiver<Judged>>,
    /// Where what was learned is saved.
    pub(super) baselines: PathBuf,
    pub(super) processor: ProcessorUse,
    pub(super) access_log: Option<Arc<AccessLogHandle>>,
    pub(super) addresses: Addresses,
    pub(super) snapshots: watch::Sender<Arc<Snapshot>>,
    pub(super) drain: Duration,
}

impl Driver {
    pub(super) async fn run(mut self, admin: TcpListener, ready: impl FnOnce()) -> Result<Ended, ServeError> {
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
                judged = watching::next(&mut self.watch) => {
                    Event::Probed(Box::new(watching::result(judged, self.clock.now())))
                }
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
        if let Event::Second { now, sites, edge, .. } = &event {
            self.evidence.second(*now, sites, edge);
            let done = self.orders.second(*now);
            done.into_iter().for_each(|action| self.evidence.operator(*now, action));
        }
        for command in self.control.handle(event) {
            match command {
                Command::Publish(figures) => self.publish(*figures, &store),
                Command::AddTraffic(minutes) => self.store.add_traffic(&minutes),
                Command::Prune { before_unix_seconds } => self.store.prune(before_unix_seconds),
                Command::ReportOrigin { site, url, health, why } => {
                    report_origin(&site, &url, health, why.as_deref());
                }
                Command::ReportRung(news) => {
                    report_rung(&news);
                    self.evidence.rung(self.clock.now(), &news);
                }
                Command::TellIncident { news, record } => {
                    incident::tell(news, &record);
                    self.evidence.incident(self.clock.now(), &record);
                }
                Command::TellNotice { site, words } => tracing::warn!(%site, "detection: {words}"),
                Command::KeepIncident(record) => {
                    if !self.store.put_incident(to_stored(&record)) {
                        tracing::warn!(incident = %record.key, "the store takes no more incidents for now");
                    }
                }
                Command::TellOutage { news, record } => {
                    outage::tell(news, &record);
                    self.evidence.outage(self.clock.now(), &record);
                }
                Command::KeepWatch(record) => {
                    if !self.store.put_watch(outage::to_rows(&record)) {
                        tracing::warn!("the store takes no more of what the watch saw for now");
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
                    client_files::read_again(self.client_files.clone());
                }
                Command::Drain { reason, failed } => {
                    self.evidence.stopping(reason);
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
            watched: figures.watched,
            edge: figures.edge,
            losses: Losses {
                events_dropped: 0,
                store_backlog_records: store.backlog_records,
                store_records_dropped: store.records_dropped,
                evidence_records_lost: self.evidence.lost(),
                crawler_checks_dropped: self.client_files.crawler_checks_dropped(),
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
        self.evidence.stop(self.clock.now());
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
