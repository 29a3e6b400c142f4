//! One target as one vantage sees it: samples in, outages and unknown spans out.
//!
//! A state is changed by evidence, the same amount both ways: each sample against it counts one up,
//! each sample for it one down, and at [`TargetSettings::confirm`] it changes (a one-sided CUSUM; Page,
//! Biometrika 41, 1954). A single lost probe opens nothing and a single lucky one closes nothing, while
//! a target of which two probes in three fail is down. Start and end are dated back to where the
//! evidence began. Unknown samples are neither.

use std::time::Duration;

use floodwall_model::Timestamp;

use crate::account::Span;
use crate::outage::{Edge, Outage, micros_between};
use crate::sample::{Sample, Seen, UnknownCause};

/// Samples that [`Target::dissent`] looks back on.
const LOOK_BACK: u32 = 20;

/// How a target is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetSettings {
    /// Between samples, while what is seen and what is said agree.
    pub interval: Duration,
    /// Between samples while they do not.
    pub confirm_every: Duration,
    /// Samples more against a state than for it that change it, both ways; at least 1.
    pub confirm: u8,
    /// Without a sample for this long, nothing is known.
    pub silent_after: Duration,
}

impl Default for TargetSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
            confirm_every: Duration::from_secs(10),
            confirm: 3,
            silent_after: Duration::from_secs(180),
        }
    }
}

/// What is said of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It answers as it should.
    Up,
    /// It does not.
    Down,
    /// Nothing can be said.
    Unknown(UnknownCause),
}

/// What is on record of a target from before this server began to watch it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetRecord {
    /// When it was last known how it was, in microseconds since 1970.
    pub known_until_unix_micros: i64,
    /// How it was then: the outage that was open; `None` where it was up.
    pub outage: Option<Outage>,
}

/// What a sample changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// An outage is confirmed; it began earlier.
    Opened(Outage),
    /// An outage's end is confirmed; it ended earlier.
    Closed(Outage),
    /// A time of which nothing is known has ended.
    Unknown(Span, UnknownCause),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Committed {
    New,
    Up,
    Down,
}

/// One target as one vantage sees it.
#[derive(Clone, Debug)]
pub struct Target {
    settings: TargetSettings,
    committed: Committed,
    /// Samples more against `committed` than for it.
    against: u8,
    /// The newest sample of any kind.
    newest: Option<Sample>,
    /// When the newest sample of each kind began.
    last_up: Option<Timestamp>,
    last_down: Option<Timestamp>,
    /// The outage that is open, or that the evidence may become.
    outage: Option<Outage>,
    /// The start's latest moment on both clocks, unless the outage was taken over from a record.
    anchor: Option<Timestamp>,
    /// Where the evidence for an end began.
    recovery: Option<Timestamp>,
    recovery_after: Option<Timestamp>,
    /// The same from the record, where there was no sample before it.
    recovery_after_record: Option<i64>,
    unknown: Option<(Timestamp, UnknownCause)>,
    /// Until when, by a wall clock of long ago, it was known as it is said to be; until the first sample
    /// of this time.
    before: Option<i64>,
    /// The last known samples, one bit each, set where it disagreed with the state then said.
    history: u32,
}

impl Target {
    /// A target of which nothing is known.
    #[must_use]
    pub fn new(settings: TargetSettings) -> Self {
        Self {
            settings,
            committed: Committed::New,
            against: 0,
            newest: None,
            last_up: None,
            last_down: None,
            outage: None,
            anchor: None,
            recovery: None,
            recovery_after: None,
            recovery_after_record: None,
            unknown: None,
            before: None,
            history: 0,
        }
    }

    /// A target that was watched before: what was said of it goes on, and the time until its first sample
    /// is unknown.
    #[must_use]
    pub fn resumed(settings: TargetSettings, record: TargetRecord) -> Self {
        let committed = if record.outage.is_some() { Committed::Down } else { Committed::Up };
        let before = Some(record.known_until_unix_micros);
        Self { committed, outage: record.outage, before, ..Self::new(settings) }
    }

