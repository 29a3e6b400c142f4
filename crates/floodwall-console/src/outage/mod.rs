//! Outages and targets of the watch as they are shown: the API's types, also what `floodwall outage`
//! prints, and the words of them.

pub(crate) mod api;
mod words;

use floodwall_outage::{
    Edge, FamilyStatus, OutageRecord, ProbeFigures, State, TargetStatus, UnknownCause, family_name,
};
use serde::{Deserialize, Serialize};

use crate::format::rfc_3339_seconds;
pub(crate) use words::{outage_cells, target_cells};

/// One end of an outage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EdgeDocument {
    /// The best single figure: the interval's middle.
    pub likely: String,
    /// Not before this; null where nothing was known before.
    pub earliest: Option<String>,
    /// Not after this.
    pub latest: String,
}

/// How many samples had one cause.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CauseDocument {
    /// Its short name.
    pub cause: String,
    /// Samples.
    pub samples: u32,
}

/// An outage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OutageDocument {
    /// Its name.
    pub id: String,
    /// What was down.
    pub target: String,
    /// The site it belongs to.
    pub site: Option<String>,
    /// From where it was seen.
    pub vantage: String,
    /// `ipv4`, `ipv6`, or `any` where there was no address.
    pub family: String,
    /// Whether it goes on, as far as is known.
    pub open: bool,
    /// When it began.
    pub start: EdgeDocument,
    /// When it ended; null while it goes on.
    pub end: Option<EdgeDocument>,
    /// Its length in seconds, until now while it goes on.
    pub length_seconds: u64,
    /// How far the true length can be from that, either way.
    pub length_error_seconds: u64,
    /// Time within it of which nothing is known.
    pub unknown_seconds: u64,
    /// What most samples saw.
    pub cause: Option<String>,
    /// The same in words.
    pub cause_text: Option<String>,
    /// What its samples saw, the most frequent first.
    pub causes: Vec<CauseDocument>,
}

impl OutageDocument {
    /// The outage as it is at `now_unix_micros`.
    #[must_use]
    pub fn new(record: &OutageRecord, now_unix_micros: i64) -> Self {
        let outage = &record.outage;
        let causes = outage.causes.iter();
        Self {
            id: record.key.to_string(),
            target: record.target.to_string(),
            site: record.site.as_deref().map(str::to_owned),
            vantage: record.vantage.to_string(),
            family: family_name(record.family).to_owned(),
            open: outage.end.is_none(),
            start: edge(&outage.start),
            end: outage.end.as_ref().map(edge),
            length_seconds: seconds(outage.length_micros(now_unix_micros)),
            length_error_seconds: seconds(outage.length_error_micros()),
            unknown_seconds: seconds(outage.unknown_micros),
            cause: outage.cause().map(|cause| cause.as_str().to_owned()),
            cause_text: outage.cause().map(|cause| cause.in_english().to_owned()),
            causes: causes
                .map(|count| CauseDocument { cause: count.cause.as_str().to_owned(), samples: count.samples })
                .collect(),
        }
    }
}

fn seconds(micros: u64) -> u64 {
    micros.saturating_add(500_000) / 1_000_000
}

fn time(unix_micros: i64) -> String {
    rfc_3339_seconds(unix_micros.div_euclid(1_000_000))
}

fn edge(edge: &Edge) -> EdgeDocument {
    EdgeDocument {
        likely: time(edge.middle_unix_micros()),
        earliest: edge.earliest_unix_micros.map(time),
        latest: time(edge.latest_unix_micros),
    }
}

/// What the last probe over one family measured.
#[derive(Clone, Debug, Serialize)]
struct ProbeDocument {
    at: String,
    success: bool,
    duration_seconds: f64,
    cause: Option<&'static str>,
    http_status: Option<u16>,
    certificate_ends: Option<String>,
}

impl From<&ProbeFigures> for ProbeDocument {
    fn from(probe: &ProbeFigures) -> Self {
        Self {
            at: time(probe.finished_unix_micros),
            success: probe.is_success,
            duration_seconds: probe.duration.as_secs_f64(),
            cause: probe.failure.map(floodwall_outage::Cause::as_str),
            http_status: probe.http_status,
            certificate_ends: probe.certificate_ends_unix_seconds.map(rfc_3339_seconds),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct FamilyDocument {
    family: &'static str,
    state: &'static str,
    unknown_cause: Option<&'static str>,
    known_until: String,
    outage: Option<String>,
    last_probe: Option<ProbeDocument>,
}

impl From<&FamilyStatus> for FamilyDocument {
    fn from(status: &FamilyStatus) -> Self {
        Self {
            family: family_name(status.family),
            state: state_name(status.state),
            unknown_cause: match status.state {
                State::Unknown(cause) => Some(UnknownCause::as_str(cause)),
                State::Up | State::Down => None,
            },
            known_until: time(status.known_until_unix_micros),
            outage: status.outage.as_ref().map(|outage| outage.key.to_string()),
            last_probe: status.probe.as_ref().map(ProbeDocument::from),
        }
    }
}

pub(crate) fn state_name(state: State) -> &'static str {
    match state {
        State::Up => "up",
        State::Down => "down",
        State::Unknown(_) => "unknown",
    }
}

/// A target of the watch.
#[derive(Clone, Debug, Serialize)]
struct TargetDocument {
    name: String,
    site: Option<String>,
    vantage: String,
    families: Vec<FamilyDocument>,
}

impl From<&TargetStatus> for TargetDocument {
    fn from(target: &TargetStatus) -> Self {
        Self {
            name: target.name.to_string(),
            site: target.site.as_deref().map(str::to_owned),
            vantage: target.vantage.to_string(),
            families: target.families.iter().map(FamilyDocument::from).collect(),
        }
    }
}

/// The outages that are open now, as they are now, before those that are on record: the store is written
/// a moment later.
#[must_use]
pub fn with_open(watched: &[TargetStatus], mut recorded: Vec<OutageRecord>) -> Vec<OutageRecord> {
    let open = watched.iter().flat_map(|target| &target.families).filter_map(|family| family.outage.as_ref());
    for now in open {
        match recorded.iter_mut().find(|known| known.key == now.key) {
            // Its end may be written before the next snapshot.
            Some(known) if known.outage.end.is_none() => known.clone_from(now),
            Some(_) => {}
            None => recorded.insert(0, now.clone()),
        }
    }
    recorded
}
