use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::origin_budget::BudgetSettings;
use crate::origin_budget::WorkKind;
use crate::token::ClientFingerprint;

pub(super) fn at(millis: u64) -> Timestamp {
    Timestamp::new(Duration::from_millis(10_000 + millis), 0)
}

pub(super) fn gate(limit: u32) -> Gate {
    let budget = BudgetSettings::new(limit, limit).unwrap();
    Gate::new(GateSettings { budget, ..GateSettings::default() }, 7, at(0))
}

pub(super) fn visitor(number: u32) -> GateFacts {
    GateFacts {
        client: IpAddr::V4((0x0A00_0000 + number * 257).into()),
        fingerprint: ClientFingerprint(1),
        system: None,
        token: None,
        standing: Standing::Unknown,
        kind: RequestKind::Page,
        keeps_no_cookies: false,
    }
}

fn proven(number: u32, proof: ProofKind) -> GateFacts {
    GateFacts { token: Some((TokenId(u64::from(number)), proof)), ..visitor(number) }
}

/// A gate on this rung, with nothing at the origin and nobody waiting.
fn on_rung(rung: Rung) -> Gate {
    let mut gate = gate(1);
    let flood = LadderFacts {
        capacity: 1.0,
        offered: 1e6,
        offered_with_cookie: 1e6,
        offered_with_proof: 1e6,
        pressed: 1.0,
    };
    while gate.rung() < rung {
        gate.ladder.tick(&flood);
        assert!(gate.rung() <= rung || rung == Rung::Collapse);
    }
    gate
}

#[test]
fn an_operators_network_that_floods_goes_after_others_but_not_its_proven_visitors() {
    let mut gate = gate(4);
    let from = |number, system| GateFacts { system: Some(system), ..visitor(number) };
    let mut now = 0;
    for second in 0..120 {
        for number in 0..10 {
            now += 100;
            assert_eq!(gate.offer(&from(second * 10 + number, 1), at(now)), Decision::Admit);
            gate.on_release(Outcome::Answered(Duration::from_millis(75), WorkKind::of("GET", "/")), at(now));
        }
        gate.tick(at(now));
    }
    for number in 0..200 {
        let _decided = gate.offer(&from(5_000 + number, 2), at(now));
        let _decided = gate.offer(&from(7_000 + number % 20, 1), at(now));
    }
    // More than there is capacity for, so that the second is not calm.
    gate.tick(at(now + 10));
    gate.tick(at(now + 20));
    let mut place = |facts: &GateFacts| gate.judge(facts, at(now + 20)).place;
    let (usual, flooding) = (place(&from(9_001, 1)), place(&from(9_002, 2)));
    assert!(usual < flooding, "{usual:?} {flooding:?}");
    let token = Some((TokenId(1), ProofKind::Work));
    assert!(place(&GateFacts { token, ..from(9_003, 2) }) < usual);
}

#[test]
fn each_rung_asks_for_its_proof_and_no_more() {
    use Challenge::{Choice, Redirect, WaitingRoom};
    let form = GateFacts { kind: RequestKind::Other, ..visitor(1) };
    let exempt = GateFacts { kind: RequestKind::Exempt, ..visitor(1) };
    let no_cookies = GateFacts { keeps_no_cookies: true, ..visitor(1) };
    let allowed = GateFacts { standing: Standing::Allowed, ..visitor(1) };
    let rows = [
        ("nothing", visitor(1), [Some(Redirect), Some(Redirect), Some(WaitingRoom)]),
        ("a cookie", proven(1, ProofKind::Redirect), [None, Some(Choice), Some(WaitingRoom)]),
        ("waited", proven(1, ProofKind::WaitingRoom), [None, None, None]),
        ("worked", proven(1, ProofKind::Work), [None, None, None]),
        ("keeps no cookies", no_cookies, [None, Some(Choice), Some(WaitingRoom)]),
        ("a form", form, [None, None, None]),
        ("essential", exempt, [None, None, None]),
        ("allowed", allowed, [None, None, None]),
    ];
    for (case, facts, expected) in rows {
        for rung in [Rung::Open, Rung::Redirect, Rung::Choice, Rung::WaitingRoom] {
            let mut gate = on_rung(rung);
            let expected = match rung {
                Rung::Open | Rung::Collapse => None,
                Rung::Redirect => expected[0],
                Rung::Choice => expected[1],
                Rung::WaitingRoom => expected[2],
            };
            let expected = expected.map_or(Decision::Admit, Decision::Challenge);
            assert_eq!(gate.offer(&facts, at(0)), expected, "{case}, {rung:?}");
        }
    }
}

