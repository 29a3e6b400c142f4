use std::fmt::Write;

use floodwall_policy::RateLimit;
use proptest::prelude::*;

use super::*;
use crate::measure::{Outcome, Way};
use crate::random::Seed;
use crate::scenario::{Flood, OriginTrouble, Pulse, SHIPPED, Skill, VisitorKind, Visitors, shipped};

/// Small enough for hundreds of runs, and far more than the prefixes in them.
fn settings() -> TwinSettings {
    TwinSettings { tracked_prefixes: 1 << 16, ..TwinSettings::default() }
}

fn run(scenario: &Scenario, seed: u64) -> Simulated {
    simulate(&Plan::new(scenario, Seed(seed)), &settings())
}

fn flood(kind: FloodKind, sources: u32, rate: f64, from_s: u32, until_s: u32) -> Flood {
    Flood {
        kind,
        sources,
        rate,
        from_s,
        until_s,
        pulse: None,
        connections_max: 2_000,
        patience_s: 10,
        ipv6: false,
        skill: Skill::Plain,
        proofs_per_second: 0.0,
    }
}

/// Scenarios beyond the bounds of files, to see more than those may show.
fn own(duration_s: u32, visitors: Vec<Visitors>, floods: Vec<Flood>) -> Scenario {
    let (name, title, why) = ("own".to_owned(), "own".to_owned(), "a test".to_owned());
    let origin = Vec::new();
    Scenario {
        name,
        title,
        why,
        duration_s,
        tls: false,
        certificate_expires_s: None,
        visitors,
        floods,
        origin,
    }
}

#[test]
fn what_visitors_get_in_every_shipped_scenario() {
    let mut table = String::from(
        "scenario            arrived  sessions refused  failed   p99 ms  untold protect  stale look-ups requests rung proved waited\n",
    );
    for (name, _) in SHIPPED {
        let seen = run(&shipped(name).unwrap(), 1);
        let share = &seen.goodput.under_trouble;
        let refused = share.count(Outcome::Refused);
        writeln!(
            table,
            "{name:19} {:>6.2}% {:>8.2}% {refused:>7} {:>7} {:>8.1} {:>7.1} {:>7} {:>6} {:>8} {:>8} {:>4} {:>6} {:>6}{}",
            share.arrived_percent().unwrap(),
            share.sessions_percent().unwrap(),
            share.wants - share.count(Outcome::Arrived) - refused,
            share.p99_ms,
            share.p99_untold_ms,
            seen.goodput.time_to_protect_s.map_or("-".to_owned(), |seconds| format!("{seconds} s")),
            seen.edge.stale,
            seen.origin.lookups,
            seen.origin.requests,
            seen.edge.rung_max,
            share.detours.proved,
            share.detours.waited,
            if seen.left_out.is_empty() { "" } else { "  (flood left out)" },
        )
        .unwrap();
    }
    insta::assert_snapshot!(table);
}

#[test]
fn the_same_seed_gives_the_same_to_the_last_figure() {
    for name in ["crowd-and-attack", "origin-down", "cache-bust"] {
        let scenario = shipped(name).unwrap().shortened(30);
        let first = run(&scenario, 7);
        assert_eq!(first, run(&scenario, 7), "{name}");
        assert_ne!(first.records, run(&scenario, 8).records, "{name}");
    }
}

/// Ten attacks of `many-light` within an hour: a million and a half requests of the flood.
#[test]
fn an_hour_with_ten_attacks() {
    let pulse = Some(Pulse { on_s: 30, off_s: 330 });
    let attack = Flood { pulse, ..flood(FloodKind::LookUps, 5_000, 5_000.0, 20, 3_600) };
    let hour = own(3_600, Visitors::usual(), vec![attack]);
    let plan = Plan::new(&hour, Seed(1));
    let seen = simulate(&plan, &settings());
    println!("an hour: {} events", seen.events);
    assert_eq!(seen.records.len(), plan.wants());
    let sent: u64 = seen.floods[0].seconds.iter().map(|second| second.begun + second.left_out).sum();
    assert!((1_450_000..1_550_000).contains(&sent), "{sent}");
    // Between the attacks everybody gets everything; the line at the origin is gone within 10 s.
    for attack in 0..9 {
        let calm = &seen.goodput.seconds[20 + 360 * attack + 45..20 + 360 * (attack + 1)];
        assert!(calm.iter().all(|second| second.wants == second.arrived), "after attack {attack}");
    }
}

