//! A second in calm times: is it still calm? If so, it is learned from.

use floodwall_model::{IncidentId, Onset, Timestamp};

use super::{ABSORBED_AFTER_S, Detector, SAME_WITHIN_S};
use crate::change::{BURSTING, Changes, Declared, Local};
use crate::drift::Drifted;
use crate::episode::Episode;
use crate::evidence::Second;
use crate::figure::Figure;
use crate::notice::Change;
use crate::sketches::SecondSummary;
use crate::surroundings::Surroundings;

/// Of whatever rose, at least so many must have come on top.
const BEYOND_LEAST: f64 = 8.0;
/// The same of what pictures burst in: one visitor's page of a hundred pictures is no incident.
const BURST_LEAST: f64 = 80.0;
/// Seconds of suspicion without a declared change after which it is taken for usual.
const SUSPICION_S_MAX: u32 = 180;

impl Detector {
    pub(super) fn take_in_calm(
        &mut self,
        summary: &SecondSummary,
        around: &Surroundings,
        second: &Second,
        now: Timestamp,
        changes: &mut Vec<Change>,
    ) {
        if !self.local.is_settled()
            && let Some(expected) = self.expected_row(second.unix_s, around.utc_offset_s)
        {
            self.local.begin(&expected);
            self.reference.row = expected;
        }
        let declared = self.declared(around, second);
        if declared.is_empty() {
            self.absorb(around.utc_offset_s);
            return;
        }
        let reopened = self.open(&declared, around.utc_offset_s, now);
        let Some(episode) = self.episode.as_mut() else { return };
        let id = episode.incident.id;
        episode.watch(&declared);
        // What came since the onset belongs to it.
        let onset_s = episode.onset_s.max(second.at_s.saturating_sub(20));
        for earlier in
            self.ring.iter().filter(|earlier| earlier.at_s >= onset_s && earlier.at_s < second.at_s)
        {
            episode.whole.window.take_in(earlier);
            let nothing = SecondSummary::default();
            if !reopened {
                episode.count(&nothing, &earlier.row, 1.0);
            }
        }
        changes.push(if reopened { Change::Reopened(id) } else { Change::Opened(id) });
        self.take_in_unusual(summary, around, second, now, changes);
    }

    /// What no longer is as before.
    fn declared(&mut self, around: &Surroundings, second: &Second) -> Vec<Declared> {
        let row = &second.row;
        let mut declared = Vec::new();
        if self.local.is_settled() {
            declared = self.changes.take_in(row, &self.local, second.at_s);
            declared.retain(|change| {
                let bursts = BURSTING.contains(&change.figure);
                let least = if bursts { BURST_LEAST } else { BEYOND_LEAST };
                !change.rises || self.beyond(change) >= least
            });
        }
        let trouble = self.trouble.is_there(around, row, &self.reference.row, second.unix_s);
        if self.trouble.lasts(trouble) {
            let since_s = second.at_s.saturating_sub(1);
            declared.push(Declared { figure: Figure::OriginFailures, rises: true, since_s });
        }
        let expected = self.expected(second.unix_s, around.utc_offset_s);
        let drifted = self.drift.take_in(row.get(Figure::Requests), expected);
        if let Some(drifted) = drifted {
            let rises = drifted == Drifted::Up;
            declared.push(Declared {
                figure: Figure::Requests,
                rises,
                since_s: second.at_s.saturating_sub(60),
            });
        }
        declared
    }

    /// How many came on top since a change began.
    fn beyond(&self, change: &Declared) -> f64 {
        let level = self.local.level.get(change.figure);
        let since = self.ring.iter().filter(|second| second.at_s >= change.since_s);
        since.map(|second| second.row.get(change.figure) - level).sum()
    }

    /// Opens an episode, or takes the last one up again; whether it was the latter.
    fn open(&mut self, declared: &[Declared], utc_offset_s: i32, now: Timestamp) -> bool {
        let now_s = now.monotonic_nanos() / 1_000_000_000;
        // Where several sums are declared at once, the one that left zero last is for the size that fits
        // best; the others had begun to grow by chance.
        let earliest_s = declared.first().map_or(now_s, |change| change.since_s);
        let since_s = declared.last().map_or(now_s, |change| change.since_s);
        self.changes.reset();
        self.step_changes = Changes::default();
        self.step_local = Local::default();
        let same = self.last.take_if(|last| now_s.saturating_sub(last.last_unusual_s) <= SAME_WITHIN_S);
        if let Some(mut last) = same {
            last.reopen();
            last.onset_s = since_s;
            self.episode = Some(last);
            return true;
        }
        self.file_last();
        let ago = |then_s: u64| {
            let seconds = i64::try_from(now_s.saturating_sub(then_s)).unwrap_or(0);
            now.wall_unix_seconds().saturating_sub(seconds)
        };
        let onset = Onset {
            earliest_unix_s: ago(earliest_s.saturating_sub(1)),
            likely_unix_s: ago(since_s),
            latest_unix_s: now.wall_unix_seconds(),
        };
        self.number = self.number.wrapping_add(1);
        let id = IncidentId { site: self.site, opened_unix_s: now.wall_unix_seconds(), number: self.number };
        let mut reference = self.reference.clone();
        // Of what the local level does not know yet, the baseline may.
        if !self.local.is_settled()
            && let Some(expected) = self.expected_row(now.wall_unix_seconds(), utc_offset_s)
        {
            reference.row = expected;
        }
        let turned = reference.row.share(Figure::KnownTurnedAway, Figure::KnownRequests, 0.01);
        let good = turned.map(|share| 1.0 - share);
        self.episode = Some(Episode::open(id, onset, since_s, reference, now, good));
        false
    }

    /// Learns from seconds that have turned out to be calm.
    fn absorb(&mut self, utc_offset_s: i32) {
        let settled = self.local.is_settled();
        let suspicious = settled && self.changes.are_suspicious();
        self.suspicious_s = if suspicious { self.suspicious_s.saturating_add(1) } else { 0 };
        if suspicious && self.suspicious_s < SUSPICION_S_MAX {
            return;
        }
        let Some(newest_s) = self.ring.back().map(|second| second.at_s) else { return };
        let wait_s = if settled { ABSORBED_AFTER_S } else { 0 };
        while let Some(second) =
            self.ring.pop_front_if(|second| newest_s.saturating_sub(second.at_s) >= wait_s)
        {
            self.local.take_in(&second.row);
            let part = if settled { 1.0 / 150.0 } else { 0.1 };
            self.reference.take_in(&second, &self.local.level, part);
            self.baselines.learn(second.unix_s, 1.0, &second.row, utc_offset_s);
            if second.at_s % 10 == 0 {
                let behaviour = self.sessions.behaviour(0, second.at_s);
                self.reference.behaviour.approach(&behaviour, 0.15);
            }
            if second.at_s % 60 == 0 {
                self.sessions.learn_finished(&mut self.known, second.at_s, second.unix_s);
            }
        }
    }
}
