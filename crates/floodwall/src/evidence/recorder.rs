//! What the running server records: its start and stop, each minute, each change of a rung, what is said
//! of incidents.
//!
//! It never holds up the control loop: records go into a bounded queue. A log that cannot be opened
//! is no reason not to serve; it is said once, and visitors are let through as before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use floodwall_evidence::{
    Fact, IncidentRevision, MinuteSummary, OperatorAction, Origin, OutageSeen, RungChange, SensorHealth,
    SiteMinute, Start, Stop, is_key_name,
};
use floodwall_evidence_log::{EvidenceError, EvidenceHandle, HandleSettings, open};
use floodwall_model::{
    AdmissionCounts, Clock, EdgeCounts, IncidentRecord, SiteSnapshot, Timestamp, TrafficCounts,
};

use crate::claim::ClaimInbox;
use floodwall_outage::{OutageRecord, family_name};

use crate::control::RungNews;
use crate::settings::{HostPattern, Settings};

/// How long writing the last records may take.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

/// Figures of the edge that say what was dropped, by their names in the store.
const DROPS: [&str; 4] =
    ["access_records_dropped", "kept_dropped", "limiter_evictions", "connections_refused"];

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
fn permille(likelihood: f64) -> u64 {
    (likelihood.clamp(0.0, 1.0) * 1_000.0).round() as u64
}

/// The running server's records. Where the log cannot be opened, all of it does nothing.
#[derive(Debug)]
pub(crate) struct EvidenceRecorder {
    open: Option<OpenLog>,
    minute: MinuteFacts,
    stopping: &'static str,
}

impl EvidenceRecorder {
    /// Opens the log in the state directory and records the start.
    pub(crate) fn start(settings: &Settings, clock: &Arc<dyn Clock>) -> Self {
        let open = OpenLog::start(settings, clock)
            .inspect_err(
                |error| tracing::error!(%error, "nothing is recorded as evidence; the server serves without"),
            )
            .ok();
        Self { open, minute: MinuteFacts::default(), stopping: "not said" }
    }

    /// Takes in the figures of a second; records a minute when it is over.
    pub(crate) fn second(&mut self, now: Timestamp, sites: &[SiteSnapshot], edge: &EdgeCounts) {
        let Some(open) = &mut self.open else { return };
        if let Some(summary) = self.minute.second(now, sites, edge) {
            open.append(now, Fact::Minute(summary));
        }
        open.say_losses();
    }

    /// Records that more or less is asked of visitors.
    pub(crate) fn rung(&self, now: Timestamp, news: &RungNews) {
        let Some(open) = &self.open else { return };
        open.append(
            now,
            Fact::Rung(RungChange {
                site: news.site.to_string(),
                path_class: news.class.to_string(),
                before: Some(news.before),
                rung: news.rung,
                asks: news.rung_name.to_owned(),
            }),
        );
    }

    /// Records what is said of an incident, each time it is told.
    pub(crate) fn incident(&self, now: Timestamp, record: &IncidentRecord) {
        let Some(open) = &self.open else { return };
        let incident = &record.incident;
        let Some(judgement) = incident.judgement() else { return };
        let dropped = u64::from(incident.revisions_dropped);
        open.append(
            now,
            Fact::Incident(IncidentRevision {
                incident: record.key.to_string(),
                revision: u64::try_from(incident.revisions.len()).unwrap_or(u64::MAX).saturating_add(dropped),
                site: record.site.to_string(),
                state: incident.state.as_str().to_owned(),
                verdict: judgement.verdict.as_str().to_owned(),
                likelihood_permille: permille(judgement.likelihood()),
                onset_unix_s: incident.onset.likely_unix_s,
                ended_unix_s: incident.ended_unix_s,
                grounds: judgement.grounds.iter().map(ToString::to_string).collect(),
                sources: None,
            }),
        );
    }

