//! The control loop's decisions: events in, commands out. It touches nothing itself, so that hours
//! of it can be replayed in milliseconds; the driver in `serve` carries the commands out.

mod gates;
mod incidents;
mod outages;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use floodwall_detection::Baselines;
use floodwall_model::{
    AdmissionCounts, EdgeCounts, IncidentRecord, MinuteTraffic, OriginHealth, SiteSnapshot, Timestamp,
    TrafficCounts,
};
use floodwall_outage::{OutageRecord, TargetStatus, WatchRecord};
use gates::GatesHistory;

pub(crate) use gates::RungNews;
pub(crate) use incidents::{Detection, IncidentNews, SecondSeen, SiteToWatch};
pub(crate) use outages::{FamilyResult, OutageNews, Outages, ProbeResult, TargetToWatch};

/// Seconds of history kept in memory for "in the last minute".
const SECONDS_KEPT: usize = 60;

/// How often old rows are looked for in the store.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// Everything that can happen to the control loop.
#[expect(clippy::large_enum_variant, reason = "there is one a second")]
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A second has passed; these are the data plane's figures.
    Second { now: Timestamp, sites: Vec<SiteSnapshot>, edge: EdgeCounts, seen: SecondSeen },
    /// Half a second has passed: time to hand traffic to the store, and for nothing else.
    HalfSecond { now: Timestamp, sites: Vec<SiteSnapshot> },
    /// The watch has probed a target.
    Probed(Box<ProbeResult>),
    /// The operator asks for files to be opened and read anew (SIGHUP).
    HangUp,
    /// The operator or the service manager asks to stop (SIGTERM, SIGINT).
    Stop { signal: &'static str },
    /// A worker thread has ended by itself.
    WorkerEnded,
}

/// Everything the control loop can ask for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Command {
    /// Show these figures in console and metrics.
    Publish(Box<Figures>),
    /// Add this traffic to the store.
    AddTraffic(Vec<MinuteTraffic>),
    /// Delete traffic of minutes before this one from the store.
    Prune { before_unix_seconds: i64 },
    /// Tell the operator that an origin changed its state.
    ReportOrigin { site: Arc<str>, url: Arc<str>, health: OriginHealth, why: Option<Arc<str>> },
    /// Tell the operator that more or less is asked of visitors.
    ReportRung(RungNews),
    /// Tell the operator of an incident.
    TellIncident { news: IncidentNews, record: Box<IncidentRecord> },
    /// Tell the operator what makes detection worse than it could be.
    TellNotice { site: Arc<str>, words: String },
    /// Write an incident to the store, whether or not it is there.
    KeepIncident(Box<IncidentRecord>),
    /// Tell the operator of an outage.
    TellOutage { news: OutageNews, record: Box<OutageRecord> },
    /// Write what the watch saw to the store.
    KeepWatch(Box<WatchRecord>),
    /// Save what was learned of calm times ([`Control::baselines`]).
    SaveBaselines,
    /// Open log files anew.
    ReopenLogs,
    /// Load certificates anew.
    ReloadCertificates,
    /// Stop accepting, drain, and end.
    Drain { reason: &'static str, failed: bool },
}

/// One site's recent traffic.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SiteFigures {
    pub(crate) snapshot: SiteSnapshot,
    pub(crate) last_second: TrafficCounts,
    pub(crate) last_minute: TrafficCounts,
    /// What each gate did, in the order of the snapshot's gates.
    pub(crate) gates_last_minute: Vec<AdmissionCounts>,
}

/// What is shown to people and scrapers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figures {
    pub(crate) at: Timestamp,
    pub(crate) sites: Vec<SiteFigures>,
    pub(crate) edge: EdgeCounts,
    /// Incidents that go on.
    pub(crate) incidents: Vec<IncidentRecord>,
    /// Incidents opened since the start, by site.
    pub(crate) incidents_opened: Vec<u64>,
    /// How every target of the watch stands.
    pub(crate) watched: Vec<TargetStatus>,
}

/// State of the control loop, bounded by the number of sites.
#[derive(Debug)]
pub(crate) struct Control {
    retention: Duration,
    sites: HashMap<Arc<str>, SiteHistory>,
    detection: Detection,
    outages: Outages,
    pruned: Option<Timestamp>,
    stopping: bool,
}

#[derive(Debug, Default)]
struct SiteHistory {
    /// As of the last second.
    total: TrafficCounts,
    /// As of when traffic was last handed to the store.
    handed_over: TrafficCounts,
    seconds: VecDeque<TrafficCounts>,
    health: HashMap<Arc<str>, OriginHealth>,
    gates: GatesHistory,
}

impl Control {
    /// `retention`: how long minutes of traffic are kept.
    pub(crate) fn new(retention: Duration, detection: Detection) -> Self {
        let (sites, outages) = (HashMap::new(), Outages::default());
        Self { retention, sites, detection, outages, pruned: None, stopping: false }
    }

