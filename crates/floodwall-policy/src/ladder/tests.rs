use proptest::prelude::*;

use super::*;

fn facts(offered: f64, with_cookie: f64, with_proof: f64) -> LadderFacts {
    let pressed = (offered - 100.0).max(0.0);
    LadderFacts {
        capacity: 100.0,
        offered,
        offered_with_cookie: with_cookie,
        offered_with_proof: with_proof,
        pressed,
    }
}

/// The rung after each of so many seconds.
fn climb(ladder: &mut Ladder, facts: &LadderFacts, seconds: usize) -> Vec<u8> {
    (0..seconds)
        .map(|_| {
            ladder.tick(facts);
            ladder.rung().number()
        })
        .collect()
}

#[test]
fn climbs_only_as_far_as_the_load_demands() {
    for (case, facts, expected) in [
        ("calm", facts(50.0, 0.0, 0.0), [0; 12]),
        ("a little more than there is", facts(120.0, 0.0, 0.0), [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]),
        ("a flood that keeps no cookies", facts(5_000.0, 50.0, 0.0), [2; 12]),
        ("a flood that does", facts(5_000.0, 5_000.0, 50.0), [2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]),
        ("one that solves", facts(5_000.0, 5_000.0, 500.0), [2, 2, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4]),
    ] {
        assert_eq!(climb(&mut Ladder::default(), &facts, 12), expected, "{case}");
    }
}

#[test]
fn nobody_is_troubled_for_load_that_nobody_feels() {
    let unfelt = LadderFacts { pressed: 0.0, ..facts(5_000.0, 5_000.0, 5_000.0) };
    assert_eq!(climb(&mut Ladder::default(), &unfelt, 100), [0; 100]);
}

#[test]
fn steps_down_when_a_lower_rung_would_do() {
    let mut ladder = Ladder::default();
    climb(&mut ladder, &facts(5_000.0, 5_000.0, 50.0), 10);
    assert_eq!(ladder.rung(), Rung::Choice);
    // The flood goes on, but no longer keeps cookies.
    let rungs = climb(&mut ladder, &facts(5_000.0, 50.0, 50.0), 100);
    assert_eq!((rungs[28], rungs[29], rungs[99]), (3, 2, 2));
    // It ends; the memory of it takes a rung at a time.
    let rungs = climb(&mut ladder, &facts(50.0, 50.0, 50.0), 100);
    assert_eq!((rungs[28], rungs[29], rungs[58], rungs[59], rungs[99]), (2, 1, 1, 0, 0));
    // Between the two marks it stays where it is.
    climb(&mut ladder, &facts(120.0, 0.0, 0.0), 10);
    assert_eq!(climb(&mut ladder, &facts(80.0, 80.0, 0.0), 1_000), [2; 1_000]);
}

#[test]
fn a_flood_that_comes_and_goes_is_waited_for_longer_each_time() {
    let mut ladder = Ladder::default();
    let (flood, calm) = (facts(5_000.0, 50.0, 50.0), facts(50.0, 50.0, 50.0));
    let mut climbs = 0;
    for _ in 0..40 {
        for (facts, seconds) in [(&flood, 15), (&calm, 45)] {
            for _ in 0..seconds {
                let before = ladder.rung();
                climbs += usize::from(ladder.tick(facts).is_some_and(|rung| rung > before));
            }
        }
    }
    assert!(climbs <= 4, "climbed {climbs} times");
    climb(&mut ladder, &calm, 2_000);
    assert_eq!(ladder.rung(), Rung::Open);
}

proptest! {
    /// However it got there: a calm site is open again within a quarter of an hour for each rung.
    #[test]
    fn always_comes_down(seconds in prop::collection::vec((0.0..10_000.0, 0.0..1.0, 0.0..1.0), 0..300)) {
        let mut ladder = Ladder::default();
        for (offered, cookies, proofs) in seconds {
            ladder.tick(&facts(offered, offered * cookies, offered * cookies * proofs));
        }
        let steps = (Ladder::HOLD_S_MAX * 4) as usize;
        climb(&mut ladder, &facts(10.0, 10.0, 10.0), steps);
        prop_assert_eq!(ladder.rung(), Rung::Open);
    }
}