    /// Records that the watch confirmed an outage, or its end.
    pub(crate) fn outage(&self, now: Timestamp, record: &OutageRecord) {
        let Some(open) = &self.open else { return };
        let (outage, seconds) = (&record.outage, |micros: i64| micros.div_euclid(1_000_000));
        let causes = outage.causes.iter().map(|count| format!("{}={}", count.cause.as_str(), count.samples));
        open.append(
            now,
            Fact::Outage(OutageSeen {
                outage: record.key.to_string(),
                target: record.target.to_string(),
                site: record.site.as_deref().map(str::to_owned),
                vantage: record.vantage.to_string(),
                family: family_name(record.family).to_owned(),
                start_earliest_unix_s: outage.start.earliest_unix_micros.map(seconds),
                start_latest_unix_s: seconds(outage.start.latest_unix_micros),
                end_earliest_unix_s: outage.end.and_then(|end| end.earliest_unix_micros).map(seconds),
                end_latest_unix_s: outage.end.map(|end| seconds(end.latest_unix_micros)),
                causes: causes.collect(),
            }),
        );
    }

    /// Records what an operator did: in words, without who it was.
    pub(crate) fn operator(&self, now: Timestamp, action: String) {
        let Some(open) = &self.open else { return };
        open.append(now, Fact::Operator(OperatorAction { action, operator: None, detail: None }));
    }

    /// Records lost since the start.
    pub(crate) fn lost(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.handle.figures().lost)
    }

    /// Notes why the server stops.
    pub(crate) fn stopping(&mut self, reason: &'static str) {
        self.stopping = reason;
    }

    /// Records the minute that is not over and the stop, and closes the log.
    pub(crate) fn stop(&mut self, now: Timestamp) {
        let Some(mut open) = self.open.take() else { return };
        open.claims = None;
        if let Some(summary) = self.minute.end(now) {
            open.append(now, Fact::Minute(summary));
        }
        open.append(now, Fact::Stop(Stop { reason: self.stopping.to_owned() }));
        if !open.handle.close(CLOSE_DEADLINE) {
            tracing::error!("the evidence log did not take the last records");
        }
    }
}

/// A log that takes records.
#[derive(Debug)]
struct OpenLog {
    handle: EvidenceHandle,
    origin: Origin,
    lost_said: u64,
    /// Claims that commands lay ready; `None` once the server stops.
    claims: Option<ClaimInbox>,
}

impl OpenLog {
    fn start(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<Self, EvidenceError> {
        let sites: Vec<String> = settings.sites.iter().map(|site| site.name.clone()).collect();
        let host = settings.sites.iter().flat_map(|site| &site.hosts).find_map(|host| match host {
            HostPattern::Exact(name) if is_key_name(name) => Some(name.as_str()),
            _ => None,
        });
        let now = clock.now();
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(EvidenceError::Random)?;
        let origin = Origin::new(now, random);
        let name = format!("{}/floodwall", host.unwrap_or("localhost"));
        let (log, opened) = open(&settings.server.state.join(super::DIRECTORY), &name, &origin, now)?;
        match (&opened.continues, opened.is_new) {
            (Some(before), _) => tracing::warn!(
                before = before.origin,
                why = before.why,
                "the evidence log is not continued: a new one begins, and says so; the old one stays as it is"
            ),
            (None, true) => tracing::info!(key = %log.verifier(), "a new evidence log; publish its key"),
            (None, false) => {}
        }
        if opened.files_cut > 0 {
            tracing::info!(
                files = opened.files_cut,
                "the evidence log was ended by force: what was half written is cut"
            );
        }
        let handle = EvidenceHandle::start(log, origin.clone(), clock.clone(), HandleSettings::default())?;
        let mut open = Self { handle, origin, lost_said: 0, claims: None };
        open.append(now, Fact::Start(Start { version: env!("CARGO_PKG_VERSION").to_owned(), sites }));
        let (handle, origin) = (open.handle.clone(), open.origin.clone());
        open.claims = Some(ClaimInbox::start(&settings.server.state, handle, origin, clock.clone()));
        Ok(open)
    }

    fn append(&self, now: Timestamp, fact: Fact) {
        match self.origin.record(now, fact).to_bytes() {
            Ok(record) => self.handle.append(record),
            Err(error) => tracing::error!(%error, "a record of evidence could not be written"),
        }
    }

    fn say_losses(&mut self) {
        let lost = self.handle.figures().lost;
        if lost > self.lost_said {
            tracing::error!(
                records = lost - self.lost_said,
                "records of evidence were lost; the log will say so"
            );
            self.lost_said = lost;
        }
    }
}

/// The figures of the minute that runs, out of figures that only grow. Bounded by the sites.
#[derive(Debug, Default)]
pub(crate) struct MinuteFacts {
    minute_unix_s: Option<i64>,
    seconds_read: u64,
    began: Option<Timestamp>,
    last: Option<Timestamp>,
    /// As of the minute's start.
    sites: BTreeMap<Arc<str>, (TrafficCounts, AdmissionCounts)>,
    edge: EdgeCounts,
    /// As of the last second.
    now_sites: Vec<SiteSnapshot>,
    now_edge: EdgeCounts,
}

impl MinuteFacts {
    /// Takes in a second; the summary of the minute that it ended, if it did.
    pub(crate) fn second(
        &mut self,
        now: Timestamp,
        sites: &[SiteSnapshot],
        edge: &EdgeCounts,
    ) -> Option<MinuteSummary> {
        let minute = now.minute_start_unix_seconds();
        let is_over = self.minute_unix_s.is_some_and(|running| running != minute);
        // What was counted up to this second belongs to the minute that ends with it.
        self.now_sites = sites.to_vec();
        self.now_edge = *edge;
        let ended = if is_over { self.end(now) } else { None };
        if self.minute_unix_s.is_none() {
            self.minute_unix_s = Some(minute);
            self.began = Some(now);
        }
        self.seconds_read += 1;
        self.last = Some(now);
        ended
    }