#[test]
fn the_better_proven_are_woken_first() {
    let mut gate = gate(2);
    for number in 1..=2 {
        assert_eq!(gate.offer(&visitor(number), at(0)), Decision::Admit);
    }
    let known = GateFacts { standing: Standing::Known, ..visitor(4) };
    let suspect = GateFacts { standing: Standing::Suspect, ..visitor(6) };
    let facts = [visitor(3), suspect, known, proven(5, ProofKind::Redirect)];
    let ids = facts.map(|facts| match gate.offer(&facts, at(0)) {
        Decision::Wait(id) => id,
        other => panic!("{other:?}"),
    });
    assert_eq!(gate.next_wake(at(0)), None, "there is no room");
    for expected in [3, 2, 0, 1] {
        gate.on_release(
            Outcome::Answered(Duration::from_millis(75), WorkKind::of("GET", "/look-up")),
            at(75),
        );
        assert_eq!(gate.next_wake(at(75)), Some(Wake::Admit(ids[expected])));
        // The last of the room is not a suspect's.
        let all = expected == 1;
        gate.budget.on_end(Outcome::Unknown, at(75));
        gate.budget.on_start();
        assert!(!all || gate.next_wake(at(75)).is_none());
    }
}

#[test]
fn nobody_waits_longer_than_stated_and_who_goes_away_is_forgotten() {
    let mut gate = gate(1);
    assert_eq!(gate.offer(&visitor(1), at(0)), Decision::Admit);
    let Decision::Wait(stays) = gate.offer(&visitor(2), at(0)) else { panic!() };
    let Decision::Wait(goes) = gate.offer(&visitor(3), at(0)) else { panic!() };
    gate.abandon(goes);
    assert_eq!(gate.next_wake(at(2_999)), None);
    let Some(Wake::Refuse(id, refusal)) = gate.next_wake(at(3_000)) else { panic!() };
    assert_eq!((id, refusal.reason), (stays, RefusalReason::WaitedOut));
    assert_eq!((gate.waiting(), gate.counts().abandoned), (0, 1));
}

#[test]
fn who_there_is_no_room_for_is_asked_for_the_invisible_proof_before_he_is_refused() {
    let mut gate = gate(1);
    let mut decisions = (0..100).map(|number| gate.offer(&visitor(number), at(0)));
    assert_eq!(decisions.next(), Some(Decision::Admit));
    // Ten a second at a limit of one and 100 ms: thirty can wait for three seconds, if the ladder
    // does not see first that there are too many.
    let rest: Vec<_> = decisions.collect();
    let waiting = rest.iter().take_while(|decision| matches!(decision, Decision::Wait(_))).count();
    assert!((20..=30).contains(&waiting), "{waiting}");
    assert!(rest[waiting..].iter().all(|decision| *decision == Decision::Challenge(Challenge::Redirect)));
    // Back with the cookie he goes before all of those.
    let Decision::Wait(id) = gate.offer(&proven(99, ProofKind::Redirect), at(40)) else { panic!() };
    gate.on_release(Outcome::Answered(Duration::from_millis(100), WorkKind::of("GET", "/look-up")), at(100));
    assert_eq!(gate.next_wake(at(100)), Some(Wake::Admit(id)));
    // What cannot be redirected is refused, and told when to come back.
    let form = |number| GateFacts { kind: RequestKind::Other, ..visitor(number) };
    let refusal = (200..300).find_map(|number| match gate.offer(&form(number), at(100)) {
        Decision::Refuse(refusal) => Some(refusal),
        _ => None,
    });
    let refusal = refusal.unwrap();
    assert_eq!(refusal.reason, RefusalReason::NoRoom);
    assert!((1..=3).contains(&refusal.retry_after.as_secs()), "{refusal:?}");
}

