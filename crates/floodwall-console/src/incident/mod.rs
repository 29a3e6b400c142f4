//! An incident as the API and the store write it, and in words for people.
//!
//! Its own types, as the rest of the API: names are snake_case with units, times RFC 3339 in UTC. What a
//! reader does not know it leaves out, and what is missing in an older document is empty.

pub(crate) mod api;
mod words;

pub(crate) use words::readable;

use floodwall_model::{Ground, IncidentRecord, Judgement, Measure, TrafficVerdict};
use serde::{Deserialize, Serialize};

use crate::format::rfc_3339_seconds;

/// One incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IncidentDocument {
    /// Its name, unique: `sos-20261103-120000-1`.
    pub id: String,
    /// The site's name.
    pub site: String,
    /// `open`, `mitigated`, `ended`, or `interrupted`: the server stopped while it went on.
    pub state: String,
    /// What it is judged to be now.
    #[serde(flatten)]
    pub judgement: JudgementDocument,
    /// When it began, most likely.
    pub onset: String,
    /// Not before.
    pub onset_earliest: String,
    /// Not after.
    pub onset_latest: String,
    /// When it was noticed.
    pub opened: String,
    /// Its last unusual second; null while it goes on.
    pub end: Option<String>,
    /// How often it went on after it had seemed to be over.
    pub reopened: u32,
    /// What came.
    pub traffic: TrafficDocument,
    /// What visitors got, and what it cost them.
    pub visitors: VisitorsDocument,
    /// Who sent most in the busiest second.
    pub top_sources: Vec<SourceDocument>,
    /// What was done, first to last.
    pub measures: Vec<MeasureDocument>,
    /// Every judgement, first to last; left out in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revisions: Vec<JudgementDocument>,
}

/// What traffic was judged to be at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JudgementDocument {
    /// When it was judged so.
    pub judged: String,
    /// `attack`, `crowd`, `routine` or `unknown`.
    pub verdict: String,
    /// What else is in it, where it is mixed.
    pub mixed_with: Option<String>,
    /// How likely the verdict is, 0 to 1.
    pub likelihood: f64,
    /// How likely each explanation is, each by itself.
    pub likelihoods: LikelihoodsDocument,
    /// By which ways an attack comes.
    pub vectors: Vec<String>,
    /// What routinely goes wrong, where that is part of it.
    pub routine_cause: Option<String>,
    /// What weighed most, most important first.
    pub reasons: Vec<ReasonDocument>,
}

/// How likely each explanation is, each by itself, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the words say it")]
pub struct LikelihoodsDocument {
    pub attack: f64,
    pub crowd: f64,
    pub routine: f64,
}

/// One ground of a judgement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReasonDocument {
    /// What was measured, for programs.
    pub kind: String,
    /// What it is now.
    pub value: f64,
    /// What it is in calm times; null where nothing is known of them.
    pub calm: Option<f64>,
    /// Of both.
    pub unit: String,
    /// The verdict it weighs for.
    pub speaks_for: String,
    /// How much: log-odds, below zero where it speaks against.
    pub weight: f64,
    /// The same in words, with its numbers.
    pub text: String,
}

/// What came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrafficDocument {
    /// Seconds so far.
    pub duration_s: u64,
    /// Requests.
    pub requests: f64,
    /// Of these, beyond what was expected.
    pub requests_beyond_expected: f64,
    /// Most in one second.
    pub peak_requests_per_second: f64,
    /// Expected when it began.
    pub calm_requests_per_second: f64,
    /// Most packets in one second, where somebody counts them.
    pub peak_packets_per_second: f64,
    /// Most distinct sources in one second, estimated.
    pub peak_sources: f64,
}

/// What visitors got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VisitorsDocument {
    /// Share of the requests from networks known from calm times that were answered well, 0 to 1.
    pub goodput: Option<f64>,
    /// The same in calm times.
    pub goodput_calm: Option<f64>,
    /// Requests that were refused.
    pub refused: f64,
    /// Of these, from networks known from calm times.
    pub refused_known: f64,
    /// Requests that waited and were let in.
    pub waited: f64,
    /// Requests that were answered with a challenge.
    pub challenged: f64,
}

/// A source that stands out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceDocument {
    /// Its addresses.
    pub prefix: String,
    /// Its share of the busiest second, 0 to 1.
    pub share: f64,
}

