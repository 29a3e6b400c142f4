//! Whether a measurement counts: whether the drill itself kept up with what it had planned.

use super::{Generators, Planned};
use crate::agent::VisitorsSeen;
use crate::measure::to_f64;
use crate::scenario::Scenario;

/// Sessions and floods may begin this much late (99th percentile) before the measurement is void.
const SCHEDULE_ERROR_US_MAX: u64 = 50_000;
/// Proofs of work may be computed this much later than the visitors' devices would have had them. It is
/// more than for sessions, because a proof takes that long itself.
const PROOF_LATE_US_MAX: u64 = 250_000;
/// Generators together may use this share of their processor before the measurement is void.
const GENERATOR_CPU_MAX: f64 = 0.95;

/// Why the measurement does not count, where it does not.
pub(super) fn void(generators: &Generators, plan: &Planned, seen: &VisitorsSeen) -> Option<String> {
    let told = u64::try_from(seen.records.len()).unwrap_or(u64::MAX);
    if told != plan.wants {
        return Some(format!("{} things were to be wanted, and {told} were told of", plan.wants));
    }
    for (who, late) in [
        ("visitors fell behind their", generators.visitors_late_us.0),
        ("flood fell behind its", generators.flood_late_us.0),
    ] {
        if late > SCHEDULE_ERROR_US_MAX {
            return Some(format!("the {who} schedule: 99th percentile {} ms late", late / 1_000));
        }
    }
    if generators.proofs_late_us.0 > PROOF_LATE_US_MAX {
        return Some(format!(
            "visitors' proofs of work were computed late: 99th percentile {} ms",
            generators.proofs_late_us.0 / 1_000
        ));
    }
    let share = generators.cpu_share.max(generators.cpu_share_flooded);
    (share > GENERATOR_CPU_MAX).then(|| {
        let percent = share * to_f64(100);
        format!("the generators used {percent:.0} % of their processor")
    })
}

/// The share of their processor that the generators used while a flood was on; the worst of several.
/// `used_s` is their processor time at the start and at each second's mark. 0 without a flood.
pub(super) fn share_flooded(scenario: &Scenario, used_s: &[f64]) -> f64 {
    let at = |second: u32| used_s.get(usize::try_from(second).ok()?).copied();
    let shares = scenario.floods.iter().filter_map(|flood| {
        let spent_s = at(flood.until_s)? - at(flood.from_s)?;
        Some(spent_s / f64::from(flood.until_s.saturating_sub(flood.from_s).max(1)))
    });
    shares.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::shipped;

    #[test]
    fn generators_are_judged_by_the_time_of_the_flood() {
        // From 20 s to 50 s of 70: all of the processor then, a tenth of it otherwise.
        let scenario = shipped("many-light").unwrap();
        let mut used_s = vec![0.0];
        for second in 0..70 {
            used_s.push(used_s[second] + if (20..50).contains(&second) { 1.0 } else { 0.1 });
        }
        assert!((share_flooded(&scenario, &used_s) - 1.0).abs() < 1e-9);
        assert_eq!(share_flooded(&shipped("calm").unwrap(), &used_s), 0.0);
        let said = |cpu_share_flooded, flood_late_us| {
            let generators = Generators { cpu_share_flooded, flood_late_us, ..Generators::default() };
            void(&generators, &Planned::default(), &VisitorsSeen::default())
        };
        assert_eq!(said(0.94, (50_000, 900_000)), None);
        assert_eq!(said(0.99, (0, 0)).unwrap(), "the generators used 99 % of their processor");
        assert!(said(0.5, (50_001, 50_001)).unwrap().starts_with("the flood fell behind its schedule: "));
        let told = Planned { wants: 1, ..Planned::default() };
        let words = void(&Generators::default(), &told, &VisitorsSeen::default()).unwrap();
        assert_eq!(words, "1 things were to be wanted, and 0 were told of");
    }
}
