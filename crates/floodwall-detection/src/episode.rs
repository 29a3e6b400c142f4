//! One episode while it is open: what it is compared with, what came, how it is judged, and whether
//! it is over.

use floodwall_model::{
    Incident, IncidentId, IncidentState, IncidentToll, Judgement, Onset, Prefix, Timestamp, TopSource,
    TrafficVerdict,
};

use crate::change::{Declared, Local};
use crate::evidence::{Evidence, Reference, Window};
use crate::figure::{Figure, Row};
use crate::judge::{LogOdds, Weights, judge};
use crate::sketches::SecondSummary;

/// Judgements of one incident that are kept.
pub(crate) const REVISIONS_MAX: usize = 48;
/// Of these, the first ones, which are never dropped.
const REVISIONS_FIRST: usize = 16;
/// Figures whose change opened or widened an episode.
const FIGURES_MAX: usize = 12;
/// Seconds without anything unusual after which it is over, at first and at most.
const HOLD_S: u32 = 60;
const HOLD_S_MAX: u32 = 300;
/// Difference in a likelihood that is worth a revision.
const REVISED: f64 = 0.15;

/// A part of the episode with its own comparison: all of it against calm, or what came later against
/// what was there before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part {
    pub(crate) reference: Reference,
    pub(crate) window: Window,
    pub(crate) since_s: u64,
    pub(crate) odds: Option<LogOdds>,
}

#[derive(Clone, Debug)]
pub(crate) struct Episode {
    pub(crate) incident: Incident,
    /// Against calm.
    pub(crate) whole: Part,
    /// Against what was there before the last step, if there was one.
    pub(crate) step: Option<Part>,
    pub(crate) onset_s: u64,
    pub(crate) figures: Vec<(Figure, bool)>,
    pub(crate) quiet_s: u32,
    pub(crate) last_unusual_unix_s: i64,
    pub(crate) last_unusual_s: u64,
    pub(crate) hold_s: u32,
    pub(crate) served_s: u32,
    pub(crate) good: f64,
    pub(crate) asked: f64,
    /// Requests per second, smoothed over a few seconds.
    pub(crate) smooth: Row,
    /// Highest smoothed rise, and when half of it was reached.
    rises: Vec<f64>,
    /// How strong each ground was when it was last judged.
    pub(crate) strengths: Vec<f64>,
}

impl Episode {
    pub(crate) fn open(
        id: IncidentId,
        onset: Onset,
        onset_s: u64,
        reference: Reference,
        at: Timestamp,
        known: Option<f64>,
    ) -> Self {
        let calm = reference.row.get(Figure::Requests);
        Self {
            incident: Incident {
                id,
                state: IncidentState::Open,
                onset,
                opened: at,
                ended_unix_s: None,
                reopened: 0,
                revisions: Vec::new(),
                revisions_dropped: 0,
                toll: IncidentToll {
                    calm_requests_per_s: calm,
                    goodput_calm: known,
                    ..IncidentToll::default()
                },
                top_sources: Vec::new(),
            },
            smooth: reference.row,
            whole: Part { reference, since_s: onset_s, ..Part::default() },
            step: None,
            onset_s,
            figures: Vec::new(),
            quiet_s: 0,
            last_unusual_unix_s: at.wall_unix_seconds(),
            last_unusual_s: onset_s,
            hold_s: HOLD_S,
            served_s: 0,
            good: 0.0,
            asked: 0.0,
            rises: Vec::new(),
            strengths: Vec::new(),
        }
    }

    pub(crate) fn watch(&mut self, declared: &[Declared]) {
        for change in declared {
            let pair = (change.figure, change.rises);
            if !self.figures.contains(&pair) && self.figures.len() < FIGURES_MAX {
                self.figures.push(pair);
            }
        }
    }

    /// Adds up a second.
    pub(crate) fn count(&mut self, summary: &SecondSummary, row: &Row, season: f64) {
        let toll = &mut self.incident.toll;
        let requests = row.get(Figure::Requests);
        toll.seconds = toll.seconds.saturating_add(1);
        toll.requests += requests;
        toll.requests_beyond += (requests - toll.calm_requests_per_s * season).max(0.0);
        let packets = row.get(Figure::Syn) + row.get(Figure::Udp) + row.get(Figure::OtherPackets);
        toll.peak_packets_per_s = toll.peak_packets_per_s.max(packets);
        toll.peak_sources = toll.peak_sources.max(row.get(Figure::Sources));
        toll.refused += row.get(Figure::Refused);
        toll.waited += row.get(Figure::Waited);
        toll.challenged += row.get(Figure::Challenged);
        let stands_for = summary.sampled_stands_for.max(1.0);
        toll.known_refused += row.get(Figure::KnownRefused) * stands_for;
        self.asked += row.get(Figure::KnownRequests);
        self.good += row.get(Figure::KnownRequests) - row.get(Figure::KnownTurnedAway);
        toll.goodput = (self.asked > 0.0).then(|| self.good / self.asked);
        if requests > toll.peak_requests_per_s {
            toll.peak_requests_per_s = requests;
            self.incident.top_sources = summary
                .top_sources
                .iter()
                .map(|(key, count)| TopSource {
                    prefix: Prefix::of_client_key(*key),
                    share: (count / requests.max(1.0)).min(1.0),
                })
                .collect();
        }
        self.smooth.approach(row, 0.5);
        if self.rises.len() < 600 {
            self.rises.push(requests);
        }
    }