    /// With a watch.
    pub(crate) fn with_watch(self, outages: Outages) -> Self {
        Self { outages, ..self }
    }

    /// What was learned of each site's calm times.
    pub(crate) fn baselines(&self) -> Vec<(Arc<str>, Baselines)> {
        self.detection.baselines()
    }

    /// Takes one event and says what is to be done.
    pub(crate) fn handle(&mut self, event: Event) -> Vec<Command> {
        match event {
            Event::Second { now, sites, edge, seen } => self.second(now, sites, edge, &seen),
            Event::HalfSecond { now, sites } => {
                let traffic = self.traffic(now, &sites);
                if traffic.is_empty() { Vec::new() } else { vec![Command::AddTraffic(traffic)] }
            }
            Event::Probed(result) => self.outages.probed(*result),
            Event::HangUp => vec![Command::ReopenLogs, Command::ReloadCertificates],
            Event::Stop { signal } => self.stop(signal, false),
            Event::WorkerEnded => self.stop("a worker thread ended", true),
        }
    }

    /// Whether it was asked to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping
    }

    fn stop(&mut self, reason: &'static str, failed: bool) -> Vec<Command> {
        if std::mem::replace(&mut self.stopping, true) {
            return Vec::new();
        }
        let mut commands: Vec<_> = self.outages.last_words().into_iter().collect();
        commands.push(Command::Drain { reason, failed });
        commands
    }

    fn second(
        &mut self,
        now: Timestamp,
        sites: Vec<SiteSnapshot>,
        edge: EdgeCounts,
        seen: &SecondSeen,
    ) -> Vec<Command> {
        let watch: Vec<_> = sites.iter().map(|site| self.outages.seen_of(&site.name, now)).collect();
        let mut commands = self.detection.second(now, &sites, &edge, seen, &watch);
        let traffic = self.traffic(now, &sites);
        let mut figures = Vec::new();
        for snapshot in sites {
            let history = self.sites.entry(snapshot.name.clone()).or_default();
            let added = snapshot.counts.since(&history.total);
            history.total = snapshot.counts;
            if history.seconds.len() == SECONDS_KEPT {
                history.seconds.pop_front();
            }
            history.seconds.push_back(added);
            let last_minute = history.seconds.iter().fold(TrafficCounts::default(), |sum, s| sum.plus(s));
            report_origins(&mut history.health, &snapshot, &mut commands);
            let (gates_last_minute, news) = history.gates.second(&snapshot);
            commands.extend(news.into_iter().map(Command::ReportRung));
            figures.push(SiteFigures { snapshot, last_second: added, last_minute, gates_last_minute });
        }
        if !traffic.is_empty() {
            commands.push(Command::AddTraffic(traffic));
        }
        if self.pruned.is_none_or(|last| now.since(last) >= PRUNE_EVERY) {
            self.pruned = Some(now);
            let kept = i64::try_from(self.retention.as_secs()).unwrap_or(i64::MAX);
            let before_unix_seconds = now.minute_start_unix_seconds().saturating_sub(kept);
            commands.push(Command::Prune { before_unix_seconds });
        }
        let (incidents, incidents_opened) = (self.detection.open(), self.detection.opened());
        let watched = self.outages.status(now);
        let figures = Figures { at: now, sites: figures, edge, incidents, incidents_opened, watched };
        commands.push(Command::Publish(Box::new(figures)));
        commands
    }

    /// What each site has counted since traffic was last handed to the store.
    fn traffic(&mut self, now: Timestamp, sites: &[SiteSnapshot]) -> Vec<MinuteTraffic> {
        let mut traffic = Vec::new();
        for snapshot in sites {
            let history = self.sites.entry(snapshot.name.clone()).or_default();
            let counts = snapshot.counts.since(&history.handed_over);
            history.handed_over = snapshot.counts;
            let admission = history.gates.hand_over(&snapshot.gates);
            if counts != TrafficCounts::default() || admission != AdmissionCounts::default() {
                let (site, minute_unix_seconds) = (snapshot.name.clone(), now.minute_start_unix_seconds());
                traffic.push(MinuteTraffic { site, minute_unix_seconds, counts, admission });
            }
        }
        traffic
    }
}

