use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// One client's allowance is small beside what all may have.
fn plenty() -> HandshakeLimits {
    limits(1_000, 20_000, 10, 40)
}

fn limits(in_progress: u32, per_second: u32, prefix_per_second: u32, burst: u32) -> HandshakeLimits {
    let number = |number| NonZeroU32::new(number).unwrap();
    HandshakeLimits {
        in_progress_max: number(in_progress),
        per_second: number(per_second),
        prefix_per_second: number(prefix_per_second),
        prefix_burst: number(burst),
    }
}

fn at(millis: u64) -> Timestamp {
    Timestamp::new(Duration::from_secs(10) + Duration::from_millis(millis), 0)
}

fn client(number: u32) -> Option<Prefix> {
    Some(Prefix::of_client(IpAddr::V4(Ipv4Addr::from(0x0A00_0000 + number))))
}

/// How many of `count` are begun at once and end as `end`; the first refusal.
fn begun(
    budget: &mut HandshakeBudget,
    prefix: Option<Prefix>,
    brings_ticket: bool,
    end: HandshakeEnd,
    count: u32,
    now: Timestamp,
) -> (u32, Option<HandshakeRefusal>) {
    let mut begun = 0;
    for _ in 0..count {
        match budget.begin(prefix, brings_ticket, now) {
            Ok(handshake) => budget.end(handshake, end, now),
            Err(refusal) => return (begun, Some(refusal)),
        }
        begun += 1;
    }
    (begun, None)
}

/// Takes half of what all may have, so that prefixes are judged.
fn press(budget: &mut HandshakeBudget, now: Timestamp) {
    while budget.pressure(now.monotonic_nanos()) == 0 {
        let handshake = budget.begin(None, false, now).unwrap();
        budget.end(handshake, HandshakeEnd::Full, now);
    }
}

#[test]
fn nobody_is_judged_while_there_is_plenty() {
    let mut budget = HandshakeBudget::new(limits(1_000, 1_000, 1, 1), 7);
    assert_eq!(begun(&mut budget, client(1), false, HandshakeEnd::Full, 450, at(0)), (450, None));
    // Nor does he owe for it afterwards: no more than his allowance.
    press(&mut budget, at(0));
    assert_eq!(budget.begin(client(1), false, at(0)).unwrap_err(), HandshakeRefusal::PrefixRate);
    press(&mut budget, at(1_100));
    assert!(budget.begin(client(1), false, at(1_100)).is_ok());
}

#[test]
fn a_prefix_has_its_allowance_and_earns_it_back() {
    let mut budget = HandshakeBudget::new(plenty(), 7);
    let full = HandshakeEnd::Full;
    let over = Some(HandshakeRefusal::PrefixRate);
    press(&mut budget, at(0));
    assert_eq!(begun(&mut budget, client(1), false, full, 100, at(0)), (40, over));
    press(&mut budget, at(500));
    assert_eq!(begun(&mut budget, client(1), false, full, 100, at(500)), (5, over), "ten a second");
    assert_eq!(begun(&mut budget, client(2), false, full, 100, at(500)), (40, over), "another has its own");
    assert_eq!(begun(&mut budget, None, false, full, 100, at(500)), (100, None), "proxies bring many people");
    press(&mut budget, at(60_000));
    assert_eq!(begun(&mut budget, client(1), false, full, 100, at(60_000)), (40, over), "whole again");
}

#[test]
fn a_good_ticket_is_cheap_and_a_false_one_is_not() {
    let over = Some(HandshakeRefusal::PrefixRate);
    for (case, end, expected) in [
        ("good tickets", HandshakeEnd::Resumed, (160, over)),
        // One is believed; then it is paid in full.
        ("false tickets", HandshakeEnd::Full, (40, over)),
        ("broken off", HandshakeEnd::Failed, (40, over)),
    ] {
        let mut budget = HandshakeBudget::new(plenty(), 7);
        for now in [at(0), at(4_000)] {
            press(&mut budget, now);
            assert_eq!(begun(&mut budget, client(1), true, end, 500, now), expected, "{case}");
        }
    }
}

#[test]
fn nobody_gains_by_false_tickets() {
    // Over a minute, one every ten milliseconds: not more than the allowance and what is earned back.
    let mut budget = HandshakeBudget::new(plenty(), 7);
    let mut done = 0;
    for step in 0..6_000_u64 {
        press(&mut budget, at(step * 10));
        done += begun(&mut budget, client(1), true, HandshakeEnd::Failed, 1, at(step * 10)).0;
    }
    assert!((600..=641).contains(&done), "{done}");
}

