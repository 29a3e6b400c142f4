//! Detection in the control loop: each site's second into its detector, and what that says into commands.
//!
//! Pure as the loop: what was seen comes in, with `now`; nothing is read or written here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use floodwall_detection::{
    Baselines, Calendar, Change, ConnectionsSeen, Detector, EdgeSeen, OriginSeen, SecondSummary,
    Surroundings, WatchSeen,
};
use floodwall_model::{
    EdgeCounts, IncidentId, IncidentRecord, IncidentState, Measure, OriginHealth, SiteId, SiteSnapshot,
    Timestamp, TrafficCounts, TrafficVerdict,
};
use jiff::tz::TimeZone;

use super::Command;

/// How often an incident that goes on is written anew, when nothing else changes in it.
const KEPT_EVERY: Duration = Duration::from_secs(5);
/// How often what was learned is saved.
const SAVED_EVERY: Duration = Duration::from_secs(300);
/// A tick that follows sooner is none: the server counts once more when it stops.
const TICK_LEAST: Duration = Duration::from_millis(500);
/// Things done that are told of one incident.
const MEASURES_MAX: usize = 64;
/// Characters of a site's name in an incident's.
const NAME_CHARS_MAX: usize = 40;

/// What detection is told of a site before its first second.
#[derive(Clone, Debug)]
pub(crate) struct SiteToWatch {
    pub(crate) name: Arc<str>,
    pub(crate) calendar: Calendar,
    /// By whose clock its visitors live.
    pub(crate) zone: TimeZone,
    /// What was learned before.
    pub(crate) baselines: Option<Baselines>,
    /// Secret.
    pub(crate) seed: u64,
}

/// What detection is told of a second, besides the counters.
#[derive(Clone, Debug, Default)]
pub(crate) struct SecondSeen {
    /// What was asked of each site, in the order of the sites.
    pub(crate) sites: Vec<SecondSummary>,
    /// Use of the processor time this server has, 0 to 1; `None` where it cannot be read.
    pub(crate) processor: Option<f64>,
}

/// What the operator is told of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IncidentNews {
    Opened,
    /// It had seemed to be over.
    Reopened,
    /// It is judged to be something else than the operator was told.
    JudgedAnew,
    Ended,
}

/// Detection of all sites; bounded by their number ([`Detector::BYTES`] each).
#[derive(Debug, Default)]
pub(crate) struct Detection {
    sites: Vec<SiteDetection>,
    edge_before: EdgeCounts,
    ticked: Option<Timestamp>,
    saved: Option<Timestamp>,
    /// Incidents opened since the start, all sites together: what opens in the same second has another
    /// number.
    opened: u64,
}

#[derive(Debug)]
struct SiteDetection {
    name: Arc<str>,
    zone: TimeZone,
    detector: Detector,
    before: TrafficCounts,
    rungs: HashMap<Arc<str>, u8>,
    opened: u64,
    current: Option<Current>,
}

/// The incident that is open, or was the last.
#[derive(Debug)]
struct Current {
    id: IncidentId,
    key: Arc<str>,
    measures: Vec<Measure>,
    told: Option<TrafficVerdict>,
    kept: Timestamp,
}

impl Detection {
    pub(crate) fn new(sites: Vec<SiteToWatch>) -> Self {
        let site = |(site, number): (SiteToWatch, u16)| {
            let mut detector = Detector::new(SiteId(number), site.seed);
            detector.set_calendar(site.calendar);
            if let Some(baselines) = site.baselines {
                detector.set_baselines(baselines);
            }
            SiteDetection {
                name: site.name,
                zone: site.zone,
                detector,
                before: TrafficCounts::default(),
                rungs: HashMap::new(),
                opened: 0,
                current: None,
            }
        };
        Self { sites: sites.into_iter().zip(0..).map(site).collect(), ..Self::default() }
    }