    /// Seconds from the onset until half of the highest rise so far was there.
    pub(crate) fn rise_s(&self) -> f64 {
        let calm = self.incident.toll.calm_requests_per_s;
        let half = f64::midpoint(calm, self.incident.toll.peak_requests_per_s);
        let place = self.rises.iter().position(|requests| *requests >= half).unwrap_or(0);
        f64::from(u32::try_from(place).unwrap_or(u32::MAX))
    }

    /// Whether anything is still unusual, by the figures that were.
    pub(crate) fn is_unusual(&self, local: &Local, season: f64) -> bool {
        self.figures.iter().any(|(figure, rises)| {
            let calm = self.whole.reference.row.get(*figure) * season;
            let now = self.smooth.get(*figure);
            let chance = (local.unevenness(*figure) * calm.max(0.2) * 0.35).sqrt();
            if *rises { now > calm * 1.2 + 2.5 * chance + 0.3 } else { now < calm * 0.7 - chance * 0.5 }
        })
    }

    /// Counts a second as usual or not; whether the episode is over.
    pub(crate) fn is_over(&mut self, unusual: bool, now_s: u64, unix_s: i64) -> bool {
        if unusual {
            (self.last_unusual_s, self.last_unusual_unix_s) = (now_s, unix_s);
            self.quiet_s = 0;
        } else {
            self.quiet_s = self.quiet_s.saturating_add(1);
        }
        self.quiet_s >= self.hold_s
    }

    pub(crate) fn reopen(&mut self) {
        self.incident.state = IncidentState::Open;
        self.incident.ended_unix_s = None;
        self.incident.reopened = self.incident.reopened.saturating_add(1);
        self.hold_s = (self.hold_s * 2).min(HOLD_S_MAX);
        (self.quiet_s, self.served_s) = (0, 0);
        self.step = None;
        self.whole.window = Window::default();
    }

    /// Whether visitors have been served as in calm times for long enough, now for the first time.
    pub(crate) fn is_newly_mitigated(&mut self, row: &Row, resisted: bool) -> bool {
        let asked = row.get(Figure::KnownRequests);
        let calm = self.incident.toll.goodput_calm.unwrap_or(1.0);
        let good = asked <= 0.0 || 1.0 - row.get(Figure::KnownTurnedAway) / asked >= calm - 0.05;
        self.served_s = if good && resisted { self.served_s.saturating_add(1) } else { 0 };
        if self.incident.state == IncidentState::Mitigated && self.served_s == 0 {
            self.incident.state = IncidentState::Open;
        }
        let newly = self.incident.state == IncidentState::Open && self.served_s >= 10;
        if newly {
            self.incident.state = IncidentState::Mitigated;
        }
        newly
    }

    /// Judges; whether that is worth a revision.
    pub(crate) fn judge(
        &mut self,
        whole: &Evidence,
        step: Option<&Evidence>,
        weights: &Weights,
        at: Timestamp,
    ) -> bool {
        let first = self.incident.revisions.is_empty();
        let seconds = self.incident.toll.seconds;
        // The first seconds are taken as they are; later ones move what was thought before.
        let part = if seconds <= 3 { 1.0 } else { 0.35 };
        let odds = smoothed(&mut self.whole, whole, weights, part);
        let mut decisive = (odds, whole);
        if let (Some(step), Some(evidence)) = (self.step.as_mut(), step) {
            let step_odds = smoothed(step, evidence, weights, part);
            // What came later may be an attack in a crowd: then its evidence counts, not the mixture's.
            // What by itself looks more like people than like a flood is no flood.
            let [attack, crowd, _] = step_odds.0;
            if odds.0.first().is_none_or(|before| attack > *before) && crowd < attack.min(0.0) {
                let mut joined = odds;
                joined.0 = [step_odds, odds].iter().fold([f64::NEG_INFINITY; 3], |most, odds| {
                    let [a, b, c] = most;
                    let [d, e, f] = odds.0;
                    [a.max(d), b.max(e), c.max(f)]
                });
                decisive = (joined, evidence);
            }
        }
        self.strengths = decisive.1.strengths().collect();
        let before = self.incident.revisions.last();
        let judgement = judge(&decisive.0, decisive.1, weights, before, at);
        let revised = before.is_none_or(|before| differs(before, &judgement));
        if revised {
            self.incident.revisions.push(judgement);
            if self.incident.revisions.len() > REVISIONS_MAX {
                self.incident.revisions.remove(REVISIONS_FIRST);
                self.incident.revisions_dropped = self.incident.revisions_dropped.saturating_add(1);
            }
        }
        revised && !first
    }

    pub(crate) fn verdict(&self) -> TrafficVerdict {
        self.incident.judgement().map_or(TrafficVerdict::Unknown, |judgement| judgement.verdict)
    }
}

fn smoothed(part: &mut Part, evidence: &Evidence, weights: &Weights, share: f64) -> LogOdds {
    let now = LogOdds::of(evidence, weights);
    let odds = part.odds.get_or_insert(now);
    odds.approach(&now, share);
    *odds
}

fn differs(before: &Judgement, now: &Judgement) -> bool {
    let (was, is) = (before.likelihoods, now.likelihoods);
    before.verdict != now.verdict
        || before.mixed_with != now.mixed_with
        || before.routine != now.routine
        || before.vectors != now.vectors
        || (was.attack - is.attack).abs() >= REVISED
        || (was.crowd - is.crowd).abs() >= REVISED
        || (was.routine - is.routine).abs() >= REVISED
}
