//! The detector of one site: once a second, what came and what surrounds it go in, changes come out.

mod calm;
mod unusual;

use std::collections::VecDeque;
use std::sync::Arc;

use floodwall_model::{Incident, IncidentId, SiteId, Timestamp};

use crate::baseline::{Baselines, Calendar, Expected, Maturity};
use crate::change::{Changes, Local};
use crate::drift::Drift;
use crate::episode::Episode;
use crate::evidence::{Reference, Second};
use crate::figure::{Figure, Row};
use crate::judge::Weights;
use crate::known::KnownNetworks;
use crate::notice::{Change, Notice};
use crate::proxy::ProxyWatch;
use crate::sessions::Sessions;
use crate::sketches::SecondSummary;
use crate::surroundings::Surroundings;
use crate::trouble::Trouble;

/// Seconds that are looked back on when an episode opens.
const RING: usize = 32;
/// Seconds after which a calm second counts as what is usual.
const ABSORBED_AFTER_S: u64 = 10;
/// Incidents that are kept after their end.
const ENDED_MAX: usize = 64;
/// Seconds after an end within which the same trouble is the same incident.
const SAME_WITHIN_S: u64 = 600;
/// Seconds of nothing after which what was usual a moment ago is no longer known.
const GAP_S: u64 = 900;

/// Detection for one site. Fixed memory: see [`Detector::BYTES`].
///
/// Pure: the same seed, summaries, surroundings and times give the same incidents again.
#[derive(Clone, Debug)]
pub struct Detector {
    site: SiteId,
    baselines: Baselines,
    calendar: Calendar,
    weights: Weights,
    known: KnownNetworks,
    sessions: Sessions,
    local: Local,
    changes: Changes,
    drift: Drift,
    trouble: Trouble,
    proxy: ProxyWatch,
    reference: Reference,
    ring: VecDeque<Arc<Second>>,
    /// Recent level while an episode is open, for what comes on top of it.
    step_local: Local,
    step_changes: Changes,
    episode: Option<Episode>,
    last: Option<Episode>,
    ended: VecDeque<Incident>,
    before: Option<Timestamp>,
    suspicious_s: u32,
    number: u32,
}

impl Detector {
    /// Memory of one detector, in bytes, at the most: baselines, known networks, visits, the last
    /// seconds, and 64 past incidents with all their revisions.
    pub const BYTES: usize = 2_000_000;

    /// A detector that has seen nothing. The seed is secret, and need not be that of the sketches.
    #[must_use]
    pub fn new(site: SiteId, seed: u64) -> Self {
        Self {
            site,
            baselines: Baselines::default(),
            calendar: Calendar::default(),
            weights: Weights::default(),
            known: KnownNetworks::new(seed),
            sessions: Sessions::default(),
            local: Local::default(),
            changes: Changes::default(),
            drift: Drift::default(),
            trouble: Trouble::default(),
            proxy: ProxyWatch::default(),
            reference: Reference::default(),
            ring: VecDeque::with_capacity(RING),
            step_local: Local::default(),
            step_changes: Changes::default(),
            episode: None,
            last: None,
            ended: VecDeque::with_capacity(ENDED_MAX),
            before: None,
            suspicious_s: 0,
            number: 0,
        }
    }

    /// What is usual, as far as it was learned.
    #[must_use]
    pub fn baselines(&self) -> &Baselines {
        &self.baselines
    }

    /// Sets what is usual: from an earlier run ([`SavedBaselines`](crate::SavedBaselines)), or learned from old logs.
    pub fn set_baselines(&mut self, baselines: Baselines) {
        self.baselines = baselines;
    }

    /// Sets the calendar.
    pub fn set_calendar(&mut self, calendar: Calendar) {
        self.calendar = calendar;
    }

    /// Judges with other weights than those that were fitted: for fitting them.
    pub fn set_weights(&mut self, weights: Weights) {
        self.weights = weights;
    }

    /// Says that a network has visited before, in calm times: from an old log. `network` is the
    /// [`client_key`](floodwall_model::Prefix::client_key) of its prefix.
    pub fn learn_network(&mut self, network: u64, unix_s: i64) {
        self.known.learn(network, unix_s);
    }