#[test]
fn whom_the_operator_lets_in_is_not_redirected_for_want_of_room_either() {
    let mut gate = gate(1);
    let allowed = |number| GateFacts { standing: Standing::Allowed, ..visitor(number) };
    for number in 0..200 {
        assert!(!matches!(gate.offer(&allowed(number), at(0)), Decision::Challenge(_)));
    }
}

#[test]
fn a_second_that_is_overfull_need_not_end() {
    let mut gate = gate(1);
    for number in 0..100 {
        let _ = gate.offer(&visitor(number), at(u64::from(number)));
    }
    assert_eq!(gate.rung(), Rung::Redirect);
    assert_eq!(gate.tick(at(1_000)), Some(Rung::Redirect), "and it is told at the next tick");
    assert_eq!(gate.tick(at(2_000)), None);
}

#[test]
fn a_token_shown_by_many_is_one_visitor() {
    let mut gate = gate(1);
    let spread = |number| GateFacts { token: Some((TokenId(7), ProofKind::Work)), ..visitor(number) };
    let places: Vec<u8> = (0..60).map(|number| gate.judge(&spread(number), at(0)).place.number()).collect();
    assert!(places[..20].iter().all(|place| *place == 0), "{places:?}");
    assert!(places[20..].iter().all(|place| *place > 2), "{places:?}");
    let person = gate.judge(&proven(1_000, ProofKind::Work), at(0));
    assert_eq!(person.place.number(), 0);
}

#[test]
fn a_neighbour_who_floods_takes_nobody_with_him() {
    let mut gate = gate(1);
    for _ in 0..5_000 {
        let _ = gate.judge(&visitor(1), at(0));
    }
    let place = |gate: &mut Gate, facts: &GateFacts| gate.judge(facts, at(0)).place.number();
    assert_eq!(place(&mut gate, &visitor(1)), 16);
    assert_eq!(place(&mut gate, &proven(1, ProofKind::Work)), 3);
    assert_eq!(place(&mut gate, &proven(1, ProofKind::WaitingRoom)), 3);
    assert_eq!(place(&mut gate, &visitor(2)), 2);
}

/// A page that fetches twenty things from a slow origin, opened by a few at once.
#[test]
fn a_burst_at_a_small_site_is_no_reason_for_a_page() {
    let mut gate = gate(2);
    for second in 0..60 {
        for number in 0..60 {
            let facts = proven(1_000 * second + number, ProofKind::Redirect);
            let _ = gate.offer(&facts, at(u64::from(second) * 10_000));
        }
        for _ in 0..10 {
            while gate.next_wake(at(u64::from(second) * 10_000)).is_some() {}
            while gate.budget.in_flight() > 0 {
                gate.on_release(Outcome::Unknown, at(u64::from(second) * 10_000));
            }
            gate.tick(at(u64::from(second) * 10_000));
        }
        assert!(gate.rung() <= Rung::Redirect, "{:?}", gate.rung());
    }
}

#[test]
fn a_network_of_many_addresses_has_a_networks_share() {
    let mut gate = gate(1);
    let from = |address: u128| GateFacts { client: IpAddr::V6(address.into()), ..visitor(0) };
    let base = 0x2001_0db8_0001_u128 << 80;
    let places: Vec<u8> = (0..1_000_u128)
        .map(|subnet| gate.judge(&from(base | subnet << 64 | 1), at(0)).place.number())
        .collect();
    assert!(places[..160].iter().all(|place| *place == 2));
    assert!(places[160..].iter().all(|place| *place > 2));
    assert_eq!(gate.judge(&from(0x2001_0db8_0002_u128 << 80), at(0)).place.number(), 2);
}