    /// What is said of it.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> State {
        if let Some((_, cause)) = self.unknown {
            return State::Unknown(cause);
        }
        let fresh =
            self.newest.is_some_and(|sample| now.since(sample.finished) <= self.settings.silent_after);
        match self.committed {
            _ if !fresh => State::Unknown(UnknownCause::Silent),
            Committed::Up => State::Up,
            Committed::Down => State::Down,
            Committed::New => State::Unknown(UnknownCause::Silent),
        }
    }

    /// The newest sample.
    #[must_use]
    pub fn newest(&self) -> Option<&Sample> {
        self.newest.as_ref()
    }

    /// The outage that is open and confirmed.
    #[must_use]
    pub fn open_outage(&self) -> Option<&Outage> {
        self.outage.as_ref().filter(|_| self.committed == Committed::Down)
    }

    /// How many of the last 20 known samples disagreed with what was said when they came.
    #[must_use]
    pub fn dissent(&self) -> u32 {
        self.history.count_ones()
    }

    /// How long until the next sample is wanted: soon only while what is seen and said disagree.
    #[must_use]
    pub fn pace(&self) -> Duration {
        if self.against > 0 { self.settings.confirm_every } else { self.settings.interval }
    }

    /// Takes the next sample. Samples must come in order of `finished`; an earlier one is left out.
    pub fn take(&mut self, sample: &Sample) -> Vec<Change> {
        if self.newest.is_some_and(|newest| sample.finished < newest.finished) {
            return Vec::new();
        }
        let mut changes = Vec::new();
        self.note_silence(sample, &mut changes);
        self.newest = Some(*sample);
        match sample.seen {
            Seen::Unknown(cause) => {
                if self.unknown.is_none_or(|(_, before)| before != cause) {
                    self.end_unknown(sample.started, &mut changes);
                    self.unknown = Some((sample.started, cause));
                }
                return changes;
            }
            Seen::Up => {
                self.end_unknown(sample.started, &mut changes);
                self.take_up(sample, &mut changes);
                self.before = None;
                self.last_up = Some(sample.started);
            }
            Seen::Down(cause) => {
                self.end_unknown(sample.started, &mut changes);
                self.take_down(sample, &mut changes);
                if let Some(outage) = &mut self.outage {
                    outage.count(cause);
                }
                // The outage that was told of has its causes, this one included.
                if let (Some(Change::Opened(told)), Some(outage)) = (changes.last_mut(), &self.outage) {
                    told.clone_from(outage);
                }
                self.last_down = Some(sample.started);
                self.before = None;
            }
        }
        changes
    }

    fn take_up(&mut self, sample: &Sample, changes: &mut Vec<Change>) {
        self.remember(self.committed == Committed::Down);
        match self.committed {
            Committed::New => {
                self.committed = Committed::Up;
                self.against = 0;
                self.outage = None;
            }
            Committed::Up => {
                self.against = self.against.saturating_sub(1);
                if self.against == 0 {
                    self.outage = None;
                }
            }
            Committed::Down => {
                if self.against == 0 {
                    self.recovery = Some(sample.finished);
                    self.recovery_after = self.last_down;
                    self.recovery_after_record = self.before_this(sample);
                }
                self.against += 1;
                if self.against >= self.settings.confirm {
                    self.close(changes);
                }
            }
        }
    }

    fn take_down(&mut self, sample: &Sample, changes: &mut Vec<Change>) {
        self.remember(self.committed != Committed::Down);
        match self.committed {
            Committed::New | Committed::Up => {
                if self.against == 0 {
                    let mut start = Edge::between(self.last_up, sample.finished);
                    start.earliest_unix_micros = start.earliest_unix_micros.or(self.before_this(sample));
                    self.outage = Some(Outage::beginning(start));
                    self.anchor = Some(sample.finished);
                }
                self.against += 1;
                if self.against >= self.settings.confirm {
                    self.against = 0;
                    self.committed = Committed::Down;
                    changes.extend(self.outage.clone().map(Change::Opened));
                }
            }
            Committed::Down => self.against = self.against.saturating_sub(1),
        }
    }

    fn close(&mut self, changes: &mut Vec<Change>) {
        self.against = 0;
        self.committed = Committed::Up;
        let (Some(mut outage), Some(latest)) = (self.outage.take(), self.recovery.take()) else { return };
        let mut end = Edge::between(self.recovery_after.take(), latest);
        let on_record = self.recovery_after_record.take();
        end.earliest_unix_micros = end.earliest_unix_micros.or(on_record);
        // By the clock of its start: as long as it was, wherever the wall clock was put meanwhile.
        if let Some(anchor) = self.anchor.take() {
            let latest_unix_micros =
                outage.start.latest_unix_micros.saturating_add(micros_between(anchor, latest));
            let width = end.earliest_unix_micros.map(|earliest| end.latest_unix_micros - earliest);
            end = Edge {
                earliest_unix_micros: width.map(|width| latest_unix_micros - width),
                latest_unix_micros,
            };
        }
        outage.end = Some(end);
        changes.push(Change::Closed(outage));
    }

    /// What the record knows, unless the wall clock was put back since.
    fn before_this(&self, sample: &Sample) -> Option<i64> {
        self.before.filter(|before| *before <= sample.finished.wall_unix_micros())
    }

    fn remember(&mut self, dissents: bool) {
        self.history = ((self.history << 1) | u32::from(dissents)) & ((1 << LOOK_BACK) - 1);
    }

    /// A time without samples longer than `silent_after` is unknown from the last to the next; so is the
    /// time since the record ended, whoever was silent then.
    fn note_silence(&mut self, sample: &Sample, changes: &mut Vec<Change>) {
        if let (None, Some(start_unix_micros)) = (self.newest, self.before) {
            let end_unix_micros = sample.started.wall_unix_micros();
            let micros = u64::try_from(end_unix_micros.saturating_sub(start_unix_micros)).unwrap_or(0);
            if u128::from(micros) > self.settings.silent_after.as_micros() {
                self.count_unknown(micros);
                let span = Span { start_unix_micros, end_unix_micros };
                changes.push(Change::Unknown(span, UnknownCause::Silent));
            }
        }
        let Some(newest) = self.newest.filter(|_| self.unknown.is_none()) else { return };
        if sample.started.since(newest.finished) > self.settings.silent_after {
            self.unknown = Some((newest.finished, UnknownCause::Silent));
            self.end_unknown(sample.started, changes);
        }
    }

    fn end_unknown(&mut self, end: Timestamp, changes: &mut Vec<Change>) {
        let Some((start, cause)) = self.unknown.take() else { return };
        let micros = micros_between(start, end);
        self.count_unknown(u64::try_from(micros).unwrap_or(0));
        let start_unix_micros = start.wall_unix_micros();
        let span = Span { start_unix_micros, end_unix_micros: start_unix_micros.saturating_add(micros) };
        changes.push(Change::Unknown(span, cause));
    }

    fn count_unknown(&mut self, micros: u64) {
        if let Some(outage) = &mut self.outage {
            outage.unknown_micros = outage.unknown_micros.saturating_add(micros);
        }
    }
}
