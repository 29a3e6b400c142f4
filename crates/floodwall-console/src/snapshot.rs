//! What the binary hands in: the state of one second, and past minutes on request.

use std::sync::Arc;

use floodwall_model::{
    AdmissionCounts, EdgeCounts, IncidentRecord, MinuteTraffic, SiteSnapshot, Timestamp, TrafficCounts,
};

use floodwall_outage::{OutageRecord, TargetStatus};

use crate::incident::IncidentDocument;

/// Everything the console shows of one instant. The control loop publishes one a second; none is
/// changed once published.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When the control loop read these figures.
    pub at: Timestamp,
    /// When the server started; every figure "since start" counts from here.
    pub started: Timestamp,
    /// Version of the running binary.
    pub version: &'static str,
    /// Whether visitors can be served.
    pub readiness: Readiness,
    /// The protected sites, in the order of the settings.
    pub sites: Vec<SiteFigures>,
    /// Incidents that go on, in the order of their sites.
    pub incidents: Vec<IncidentRecord>,
    /// How often detection has opened an incident since the start, by site in the order of [`Self::sites`].
    pub incidents_opened: Vec<u64>,
    /// How every target of the watch stands, in the order of the settings.
    pub watched: Vec<TargetStatus>,
    /// Figures of the edge as a whole, counted since the start.
    pub edge: EdgeCounts,
    /// What was lost inside, because something was slower than the flood.
    pub losses: Losses,
    /// Addresses visitors are served on: `http://0.0.0.0:80`, `https://0.0.0.0:443`.
    pub listeners: Vec<String>,
    /// Address this console is served on: `http://127.0.0.1:9800`.
    pub admin_listener: String,
}

/// One site: its figures since the start, and what was added to them lately.
#[derive(Clone, Debug)]
pub struct SiteFigures {
    /// Who it is, its origins, and its traffic since the start.
    pub state: SiteSnapshot,
    /// Traffic added in the second before [`Snapshot::at`].
    pub last_second: TrafficCounts,
    /// Traffic added in the 60 seconds before [`Snapshot::at`]; since the start while it is younger.
    pub last_minute: TrafficCounts,
    /// What each of the site's gates did in these 60 seconds, in the order of the state's gates.
    pub gates_last_minute: Vec<AdmissionCounts>,
}

/// Whether the server can do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Listeners are open and settings are in force.
    Ready,
    /// Not yet, or no longer; why, in plain words for an operator.
    NotReady(String),
}

impl Readiness {
    /// Why it is not ready; `None` when it is.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        match self {
            Self::Ready => None,
            Self::NotReady(reason) => Some(reason),
        }
    }
}

/// What the server dropped of its own bookkeeping rather than let a visitor wait. All count since
/// the start, save the backlog. Lines dropped from the access log are in [`EdgeCounts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Events dropped because the control loop's queue was full.
    pub events_dropped: u64,
    /// Records waiting to be written to the store now (a gauge).
    pub store_backlog_records: u64,
    /// Records dropped because the store was too slow or failed.
    pub store_records_dropped: u64,
    /// Records lost to the evidence log, because the disk was slow or full.
    pub evidence_records_lost: u64,
    /// Addresses that call themselves crawlers and were not asked about, because too many did at once.
    pub crawler_checks_dropped: u64,
}

impl Losses {
    /// Whether anything was lost, with what `edge` lost: lines of the access log, copies on disk.
    #[must_use]
    pub fn any(&self, edge: &EdgeCounts) -> bool {
        let of_edge =
            [edge.access_records_dropped, edge.kept_dropped, edge.kept_write_failures, edge.kept_corrupt];
        let of_server = [self.events_dropped, self.store_records_dropped, self.evidence_records_lost];
        of_server.iter().chain(&of_edge).any(|lost| *lost > 0)
    }
}

/// Why past minutes could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HistoryError(
    /// In plain words, for an operator.
    pub String,
);

/// Where past minutes are read from.
pub trait History: Send + Sync + 'static {
    /// The minutes of `site` that start within `from_unix_seconds..to_unix_seconds`, oldest first;
    /// minutes without a record are left out. It may block: it is called on a thread for that, by
    /// at most four callers at once.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn traffic(
        &self,
        site: &str,
        from_unix_seconds: i64,
        to_unix_seconds: i64,
    ) -> Result<Vec<MinuteTraffic>, HistoryError>;

    /// The newest incidents of all sites, newest first, at most `max`, without their revisions. It may
    /// block, as [`Self::traffic`].
    ///
    /// # Errors
    /// When the store cannot be read.
    fn incidents(&self, max: usize) -> Result<Vec<IncidentDocument>, HistoryError>;

    /// One incident with every revision; `None` where there is none of that name.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn incident(&self, id: &str) -> Result<Option<IncidentDocument>, HistoryError>;

    /// The newest outages, newest first, at most `max`.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn outages(&self, max: usize) -> Result<Vec<OutageRecord>, HistoryError>;
}

/// Shared by everything that shows a snapshot.
pub(crate) type SharedSnapshot = Arc<Snapshot>;