    /// Takes in a second; what is to be done about it.
    pub(super) fn second(
        &mut self,
        now: Timestamp,
        sites: &[SiteSnapshot],
        edge: &EdgeCounts,
        seen: &SecondSeen,
        watch: &[Option<WatchSeen>],
    ) -> Vec<Command> {
        let mut commands = Vec::new();
        if self.ticked.is_some_and(|ticked| now.since(ticked) < TICK_LEAST) {
            return commands;
        }
        self.ticked = Some(now);
        let connections = connections(&self.edge_before, edge);
        let strain = seen.processor.map(|processor| EdgeSeen {
            processor,
            dropped: edge.access_records_dropped.saturating_sub(self.edge_before.access_records_dropped),
        });
        self.edge_before = *edge;
        let nothing = SecondSummary::default();
        for (number, site) in self.sites.iter_mut().enumerate() {
            let Some(snapshot) = sites.get(number) else { continue };
            let around = Surroundings {
                utc_offset_s: utc_offset_s(&site.zone, now),
                connections: Some(connections),
                origin: Some(site.origin(snapshot)),
                edge: strain,
                watch: watch.get(number).copied().flatten(),
                ..Surroundings::default()
            };
            let summary = seen.sites.get(number).unwrap_or(&nothing);
            let changes = site.detector.tick(summary, &around, now);
            site.note_gates(snapshot, now);
            for change in changes {
                site.changed(&change, now, &mut self.opened, &mut commands);
            }
            site.keep_from_time_to_time(now, &mut commands);
        }
        if self.saved.get_or_insert(now).plus(SAVED_EVERY) <= now {
            self.saved = Some(now);
            commands.push(Command::SaveBaselines);
        }
        commands
    }

    /// Incidents that go on, in the order of their sites.
    pub(super) fn open(&self) -> Vec<IncidentRecord> {
        self.sites.iter().filter_map(SiteDetection::open).collect()
    }

    /// Incidents opened since the start, by site.
    pub(super) fn opened(&self) -> Vec<u64> {
        self.sites.iter().map(|site| site.opened).collect()
    }

    /// What was learned of each site.
    pub(super) fn baselines(&self) -> Vec<(Arc<str>, Baselines)> {
        self.sites.iter().map(|site| (site.name.clone(), site.detector.baselines().clone())).collect()
    }
}

impl SiteDetection {
    /// The origin in this second.
    fn origin(&mut self, snapshot: &SiteSnapshot) -> OriginSeen {
        let added = snapshot.counts.since(&self.before);
        self.before = snapshot.counts;
        let is = |health| snapshot.origins.iter().any(|origin| origin.health == health);
        OriginSeen {
            requests: added.origin_requests,
            failures: added.origin_errors.saturating_add(added.origin_5xx),
            wait_ms: Duration::from_micros(added.origin_wait_us).as_secs_f64() * 1000.0,
            health: match (is(OriginHealth::Up), is(OriginHealth::Down)) {
                (true, _) => OriginHealth::Up,
                (false, true) => OriginHealth::Down,
                (false, false) => OriginHealth::Unknown,
            },
        }
    }

    fn changed(&mut self, change: &Change, now: Timestamp, opened: &mut u64, commands: &mut Vec<Command>) {
        let news = match change {
            Change::Opened(id) => {
                *opened = opened.saturating_add(1);
                self.opened = self.opened.saturating_add(1);
                let key = key(&self.name, id.opened_unix_s, *opened);
                let measures = self.current.take().filter(|current| current.id == *id);
                let measures = measures.map_or_else(Vec::new, |current| current.measures);
                self.current = Some(Current { id: *id, key, measures, told: None, kept: now });
                Some(IncidentNews::Opened)
            }
            Change::Reopened(_) => Some(IncidentNews::Reopened),
            Change::Ended(_) => Some(IncidentNews::Ended),
            Change::Revised(_) | Change::Mitigated(_) => None,
            Change::Noticed(notice) => {
                commands.push(Command::TellNotice { site: self.name.clone(), words: notice.to_string() });
                return;
            }
        };
        let (Change::Opened(id)
        | Change::Reopened(id)
        | Change::Ended(id)
        | Change::Revised(id)
        | Change::Mitigated(id)) = change
        else {
            return;
        };
        let Some(record) = self.record(*id) else { return };
        let verdict = record.incident.judgement().map(|judgement| judgement.verdict);
        let Some(current) = self.current.as_mut() else { return };
        current.kept = now;
        let judged_anew = current.told != verdict;
        current.told = verdict;
        let news = news.or(judged_anew.then_some(IncidentNews::JudgedAnew));
        if let Some(news) = news {
            commands.push(Command::TellIncident { news, record: Box::new(record.clone()) });
        }
        commands.push(Command::KeepIncident(Box::new(record)));
    }

