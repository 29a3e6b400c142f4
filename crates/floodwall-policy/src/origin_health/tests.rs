use proptest::prelude::*;

use super::*;

const INTERVAL: Duration = Duration::from_millis(250);

fn at(millis: u64) -> Timestamp {
    Timestamp::new(Duration::from_millis(millis), 0)
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Answers,
    Fails,
    /// Fails a request that was sent at this time.
    FailsSentAt(u64),
    Asks(Permit),
}

/// Walks through steps at given times (in ms) and compares the health after each.
fn check(case: &str, rows: &[(u64, Step, OriginHealth)]) -> OriginCircuit {
    let mut circuit = OriginCircuit::new(CircuitSettings::default());
    for (millis, step, expected) in rows.iter().copied() {
        let before = circuit.health();
        let now = at(millis);
        let change = match step {
            Step::Answers => circuit.on_success(now),
            Step::Fails => circuit.on_failure(now, now, OriginFailure::Connect),
            Step::FailsSentAt(sent) => circuit.on_failure(at(sent), now, OriginFailure::TimedOut),
            Step::Asks(permit) => {
                assert_eq!(circuit.permit(now), permit, "{case} at {millis} ms");
                None
            }
        };
        assert_eq!(circuit.health(), expected, "{case} at {millis} ms");
        assert_eq!(change, (before != expected).then_some(expected), "{case} at {millis} ms: change");
    }
    circuit
}

#[test]
fn opens_after_failures_in_a_row_and_closes_at_the_first_answer() {
    use OriginHealth::{Down, Unknown, Up};
    use Permit::{Go, Trial, Withhold};
    use Step::{Answers, Asks, Fails};

    check("nothing known", &[(0, Asks(Go), Unknown), (9_000, Asks(Go), Unknown)]);
    check("first answer", &[(0, Answers, Up), (1, Asks(Go), Up)]);
    check(
        "never answered",
        &[(0, Fails, Unknown), (1, Fails, Unknown), (2, Fails, Down), (3, Asks(Withhold), Down)],
    );
    check(
        "not in a row",
        &[
            (0, Fails, Unknown),
            (1, Fails, Unknown),
            (2, Answers, Up),
            (3, Fails, Up),
            (4, Fails, Up),
            (5, Answers, Up),
        ],
    );
    let outage = [
        (0, Answers, Up),
        (10, Fails, Up),
        (20, Fails, Up),
        (30, Fails, Down),
        (31, Asks(Withhold), Down),
        (279, Asks(Withhold), Down),
        (280, Asks(Trial), Down),
        (281, Asks(Withhold), Down),
        // The trial fails; the next is not sooner for it.
        (290, Fails, Down),
        (529, Asks(Withhold), Down),
        // A trial that never reports back does not hold up the next.
        (530, Asks(Trial), Down),
        (780, Asks(Trial), Down),
        (800, Answers, Up),
        (800, Asks(Go), Up),
        (800, Asks(Go), Up),
        // Counting starts afresh.
        (801, Fails, Up),
        (802, Fails, Up),
        (803, Fails, Down),
    ];
    let circuit = check("outage", &outage);
    assert_eq!(circuit.since(), Some(at(803)));
    assert_eq!(circuit.last_failure(), Some((at(803), OriginFailure::Connect)));
}

#[test]
fn requests_of_the_outage_that_time_out_after_the_recovery_do_not_count() {
    use OriginHealth::{Down, Unknown, Up};
    use Permit::Trial;
    use Step::{Answers, Asks, Fails, FailsSentAt};

    check(
        "late failures",
        &[
            (0, Fails, Unknown),
            (0, Fails, Unknown),
            (0, Fails, Down),
            (250, Asks(Trial), Down),
            (260, Answers, Up),
            (5_000, FailsSentAt(1), Up),
            (5_000, FailsSentAt(1), Up),
            (5_000, FailsSentAt(1), Up),
            (5_000, FailsSentAt(250), Up),
            (5_000, FailsSentAt(300), Up),
            (5_001, FailsSentAt(300), Up),
            (5_002, FailsSentAt(300), Down),
        ],
    );
}