#[test]
fn memory_is_what_is_stated_however_many_come() {
    let mut gate = gate(4);
    let memory = gate.memory_bytes_max();
    assert!(memory < 8 << 20, "{memory}");
    for number in 0..300_000_u32 {
        let facts = GateFacts { client: IpAddr::V4((number * 12_345).into()), ..visitor(0) };
        let _ = gate.offer(&facts, at(u64::from(number / 100)));
        while gate.next_wake(at(u64::from(number / 100))).is_some() {}
    }
    assert!(gate.waiting() <= GateSettings::default().waiting_max);
    assert_eq!(gate.memory_bytes_max(), memory);
}

#[test]
fn the_waiting_room_gets_what_the_proven_leave() {
    let mut gate = gate(30);
    assert!((gate.let_in_per_second() - 300.0).abs() < 1.0, "all, while nobody need wait");
    gate.ladder = on_rung(Rung::Choice).ladder;
    for (with_proof, expected) in [(0.0, 67.5), (150.0, 30.0), (1_000.0, 3.75)] {
        gate.last_second.offered_with_proof = with_proof;
        assert!((gate.let_in_per_second() - expected).abs() < 0.1, "{with_proof}");
    }
}

/// What the mechanism would know of the gate: who waits since when, and what is at the origin.
struct Mechanism {
    gate: Gate,
    now: u64,
    waiting: std::collections::HashMap<WaitId, u64>,
    at_origin: u32,
}

impl Mechanism {
    fn empty_wakes(&mut self) {
        while let Some(wake) = self.gate.next_wake(at(self.now)) {
            let (Wake::Admit(id) | Wake::Refuse(id, _)) = wake;
            let since = self.waiting.remove(&id).expect("nobody is woken twice, or without having waited");
            let waited = Duration::from_millis(self.now - since);
            match wake {
                Wake::Admit(_) => {
                    self.at_origin += 1;
                    assert!(self.gate.budget.in_flight() <= self.gate.budget.limit());
                }
                Wake::Refuse(_, refusal) if refusal.reason == RefusalReason::WaitedOut => {
                    assert!(waited >= self.gate.settings.wait_max);
                }
                Wake::Refuse(..) => {}
            }
        }
        let longest = self.waiting.values().map(|since| self.now - since).max().unwrap_or(0);
        assert!(Duration::from_millis(longest) < self.gate.settings.wait_max);
        assert_eq!((self.gate.waiting(), self.gate.budget.in_flight()), (self.waiting.len(), self.at_origin));
    }

    fn offer(&mut self, facts: &GateFacts) {
        match self.gate.offer(facts, at(self.now)) {
            Decision::Admit => {
                self.at_origin += 1;
                assert!(self.gate.budget.in_flight() <= self.gate.budget.limit());
            }
            Decision::Wait(id) => assert_eq!(self.waiting.insert(id, self.now), None),
            Decision::Refuse(refusal) => assert!(refusal.retry_after > Duration::ZERO),
            Decision::Challenge(_) => {
                assert!(facts.kind == RequestKind::Page && facts.standing != Standing::Allowed);
            }
        }
    }

    fn release(&mut self, outcome: Outcome) {
        if self.at_origin > 0 {
            self.at_origin -= 1;
            self.gate.on_release(outcome, at(self.now));
        }
    }
}

