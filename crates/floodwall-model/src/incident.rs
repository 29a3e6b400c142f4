//! An incident: one stretch of unusual traffic at one site, from its onset to its end.

use std::sync::Arc;

use crate::judgement::closed_list;
use crate::{GateMode, Judgement, Prefix, SiteId, Timestamp};

/// Which incident: counted up at each site, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentId {
    /// The site.
    pub site: SiteId,
    /// Unix second in which it was opened; the rest tells apart what opened in the same second.
    pub opened_unix_s: i64,
    /// Its number since the detector was made.
    pub number: u32,
}

closed_list! {
    /// Where an incident stands.
    IncidentState {
        /// Going on, and felt by visitors or not yet known not to be.
        Open => "open",
        /// Going on, but visitors are served as in calm times.
        Mitigated => "mitigated",
        /// Over.
        Ended => "ended",
    }
}

/// When it began, as far as that can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Onset {
    /// Not before, in seconds since 1970.
    pub earliest_unix_s: i64,
    /// Most likely.
    pub likely_unix_s: i64,
    /// Not after.
    pub latest_unix_s: i64,
}

/// How many, what they did, and what it cost visitors. Sums run over the incident.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct IncidentToll {
    /// Seconds it lasted so far.
    pub seconds: u64,
    /// Requests received.
    pub requests: f64,
    /// Requests beyond what was expected.
    pub requests_beyond: f64,
    /// Highest requests in one second.
    pub peak_requests_per_s: f64,
    /// Expected requests per second when it began.
    pub calm_requests_per_s: f64,
    /// Highest packets in one second.
    pub peak_packets_per_s: f64,
    /// Highest number of distinct sources in one second.
    pub peak_sources: f64,
    /// Requests refused.
    pub refused: f64,
    /// Requests that had to wait.
    pub waited: f64,
    /// Requests answered with a challenge.
    pub challenged: f64,
    /// Refused requests that came from networks known from calm times: refused wrongly, as far as
    /// that can be seen.
    pub known_refused: f64,
    /// Share of the requests from known networks that were answered well, from 0 to 1; `None` while
    /// none was seen.
    pub goodput: Option<f64>,
    /// The same in calm times.
    pub goodput_calm: Option<f64>,
}

/// A source that stands out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TopSource {
    /// The address or network.
    pub prefix: Prefix,
    /// Its share of the requests in the incident's busiest second, from 0 to 1.
    pub share: f64,
}

/// One stretch of unusual traffic at one site.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    /// Which.
    pub id: IncidentId,
    /// Where it stands.
    pub state: IncidentState,
    /// When it began.
    pub onset: Onset,
    /// When it was noticed.
    pub opened: Timestamp,
    /// Seconds since 1970 of the last second that was unusual; `None` until it has ended.
    pub ended_unix_s: Option<i64>,
    /// How often it was taken up again after it had seemed to be over.
    pub reopened: u32,
    /// Every judgement that changed something, first to last. Bounded: where there were more, the
    /// middle ones were dropped, and [`Self::revisions_dropped`] says how many.
    pub revisions: Vec<Judgement>,
    /// Judgements that were dropped.
    pub revisions_dropped: u32,
    /// Figures.
    pub toll: IncidentToll,
    /// Who sent most, in the busiest second so far.
    pub top_sources: Vec<TopSource>,
}

impl Incident {
    /// The judgement that holds now.
    #[must_use]
    pub fn judgement(&self) -> Option<&Judgement> {
        self.revisions.last()
    }
}

/// One thing that was done while an incident went on: a gate went to another rung.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// When.
    pub at: Timestamp,
    /// The path class whose gate it is.
    pub class: Arc<str>,
    /// The rung it stands on since then, 0 to 4.
    pub rung: u8,
    /// The same in a word.
    pub rung_name: &'static str,
    /// Whether it acted or only counted.
    pub mode: GateMode,
}

/// An incident as it is kept and told of: with its site's name and what was done.
#[derive(Clone, Debug, PartialEq)]
pub struct IncidentRecord {
    /// What people call it by: `sos-20261103-120000-1`. It stays the same when sites are declared in
    /// another order.
    pub key: Arc<str>,
    /// The site's name.
    pub site: Arc<str>,
    /// What detection says of it.
    pub incident: Incident,
    /// What was done, first to last. Bounded: of more, the first ones and the highest are kept.
    pub measures: Vec<Measure>,
}
