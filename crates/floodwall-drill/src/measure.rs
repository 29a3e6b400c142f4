//! What visitors got, from the records of what became of each thing they wanted. Pure.
//!
//! A want succeeds when the wanted page arrives, whatever stood between; an answer that says
//! "wait", "prove yourself" or "refused" is not the page. Latency is counted from when the page was
//! wanted, so that a generator or a server that falls behind cannot hide it.

mod met;
mod record;
mod share;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::plan::Wanted;
use crate::scenario::VisitorKind;
pub use met::{COMPARABLE_PERCENT, FloodMet, met_percent, not_comparable};
pub use record::{Outcome, Record, Way};
pub use share::{Detours, Share, Spread};

/// One second of the scenario, by when things were wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Second {
    /// Things wanted.
    pub wants: u64,
    /// Arrived.
    pub arrived: u64,
    /// Latency of what arrived, milliseconds: median.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
}

/// What all visitors got.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Goodput {
    /// Everybody, from the onset to the end; the whole scenario where it is calm.
    pub under_trouble: Share,
    /// Everybody, before the onset.
    pub before: Share,
    /// Of that, what a cache can keep: pages, style sheets, pictures.
    pub documents: Share,
    /// Of that, what the origin has to work for.
    pub look_ups: Share,
    /// Of that, people whose browsers run scripts.
    pub with_script: Share,
    /// Of that, people whose browsers run none.
    pub without_script: Share,
    /// From the onset to the end, by kind.
    pub by_kind: BTreeMap<VisitorKind, Share>,
    /// Every second.
    pub seconds: Vec<Second>,
    /// Seconds from the onset until visitors were protected for good, stated waits left out; `None` if never, or if there
    /// was no onset.
    pub time_to_protect_s: Option<u32>,
}

/// Of all wants, at least this share must arrive for visitors to be protected.
const PROTECTED_PERCENT: f64 = 99.0;
/// Their 99th percentile, without what pages said to wait or to work, may be this many times the calm
/// one.
const PROTECTED_TIMES_CALM: f64 = 3.0;
/// Latencies this small are as good as the calm one's: three times what a look-up takes in the calm. So
/// it does not matter whether there was one in a calm of few seconds.
const PROTECTED_MS: f64 = 300.0;
/// Seconds looked at together: one second has too few wants for a 99th percentile.
const WINDOW_S: usize = 5;

impl Goodput {
    /// Judges the records of a scenario of `duration_s` whose trouble begins at `onset_s`.
    #[must_use]
    pub fn of(records: &[Record], duration_s: u32, onset_s: Option<u32>) -> Self {
        let onset_us = u64::from(onset_s.unwrap_or(0)) * 1_000_000;
        // What a visit came to only after the end was not asked for.
        let records = || records.iter().filter(|record| record.outcome != Outcome::AfterTheEnd);
        let under: Vec<&Record> = records().filter(|record| record.wanted_us >= onset_us).collect();
        let those =
            |is: &dyn Fn(&Record) -> bool| Share::of(under.iter().copied().filter(|record| is(record)));
        let kinds: BTreeSet<VisitorKind> = under.iter().map(|record| record.kind).collect();
        let has_script = |kind: VisitorKind| kind.hashes_per_second().is_some();
        let before = Share::of(records().filter(|record| record.wanted_us < onset_us));
        let groups = by_second(records(), duration_s);
        let time_to_protect_s = onset_s.and_then(|onset| time_to_protect(&groups, onset, before.p99_ms));
        Self {
            under_trouble: Share::of(under.iter().copied()),
            documents: those(&|record| record.what != Wanted::LookUp),
            look_ups: those(&|record| record.what == Wanted::LookUp),
            with_script: those(&|record| has_script(record.kind)),
            without_script: those(&|record| record.kind.is_person() && !has_script(record.kind)),
            by_kind: kinds.into_iter().map(|kind| (kind, those(&|record| record.kind == kind))).collect(),
            before,
            seconds: groups.iter().map(|group| second(group)).collect(),
            time_to_protect_s,
        }
    }
}

