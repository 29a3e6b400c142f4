//! How much of its planned flood an edge met. Two edges can be compared only where both met the same.

use serde::Serialize;

use super::{percent, to_f64};
use crate::agent::{FloodSecond, FloodSeen};
use crate::scenario::Flood;

/// Below this share of the plan a run stands beside no other, percent.
pub const COMPARABLE_PERCENT: f64 = 95.0;

/// One flood's share of its plan.
///
/// Requests and handshakes: those begun, of those planned; one is left out when all connections wait
/// for answers, for which patience is bounded so that it should not happen. Packets: those that the
/// flood's own system took. Floods that hold connections: those tried on time, and those that were not
/// to be tried because the flood had all it is to hold; how many an edge lets stand is the edge's doing
/// and not the flood's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FloodMet {
    /// Requests, connections, handshakes or packets that the plan has.
    pub planned: u64,
    /// Those that the edge met.
    pub met: u64,
}

impl FloodMet {
    /// What a flood did against its plan.
    #[must_use]
    pub fn of(flood: &Flood, seen: &FloodSeen) -> Self {
        let sum = |field: fn(&FloodSecond) -> u64| seen.seconds.iter().map(field).sum::<u64>();
        let planned = sum(|second| second.begun) + sum(|second| second.left_out);
        let met = if flood.kind.is_packets() {
            sum(|second| second.sent)
        } else if flood.kind.holds_connections() {
            planned
        } else {
            sum(|second| second.begun)
        };
        Self { planned, met }
    }

    /// Share, percent; `None` where nothing was planned.
    #[must_use]
    pub fn percent(self) -> Option<f64> {
        percent(self.met, self.planned)
    }
}

/// Share of all floods together, percent; `None` without one.
#[must_use]
pub fn met_percent(floods: &[FloodMet]) -> Option<f64> {
    let sum = |field: fn(&FloodMet) -> u64| floods.iter().map(field).sum::<u64>();
    percent(sum(|flood| flood.met), sum(|flood| flood.planned))
}

/// Why a run cannot be compared with others, where it cannot.
#[must_use]
pub fn not_comparable(floods: &[FloodMet]) -> Option<String> {
    let least = floods.iter().filter_map(|flood| Some((flood, flood.percent()?)));
    let (flood, percent) = least.min_by(|(_, a), (_, b)| a.total_cmp(b))?;
    (percent < COMPARABLE_PERCENT).then(|| {
        format!(
            "it met {percent:.0} % of the planned flood ({:.0} of {:.0}), and less flood is less harm",
            to_f64(flood.met),
            to_f64(flood.planned)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{FloodKind, shipped};

    fn met(kind: FloodKind, second: FloodSecond) -> FloodMet {
        let flood = Flood { kind, ..shipped("many-light").unwrap().floods.remove(0) };
        FloodMet::of(&flood, &FloodSeen { seconds: vec![second, second], ..FloodSeen::default() })
    }

    #[test]
    fn each_kind_of_flood_is_measured_by_what_it_is_about() {
        let second = FloodSecond { begun: 60, left_out: 40, sent: 30, ..FloodSecond::default() };
        for (kind, planned, met_of_it) in [
            (FloodKind::LookUps, 200, 120),
            (FloodKind::TlsHandshakes, 200, 120),
            (FloodKind::SlowRead, 200, 200),
            (FloodKind::H2RapidReset, 200, 200),
            (FloodKind::Udp, 200, 60),
        ] {
            assert_eq!(met(kind, second), FloodMet { planned, met: met_of_it }, "{kind:?}");
        }
    }

    #[test]
    fn a_run_that_met_clearly_less_is_not_comparable() {
        let of = |met| FloodMet { planned: 1_000, met };
        assert_eq!(not_comparable(&[]), None);
        assert_eq!(not_comparable(&[FloodMet::default(), of(950)]), None);
        let words = not_comparable(&[of(1_000), of(275)]).unwrap();
        assert_eq!(words, "it met 28 % of the planned flood (275 of 1000), and less flood is less harm");
        assert_eq!(met_percent(&[of(1_000), of(500)]), Some(75.0));
    }
}