    /// What it has grown to meanwhile is not lost with a killed process.
    fn keep_from_time_to_time(&mut self, now: Timestamp, commands: &mut Vec<Command>) {
        let Some(record) = self.open() else { return };
        let Some(current) = self.current.as_mut() else { return };
        if now.since(current.kept) >= KEPT_EVERY {
            current.kept = now;
            commands.push(Command::KeepIncident(Box::new(record)));
        }
    }

    fn open(&self) -> Option<IncidentRecord> {
        let open = self.detector.open_incident()?;
        (open.state != IncidentState::Ended).then(|| self.record(open.id))?
    }

    fn record(&self, id: IncidentId) -> Option<IncidentRecord> {
        let current = self.current.as_ref().filter(|current| current.id == id)?;
        Some(IncidentRecord {
            key: current.key.clone(),
            site: self.name.clone(),
            incident: self.detector.incident(id)?.clone(),
            measures: current.measures.clone(),
        })
    }

    /// What the gates do while an incident is open, and what they did already when it opened.
    fn note_gates(&mut self, snapshot: &SiteSnapshot, now: Timestamp) {
        let Some(id) = self.detector.open_incident().map(|incident| incident.id) else {
            self.rungs = snapshot.gates.iter().map(|gate| (gate.class.clone(), 0)).collect();
            return;
        };
        let mut done = Vec::new();
        for gate in &snapshot.gates {
            let before = self.rungs.insert(gate.class.clone(), gate.rung).unwrap_or(0);
            if before != gate.rung {
                let at = if now.since(gate.since) < Duration::from_secs(3600) { gate.since } else { now };
                let (class, rung, rung_name, mode) =
                    (gate.class.clone(), gate.rung, gate.rung_name, gate.mode);
                done.push(Measure { at, class, rung, rung_name, mode });
            }
        }
        let current = match self.current.take() {
            Some(current) if current.id == id => current,
            // It opens in this second: its name is given with the change that says so.
            _ => Current { id, key: "".into(), measures: Vec::new(), told: None, kept: now },
        };
        let current = self.current.insert(current);
        for measure in done {
            add_measure(&mut current.measures, measure);
        }
    }
}

/// The first ones are kept, and the highest of the others.
fn add_measure(measures: &mut Vec<Measure>, measure: Measure) {
    if measures.len() < MEASURES_MAX {
        measures.push(measure);
    } else if let Some(last) = measures.last_mut()
        && measure.rung > last.rung
    {
        *last = measure;
    }
}

/// `sos-20261103-120000-1`: characters that stand in an address, whatever the site is called.
fn key(site: &str, opened_unix_s: i64, number: u64) -> Arc<str> {
    let stands = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
    let name: String = site.chars().take(NAME_CHARS_MAX).map(stands).collect();
    let at = jiff::Timestamp::from_second(opened_unix_s).unwrap_or_default();
    format!("{name}-{}-{number}", at.strftime("%Y%m%d-%H%M%S")).into()
}

fn utc_offset_s(zone: &TimeZone, now: Timestamp) -> i32 {
    let at = jiff::Timestamp::from_second(now.wall_unix_seconds()).unwrap_or_default();
    zone.to_offset(at).seconds()
}

/// What was no request, of the whole edge.
fn connections(before: &EdgeCounts, now: &EdgeCounts) -> ConnectionsSeen {
    let added = |field: fn(&EdgeCounts) -> u64| field(now).saturating_sub(field(before));
    ConnectionsSeen {
        accepted: added(|edge| edge.connections_accepted),
        open: now.connections_open,
        timed_out: added(|edge| edge.connections_timed_out)
            .saturating_add(added(|edge| edge.connections_refused)),
        tls_failures: added(|edge| edge.tls_handshakes_failed),
        // Requests that are cancelled are seen as such, by their status.
        resets: 0,
        unknown_hosts: added(|edge| edge.unknown_hosts),
        malformed: added(|edge| edge.malformed_requests).saturating_add(added(|edge| edge.oversized_headers)),
    }
}

#[cfg(test)]
#[path = "incident_tests.rs"]
mod tests;