    /// All incidents that are kept, oldest first; the last may be open.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        let last = self.last.as_ref().or(self.episode.as_ref()).map(|episode| &episode.incident);
        self.ended.iter().chain(last)
    }

    /// One incident; `None` once 64 later ones have ended.
    #[must_use]
    pub fn incident(&self, id: IncidentId) -> Option<&Incident> {
        self.incidents().find(|incident| incident.id == id)
    }

    /// The incident that is open, if one is.
    #[must_use]
    pub fn open_incident(&self) -> Option<&Incident> {
        self.episode.as_ref().map(|episode| &episode.incident)
    }

    /// Which figures changed in the open incident, and whether they rose; empty without one.
    #[must_use]
    pub fn open_figures(&self) -> &[(Figure, bool)] {
        self.episode.as_ref().map_or(&[], |episode| &episode.figures)
    }

    /// How strong each ground is for the open incident, in the order of
    /// [`GroundKind::ALL`](floodwall_model::GroundKind::ALL); empty without one. For fitting weights.
    #[must_use]
    pub fn strengths(&self) -> Vec<f64> {
        self.episode.as_ref().map(|episode| episode.strengths.clone()).unwrap_or_default()
    }

    /// Takes in one second. What changed, in the order in which it did.
    ///
    /// Call it once for every second, also when nothing came; `now` lies in the
    /// second or is its end. A
    /// second that is not fed counts as one in which nobody measured, not as one in which nobody came.
    pub fn tick(&mut self, summary: &SecondSummary, around: &Surroundings, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        self.look_at_clock(now, &mut changes);
        let (now_s, unix_s) = (now.monotonic_nanos() / 1_000_000_000, now.wall_unix_seconds());
        let mut row = summary.row;
        around.fill(&mut row);
        let is_calm = self.episode.is_none();
        self.sessions.take_in(&summary.sampled, &mut row, &mut self.known, (now_s, unix_s), is_calm);
        if let Some(addresses) = self.proxy.take_in(summary) {
            changes.push(Change::Noticed(Notice::ProxyAddresses { addresses }));
        }
        let second = Arc::new(Second {
            at_s: now_s,
            unix_s,
            row,
            agents: summary.agents.clone(),
            paths: summary.paths.clone(),
            fingerprints: summary.fingerprints.clone(),
            sources: summary.sources.clone(),
        });
        while self.ring.len() >= RING {
            self.ring.pop_front();
        }
        self.ring.push_back(Arc::clone(&second));
        if is_calm {
            self.take_in_calm(summary, around, &second, now, &mut changes);
        } else {
            self.take_in_unusual(summary, around, &second, now, &mut changes);
        }
        changes
    }

    /// Gaps and steps of the clock.
    fn look_at_clock(&mut self, now: Timestamp, changes: &mut Vec<Change>) {
        let Some(before) = self.before.replace(now) else { return };
        let passed = now.since(before).as_secs();
        let wall = now.wall_unix_seconds().saturating_sub(before.wall_unix_seconds());
        let step = wall.saturating_sub(i64::try_from(passed).unwrap_or(i64::MAX));
        if step.unsigned_abs() > 2 {
            changes.push(Change::Noticed(Notice::ClockStepped { seconds: step }));
        }
        if passed > GAP_S {
            changes.push(Change::Noticed(Notice::Gap { seconds: passed }));
            if let Some(episode) = self.episode.take() {
                changes.push(self.end(episode));
            }
            self.file_last();
            self.local.forget();
            self.changes.reset();
            self.ring.clear();
            self.drift = Drift::default();
        }
    }

    /// What is usual now, by the baseline and the calendar's holidays; `None` while that is not known.
    fn usual(&self, figure: Figure, unix_s: i64, utc_offset_s: i32) -> Option<Expected> {
        let habits = self.calendar.habits_of(unix_s, utc_offset_s);
        self.baselines.expected(figure, habits, utc_offset_s)
    }

    /// The same with what is announced, and only from a baseline that knows times of day.
    fn expected(&self, unix_s: i64, utc_offset_s: i32) -> Option<Expected> {
        if self.baselines.maturity() == Maturity::New {
            return None;
        }
        let usual = self.usual(Figure::Requests, unix_s, utc_offset_s)?;
        Some(usual.times(self.calendar.factor(unix_s)))
    }

    /// What calm times would bring now, against what they brought at another moment.
    fn season(&self, from_unix_s: i64, unix_s: i64, utc_offset_s: i32) -> f64 {
        if self.baselines.maturity() == Maturity::New {
            return 1.0;
        }
        let then = self.usual(Figure::Requests, from_unix_s, utc_offset_s);
        let now = self.usual(Figure::Requests, unix_s, utc_offset_s);
        match (then, now) {
            (Some(then), Some(now)) if then.middle > 0.0 => (now.middle / then.middle).clamp(0.3, 3.0),
            _ => 1.0,
        }
    }

    fn end(&mut self, mut episode: Episode) -> Change {
        episode.incident.state = floodwall_model::IncidentState::Ended;
        episode.incident.ended_unix_s = Some(episode.last_unusual_unix_s);
        let id = episode.incident.id;
        self.local.level = episode.whole.reference.row;
        self.changes.reset();
        self.drift.reset();
        self.ring.clear();
        self.suspicious_s = 0;
        self.file_last();
        self.last = Some(episode);
        Change::Ended(id)
    }

    /// Puts the last incident with those that cannot be reopened.
    fn file_last(&mut self) {
        if let Some(last) = self.last.take() {
            while self.ended.len() >= ENDED_MAX {
                self.ended.pop_front();
            }
            self.ended.push_back(last.incident);
        }
    }

    /// Rates that the baseline expects now, for all figures; `None` while it is too young.
    fn expected_row(&self, unix_s: i64, utc_offset_s: i32) -> Option<Row> {
        if self.baselines.maturity() == Maturity::New {
            return None;
        }
        let mut row = Row::default();
        for figure in Figure::ALL {
            row.set(*figure, self.usual(*figure, unix_s, utc_offset_s)?.middle);
        }
        Some(row)
    }
}
