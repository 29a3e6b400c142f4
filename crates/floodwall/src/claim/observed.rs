//! What was observed, out of the evidence log and the incidents, as claims are tested against it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use floodwall_assessment::{
    Explanation, IncidentFact, MinuteFact, ReachabilityFact, RecordRef, SiteFacts, Span,
};
use floodwall_console::IncidentDocument;
use floodwall_evidence::{Fact, MinuteSummary, Record};
use floodwall_evidence_log::{LogReader, logs};

use super::reachability::{self, Reached};

/// Records of one site that are held: a year of minutes.
const MINUTES_MAX: usize = 366 * 24 * 60;
/// How far a record's own time may lie behind what it is about.
const RECORD_LAG_S: i64 = 3_600;

/// A minute's record is written when it is over, and a moment later durable.
const RECORDED_AFTER_S: i64 = 5;

/// Up to when there can be records: the minute that runs has none yet.
pub(crate) fn recorded_up_to(now_unix_s: i64) -> i64 {
    now_unix_s.saturating_sub(RECORDED_AFTER_S).div_euclid(60).saturating_mul(60)
}

/// Everything observed in a stretch of time.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    as_of_unix_s: i64,
    logs: Vec<Option<String>>,
    minutes: HashMap<String, Vec<MinuteFact>>,
    incidents: Vec<IncidentDocument>,
    /// By incident: in which log, the first and the last revision.
    revisions: BTreeMap<(String, usize), (u64, u64)>,
    /// What the watch saw, of all sites.
    reached: Vec<Reached>,
    /// By claim: where it is recorded.
    claims: BTreeMap<String, RecordRef>,
}

impl Observed {
    /// Reads it. A server that never recorded has observed nothing.
    pub(crate) fn gather(state: &Path, span: Span, as_of_unix_s: i64) -> Result<Self, String> {
        let mut observed = Self { as_of_unix_s, ..Self::default() };
        let directory = state.join(crate::evidence::DIRECTORY);
        let found = logs(&directory).unwrap_or_default();
        let several = found.len() > 1;
        for log in found {
            let name = log.file_name().map(|name| name.to_string_lossy().into_owned());
            observed.logs.push(name.filter(|_| several));
            let reader = LogReader::open(&log, None).map_err(|error| error.to_string())?;
            observed.read(&reader, span)?;
        }
        for minutes in observed.minutes.values_mut() {
            minutes.sort_by_key(|minute| (minute.minute_unix_s, minute.log, minute.record));
        }
        observed.incidents = crate::incident::recent(state)?;
        observed.reached = reachability::gather(state, span.from_unix_s)?;
        Ok(observed)
    }

    fn read(&mut self, reader: &LogReader, span: Span) -> Result<(), String> {
        let log = self.logs.len().saturating_sub(1);
        let day =
            |unix_s: i64| jiff::Timestamp::from_second(unix_s).map(|at| at.to_string()).unwrap_or_default();
        let (from, to) = (day(span.from_unix_s), day(span.to_unix_s.saturating_add(RECORD_LAG_S)));
        let outcome = reader.records(0..u64::MAX, |index, bytes| {
            // Its time stands at a record's beginning, and sorts as it reads: most need not be parsed.
            let at = bytes.get(7..26).unwrap_or_default();
            let is_of_time = from.as_bytes().get(..19) <= Some(at) && Some(at) <= to.as_bytes().get(..19);
            let concerns_all =
                contains(bytes, b"\"kind\":\"claim\"") || contains(bytes, b"\"kind\":\"incident\"");
            if !is_of_time && !concerns_all {
                return true;
            }
            // What a later version wrote is passed over, not misread.
            if let Ok(record) = Record::parse(bytes) {
                self.take(log, index, &record.fact);
            }
            true
        });
        outcome.map_err(|error| error.to_string())
    }

    fn take(&mut self, log: usize, index: u64, fact: &Fact) {
        match fact {
            Fact::Minute(summary) => self.take_minute(log, index, summary),
            Fact::Incident(revision) => {
                let place = self.revisions.entry((revision.incident.clone(), log)).or_insert((index, index));
                place.1 = index;
            }
            Fact::Claim(claim) => {
                let name = self.logs.get(log).cloned().flatten();
                let place = RecordRef::Evidence { log: name, first: index, last: index };
                self.claims.entry(claim.claim.clone()).or_insert(place);
            }
            _ => {}
        }
    }