/// Tells of every origin whose state is another than a second ago; its first "up" is no news.
fn report_origins(
    known: &mut HashMap<Arc<str>, OriginHealth>,
    site: &SiteSnapshot,
    commands: &mut Vec<Command>,
) {
    for origin in &site.origins {
        let before = known.insert(origin.url.clone(), origin.health).unwrap_or(OriginHealth::Unknown);
        let news = match (before, origin.health) {
            (before, now) if before == now => false,
            (OriginHealth::Unknown, OriginHealth::Up) => false,
            _ => true,
        };
        if news {
            commands.push(Command::ReportOrigin {
                site: site.name.clone(),
                url: origin.url.clone(),
                health: origin.health,
                why: origin.last_failure.clone(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use floodwall_model::{OriginStatus, SiteId};

    fn at(seconds: u64) -> Timestamp {
        Timestamp::new(Duration::from_secs(seconds), i64::try_from(seconds).unwrap() * 1_000_000)
    }

    fn site(requests: u64, health: OriginHealth) -> SiteSnapshot {
        SiteSnapshot {
            site: SiteId(0),
            name: "sos".into(),
            hosts: Vec::new(),
            role: None,
            counts: TrafficCounts { requests, ..TrafficCounts::default() },
            origins: vec![OriginStatus { url: "http://o".into(), health, since: None, last_failure: None }],
            gates: Vec::new(),
            person_reports: 0,
            last_person_report: None,
        }
    }

    fn second(control: &mut Control, now: u64, requests: u64, health: OriginHealth) -> Vec<Command> {
        let sites = vec![site(requests, health)];
        control.handle(Event::Second {
            now: at(now),
            sites,
            edge: EdgeCounts::default(),
            seen: SecondSeen::default(),
        })
    }

    #[test]
    fn an_hour_of_seconds_adds_up_in_minutes() {
        let mut control = Control::new(Duration::from_secs(3600), Detection::default());
        let mut minutes: HashMap<i64, u64> = HashMap::new();
        for now in 0..3600 {
            for command in second(&mut control, now, now * 3, OriginHealth::Up) {
                if let Command::AddTraffic(rows) = command {
                    for row in rows {
                        *minutes.entry(row.minute_unix_seconds).or_default() += row.counts.requests;
                    }
                }
            }
        }
        assert_eq!(minutes.values().sum::<u64>(), 3599 * 3);
        assert_eq!(minutes.get(&60), Some(&180));
        assert_eq!(minutes.len(), 60);
        assert!(control.sites.values().all(|site| site.seconds.len() == SECONDS_KEPT));
    }

    #[test]
    fn the_last_minute_forgets_what_is_older() {
        let mut control = Control::new(Duration::from_secs(3600), Detection::default());
        second(&mut control, 0, 500, OriginHealth::Up);
        let mut last = Vec::new();
        for now in 1..=60 {
            last = second(&mut control, now, 500 + now, OriginHealth::Up);
        }
        let Some(Command::Publish(figures)) = last.pop() else { panic!("figures are published each second") };
        assert_eq!(figures.sites[0].last_minute.requests, 60);
        assert_eq!(figures.sites[0].last_second.requests, 1);
    }

    #[test]
    fn half_seconds_hand_over_what_is_new_and_leave_the_last_second_whole() {
        let mut control = Control::new(Duration::from_secs(3600), Detection::default());
        second(&mut control, 0, 0, OriginHealth::Up);
        let half = Event::HalfSecond { now: at(0), sites: vec![site(30, OriginHealth::Up)] };
        let handed_over = |commands: &[Command]| -> u64 {
            let rows = commands.iter().filter_map(|command| match command {
                Command::AddTraffic(rows) => Some(rows),
                _ => None,
            });
            rows.flatten().map(|row| row.counts.requests).sum()
        };
        assert_eq!(handed_over(&control.handle(half.clone())), 30);
        assert_eq!(control.handle(half), []);
        let mut commands = second(&mut control, 1, 50, OriginHealth::Up);
        assert_eq!(handed_over(&commands), 20);
        let Some(Command::Publish(figures)) = commands.pop() else {
            panic!("figures are published each second")
        };
        assert_eq!(figures.sites[0].last_second.requests, 50);
    }

    #[test]
    fn origin_news_is_told_once() {
        let mut control = Control::new(Duration::from_secs(3600), Detection::default());
        let mut told = Vec::new();
        let states = [OriginHealth::Up, OriginHealth::Down, OriginHealth::Down, OriginHealth::Up];
        for (now, health) in (0..).zip(states) {
            for command in second(&mut control, now, 0, health) {
                if let Command::ReportOrigin { health, .. } = command {
                    told.push(health);
                }
            }
        }
        assert_eq!(told, [OriginHealth::Down, OriginHealth::Up]);
    }

    #[test]
    fn prunes_at_the_start_and_once_an_hour() {
        let mut control = Control::new(Duration::from_secs(86_400), Detection::default());
        let prunes = (0..7201).filter(|now| {
            second(&mut control, 100_000 + now, 0, OriginHealth::Up)
                .iter()
                .any(|command| matches!(command, Command::Prune { .. }))
        });
        assert_eq!(prunes.count(), 3);
    }

    #[test]
    fn stops_once() {
        let mut control = Control::new(Duration::from_secs(1), Detection::default());
        assert_eq!(
            control.handle(Event::Stop { signal: "SIGTERM" }),
            [Command::Drain { reason: "SIGTERM", failed: false }]
        );
        assert_eq!(control.handle(Event::WorkerEnded), []);
    }
}
