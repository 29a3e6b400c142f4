//! From single requests with times, as a log has them, to seconds for the detector: in order, with
//! nothing invented for what is missing.

use std::collections::BTreeMap;
use std::time::Duration;

use floodwall_model::Timestamp;

use crate::detector::Detector;
use crate::notice::{Change, Notice};
use crate::request::RequestSeen;
use crate::sketches::Sketches;
use crate::surroundings::Surroundings;

/// Requests that wait for their second at the most.
const WAITING_MAX: usize = 1 << 17;
/// Seconds of silence that are ticked through one by one; a longer silence is a gap.
const SILENCE_S_MAX: i64 = 900;

/// Feeds a detector from a log. Lines may be out of order by so many seconds as it waits (a log is
/// written when requests end, and some loggers sort by nothing); later ones are left out and counted.
#[derive(Debug)]
pub struct LogFeed {
    sketches: Sketches,
    waiting: BTreeMap<i64, Vec<RequestSeen>>,
    held: usize,
    patience_s: i64,
    newest: i64,
    /// The next second to be ticked, and when the log began.
    next: Option<(i64, i64)>,
    left_out: u64,
    left_out_said: u64,
    around: Surroundings,
}

impl LogFeed {
    /// A feed that waits `patience_s` seconds for what is late (5 for a server's own log, 90 where it is
    /// not in order within a minute).
    #[must_use]
    pub fn new(seed: u64, patience_s: u32, around: Surroundings) -> Self {
        Self {
            sketches: Sketches::new(seed),
            waiting: BTreeMap::new(),
            held: 0,
            patience_s: i64::from(patience_s),
            newest: i64::MIN,
            next: None,
            left_out: 0,
            left_out_said: 0,
            around,
        }
    }

    /// Requests that came too late to be counted.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Takes in a request that was received in the second `unix_s`.
    pub fn push(&mut self, detector: &mut Detector, unix_s: i64, seen: &RequestSeen) -> Vec<(i64, Change)> {
        let mut changes = Vec::new();
        if self.next.is_some_and(|(next, _)| unix_s < next) {
            self.left_out = self.left_out.saturating_add(1);
            return changes;
        }
        self.newest = self.newest.max(unix_s);
        self.waiting.entry(unix_s).or_default().push(*seen);
        self.held += 1;
        let due = self.newest.saturating_sub(self.patience_s);
        self.run_until(detector, due, &mut changes);
        while self.held > WAITING_MAX {
            let Some(first) = self.waiting.keys().next().copied() else { break };
            self.run_until(detector, first.saturating_add(1), &mut changes);
        }
        changes
    }

    /// The end of the log: what still waits is ticked, and `silence_s` seconds after it; 0 unless it
    /// is known that the log was still being written then. What is open at its end stays open.
    pub fn finish(&mut self, detector: &mut Detector, silence_s: u32) -> Vec<(i64, Change)> {
        let mut changes = Vec::new();
        if self.newest > i64::MIN {
            let end = self.newest.saturating_add(1).saturating_add(i64::from(silence_s));
            self.run_until(detector, end, &mut changes);
        }
        changes
    }

    /// Ticks every second before `end`.
    fn run_until(&mut self, detector: &mut Detector, end: i64, changes: &mut Vec<(i64, Change)>) {
        loop {
            let waiting = self.waiting.keys().next().copied();
            let Some((mut second, began)) = self.next.or(waiting.map(|first| (first, first))) else { return };
            // A long silence is a gap: the log says nothing of it.
            if let Some(first) = waiting
                && first.saturating_sub(second) > SILENCE_S_MAX
            {
                second = first;
            }
            if second >= end {
                return;
            }
            for seen in self.waiting.remove(&second).unwrap_or_default() {
                self.sketches.observe(&seen);
                self.held = self.held.saturating_sub(1);
            }
            let summary = self.sketches.take_summary();
            let since = u64::try_from(second.saturating_sub(began)).unwrap_or(0).saturating_add(1);
            let now = Timestamp::new(Duration::from_secs(since), second.saturating_mul(1_000_000));
            changes.extend(
                detector.tick(&summary, &self.around, now).into_iter().map(|change| (second, change)),
            );
            if self.left_out > self.left_out_said && second % 3_600 == 0 {
                self.left_out_said = self.left_out;
                changes.push((second, Change::Noticed(Notice::LeftOut { requests: self.left_out })));
            }
            self.next = Some((second.saturating_add(1), began));
        }
    }
}
