use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::scenario::{SHIPPED, shipped};

fn plan(name: &str, seed: u64) -> Plan {
    Plan::new(&shipped(name).unwrap(), Seed(seed))
}

#[test]
fn a_seed_gives_the_same_plan_again_and_another_seed_another() {
    for (name, _) in SHIPPED {
        assert_eq!(plan(name, 1).fingerprint(), plan(name, 1).fingerprint(), "{name}");
        assert_ne!(plan(name, 1).fingerprint(), plan(name, 2).fingerprint(), "{name}");
    }
}

#[test]
fn arrivals_are_as_many_as_the_rates_say() {
    let calm = plan("calm", 3);
    // 11.2 sessions a second for 60 s; four standard deviations of a Poisson count to each side.
    assert!((568..776).contains(&calm.sessions.len()), "{}", calm.sessions.len());
    let crowd = plan("crowd", 3);
    let late = crowd.sessions.iter().filter(|session| session.start_us >= micros(150.0)).count();
    // 6.7 people's sessions a second, twentyfold, and the office's 1.5, fourfold, for the last 60 s.
    assert!((8_060..8_800).contains(&late), "{late}");
    let flood = plan("many-light", 3);
    let arrivals: Vec<_> = flood.flood(0).unwrap().collect();
    assert!((148_000..152_000).contains(&arrivals.len()), "{}", arrivals.len());
    let sources: BTreeSet<_> = arrivals.iter().map(|arrival| arrival.source).collect();
    assert_eq!(sources.len(), 5_000);
    assert!(arrivals.is_sorted_by_key(|arrival| arrival.at_us));
}

#[test]
fn a_flood_that_pulses_is_silent_between() {
    let plan = plan("pulse", 5);
    for arrival in plan.flood(0).unwrap() {
        let into = (arrival.at_us - micros(20.0)) % micros(30.0);
        assert!(into < micros(15.0), "{arrival:?}");
    }
    // Three spans of 15 s, each as full as the others; five standard deviations to each side.
    for from_s in [20.0, 50.0, 80.0] {
        let span = micros(from_s)..micros(from_s + 15.0);
        let count = plan.flood(0).unwrap().filter(|arrival| span.contains(&arrival.at_us)).count();
        assert!((73_630..76_370).contains(&count), "from {from_s}: {count}");
    }
}

#[test]
fn packets_come_from_where_nobody_is_and_nothing_else_does() {
    for (name, _) in SHIPPED {
        let plan = plan(name, 1);
        for (place, flood) in plan.scenario.floods.iter().enumerate() {
            for arrival in plan.flood(place).unwrap().take(20_000) {
                let Source::V4(number) = arrival.source else { panic!("{arrival:?}") };
                assert_eq!(number >= NOBODY_FROM, flood.kind.is_packets(), "{name} {arrival:?}");
            }
        }
    }
}

#[test]
fn a_flood_leaves_the_visitors_as_they_are() {
    let (calm, flooded) = (plan("origin-down", 9), plan("origin-errors", 9));
    assert_eq!(calm.sessions, flooded.sessions);
}

#[test]
fn sessions_are_what_people_do() {
    let plan = plan("calm", 1);
    // People need less than 15 s for a visit; those who come late in the scenario do not finish.
    let finished = plan.sessions.iter().filter(|session| session.start_us < micros(45.0));
    for session in finished {
        let last = session.steps.last().unwrap();
        let person = !matches!(session.kind, VisitorKind::Crawler | VisitorKind::Monitor);
        assert_eq!(last.page.target.starts_with("/polling-place/lookup?"), person, "{session:?}");
        assert!(session.steps.is_sorted_by_key(|step| step.at_us));
        assert_eq!(
            session.steps.iter().filter(|step| step.roams).count(),
            usize::from(session.kind == VisitorKind::Phone)
        );
        assert_eq!(session.source != session.second_source, session.kind == VisitorKind::Phone);
    }
    let office: BTreeSet<_> =
        plan.sessions.iter().filter(|s| s.kind == VisitorKind::Office).map(|s| s.source).collect();
    assert_eq!(office.len(), 1);
}

#[test]
fn sources_lie_within_the_networks_they_are_given() {
    let (v4, v6) = ("10.9.0.0".parse().unwrap(), "fd00:1:2::".parse().unwrap());
    assert_eq!(Source::V4(0x0102).within(v4, v6), "10.9.1.2".parse::<IpAddr>().unwrap());
    assert_eq!(Source::V6(7).within(v4, v6), "fd00:1:2:7::1".parse::<IpAddr>().unwrap());
}

proptest! {
    /// No plan has an arrival outside its scenario.
    #[test]
    fn arrivals_lie_within_the_scenario(seed in any::<u64>(), place in 0..SHIPPED.len()) {
        let scenario = shipped(SHIPPED[place].0).unwrap().shortened(6);
        let plan = Plan::new(&scenario, Seed(seed));
        for session in &plan.sessions {
            prop_assert!(!session.steps.is_empty());
            prop_assert!(session.steps.iter().all(|step| session.start_us + step.at_us < 6_000_000));
        }
        for place in 0..plan.scenario.floods.len() {
            for arrival in plan.flood(place).unwrap() {
                prop_assert!(plan.scenario.floods[place].is_on(arrival.at_us as f64 / 1e6 + 1e-6)
                    || plan.scenario.floods[place].is_on(arrival.at_us as f64 / 1e6));
            }
        }
    }
}
