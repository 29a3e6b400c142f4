//! What visitors of one kind, or all of them, got.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Outcome, Record, percent, to_f64};
use crate::plan::Wanted;
use crate::scenario::VisitorKind;

/// What visitors of one kind, or all of them, got.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Share {
    /// Things wanted.
    pub wants: u64,
    /// How many became what.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Sessions, and those in which everything arrived.
    pub sessions: u64,
    /// Sessions in which everything that was wanted arrived.
    pub sessions_whole: u64,
    /// Sessions that came to look something up.
    pub look_up_sessions: u64,
    /// Of these, those in which everything that was wanted arrived.
    pub look_up_sessions_whole: u64,
    /// By which ways.
    pub detours: Detours,
    /// Latency of what arrived, milliseconds: median.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// 99.9th percentile.
    pub p999_ms: f64,
    /// 99th percentile of what is left without the time that pages said to wait or to work: how long
    /// people looked at nothing.
    pub p99_untold_ms: f64,
}

/// By which ways things were reached: of what arrived unless it says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Detours {
    /// By way of a redirect.
    pub redirected: u64,
    /// By way of a proof of work.
    pub proved: u64,
    /// By way of a page that said to wait.
    pub waited: u64,
    /// After an error page was loaded again.
    pub reloaded: u64,
    /// Things wanted, arrived or not, for which a visitor was refused at least once.
    pub refused_on_the_way: u64,
    /// Things wanted, arrived or not, in whose place a page was shown that asked for a proof or said to wait.
    pub shown_a_page: u64,
    /// Sessions in which such a page was shown.
    pub sessions_shown_a_page: u64,
    /// How long browsers worked where they did.
    pub working: Spread,
    /// How long people waited where they were told to.
    pub waiting: Spread,
}

/// How long something took, milliseconds; 0 of nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// Median.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Spread {
    fn of(mut micros: Vec<u64>) -> Self {
        micros.sort_unstable();
        Self {
            p50_ms: quantile_ms(&micros, 50, 100),
            p99_ms: quantile_ms(&micros, 99, 100),
            max_ms: quantile_ms(&micros, 1, 1),
        }
    }
}

/// One session as far as it belongs to a share.
#[derive(Clone, Copy, Default)]
struct Visit {
    lost: bool,
    looks_up: bool,
    shown_a_page: bool,
}

/// Times, in no order until the end.
#[derive(Default)]
struct Times {
    latency: Vec<u64>,
    untold: Vec<u64>,
    working: Vec<u64>,
    waiting: Vec<u64>,
}

impl Share {
    pub(super) fn of<'a>(records: impl Iterator<Item = &'a Record>) -> Self {
        let mut share = Self::default();
        let mut times = Times::default();
        let mut visits: BTreeMap<(VisitorKind, u64), Visit> = BTreeMap::new();
        for record in records {
            share.wants += 1;
            *share.outcomes.entry(record.outcome).or_default() += 1;
            share.detours.count(record);
            times.note(record);
            let visit = visits.entry((record.kind, record.session)).or_default();
            visit.lost |= record.outcome != Outcome::Arrived;
            visit.looks_up |= record.what == Wanted::LookUp;
            visit.shown_a_page |= record.way.showed_a_page();
        }
        let visits_that = |is: fn(&Visit) -> bool| count(visits.values().filter(|visit| is(visit)).count());
        share.sessions = visits_that(|_| true);
        share.sessions_whole = visits_that(|visit| !visit.lost);
        share.look_up_sessions = visits_that(|visit| visit.looks_up);
        share.look_up_sessions_whole = visits_that(|visit| visit.looks_up && !visit.lost);
        share.detours.sessions_shown_a_page = visits_that(|visit| visit.shown_a_page);
        share.detours.working = Spread::of(times.working);
        share.detours.waiting = Spread::of(times.waiting);
        times.latency.sort_unstable();
        times.untold.sort_unstable();
        share.p50_ms = quantile_ms(&times.latency, 50, 100);
        share.p99_ms = quantile_ms(&times.latency, 99, 100);
        share.p999_ms = quantile_ms(&times.latency, 999, 1000);
        share.p99_untold_ms = quantile_ms(&times.untold, 99, 100);
        share
    }

    /// How many had this outcome.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(&outcome).copied().unwrap_or(0)
    }

    /// Share of wants that arrived, percent; `None` when nothing was wanted.
    #[must_use]
    pub fn arrived_percent(&self) -> Option<f64> {
        percent(self.count(Outcome::Arrived), self.wants)
    }

    /// Share of sessions in which everything arrived, percent.
    #[must_use]
    pub fn sessions_percent(&self) -> Option<f64> {
        percent(self.sessions_whole, self.sessions)
    }

    /// The same of sessions that came to look something up.
    #[must_use]
    pub fn look_up_sessions_percent(&self) -> Option<f64> {
        percent(self.look_up_sessions_whole, self.look_up_sessions)
    }
}

