use proptest::prelude::*;

use super::*;

fn at(millis: f64) -> Timestamp {
    Timestamp::new(Duration::from_secs_f64(1.0 + millis / 1_000.0), 0)
}

/// An origin that works on `served_max` requests at a time, each for 50 to 100 ms, asked as fast as
/// the budget lets; the limit after so many seconds.
fn limit_at_origin(served_max: u32, slower: f64, seconds: f64) -> u32 {
    let mut budget = OriginBudget::new(BudgetSettings::default(), at(0.0));
    // A calm minute teaches what is normal.
    let mut now = 0.0;
    let mut step = 0_u32;
    let service = |step: u32| 50.0 + f64::from(step.wrapping_mul(2_654_435_761) >> 16) / 65_536.0 * 50.0;
    while now < 60_000.0 {
        budget.on_start();
        now += service(step);
        budget.on_end(
            Outcome::Answered(
                Duration::from_secs_f64(service(step) / 1_000.0),
                WorkKind::of("GET", "/look-up"),
            ),
            at(now),
        );
        step += 1;
    }
    // Then a flood: in flight is always what the limit allows. Departures are evenly spaced; whoever
    // is beyond what is served waits for a place first.
    let end = now + seconds * 1_000.0;
    while now < end {
        while budget.in_flight() < budget.limit() {
            budget.on_start();
        }
        let mean = 75.0 * slower;
        let crowd = f64::from(budget.in_flight()) / f64::from(served_max);
        now += mean / f64::from(served_max.min(budget.in_flight()));
        let latency = service(step) * slower * crowd.max(1.0);
        budget.on_end(
            Outcome::Answered(Duration::from_secs_f64(latency / 1_000.0), WorkKind::of("GET", "/look-up")),
            at(now),
        );
        step += 1;
    }
    budget.limit()
}

#[test]
fn finds_what_the_origin_can_carry() {
    for (served_max, slower, expected) in
        [(20, 1.0, 20..=28), (100, 1.0, 100..=125), (5, 1.0, 5..=9), (20, 2.0, 15..=28)]
    {
        let limit = limit_at_origin(served_max, slower, 60.0);
        assert!(expected.contains(&limit), "{served_max} at once, {slower} times slower: {limit}");
    }
}

#[test]
fn overload_brings_it_to_the_floor_and_answers_bring_it_back() {
    let mut budget = OriginBudget::new(BudgetSettings::new(3, 64).unwrap(), at(0.0));
    let mut now = 0.0;
    for _ in 0..1_000 {
        budget.on_start();
        now += 5.0;
        budget.on_end(Outcome::Overloaded, at(now));
    }
    assert_eq!(budget.limit(), 3);
    for _ in 0..20_000 {
        while budget.in_flight() < budget.limit() {
            budget.on_start();
        }
        now += 5.0;
        budget.on_end(Outcome::Answered(Duration::from_millis(60), WorkKind::of("GET", "/look-up")), at(now));
    }
    assert_eq!(budget.limit(), 64);
}

#[test]
fn a_calm_site_keeps_its_limit() {
    let mut budget = OriginBudget::new(BudgetSettings::default(), at(0.0));
    let mut now = 0.0;
    for _ in 0..10_000 {
        budget.on_start();
        now += 100.0;
        budget.on_end(Outcome::Answered(Duration::from_millis(75), WorkKind::of("GET", "/look-up")), at(now));
    }
    assert_eq!(budget.limit(), OriginBudget::LIMIT_AT_FIRST);
    assert_eq!(budget.calm_latency().unwrap().as_millis(), 75);
    // 20 at once, 75 ms each.
    assert!((budget.capacity_per_second() - 266.7).abs() < 1.0);
}

#[test]
fn faulty_bounds_say_what_to_write() {
    assert!(BudgetSettings::new(1, 1).is_ok());
    for (floor, ceiling, message) in [
        (0, 5, "a floor of 0 requests at once would close the site; write 1 or more"),
        (6, 5, "the floor of 6 requests at once is above the ceiling of 5; write 5 or less"),
    ] {
        assert_eq!(BudgetSettings::new(floor, ceiling).unwrap_err().to_string(), message);
    }
}

proptest! {
    #[test]
    fn the_limit_stays_within_its_bounds(
        steps in prop::collection::vec((0_u8..4, 0_u64..10_000, 0_u64..10_000), 0..2_000),
        floor in 1_u32..50,
        more in 0_u32..300,
    ) {
        let mut budget = OriginBudget::new(BudgetSettings::new(floor, floor + more).unwrap(), at(0.0));
        let mut now = at(0.0);
        for (step, latency, pause) in steps {
            now = now.plus(Duration::from_millis(pause));
            match step {
                0 | 1 => budget.on_start(),
                2 => budget.on_end(Outcome::Answered(Duration::from_millis(latency), WorkKind::of("GET", "/look-up")), now),
                _ => budget.on_end(Outcome::Overloaded, now),
            }
            prop_assert!((floor..=floor + more).contains(&budget.limit()));
            prop_assert!(budget.capacity_per_second().is_finite());
        }
    }
}