#[test]
fn copies_go_on_while_the_origin_is_in_trouble() {
    for name in ["origin-down", "origin-slow", "origin-errors"] {
        let seen = run(&shipped(name).unwrap(), 3);
        let pages = seen.records.iter().filter(|record| record.kind == VisitorKind::Crawler);
        assert!(pages.clone().count() > 30, "{name}");
        // The crawler asks for pages only: all of them were seen before the trouble.
        assert!(pages.into_iter().all(|record| record.outcome == Outcome::Arrived), "{name}");
    }
}

#[test]
fn an_origin_that_is_down_is_found_out_and_found_back() {
    let seen = run(&shipped("origin-down").unwrap(), 3);
    assert_eq!(seen.edge.origin_downs, 1);
    let (down, back) = (&seen.goodput.seconds[22..40], &seen.goodput.seconds[46..60]);
    assert!(down.iter().any(|second| second.arrived < second.wants), "look-ups need the origin");
    assert!(back.iter().all(|second| second.arrived == second.wants));
}

#[test]
fn a_slow_page_is_waited_for_once_and_served_stale_meanwhile() {
    let mut scenario = own(120, Visitors::usual(), Vec::new());
    scenario.origin.push(OriginTrouble { trouble: Trouble::Slow, from_s: 30, until_s: 110 });
    let seen = run(&scenario, 5);
    // The pages expire after a minute, in the middle of it.
    assert!(seen.edge.stale > 100, "{:?}", seen.edge);
    let crawled: Vec<_> = seen.records.iter().filter(|record| record.kind == VisitorKind::Crawler).collect();
    assert!(crawled.iter().all(|record| record.outcome == Outcome::Arrived));
    assert!(crawled.iter().all(|record| record.latency_us <= 6_000_000));
}

#[test]
fn a_cache_that_is_too_small_loses_pages_to_random_queries_and_says_so() {
    let bust = flood(FloodKind::CacheBust, 500, 500.0, 5, 25);
    let scenario = own(30, Visitors::usual(), vec![bust]);
    let plan = Plan::new(&scenario, Seed(1));
    let small = simulate(&plan, &TwinSettings { copies_max: 20, ..settings() });
    assert!(small.edge.pages_lost > 0, "{:?}", small.edge);
    assert_eq!(simulate(&plan, &settings()).edge.pages_lost, 0);
}

#[test]
fn floods_that_only_hold_connections_are_left_out_and_named() {
    let seen = run(&shipped("slow-headers").unwrap().shortened(20), 1);
    assert_eq!(seen.left_out, [FloodKind::SlowHeaders]);
    assert!(seen.floods[0].seconds.iter().all(|second| second.begun == 0));
}

/// Cheap pages and dear look-ups in one class teach the gate a calm that no look-up keeps to.
#[test]
fn look_ups_of_a_class_of_their_own_have_a_gate_of_their_own() {
    let plan = Plan::new(&shipped("flood-with-cookies").unwrap().shortened(30), Seed(2));
    let together = simulate(&plan, &settings());
    let apart = simulate(&plan, &TwinSettings { look_ups_apart: true, ..settings() });
    let without = simulate(&plan, &TwinSettings { gate: None, ..settings() });
    let arrived = |seen: &Simulated| seen.goodput.under_trouble.arrived_percent().unwrap();
    assert!(
        arrived(&together) > 99.0 && arrived(&apart) > 99.0,
        "{} {}",
        arrived(&together),
        arrived(&apart)
    );
    assert!(arrived(&without) < 98.0, "{}", arrived(&without));
    assert_ne!(together.edge, apart.edge);
    assert_eq!((without.edge.rung_max, without.goodput.under_trouble.detours.proved), (0, 0));
}

#[test]
fn a_limit_that_is_tighter_refuses_more_of_the_few() {
    let scenario = shipped("few-heavy").unwrap().shortened(20);
    let plan = Plan::new(&scenario, Seed(2));
    let refused = |rate, burst| {
        let origin_limit = RateLimit::from_numbers(rate, burst).ok();
        let policy = SitePolicy { origin_limit, request_limit: None };
        simulate(&plan, &TwinSettings { policy, ..settings() }).edge.refused
    };
    assert!(refused(1, 10) > refused(20, 200));
    assert!(refused(20, 200) > 0);
}

