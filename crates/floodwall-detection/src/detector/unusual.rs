//! A second of an open episode: counted, judged, and looked at for its end.

use floodwall_model::{Timestamp, TrafficVerdict};

use super::Detector;
use crate::episode::{Episode, Part};
use crate::evidence::{Evidence, Reference, Scene, Second, Window};
use crate::figure::{Figure, Row};
use crate::notice::Change;
use crate::sketches::SecondSummary;
use crate::surroundings::Surroundings;

/// Seconds of an episode before a step on top of it is looked for.
const STEP_AFTER_S: u64 = 8;
/// Seconds between two steps.
const STEP_AGAIN_S: u64 = 20;
/// Seconds after which a lasting crowd begins to count as usual.
const LASTING_S: u64 = 3_600;

impl Detector {
    pub(super) fn take_in_unusual(
        &mut self,
        summary: &SecondSummary,
        around: &Surroundings,
        second: &Second,
        now: Timestamp,
        changes: &mut Vec<Change>,
    ) {
        let Some(mut episode) = self.episode.take() else { return };
        let id = episode.incident.id;
        let season = self.season(episode.incident.onset.likely_unix_s, second.unix_s, around.utc_offset_s);
        episode.count(summary, &second.row, season);
        episode.whole.window.take_in(second);
        self.look_for_step(&mut episode, second);
        if let Some(step) = episode.step.as_mut() {
            step.window.take_in(second);
        }
        let whole = Evidence::of(&self.scene(&episode, &episode.whole, season, around, second));
        let step = episode.step.as_ref();
        let step = step.map(|step| Evidence::of(&self.scene(&episode, step, 1.0, around, second)));
        if episode.judge(&whole, step.as_ref(), &self.weights, now) {
            changes.push(Change::Revised(id));
        }
        let turned = second.row.get(Figure::Refused) + second.row.get(Figure::Challenged);
        if episode.is_newly_mitigated(&second.row, turned > 0.0) {
            changes.push(Change::Mitigated(id));
        }
        let trouble = self.trouble.is_there(around, &second.row, &episode.whole.reference.row, second.unix_s);
        let unusual = trouble || episode.is_unusual(&self.local, season);
        self.let_last(&mut episode, &second.row);
        if episode.is_over(unusual, second.at_s, second.unix_s) {
            changes.push(self.end(episode));
        } else {
            self.episode = Some(episode);
        }
    }

    fn scene<'a>(
        &self,
        episode: &Episode,
        part: &'a Part,
        season: f64,
        around: &'a Surroundings,
        second: &Second,
    ) -> Scene<'a> {
        Scene {
            window: &part.window,
            reference: &part.reference,
            season,
            behaviour: self.sessions.behaviour(part.since_s, second.at_s),
            rise_s: episode.rise_s(),
            announced: self.calendar.factor(second.unix_s),
            knows_networks: self.known.says_something(),
            behind_proxy: self.proxy.is_behind_proxy(),
            surroundings: around,
            onset_unix_s: episode.incident.onset.likely_unix_s,
            now_unix_s: second.unix_s,
        }
    }

    /// Looks whether something comes on top of what is unusual already.
    fn look_for_step(&mut self, episode: &mut Episode, second: &Second) {
        let into_s = second.at_s.saturating_sub(episode.onset_s);
        let mut declared = Vec::new();
        if into_s >= STEP_AFTER_S && self.step_local.is_settled() {
            declared = self.step_changes.take_in(&second.row, &self.step_local, second.at_s);
            declared.retain(|change| change.rises);
        }
        let since_last = episode.step.as_ref().map(|step| second.at_s.saturating_sub(step.since_s));
        if let Some(first) = declared.first()
            && since_last.is_none_or(|seconds| seconds >= STEP_AGAIN_S)
        {
            let since_s = first.since_s.max(episode.onset_s);
            let mut step = Part { since_s, ..Part::default() };
            step.reference =
                Reference { behaviour: episode.whole.reference.behaviour, ..Reference::default() };
            let mut before = Window::default();
            for earlier in self.ring.iter().filter(|earlier| earlier.at_s < since_s) {
                before.take_in(earlier);
            }
            step.reference.set_from(&before);
            for later in self.ring.iter().filter(|later| later.at_s >= since_s && later.at_s < second.at_s) {
                step.window.take_in(later);
            }
            self.step_changes.reset();
            episode.step = Some(step);
            episode.watch(&declared);
        }
        // A few seconds late, so that a step is not taken for its own past.
        if let Some(earlier) = self.ring.iter().rev().nth(3) {
            self.step_local.follow(&earlier.row, &self.local);
        }
    }

    /// What lasts for hours and is no attack becomes what is usual, slowly.
    fn let_last(&self, episode: &mut Episode, row: &Row) {
        if episode.incident.toll.seconds > LASTING_S && episode.verdict() != TrafficVerdict::Attack {
            episode.whole.reference.row.approach(row, 1.0 / 7_200.0);
        }
    }
}