fn by_second<'a>(records: impl Iterator<Item = &'a Record>, duration_s: u32) -> Vec<Vec<&'a Record>> {
    let mut groups = vec![Vec::new(); usize::try_from(duration_s).unwrap_or(0)];
    for record in records {
        let second = usize::try_from(record.wanted_us / 1_000_000).unwrap_or(usize::MAX);
        if let Some(group) = groups.get_mut(second) {
            group.push(record);
        }
    }
    groups
}

fn second(group: &[&Record]) -> Second {
    let share = Share::of(group.iter().copied());
    Second {
        wants: share.wants,
        arrived: share.count(Outcome::Arrived),
        p50_ms: share.p50_ms,
        p99_ms: share.p99_ms,
    }
}

/// The first second after which every window is protected, counted from the onset.
fn time_to_protect(groups: &[Vec<&Record>], onset_s: u32, calm_p99_ms: f64) -> Option<u32> {
    let onset = usize::try_from(onset_s).ok()?;
    let allowed_ms = (calm_p99_ms * PROTECTED_TIMES_CALM).max(PROTECTED_MS);
    let after = groups.get(onset..)?;
    let protected = |window: &[Vec<&Record>]| {
        let share = Share::of(window.iter().flatten().copied());
        share.arrived_percent().is_none_or(|percent| percent >= PROTECTED_PERCENT)
            && share.p99_untold_ms <= allowed_ms
    };
    let last_bad = after.windows(WINDOW_S.min(after.len()).max(1)).rposition(|window| !protected(window));
    match last_bad {
        None => Some(0),
        // The next window has all its seconds but the first and is well, so the first was to blame.
        Some(place) if place + WINDOW_S < after.len() => u32::try_from(place + 1).ok(),
        Some(_) => None,
    }
}

pub(crate) fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| to_f64(part) * 100.0 / to_f64(whole))
}

#[expect(clippy::cast_precision_loss, reason = "counts and microseconds of one drill fit 53 bits")]
pub(crate) fn to_f64(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(second: u64, latency_ms: u64, outcome: Outcome) -> Record {
        let wanted_us = second * 1_000_000;
        Record {
            kind: VisitorKind::Browser,
            session: wanted_us,
            wanted_us,
            latency_us: latency_ms * 1_000,
            outcome,
            what: Wanted::Page,
            way: Way::default(),
        }
    }

    /// A hundred wants a second; what becomes of them is said per second.
    fn run(seconds: u64, mut fate: impl FnMut(u64) -> (u64, Outcome)) -> Vec<Record> {
        (0..seconds)
            .flat_map(|second| {
                let (latency, outcome) = fate(second);
                std::iter::repeat_n(record(second, latency, outcome), 100)
            })
            .collect()
    }

    #[test]
    fn time_to_protect_is_when_it_is_well_for_good() {
        let ok = (20, Outcome::Arrived);
        let bad = (20, Outcome::TimedOut);
        let slow = (400, Outcome::Arrived);
        let at = |records: Vec<Record>| Goodput::of(&records, 60, Some(20)).time_to_protect_s;
        assert_eq!(at(run(60, |_| ok)), Some(0));
        assert_eq!(at(run(60, |s| if (20..25).contains(&s) { bad } else { ok })), Some(5));
        assert_eq!(at(run(60, |s| if s >= 20 { bad } else { ok })), None);
        assert_eq!(at(run(60, |s| if (20..25).contains(&s) { slow } else { ok })), Some(5));
        // Well for a while and bad again is not protected.
        assert_eq!(at(run(60, |s| if s == 21 || s == 58 { bad } else { ok })), None);
    }

    #[test]
    fn before_and_under_trouble_are_kept_apart() {
        let records = run(60, |s| if s < 20 { (10, Outcome::Arrived) } else { (10, Outcome::ServerError) });
        let goodput = Goodput::of(&records, 60, Some(20));
        assert_eq!(goodput.before.arrived_percent(), Some(100.0));
        assert_eq!(goodput.under_trouble.arrived_percent(), Some(0.0));
        assert_eq!(goodput.seconds[19].arrived, 100);
        assert_eq!(goodput.seconds[20].arrived, 0);
        assert_eq!(goodput.by_kind[&VisitorKind::Browser].wants, 4_000);
    }
}