#[test]
fn many_sources_leave_room_for_those_who_were_here_before() {
    let mut budget = HandshakeBudget::new(limits(1_000, 1_000, 10, 40), 7);
    let newcomers: u32 =
        (0..2_000).map(|one| begun(&mut budget, client(one), false, HandshakeEnd::Full, 1, at(0)).0).sum();
    assert_eq!(newcomers, 750, "three quarters of a second's worth");
    let returning: u32 = (5_000..7_000)
        .map(|one| begun(&mut budget, client(one), true, HandshakeEnd::Resumed, 1, at(0)).0)
        .sum();
    assert_eq!(returning, 1_000, "four by ticket for one in full");
    assert_eq!(
        begun(&mut budget, client(9_000), true, HandshakeEnd::Resumed, 1, at(0)).1,
        Some(HandshakeRefusal::Rate)
    );
    assert_eq!(
        begun(&mut budget, client(9_000), false, HandshakeEnd::Full, 1, at(300)).1,
        None,
        "earned back"
    );
}

#[test]
fn a_heavy_source_is_refused_before_others_are() {
    // An attacker from 20 addresses, each as much as it gets, beside people who come once.
    let mut budget = HandshakeBudget::new(limits(10_000, 200, 10, 40), 7);
    let mut people_refused = 0;
    let mut attack = 0;
    for step in 0..10_000_u64 {
        let now = at(step);
        for source in 0..20 {
            attack += begun(&mut budget, client(source), false, HandshakeEnd::Full, 1, now).0;
        }
        if step % 20 == 0 {
            let person = client(1_000 + u32::try_from(step).unwrap());
            people_refused +=
                begun(&mut budget, person, false, HandshakeEnd::Full, 1, now).1.map_or(0, |_| 1);
        }
    }
    assert!(people_refused <= 25, "{people_refused} of 500 people");
    assert!(attack < 2_000, "{attack}");
}

#[test]
fn handshakes_in_progress_are_bounded_and_shared() {
    let mut budget = HandshakeBudget::new(limits(256, 100_000, 10_000, 10_000), 7);
    let mut open = Vec::new();
    let mut hold = |budget: &mut HandshakeBudget, number: u32, count: u32| {
        for _ in 0..count {
            match budget.begin(client(number), false, at(0)) {
                Ok(handshake) => open.push(handshake),
                Err(refusal) => return Some(refusal),
            }
        }
        None
    };
    assert_eq!(hold(&mut budget, 1, 256), Some(HandshakeRefusal::PrefixInProgress));
    assert_eq!(budget.in_progress(), 128, "half are anybody's");
    assert_eq!(hold(&mut budget, 2, 10), Some(HandshakeRefusal::PrefixInProgress));
    assert_eq!(budget.in_progress(), 132, "then four of each");
    let refused = (3..1_000).find_map(|number| hold(&mut budget, number, 1));
    assert_eq!((refused, budget.in_progress()), (Some(HandshakeRefusal::InProgress), 256));
    for handshake in open {
        budget.end(handshake, HandshakeEnd::Full, at(1));
    }
    assert_eq!(budget.in_progress(), 0);
    assert!(budget.begin(client(1), false, at(60_000)).is_ok());
}

#[test]
fn under_pressure_everybody_has_one() {
    // A burst smaller than the dearest price.
    let mut budget = HandshakeBudget::new(limits(1_000, 100, 1, 1), 7);
    let served: u32 =
        (0..75).map(|one| begun(&mut budget, client(one), false, HandshakeEnd::Full, 1, at(0)).0).sum();
    assert_eq!(served, 75);
}

proptest! {
    #[test]
    fn what_is_begun_stays_within_the_limits(
        in_progress in 2_u32..200,
        per_second in 1_u32..500,
        prefix_per_second in 1_u32..50,
        burst in 1_u32..100,
        steps in prop::collection::vec((0_u32..6, any::<bool>(), 0_u8..4, 0_u64..40), 1..600),
    ) {
        let limits = limits(in_progress, per_second, prefix_per_second, burst);
        let mut budget = HandshakeBudget::new(limits, 7);
        let (mut millis, mut open) = (0, Vec::new());
        let mut full = 0_u64;
        for (number, brings_ticket, end, wait) in steps {
            millis += wait;
            if let Ok(handshake) = budget.begin(client(number), brings_ticket, at(millis)) {
                match end {
                    0 => budget.end(handshake, HandshakeEnd::Resumed, at(millis)),
                    1 => {
                        full += 1;
                        budget.end(handshake, HandshakeEnd::Full, at(millis));
                    }
                    _ => open.push(handshake),
                }
            } else if let Some(handshake) = open.pop() {
                full += 1;
                budget.end(handshake, HandshakeEnd::Failed, at(millis));
            }
            prop_assert_eq!(u64::from(budget.in_progress()), open.len() as u64);
            prop_assert!(budget.in_progress() <= in_progress);
        }
        // A second's worth of tickets at once, each of them false, and what was earned back.
        let most = u64::from(per_second) * (4_000 + millis) / 1_000;
        prop_assert!(full <= most + 8, "{} of {}", full, most);
        for handshake in open {
            budget.end(handshake, HandshakeEnd::Resumed, at(millis));
        }
        prop_assert_eq!(budget.in_progress(), 0);
    }
}
