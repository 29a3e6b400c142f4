//! What people are promised while requests flood the site or a crowd comes, held against what they got.
//! Written from the figures, so that nothing that falls short can be left out.

use serde::Serialize;

use super::{CALM_MS, Goodput, Outcome, PROTECTED_TIMES_CALM, Share, to_f64};
use crate::agent::OriginSeen;
use crate::scenario::{Scenario, VisitorKind};

/// The most memory that the edge may take, bytes.
const MEMORY_BYTES_MAX: u64 = 256 << 20;
/// A kind of visitor is worse off than others where fewer of its visits succeed by this many percentage
/// points, and by more than one visit.
const WORSE_OFF_POINTS: f64 = 1.0;

/// One promise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Promise {
    /// What is promised, with its unit.
    pub what: String,
    /// At least that much; `None` where it is at the most.
    pub at_least: Option<f64>,
    /// At the most that much.
    pub at_most: Option<f64>,
    /// What it was; `None` where it never came to it.
    pub figure: Option<f64>,
    /// Whether it was kept.
    pub kept: bool,
}

impl Promise {
    fn at_least(what: impl Into<String>, least: f64, figure: Option<f64>) -> Self {
        // Where nobody came there is nothing to keep.
        let kept = figure.is_none_or(|figure| figure >= least);
        Self { what: what.into(), at_least: Some(least), at_most: None, figure, kept }
    }

    fn at_most(what: impl Into<String>, most: f64, figure: Option<f64>) -> Self {
        let kept = figure.is_some_and(|figure| figure <= most);
        Self { what: what.into(), at_least: None, at_most: Some(most), figure, kept }
    }
}

/// For people: what was promised and what it was.
impl std::fmt::Display for Promise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let figure = self.figure.map_or("never".to_owned(), |figure| format!("{figure:.2}"));
        let (side, bound) = match (self.at_least, self.at_most) {
            (Some(least), _) => ("at least", least),
            (None, most) => ("at most", most.unwrap_or(0.0)),
        };
        write!(f, "{}: {figure}, promised {side} {bound}", self.what)
    }
}

/// The promises for a scenario, with what came of them. None where nothing is promised: it is calm, or
/// the trouble is another than requests that flood or a crowd.
#[must_use]
pub fn promises(
    scenario: &Scenario,
    goodput: &Goodput,
    origin: &OriginSeen,
    memory_peak_bytes: Option<u64>,
) -> Vec<Promise> {
    let troubled = !scenario.origin.is_empty() || scenario.certificate_expires_s.is_some();
    let floods = &scenario.floods;
    if troubled || scenario.onset_s().is_none() || floods.iter().any(|flood| !flood.kind.asks_the_site()) {
        return Vec::new();
    }
    let (under, calm_ms) = (&goodput.under_trouble, goodput.before.p99_ms.max(CALM_MS));
    let protect = goodput.time_to_protect_s.map(f64::from);
    let mut promises = vec![
        Promise::at_least("cached pages that arrived, %", 99.9, goodput.documents.arrived_percent()),
        Promise::at_least(
            "look-up visits with scripts, %",
            99.0,
            goodput.with_script.look_up_sessions_percent(),
        ),
        Promise::at_least(
            "look-up visits without scripts, %",
            97.0,
            goodput.without_script.look_up_sessions_percent(),
        ),
        Promise::at_most(
            "99th percentile without stated waits, ms",
            calm_ms * PROTECTED_TIMES_CALM,
            Some(under.p99_untold_ms),
        ),
        Promise::at_most("seconds until protected", 3.0, protect),
        Promise::at_most("look-ups that the origin turned away", 0.0, Some(to_f64(origin.lookups_refused))),
    ];
    if let Some(bytes) = memory_peak_bytes {
        let mebibytes = |bytes: u64| to_f64(bytes) / to_f64(1 << 20);
        promises.push(Promise::at_most("memory, MiB", mebibytes(MEMORY_BYTES_MAX), Some(mebibytes(bytes))));
    }
    let worse_off = [VisitorKind::Office, VisitorKind::Phone].map(|kind| {
        let points = goodput.by_kind.get(&kind).map_or(0.0, |share| worse_off_by(share, under));
        Promise::at_most(
            format!("visits of kind {} that succeed less often than others, points", kind.as_str()),
            WORSE_OFF_POINTS,
            Some(points),
        )
    });
    promises.extend(worse_off);
    if floods.is_empty() {
        let (detours, refused) = (&under.detours, under.count(Outcome::Refused));
        let refused = to_f64(refused.max(detours.refused_on_the_way));
        promises.push(Promise::at_most("refused in a crowd", 0.0, Some(refused)));
        let shown = to_f64(detours.shown_a_page);
        promises.push(Promise::at_most("asked for proof or to wait in a crowd", 0.0, Some(shown)));
    }
    promises
}