prop_compose! {
    fn any_flood()(
        kind in prop_oneof![Just(FloodKind::LookUps), Just(FloodKind::Pages), Just(FloodKind::BareAddress)],
        sources in 1_u32..5_000,
        rate in 1.0..3_000.0,
        from_s in 1_u32..8,
        length_s in 1_u32..6,
        connections_max in 1_u32..3_000,
    ) -> Flood {
        Flood { connections_max, ..flood(kind, sources, rate, from_s, from_s + length_s) }
    }
}

prop_compose! {
    fn any_trouble()(
        trouble in prop_oneof![Just(Trouble::Down), Just(Trouble::Slow), Just(Trouble::Errors)],
        from_s in 0_u32..10,
        length_s in 1_u32..5,
    ) -> OriginTrouble {
        OriginTrouble { trouble, from_s, until_s: from_s + length_s }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever comes, everything wanted becomes something, once; the origin is given no more than
    /// it has places; no page of the site is lost.
    #[test]
    fn bounds_hold_under_any_flood_and_trouble(
        seed in any::<u64>(),
        floods in prop::collection::vec(any_flood(), 0..3),
        origin in prop::collection::vec(any_trouble(), 0..3),
    ) {
        let mut scenario = own(15, Visitors::usual(), floods);
        scenario.origin = origin;
        let plan = Plan::new(&scenario, Seed(seed));
        let seen = simulate(&plan, &settings());
        prop_assert_eq!(seen.records.len(), plan.wants());
        prop_assert!(seen.origin.lookups_in_progress_max <= 20, "{:?}", seen.origin);
        prop_assert!(seen.edge.turns_max <= 256, "{:?}", seen.edge);
        prop_assert_eq!(seen.edge.pages_lost, 0);
        prop_assert!(seen.records.iter().all(|record| record.latency_us <= 60_000_000 + 1_000));
        for (flood, bounds) in seen.floods.iter().zip(&plan.scenario.floods) {
            prop_assert!(flood.connections_peak <= u64::from(bounds.connections_max));
            for second in &flood.seconds {
                let ended = second.served + second.refused + second.server_errors + second.failed;
                prop_assert!(ended <= second.begun, "{:?}", second);
            }
        }
    }

    /// What is asked for once is there for all, however many look-ups a flood asks for: pages arrive.
    #[test]
    fn a_flood_of_look_ups_takes_no_page_away(seed in any::<u64>(), flood in any_flood()) {
        let visitors = vec![Visitors { kind: VisitorKind::Crawler, sessions_per_second: 2.0, surge: None }];
        let look_ups = Flood { kind: FloodKind::LookUps, from_s: 9, until_s: 14, ..flood };
        let seen = run(&own(15, visitors, vec![look_ups]), seed);
        // A visit that begins in the last moment wants its last page when the drill is over: nobody asks.
        let well = |outcome| matches!(outcome, Outcome::Arrived | Outcome::AfterTheEnd);
        let lost: Vec<_> = seen.records.iter().filter(|record| !well(record.outcome)).collect();
        prop_assert!(lost.is_empty(), "{lost:?}");
    }

    /// Nobody is refused or turned away who comes without a flood, from the first second on, before the
    /// gate has learned what the origin can carry.
    #[test]
    fn without_a_flood_everybody_gets_everything(seed in any::<u64>(), times in 0.5..10.0) {
        let mut visitors = Visitors::usual();
        for kind in &mut visitors {
            kind.sessions_per_second *= times;
        }
        let seen = run(&own(20, visitors, Vec::new()), seed);
        prop_assert_eq!((seen.edge.refused, seen.edge.rung_max), (0, 0));
        // A redirect, which nobody sees, is the most that may lie between.
        let well = |record: &Record| {
            let seen = Way { redirects: 0, ..record.way };
            seen.is_direct() && matches!(record.outcome, Outcome::Arrived | Outcome::AfterTheEnd)
        };
        let ill: Vec<_> = seen.records.iter().filter(|record| !well(record)).collect();
        prop_assert!(ill.is_empty(), "{} of {}: {:?}", ill.len(), seen.records.len(), ill[0]);
    }
}