impl Detours {
    fn count(&mut self, record: &Record) {
        let (way, arrived) = (&record.way, record.outcome == Outcome::Arrived);
        self.redirected += u64::from(arrived && way.redirects > 0);
        self.proved += u64::from(arrived && way.proofs > 0);
        self.waited += u64::from(arrived && way.waits > 0);
        self.reloaded += u64::from(arrived && way.reloads > 0);
        self.refused_on_the_way += u64::from(way.refusals > 0);
        self.shown_a_page += u64::from(way.showed_a_page());
    }

    /// Whether everything went straight.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl Times {
    fn note(&mut self, record: &Record) {
        if record.outcome != Outcome::Arrived {
            return;
        }
        self.latency.push(record.latency_us);
        self.untold.push(record.latency_us.saturating_sub(record.way.told_us()));
        if record.way.proofs > 0 {
            self.working.push(record.way.working_us);
        }
        if record.way.waits > 0 {
            self.waiting.push(record.way.waiting_us);
        }
    }
}

/// The value below which `part` of `whole` lie (nearest rank), in milliseconds; 0 of nothing.
fn quantile_ms(sorted_us: &[u64], part: usize, whole: usize) -> f64 {
    let rank = sorted_us.len().saturating_mul(part).div_ceil(whole).max(1);
    sorted_us.get(rank - 1).map_or(0.0, |micros| to_f64(*micros) / 1_000.0)
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::Way;
    use super::*;

    fn record(session: u64, latency_ms: u64, outcome: Outcome) -> Record {
        Record {
            kind: VisitorKind::Browser,
            session,
            what: Wanted::Page,
            wanted_us: 0,
            latency_us: latency_ms * 1_000,
            outcome,
            way: Way::default(),
        }
    }

    #[test]
    fn shares_and_quantiles() {
        let mut records: Vec<_> = (1..=1_000).map(|n| record(0, n, Outcome::Arrived)).collect();
        records.extend([record(1, 5, Outcome::Refused), record(1, 10_000, Outcome::TimedOut)]);
        let share = Share::of(records.iter());
        assert_eq!(
            (share.wants, share.count(Outcome::Arrived), share.count(Outcome::Refused)),
            (1_002, 1_000, 1)
        );
        assert_eq!((share.p50_ms, share.p99_ms, share.p999_ms), (500.0, 990.0, 999.0));
        assert_eq!((share.sessions, share.sessions_whole, share.look_up_sessions), (2, 1, 0));
        assert!(share.detours.is_none());
        assert_eq!(Share::of([].iter()).arrived_percent(), None);
    }

    #[test]
    fn what_lay_between_is_counted_beside_what_arrived() {
        let by =
            |session, way, outcome| Record { way, what: Wanted::LookUp, ..record(session, 9_000, outcome) };
        let proved = Way { redirects: 2, proofs: 1, working_us: 700_000, ..Way::default() };
        let waited = Way { waits: 2, waiting_us: 8_500_000, refusals: 1, ..Way::default() };
        let in_vain = Way { reloads: 2, reloading_us: 6_000_000, refusals: 3, ..Way::default() };
        let records = [
            by(1, proved, Outcome::Arrived),
            by(2, waited, Outcome::Arrived),
            by(3, in_vain, Outcome::Refused),
            record(3, 20, Outcome::Arrived),
            record(4, 20, Outcome::Arrived),
        ];
        let share = Share::of(records.iter());
        let detours = share.detours;
        assert_eq!((detours.redirected, detours.proved, detours.waited, detours.reloaded), (1, 1, 1, 0));
        assert_eq!((detours.refused_on_the_way, detours.shown_a_page), (2, 2));
        assert_eq!(detours.sessions_shown_a_page, 2);
        assert_eq!((detours.working.p50_ms, detours.waiting.max_ms), (700.0, 8_500.0));
        assert_eq!((share.look_up_sessions, share.look_up_sessions_whole, share.sessions_whole), (3, 2, 3));
        // Nine seconds, of which pages told of 0.7 and 8.5 s.
        assert_eq!((share.p99_ms, share.p99_untold_ms), (9_000.0, 8_300.0));
    }
}