/// By how many percentage points fewer visits of a kind succeed than of all; 0 where it is by one visit
/// at the most.
fn worse_off_by(kind: &Share, all: &Share) -> f64 {
    let Some((own, others)) = kind.sessions_percent().zip(all.sessions_percent()) else { return 0.0 };
    let expected = to_f64(kind.sessions) * others / 100.0;
    if to_f64(kind.sessions_whole) + 1.0 >= expected { 0.0 } else { (others - own).max(0.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Record, Way};
    use crate::plan::Wanted;
    use crate::scenario::shipped;

    fn record(kind: VisitorKind, session: u64, outcome: Outcome, way: Way) -> Record {
        Record {
            kind,
            session,
            what: if session.is_multiple_of(2) { Wanted::LookUp } else { Wanted::Page },
            wanted_us: session * 50_000,
            latency_us: 20_000 + way.told_us(),
            outcome,
            way,
        }
    }

    /// Of each of two kinds 1,000 visits within 50 s; what becomes of them is said.
    fn broken(name: &str, fate: impl Fn(VisitorKind, u64) -> (Outcome, Way)) -> Vec<String> {
        let kinds = [VisitorKind::Browser, VisitorKind::Office];
        let records: Vec<_> = (0..1_000)
            .flat_map(|session| {
                kinds.map(|kind| {
                    let (outcome, way) = fate(kind, session);
                    record(kind, session, outcome, way)
                })
            })
            .collect();
        let scenario = shipped(name).unwrap();
        let goodput = Goodput::of(&records, scenario.duration_s, scenario.onset_s());
        let promises = promises(&scenario, &goodput, &OriginSeen::default(), Some(100 << 20));
        promises.iter().filter(|promise| !promise.kept).map(ToString::to_string).collect()
    }

    #[test]
    fn what_falls_short_is_named() {
        let well = (Outcome::Arrived, Way::default());
        assert!(broken("many-light", |_, _| well).is_empty());
        // A wait that a page told of is no breach; being told so in a crowd is one.
        let told = (Outcome::Arrived, Way { waits: 1, waiting_us: 10_000_000, ..Way::default() });
        let some = |_, session: u64| if session == 900 { told } else { well };
        assert!(broken("many-light", some).is_empty());
        assert_eq!(
            broken("crowd", some),
            ["asked for proof or to wait in a crowd: 2.00, promised at most 0"]
        );
        let refused = (Outcome::Refused, Way { refusals: 1, ..Way::default() });
        let office = |kind, session: u64| match kind {
            VisitorKind::Office if session > 400 && session.is_multiple_of(10) => refused,
            _ => well,
        };
        assert_eq!(
            broken("many-light", office),
            [
                "look-up visits with scripts, %: 90.17, promised at least 99",
                "seconds until protected: 30.00, promised at most 3",
                "visits of kind office that succeed less often than others, points: 4.92, promised at most 1",
            ]
        );
    }

    #[test]
    fn nothing_is_promised_where_it_is_calm_or_for_other_trouble() {
        for (name, some) in [
            ("calm", false),
            ("crowd", true),
            ("cache-bust", true),
            ("flood-with-cookies", true),
            ("slow-headers", false),
            ("origin-down", false),
        ] {
            let scenario = shipped(name).unwrap();
            let promises = promises(&scenario, &Goodput::default(), &OriginSeen::default(), None);
            assert_eq!(!promises.is_empty(), some, "{name}");
        }
    }
}
