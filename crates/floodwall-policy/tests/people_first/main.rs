//! Who gets in under a flood: the gate with people, bots and an origin around it, in simulated time.
//!
//! Each case is a seed and a flood; time goes from event to event, and nothing else knows what time
//! it is. The origin answers 20 requests at a time, each in 50 to 100 ms. People come ten a second,
//! each to look three things up with some thought between; they follow redirects, their browsers
//! work, or they wait, as people do; they give up after half a minute, and in a line in which they are
//! told their place after two.

#![expect(clippy::unwrap_used, reason = "the lint's exception for tests does not reach the helpers of one")]

mod bots;
mod people;
mod seen;
mod signatures;
mod world;

use std::fmt::Write as _;

use bots::{Flood, Skill};
use people::Kind;
use seen::Seen;
use signatures::{BotLook, Watched};
use world::World;

const SEEDS: [u64; 3] = [1, 2, 3];

fn run(flood: Option<Flood>, people_per_s: f64, seed: u64) -> Seen {
    World::new(flood, people_per_s, seed).run()
}

fn row(table: &mut String, name: &str, seen: &Seen) {
    let of = |kind| seen.success(kind) * 100.0;
    let _ = writeln!(
        table,
        "{name:34} {:6.2} {:6.2} {:6.2} {:6.2} {:6.2} {:6.2} {:6.2} {:6.0} {:7.0} {:4} {:5} {:6} {:6}",
        seen.success_all() * 100.0,
        of(Kind::Browser),
        of(Kind::NoScript),
        of(Kind::Phone),
        of(Kind::Office),
        of(Kind::Ipv6),
        seen.in_time() * 100.0,
        seen.p99_ms(),
        seen.p99_no_script_ms(),
        seen.rung_max,
        seen.in_flight_max,
        seen.pages_shown,
        seen.people_refused,
    );
}

fn header() -> String {
    format!(
        "{:34} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>7} {:>4} {:>5} {:>6} {:>6}\n",
        "look-ups answered, %",
        "all",
        "brows",
        "noscr",
        "phone",
        "office",
        "ipv6",
        "3.5 s",
        "p99 ms",
        "noscr",
        "rung",
        "inflt",
        "pages",
        "refus"
    )
}

/// Every flood and every skill, with the figures people get. The figures hold for the seed; what must
/// hold for every seed is in the tests below.
#[test]
fn table() {
    let mut table = header();
    row(&mut table, "calm", &run(None, 10.0, 1));
    row(&mut table, "crowd", &run(None, 80.0, 1));
    row(&mut table, "crowd of twice what there is", &run(None, 180.0, 1));
    let many_light =
        Flood { rate: 2_000.0, sources: 2_000, ..Flood::many_light(Skill::Some { percent: 10 }) };
    row(&mut table, "crowd and many-light", &run(Some(many_light), 40.0, 1));
    for (name, flood) in [
        ("few-heavy", Flood::few_heavy(Skill::None)),
        ("few-heavy, all follow redirects", Flood::few_heavy(Skill::Redirect)),
        ("few-heavy, fresh cookie each", Flood::few_heavy(Skill::FreshRedirect)),
        ("many-light", Flood::many_light(Skill::None)),
        ("many-light, 10 % follow redirects", Flood::many_light(Skill::Some { percent: 10 })),
        ("many-light, all follow redirects", Flood::many_light(Skill::Redirect)),
        ("many-light, fresh cookie each", Flood::many_light(Skill::FreshRedirect)),
        ("many-light, all wait in line", Flood::many_light(Skill::Wait)),
        ("many-light, all solve once", Flood::many_light(Skill::Solve { per_second: 1e6 })),
        ("many-light, solve for each", Flood::many_light(Skill::FreshSolve { per_second: 1e6 })),
        ("pulse, all follow redirects", Flood::pulse(Skill::Redirect)),
        ("one-shot", Flood::one_shot(Skill::None)),
        ("one-shot, 10 % follow redirects", Flood::one_shot(Skill::Some { percent: 10 })),
        ("one-shot, all follow redirects", Flood::one_shot(Skill::FreshRedirect)),
        ("one-shot, all solve", Flood::one_shot(Skill::FreshSolve { per_second: 1e6 })),
        ("as-people, 5,000 at 0.1/s", Flood::as_people(Skill::None)),
        ("as-people, all follow redirects", Flood::as_people(Skill::Redirect)),
        ("as-people, all solve once", Flood::as_people(Skill::Solve { per_second: 1e6 })),
    ] {
        row(&mut table, name, &run(Some(flood), 10.0, 1));
    }
    let _ = writeln!(table, "for comparison, a budget and a line without tiers, shares and challenges:");
    for (name, flood) in [
        ("few-heavy", Flood::few_heavy(Skill::None)),
        ("many-light", Flood::many_light(Skill::None)),
        ("one-shot", Flood::one_shot(Skill::None)),
        ("as-people, 5,000 at 0.1/s", Flood::as_people(Skill::None)),
    ] {
        row(&mut table, name, &World::new(Some(flood), 10.0, 1).plain().run());
    }
    insta::assert_snapshot!(table);
}