fn any_facts() -> impl Strategy<Value = GateFacts> {
    let proofs = [ProofKind::Redirect, ProofKind::WaitingRoom, ProofKind::Work];
    let token = prop::option::of((0..50_u64, prop::sample::select(proofs.to_vec())));
    let standings = [Standing::Allowed, Standing::Known, Standing::Unknown, Standing::Suspect];
    let kinds = [RequestKind::Page, RequestKind::Other, RequestKind::Exempt];
    (
        0..200_u32,
        token,
        prop::sample::select(standings.to_vec()),
        prop::sample::select(kinds.to_vec()),
        any::<bool>(),
    )
        .prop_map(|(number, token, standing, kind, keeps_no_cookies)| GateFacts {
            token: token.map(|(id, proof)| (TokenId(id), proof)),
            standing,
            kind,
            keeps_no_cookies,
            ..visitor(number)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever comes in whatever order: nobody is lost, nobody waits too long, and the origin is
    /// given no more than the budget says.
    #[test]
    fn nobody_is_lost(
        steps in prop::collection::vec((0_u8..12, any_facts(), 1_u64..400), 0..1_500),
        waiting_max in 1_usize..50,
    ) {
        let settings = GateSettings { waiting_max, sources_max: 1_024, ..GateSettings::default() };
        let mut world = Mechanism {
            gate: Gate::new(settings, 3, at(0)),
            now: 0,
            waiting: std::collections::HashMap::new(),
            at_origin: 0,
        };
        for (step, facts, number) in steps {
            match step {
                0..=6 => (0..number / 40 + 1).for_each(|_| world.offer(&facts)),
                7 => world.release(Outcome::Answered(Duration::from_millis(number), WorkKind::of("GET", "/look-up"))),
                8 => world.release(Outcome::Overloaded),
                9 => {
                    if let Some(id) = world.waiting.keys().min().copied() {
                        world.waiting.remove(&id);
                        world.gate.abandon(id);
                    }
                }
                10 => world.now += number,
                _ => _ = world.gate.tick(at(world.now)),
            }
            world.empty_wakes();
        }
        world.now += 3_000;
        world.empty_wakes();
        prop_assert!(world.waiting.is_empty());
    }
}

/// Matching a signature moves to the end of the line, asks nothing of others, and paid proof lifts it.
#[test]
fn who_matches_a_signature_goes_last_and_can_clear_himself() {
    let suspect = |number, proof: Option<ProofKind>| {
        let token = proof.map(|proof| (TokenId(u64::from(number)), proof));
        GateFacts { standing: Standing::Suspect, token, ..visitor(number) }
    };
    let place = |facts: GateFacts| {
        let mut gate = gate(1);
        _ = gate.offer(&visitor(1), at(0));
        match gate.offer(&facts, at(0)) {
            Decision::Wait(id) => id.place().number(),
            decided => panic!("{decided:?}"),
        }
    };
    for (proof, expected) in [
        (None, 17),
        (Some(ProofKind::Redirect), 17),
        (Some(ProofKind::WaitingRoom), 0),
        (Some(ProofKind::Work), 0),
    ] {
        assert_eq!(place(suspect(2, proof)), expected, "{proof:?}");
    }
    let mut gate = gate(1);
    let decided: Vec<_> =
        (0..5_000).map(|number| gate.offer(&suspect(number, Some(ProofKind::Redirect)), at(0))).collect();
    assert_eq!(decided[0], Decision::Admit, "nobody is refused while there is room");
    assert_eq!(decided[4_999], Decision::Challenge(Challenge::Choice), "and nobody for this alone");
    assert!(!decided.iter().any(|decided| matches!(decided, Decision::Refuse(_))));
    let form = GateFacts { kind: RequestKind::Other, ..suspect(9_000, None) };
    assert!(matches!(gate.offer(&form, at(0)), Decision::Refuse(_)), "nothing can be shown for a form");
    gate.tick(at(1_000));
    gate.tick(at(2_000));
    assert_eq!(gate.rung(), Rung::Open, "they are no reason to ask anything of others");
    assert!(matches!(gate.offer(&visitor(9_001), at(2_000)), Decision::Wait(id) if id.place() == UNKNOWN));
}
