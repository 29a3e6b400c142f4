//! What is let in without being judged.

use proptest::prelude::*;

use super::*;
use crate::gate::tests::{at, gate, visitor};
use crate::origin_budget::WorkKind;

/// What happens at a gate.
#[derive(Clone, Copy, Debug)]
enum Step {
    Offers { client: u32, standing: Standing },
    AnswerComes(Outcome),
    SecondPasses,
}

fn step() -> impl Strategy<Value = Step> {
    let standing = prop_oneof![Just(Standing::Unknown), Just(Standing::Known), Just(Standing::Suspect)];
    let slow = Outcome::Answered(Duration::from_millis(80), WorkKind::of("GET", "/look-up"));
    prop_oneof![
        6 => (0_u32..4, standing).prop_map(|(client, standing)| Step::Offers { client, standing }),
        3 => Just(Step::AnswerComes(slow)),
        1 => Just(Step::AnswerComes(Outcome::Overloaded)),
        1 => Just(Step::SecondPasses),
    ]
}

/// The gate after these steps, ten milliseconds each, and the time then.
fn after(steps: &[Step]) -> (Gate, Timestamp) {
    let mut gate = gate(10);
    let mut millis = 0;
    for step in steps {
        millis += 10;
        match *step {
            Step::Offers { client, standing } => {
                let _decided = gate.offer(&GateFacts { standing, ..visitor(client) }, at(millis));
            }
            Step::AnswerComes(outcome) if gate.budget.in_flight() > 0 => gate.on_release(outcome, at(millis)),
            Step::AnswerComes(_) => {}
            Step::SecondPasses => {
                millis += 1000;
                gate.tick(at(millis));
            }
        }
        while gate.next_wake(at(millis)).is_some() {}
    }
    (gate, at(millis))
}

proptest! {
    #[test]
    fn who_is_let_in_unjudged_would_be_let_in_whoever_he_is(steps in prop::collection::vec(step(), 0..80)) {
        let (mut unjudging, now) = after(&steps);
        if unjudging.admit_calmly(None, now) {
            let (mut judging, _) = after(&steps);
            let worst = GateFacts { standing: Standing::Suspect, ..visitor(1) };
            prop_assert_eq!(judging.offer(&worst, now), Decision::Admit);
        }
    }
}

#[test]
fn who_fills_the_second_half_unjudged_is_known_for_it_when_it_gets_tight() {
    let rows = [("charged", Some(visitor(1).client), true), ("on behalf of all", None, false)];
    for (what, charge_to, expected) in rows {
        let mut gate = gate(200);
        let unjudged = (0..800).filter(|_| {
            let calm = gate.admit_calmly(charge_to, at(0));
            if gate.budget.in_flight() > 150 {
                gate.on_release(
                    Outcome::Answered(Duration::from_millis(80), WorkKind::of("GET", "/look-up")),
                    at(0),
                );
            }
            calm
        });
        assert!(unjudged.count() > 600, "{what}");
        let is_over = !gate.standing_of(visitor(1).client, at(0)).excess.is_none();
        assert_eq!(is_over, expected, "{what}");
    }
}

#[test]
fn one_in_eight_is_judged_and_all_are_once_a_fifth_is_left() {
    let mut gate = gate(100);
    let mut judged = 0;
    for millis in 0..80 {
        if !gate.admit_calmly(None, at(millis)) {
            judged += 1;
            let _admitted = gate.offer(&visitor(1), at(millis));
        }
    }
    assert_eq!(judged, 10);
    for _ in 0..16 {
        assert!(!gate.admit_calmly(None, at(80)), "what is left is for those who are better than others");
    }
}

#[test]
fn of_thousands_a_second_no_more_than_250_are_judged() {
    let rows = [(1, 125), (2, 250), (20, 250)];
    for (each_millisecond, expected) in rows {
        let mut gate = gate(100);
        let mut judged = 0;
        for millis in (0..1_000).flat_map(|millis| std::iter::repeat_n(millis, each_millisecond)) {
            if !gate.admit_calmly(None, at(millis)) {
                judged += 1;
                let _admitted = gate.offer(&visitor(1), at(millis));
            }
            let took = Outcome::Answered(Duration::from_millis(1), WorkKind::of("GET", "/look-up"));
            gate.on_release(took, at(millis));
        }
        assert!((expected - 1..=expected).contains(&judged), "{each_millisecond}: {judged}");
    }
}