/// Something that was done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MeasureDocument {
    /// When.
    pub at: String,
    /// The path class.
    pub class: String,
    /// The rung its gate stands on since then, 0 to 4.
    pub rung: u8,
    /// The same in a word.
    pub rung_name: String,
    /// Whether the gate acted, and did not only observe.
    pub acted: bool,
}

impl Default for IncidentDocument {
    /// One of which nothing is known.
    fn default() -> Self {
        Self {
            id: String::new(),
            site: String::new(),
            state: "interrupted".to_owned(),
            judgement: JudgementDocument::default(),
            onset: String::new(),
            onset_earliest: String::new(),
            onset_latest: String::new(),
            opened: String::new(),
            end: None,
            reopened: 0,
            traffic: TrafficDocument::default(),
            visitors: VisitorsDocument::default(),
            top_sources: Vec::new(),
            measures: Vec::new(),
            revisions: Vec::new(),
        }
    }
}

impl IncidentDocument {
    /// Whether it goes on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state.as_str(), "open" | "mitigated")
    }

    /// The same without its judgements but the last, for lists.
    #[must_use]
    pub fn without_revisions(mut self) -> Self {
        self.revisions = Vec::new();
        self
    }
}

impl From<&IncidentRecord> for IncidentDocument {
    fn from(record: &IncidentRecord) -> Self {
        let incident = &record.incident;
        let toll = incident.toll;
        Self {
            id: record.key.to_string(),
            site: record.site.to_string(),
            state: incident.state.as_str().to_owned(),
            judgement: incident.judgement().map(JudgementDocument::from).unwrap_or_default(),
            onset: rfc_3339_seconds(incident.onset.likely_unix_s),
            onset_earliest: rfc_3339_seconds(incident.onset.earliest_unix_s),
            onset_latest: rfc_3339_seconds(incident.onset.latest_unix_s),
            opened: incident.opened.to_string(),
            end: incident.ended_unix_s.map(rfc_3339_seconds),
            reopened: incident.reopened,
            traffic: TrafficDocument {
                duration_s: toll.seconds,
                requests: toll.requests,
                requests_beyond_expected: toll.requests_beyond,
                peak_requests_per_second: toll.peak_requests_per_s,
                calm_requests_per_second: toll.calm_requests_per_s,
                peak_packets_per_second: toll.peak_packets_per_s,
                peak_sources: toll.peak_sources,
            },
            visitors: VisitorsDocument {
                goodput: toll.goodput,
                goodput_calm: toll.goodput_calm,
                refused: toll.refused,
                refused_known: toll.known_refused,
                waited: toll.waited,
                challenged: toll.challenged,
            },
            top_sources: incident
                .top_sources
                .iter()
                .map(|source| SourceDocument { prefix: source.prefix.to_string(), share: source.share })
                .collect(),
            measures: record.measures.iter().map(MeasureDocument::from).collect(),
            revisions: incident.revisions.iter().map(JudgementDocument::from).collect(),
        }
    }
}

impl From<&Judgement> for JudgementDocument {
    fn from(judgement: &Judgement) -> Self {
        let likely = judgement.likelihoods;
        Self {
            judged: judgement.at.to_string(),
            verdict: judgement.verdict.as_str().to_owned(),
            mixed_with: judgement.mixed_with.map(TrafficVerdict::as_str).map(str::to_owned),
            likelihood: judgement.likelihood(),
            likelihoods: LikelihoodsDocument {
                attack: likely.attack,
                crowd: likely.crowd,
                routine: likely.routine,
            },
            vectors: judgement.vectors.iter().map(|vector| vector.as_str().to_owned()).collect(),
            routine_cause: judgement.routine.map(|cause| cause.as_str().to_owned()),
            reasons: judgement.grounds.iter().map(ReasonDocument::from).collect(),
        }
    }
}

impl From<&Ground> for ReasonDocument {
    fn from(ground: &Ground) -> Self {
        Self {
            kind: ground.kind.as_str().to_owned(),
            value: ground.value,
            calm: ground.calm,
            unit: ground.kind.unit().as_str().to_owned(),
            speaks_for: ground.speaks_for.as_str().to_owned(),
            weight: ground.weight,
            text: ground.to_string(),
        }
    }
}

impl From<&Measure> for MeasureDocument {
    fn from(measure: &Measure) -> Self {
        Self {
            at: measure.at.to_string(),
            class: measure.class.to_string(),
            rung: measure.rung,
            rung_name: measure.rung_name.to_owned(),
            acted: measure.mode == floodwall_model::GateMode::On,
        }
    }
}
