use std::time::Duration;

use proptest::prelude::*;

use super::*;

const PERSON: FairShare = FairShare { per_second: 0.2, burst: 10.0 };

fn at(seconds: f64) -> Timestamp {
    Timestamp::new(Duration::from_secs_f64(100.0 + seconds), 0)
}

fn one(number: u64) -> SourceKey {
    SourceKey::Prefix(number, 32)
}

/// Asks `rate` times a second for so long; the excess of the last request.
fn excess_after(ledger: &mut SourceLedger, key: SourceKey, rate: f64, from_s: f64, seconds: f64) -> u8 {
    let mut last = Excess(0);
    let mut asked = 0.0;
    while asked / rate < seconds {
        last = ledger.charge(key, PERSON, None, at(from_s + asked / rate)).excess;
        asked += 1.0;
    }
    last.0
}

#[test]
fn people_stay_within_their_share_and_who_insists_does_not() {
    for (case, rate, seconds, expected) in [
        ("a visit of eight look-ups in ten seconds", 0.8, 10.0, 0),
        ("one look-up in five seconds, all day", 0.2, 3_600.0, 0),
        ("one a second, for ten seconds", 1.0, 10.0, 0),
        ("one a second, for twenty", 1.0, 20.0, 3),
        ("one a second, for a minute", 1.0, 60.0, 3),
        ("three in ten seconds, all day", 0.3, 3_600.0, 2),
        ("a hundred a second", 100.0, 1.0, 7),
        ("a hundred a second, for longer", 100.0, 10.0, 7),
    ] {
        let mut ledger = SourceLedger::new(1_024, 5);
        assert_eq!(excess_after(&mut ledger, one(1), rate, 0.0, seconds), expected, "{case}");
        assert_eq!(ledger.charge(one(2), PERSON, None, at(seconds)).excess, Excess(0), "{case}: others");
    }
}

#[test]
fn a_flood_is_forgiven_in_the_time_that_is_stated() {
    let mut ledger = SourceLedger::new(1_024, 5);
    excess_after(&mut ledger, one(1), 1_000.0, 0.0, 10.0);
    let charge = ledger.charge(one(1), PERSON, None, at(10.0));
    assert_eq!((charge.excess, charge.recovers_s), (Excess::MAX, 155.0));
    assert!(!ledger.charge(one(1), PERSON, None, at(10.0 + 150.0)).excess.is_none());
    assert!(ledger.charge(one(1), PERSON, None, at(10.0 + 160.0 + 1.0)).excess.is_none());
}

#[test]
fn an_offices_share_grows_with_the_proven_behind_it() {
    for (proof, people, at_least, at_most) in [
        (ProofKind::Work, 1, 1.0, 1.0),
        (ProofKind::Work, 20, 14.0, 28.0),
        (ProofKind::WaitingRoom, 500, 180.0, 270.0),
        (ProofKind::Redirect, 500, 8.0, 12.0),
    ] {
        let mut ledger = SourceLedger::new(1_024, 5);
        for person in 0..people {
            ledger.charge(one(1), PERSON, Some((TokenId(person), proof)), at(0.0));
        }
        let weight = ledger.weight(one(1));
        assert!((at_least..=at_most).contains(&weight), "{proof:?} {people}: {weight}");
        // Five minutes later they still count, twenty minutes later they do not.
        ledger.charge(one(1), PERSON, None, at(299.0));
        assert!(ledger.weight(one(1)) >= at_least);
        ledger.charge(one(1), PERSON, None, at(1_200.0));
        assert!(ledger.weight(one(1)) <= 1.0);
    }
}

#[test]
fn one_token_shown_often_is_one_visitor() {
    let mut ledger = SourceLedger::new(1_024, 5);
    let token = Some((TokenId(7), ProofKind::Work));
    let excess = (0..100).map(|_| ledger.charge(one(1), PERSON, token, at(0.0)).excess).max();
    assert_eq!(excess, Some(Excess::MAX));
}

#[test]
fn memory_is_fixed_and_the_heaviest_are_remembered() {
    let mut ledger = SourceLedger::new(1_024, 5);
    let memory = ledger.memory_bytes_max();
    assert!(memory < 1_024 * 48 + 200, "{memory}");
    assert_eq!(excess_after(&mut ledger, one(1), 100.0, 0.0, 10.0), 7);
    for newcomer in 1_000..101_000 {
        assert!(ledger.charge(one(newcomer), PERSON, None, at(10.0)).excess.is_none());
    }
    assert_eq!(ledger.memory_bytes_max(), memory);
    assert_eq!(ledger.charge(one(1), PERSON, None, at(10.0)).excess, Excess::MAX);
    assert!(ledger.evictions() > 90_000);
}

#[test]
fn proof_behind_a_prefix_lifts_what_it_owed_before() {
    let mut ledger = SourceLedger::new(1_024, 5);
    // An office asks four times a second before any of it could prove anything.
    assert_eq!(excess_after(&mut ledger, one(1), 4.0, 0.0, 20.0), 5);
    let mut within = 0;
    for person in 0..100_u64 {
        let token = Some((TokenId(person), ProofKind::Work));
        let now = at(20.0 + person as f64 * 0.25);
        within += u32::from(ledger.charge(one(1), PERSON, token, now).excess.is_none());
    }
    assert!(within >= 90, "{within}");
}

proptest! {
    /// No number of other sources makes one that asks within its share exceed it.
    #[test]
    fn nobody_is_charged_for_others(others in prop::collection::vec(any::<u64>(), 0..2_000), seed: u64) {
        let mut ledger = SourceLedger::new(1_024, seed);
        for (step, other) in others.iter().enumerate() {
            let now = at(step as f64 * 0.05);
            prop_assume!(*other != 1);
            ledger.charge(one(*other), PERSON, None, now);
            if step % 100 == 0 {
                prop_assert!(ledger.charge(one(1), PERSON, None, now).excess.is_none());
            }
        }
    }
}