/// What is promised, for every seed: of each kind of visitor.
fn keeps_the_promise(flood: Flood) {
    for seed in SEEDS {
        let seen = run(Some(flood), 10.0, seed);
        for kind in [Kind::Browser, Kind::Phone, Kind::Office, Kind::Ipv6] {
            let success = seen.success(kind);
            assert!(success >= 0.99, "{flood:?}, seed {seed}: {kind:?} {success}");
        }
        let success = seen.success(Kind::NoScript);
        assert!(success >= 0.97, "{flood:?}, seed {seed}: without JavaScript {success}");
        assert!(seen.in_flight_max <= 40, "{flood:?}, seed {seed}: {} at once", seen.in_flight_max);
    }
}

#[test]
fn many_light() {
    keeps_the_promise(Flood::many_light(Skill::None));
    keeps_the_promise(Flood::many_light(Skill::Some { percent: 10 }));
}

#[test]
fn many_light_that_follow_redirects() {
    keeps_the_promise(Flood::many_light(Skill::Redirect));
}

#[test]
fn one_shot() {
    keeps_the_promise(Flood::one_shot(Skill::None));
    keeps_the_promise(Flood::one_shot(Skill::Some { percent: 10 }));
}

#[test]
fn few_heavy() {
    keeps_the_promise(Flood::few_heavy(Skill::None));
    keeps_the_promise(Flood::few_heavy(Skill::Redirect));
    keeps_the_promise(Flood::few_heavy(Skill::FreshRedirect));
}

#[test]
fn in_a_crowd_nobody_is_refused_or_sees_a_page() {
    for seed in SEEDS {
        let seen = run(None, 80.0, seed);
        assert!(seen.success_all() >= 1.0, "seed {seed}");
        assert_eq!((seen.people_refused, seen.pages_shown), (0, 0), "seed {seed}");
        assert!(seen.rung_max < 3, "seed {seed}");
    }
}

#[test]
fn in_an_hour_of_calm_nothing_is_asked_of_anybody() {
    let seen = World::new(None, 10.0, 1).lasting(3_600).run();
    assert!(seen.success_all() >= 1.0);
    assert_eq!((seen.rung_max, seen.people_refused, seen.pages_shown), (0, 0, 0));
    assert!(seen.p99_ms() <= 110.0, "{}", seen.p99_ms());
}

const WEEK_OF_VISITORS: u64 = 20_000;

fn run_watched(flood: Option<Flood>, people_per_s: f64, look: BotLook, seed: u64) -> Seen {
    World::new(flood, people_per_s, seed).watched(Watched::new(look, WEEK_OF_VISITORS, seed)).run()
}

/// The floods whose bots do something odd, with rules and without.
#[test]
fn signatures_table() {
    let mut table = header();
    let mut said = String::new();
    for (name, look, flood) in [
        ("many-light, all follow redirects", BotLook::OddOrder, Flood::many_light(Skill::Redirect)),
        ("one-shot, three tools", BotLook::ThreeTools, Flood::one_shot(Skill::None)),
        ("as-people, 5,000 at 0.1/s", BotLook::OddOrder, Flood::as_people(Skill::None)),
        ("as-people, all follow redirects", BotLook::OddOrder, Flood::as_people(Skill::Redirect)),
        ("the same, looking as browsers do", BotLook::AsBrowsers, Flood::as_people(Skill::Redirect)),
    ] {
        row(&mut table, name, &run(Some(flood), 10.0, 1));
        let seen = run_watched(Some(flood), 10.0, look, 1);
        row(&mut table, "  with signatures", &seen);
        let rules = seen.rules.unwrap();
        let _ = writeln!(
            said,
            "{name}: first acted {:?} s after it began, hit {:.2} % of bots' and {:.2} % of people's requests",
            rules.first_acted_s.map(|second| second.saturating_sub(71)),
            rules.bots_hit * 100.0,
            rules.people_hit * 100.0
        );
        rules.rules.iter().chain(&rules.ended).for_each(|rule| {
            let _ = writeln!(said, "  {rule}");
        });
    }
    insta::assert_snapshot!(format!("{table}\n{said}"));
}

#[test]
fn rules_hit_bots_and_no_people_whatever_the_seed() {
    for seed in SEEDS {
        for (look, flood) in [
            (BotLook::OddOrder, Flood::one_shot(Skill::None)),
            (BotLook::ThreeTools, Flood::one_shot(Skill::None)),
            (BotLook::OddOrder, Flood::as_people(Skill::Redirect)),
        ] {
            let seen = run_watched(Some(flood), 10.0, look, seed);
            let rules = seen.rules.unwrap();
            assert!(rules.bots_hit > 0.95, "{look:?}, {flood:?}, seed {seed}: {rules:?}");
            assert!(rules.people_hit < 0.005, "{look:?}, {flood:?}, seed {seed}: {rules:?}");
        }
    }
}

#[test]
fn bots_as_browsers_and_crowds_give_no_rule() {
    for seed in SEEDS {
        let bots = Some(Flood::as_people(Skill::Redirect));
        for (flood, people_per_s) in [(bots, 10.0), (None, 80.0), (None, 180.0)] {
            let rules = run_watched(flood, people_per_s, BotLook::AsBrowsers, seed).rules.unwrap();
            assert!(rules.rules.is_empty() && rules.ended.is_empty(), "{flood:?}, seed {seed}: {rules:?}");
        }
    }
}