    fn take_minute(&mut self, log: usize, index: u64, summary: &MinuteSummary) {
        for (site, figures) in &summary.sites {
            let figure = |name: &str| figures.traffic.get(name).copied().unwrap_or(0);
            let minutes = self.minutes.entry(site.clone()).or_default();
            if minutes.len() >= MINUTES_MAX {
                continue;
            }
            minutes.push(MinuteFact {
                minute_unix_s: summary.minute_unix_s,
                log,
                record: index,
                seconds_read: summary.sensor.seconds_read,
                dropped: summary.sensor.dropped.values().sum(),
                clock_step_ms: summary.sensor.clock_step_ms,
                clock_is_kept: summary.sensor.clock_source.is_some(),
                requests: figure("requests"),
                answered_well: figure("responses_2xx").saturating_add(figure("responses_3xx")),
                failed: figure("responses_5xx"),
            });
        }
    }

    /// What the watch saw of a site, within a stretch of time where one is given: cut to it.
    pub(crate) fn reachability(&self, site: &str, within: Option<Span>) -> Vec<ReachabilityFact> {
        let of_site = self.reached.iter().filter(|reached| reached.site == site);
        let facts = of_site.map(Reached::fact);
        let Some(within) = within else { return facts.collect() };
        let cut = |mut fact: ReachabilityFact| {
            fact.span.from_unix_s = fact.span.from_unix_s.max(within.from_unix_s);
            fact.span.to_unix_s = fact.span.to_unix_s.min(within.to_unix_s);
            fact
        };
        facts.filter(|fact| fact.span.meets(&within)).map(cut).collect()
    }

    /// What was observed of one site.
    pub(crate) fn facts(&self, site: &str) -> SiteFacts {
        SiteFacts {
            site: site.to_owned(),
            logs: self.logs.clone(),
            minutes: self.minutes.get(site).cloned().unwrap_or_default(),
            incidents: self
                .incidents
                .iter()
                .filter(|incident| incident.site == site)
                .filter_map(|incident| self.incident(incident))
                .collect(),
            reachability: self.reachability(site, None),
            public_since_unix_s: None,
            as_of_unix_s: self.as_of_unix_s,
        }
    }

    /// Where a claim is recorded.
    pub(crate) fn claim_record(&self, claim: &str) -> Option<&RecordRef> {
        self.claims.get(claim)
    }

    fn incident(&self, document: &IncidentDocument) -> Option<IncidentFact> {
        incident_fact(document, self.revisions_of(&document.id))
    }

    /// Where an incident's revisions are recorded: in each log from the first to the last.
    pub(crate) fn revisions_of(&self, id: &str) -> Vec<RecordRef> {
        let of_it = self.revisions.iter().filter(|((incident, _), _)| incident == id);
        let place = of_it.map(|((_, log), (first, last))| RecordRef::Evidence {
            log: self.logs.get(*log).cloned().flatten(),
            first: *first,
            last: *last,
        });
        place.collect()
    }
}

/// An incident's document as claims and statements need it; `None` where it has no onset.
pub(crate) fn incident_fact(document: &IncidentDocument, evidence: Vec<RecordRef>) -> Option<IncidentFact> {
    let second = |text: &str| text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second);
    let onset = second(&document.onset)?;
    let judged = &document.judgement;
    let seconds = i64::try_from(document.traffic.duration_s).unwrap_or(0);
    Some(IncidentFact {
        id: document.id.clone(),
        evidence,
        verdict: Explanation::parse(&judged.verdict),
        mixed_with: judged.mixed_with.as_deref().map(Explanation::parse),
        attack_permille: permille(judged.likelihoods.attack),
        crowd_permille: permille(judged.likelihoods.crowd),
        routine_permille: permille(judged.likelihoods.routine),
        vectors: judged.vectors.clone(),
        routine_cause: judged.routine_cause.clone(),
        onset_earliest_unix_s: second(&document.onset_earliest).unwrap_or(onset),
        onset_unix_s: onset,
        onset_latest_unix_s: second(&document.onset_latest).unwrap_or(onset),
        // Of an interrupted one only so much was seen.
        ended_unix_s: document.end.as_deref().and_then(second),
        seen_until_unix_s: onset.saturating_add(seconds),
        is_open: document.is_open(),
        peak_requests_per_s: whole(document.traffic.peak_requests_per_second),
        calm_requests_per_s: whole(document.traffic.calm_requests_per_second),
        goodput_permille: document.visitors.goodput.map(permille),
        waited: whole(document.visitors.waited),
        challenged: whole(document.visitors.challenged),
        refused: whole(document.visitors.refused),
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
fn permille(share: f64) -> u16 {
    (share.clamp(0.0, 1.0) * 1_000.0).round() as u16
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn whole(figure: f64) -> u64 {
    figure.clamp(0.0, 1e15).round() as u64
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    memchr::memmem::find(bytes, word).is_some()
}