#[test]
fn an_outage_is_dated_from_when_it_was_seen_not_from_the_last_trial() {
    let mut circuit = OriginCircuit::new(CircuitSettings::default());
    assert_eq!(circuit.since(), None);
    for millis in [100, 200, 300, 700, 900] {
        circuit.on_failure(at(millis), at(millis), OriginFailure::TimedOut);
        let _ = circuit.permit(at(millis));
    }
    assert_eq!((circuit.health(), circuit.since()), (OriginHealth::Down, Some(at(300))));
    circuit.on_success(at(1_000));
    circuit.on_success(at(2_000));
    assert_eq!((circuit.health(), circuit.since()), (OriginHealth::Up, Some(at(1_000))));
    assert_eq!(circuit.last_failure(), Some((at(900), OriginFailure::TimedOut)));
}

#[test]
fn trial_intervals_are_bounded() {
    let once = NonZeroU32::MIN;
    for (millis, usable) in [(0, false), (9, false), (10, true), (60_000, true), (60_001, false)] {
        let settings = CircuitSettings::new(once, Duration::from_millis(millis));
        assert_eq!(settings.is_ok(), usable, "{millis} ms");
    }
    let fault = CircuitSettings::new(once, Duration::ZERO).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "a trial every 0ns is outside what makes sense; write between 10ms and 60s"
    );
    let mut circuit = OriginCircuit::new(CircuitSettings::new(once, Duration::from_millis(10)).unwrap());
    assert_eq!(circuit.on_failure(at(0), at(0), OriginFailure::Malformed), Some(OriginHealth::Down));
}

proptest! {
    /// Whatever comes, in whatever order: one trial per interval at most while down, one as soon as
    /// it is due, `Go` whenever not down, and up after any answer.
    #[test]
    fn tries_a_down_origin_once_per_interval(steps in prop::collection::vec((0_u8..10, 0_u64..120), 1..400)) {
        let mut circuit = OriginCircuit::new(CircuitSettings::default());
        let mut now = at(1_000);
        // When the origin was last tried in this outage, or went down.
        let mut last_tried = None;
        for (step, millis) in steps {
            now = now.plus(Duration::from_millis(millis));
            match step {
                0 => {
                    circuit.on_success(now);
                    prop_assert_eq!(circuit.health(), OriginHealth::Up);
                    last_tried = None;
                }
                1..=4 => {
                    if circuit.on_failure(now, now, OriginFailure::Connect).is_some() {
                        prop_assert_eq!(circuit.health(), OriginHealth::Down);
                        last_tried = Some(now);
                    }
                }
                _ => match (circuit.permit(now), last_tried) {
                    (Permit::Go, None) => {}
                    (Permit::Trial, Some(tried)) => {
                        prop_assert!(now.since(tried) >= INTERVAL, "second trial within an interval");
                        last_tried = Some(now);
                    }
                    (Permit::Withhold, Some(tried)) => {
                        prop_assert!(now.since(tried) < INTERVAL, "a trial was due");
                    }
                    (permit, tried) => prop_assert!(false, "{permit:?} when last tried at {tried:?}"),
                },
            }
        }
    }

    /// An origin that answers again is up within one interval plus the time between requests.
    #[test]
    fn sees_a_recovery_within_a_second(back_millis in 1_000_u64..20_000, gap_millis in 1_u64..500) {
        let mut circuit = OriginCircuit::new(CircuitSettings::default());
        let mut millis = 1_000;
        while millis < back_millis + 1_000 {
            if circuit.permit(at(millis)) != Permit::Withhold {
                if millis >= back_millis {
                    circuit.on_success(at(millis));
                } else {
                    circuit.on_failure(at(millis), at(millis), OriginFailure::Connect);
                }
            }
            millis += gap_millis;
        }
        prop_assert_eq!(circuit.health(), OriginHealth::Up);
        let up_millis = circuit.since().unwrap().monotonic_nanos() / 1_000_000;
        prop_assert!(up_millis <= back_millis + 250 + 2 * gap_millis, "back {back_millis}, seen {up_millis}");
    }
}