    /// The summary of the minute that runs, as far as it went.
    pub(crate) fn end(&mut self, now: Timestamp) -> Option<MinuteSummary> {
        let minute_unix_s = self.minute_unix_s.take()?;
        let mut sites = BTreeMap::new();
        let current = std::mem::take(&mut self.now_sites);
        for site in &current {
            let (traffic, gates) = self.sites.get(&site.name).copied().unwrap_or_default();
            let total =
                site.gates.iter().fold(AdmissionCounts::default(), |sum, gate| sum.plus(&gate.counts));
            let mut origins: BTreeMap<String, u64> = BTreeMap::new();
            for origin in &site.origins {
                *origins.entry(origin.health.as_str().to_owned()).or_default() += 1;
            }
            let minute = SiteMinute {
                traffic: named(TrafficCounts::FIELDS, &site.counts.since(&traffic).values()),
                gates: named(AdmissionCounts::FIELDS, &total.since(&gates).values()),
                origins,
            };
            sites.insert(site.name.to_string(), minute);
            self.sites.insert(site.name.clone(), (site.counts, total));
        }
        let mut dropped = named(EdgeCounts::FIELDS, &self.now_edge.since(&self.edge).values());
        dropped.retain(|name, _| DROPS.contains(&name.as_str()));
        self.edge = self.now_edge;
        let sensor = SensorHealth {
            seconds_read: std::mem::take(&mut self.seconds_read),
            clock_step_ms: self.began.map_or(0, |began| step_ms(began, now)),
            clock_offset_ms: None,
            clock_source: crate::doctor::clock_keeper().map(str::to_owned),
            connections_open: bounded(self.now_edge.connections_open),
            dropped,
        };
        self.began = None;
        Some(MinuteSummary { minute_unix_s, sites, sensor })
    }
}

/// How much further the wall clock went than the one that is never set.
fn step_ms(began: Timestamp, now: Timestamp) -> i64 {
    let wall = now.wall_unix_micros().saturating_sub(began.wall_unix_micros());
    let monotonic = i64::try_from(now.since(began).as_micros()).unwrap_or(i64::MAX);
    wall.saturating_sub(monotonic) / 1000
}

fn bounded(figure: u64) -> u64 {
    figure.min(floodwall_evidence::INTEGER_MAX)
}

/// Figures by name, without those that are 0.
fn named(fields: &[(&str, &str)], values: &[u64]) -> BTreeMap<String, u64> {
    let figures = fields.iter().zip(values).filter(|(_, value)| **value > 0);
    figures.map(|((name, _), value)| ((*name).to_owned(), bounded(*value))).collect()
}
