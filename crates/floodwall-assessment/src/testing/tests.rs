use proptest::prelude::*;

use super::*;
use crate::claim::{CLAIM_FORMAT, ClaimOrigin, ClaimedEffect, ClaimedMethod, NamedHow, ReadBy, WhereFound};
use crate::{ClaimedWindow, Explanation, MinuteFact, NamedTarget, ReachabilityFact};

/// 2022-11-08 14:00:00 UTC.
pub(crate) const POSTED: i64 = 1_667_916_000;

pub(crate) fn claim(names: &[&str]) -> Claim {
    let target = |name: &&str| NamedTarget {
        name: TargetName::parse(name).unwrap().0,
        flags: Vec::new(),
        since: Moment::second(POSTED),
        how: NamedHow::Link,
        requests: Vec::new(),
    };
    Claim {
        format: CLAIM_FORMAT.to_owned(),
        id: "c-0123456789ab".to_owned(),
        claimant: "Example Group".to_owned(),
        found: WhereFound { origin: ClaimOrigin::Telegram, channel: "example".to_owned(), reference: None },
        posted: Moment::second(POSTED),
        captured_unix_s: POSTED + 600,
        capture_sha256: "00".repeat(32),
        text: None,
        targets: names.iter().map(target).collect(),
        targets_dropped: 0,
        window: None,
        methods: Vec::new(),
        effect: Some(ClaimedEffect::Down),
        duration_s: None,
        size: None,
        proofs: Vec::new(),
        edits: Vec::new(),
        read_by: ReadBy::Program,
    }
}

/// Three days of whole minutes around the post, with `good` good answers each.
pub(crate) fn minutes(good: u64) -> Vec<MinuteFact> {
    let first = (POSTED - 130_000) / 60;
    (0..4_320)
        .map(|number| MinuteFact {
            minute_unix_s: (first + i64::from(number)) * 60,
            record: 1_000 + u64::from(u32::try_from(number).unwrap()),
            seconds_read: 60,
            clock_is_kept: true,
            requests: good + 3,
            answered_well: good,
            ..MinuteFact::default()
        })
        .collect()
}

pub(crate) fn incident(verdict: Explanation, likelihood: u16, from: i64, lasted: i64) -> IncidentFact {
    let of = |which| if verdict == which { likelihood } else { 20 };
    IncidentFact {
        id: "sos-20221108-141000-1".to_owned(),
        evidence: vec![RecordRef::Evidence { log: None, first: 2_200, last: 2_215 }],
        verdict,
        mixed_with: None,
        attack_permille: of(Explanation::Attack),
        crowd_permille: of(Explanation::Crowd),
        routine_permille: of(Explanation::Routine),
        vectors: vec!["look_ups".to_owned(), "cache_bust".to_owned()],
        routine_cause: None,
        onset_earliest_unix_s: from - 2,
        onset_unix_s: from,
        onset_latest_unix_s: from + 1,
        ended_unix_s: Some(from + lasted - 1),
        seen_until_unix_s: from + lasted - 1,
        is_open: false,
        peak_requests_per_s: 812,
        calm_requests_per_s: 9,
        goodput_permille: Some(991),
        waited: 410,
        challenged: 20_500,
        refused: 31_000,
    }
}

pub(crate) fn facts(incidents: Vec<IncidentFact>) -> SiteFacts {
    SiteFacts {
        site: "sos".to_owned(),
        logs: vec![None],
        minutes: minutes(120),
        incidents,
        as_of_unix_s: POSTED + 2 * SEARCH_BEFORE_S,
        ..SiteFacts::default()
    }
}

pub(crate) fn tested(claim: &Claim, facts: &SiteFacts) -> ClaimTest {
    let site = crate::DeclaredSite {
        name: "sos".to_owned(),
        hosts: vec![crate::HostRule::Exact("www.sos.example.gov".to_owned())],
        addresses: Vec::new(),
    };
    let sites = [site];
    let found = crate::named(claim, &sites);
    test_claim(claim, found.first(), facts)
}

fn outcomes(test: &ClaimTest) -> Vec<(Assertion, Outcome)> {
    test.rows.iter().map(|row| (row.assertion, row.outcome)).collect()
}

use Assertion::{Duration, Effect, Foreknowledge, Method, Size, Target, Time};
use Outcome::{Contradicts, Supports, Untestable, Untested};

#[test]
fn no_record_never_contradicts() {
    let claim = claim(&["www.sos.example.gov"]);
    let whole = facts(Vec::new());
    assert_eq!(tested(&claim, &whole).outcome(Target), Some(Contradicts));
    assert_eq!(tested(&claim, &whole).outcome(Effect), Some(Contradicts));
    let mut gap = whole.clone();
    gap.minutes.remove(2_000);
    assert_eq!(tested(&claim, &gap).outcome(Target), Some(Untested));
    assert_eq!(tested(&claim, &gap).outcome(Effect), Some(Untested));
    let mut half_read = whole.clone();
    half_read.minutes[2_000].seconds_read = 30;
    assert_eq!(tested(&claim, &half_read).outcome(Target), Some(Untested));
    let none = SiteFacts { minutes: Vec::new(), ..whole.clone() };
    assert_eq!(tested(&claim, &none).outcome(Target), Some(Untested));
    let early = SiteFacts { as_of_unix_s: POSTED, ..whole };
    assert_eq!(tested(&claim, &early).outcome(Target), Some(Untested));
}

#[test]
fn a_verdict_counts_only_when_it_is_likely_enough() {
    let claim = claim(&["www.sos.example.gov"]);
    let check = |verdict, likelihood, outcome| {
        let facts = facts(vec![incident(verdict, likelihood, POSTED + 600, 900)]);
        assert_eq!(tested(&claim, &facts).outcome(Target), Some(outcome), "{verdict:?} {likelihood}");
    };
    check(Explanation::Attack, 970, Supports);
    check(Explanation::Attack, 800, Supports);
    check(Explanation::Attack, 799, Untested);
    check(Explanation::Crowd, 900, Contradicts);
    check(Explanation::Routine, 900, Contradicts);
    check(Explanation::Routine, 700, Untested);
    check(Explanation::Unknown, 900, Untested);
    // An attack may have come in a minute of which nothing is known.
    let mut gap = facts(vec![incident(Explanation::Crowd, 900, POSTED + 600, 900)]);
    gap.minutes.remove(2_000);
    assert_eq!(tested(&claim, &gap).outcome(Target), Some(Untested));
    gap.as_of_unix_s = POSTED + 3_600;
    gap.minutes = minutes(120);
    assert_eq!(tested(&claim, &gap).outcome(Target), Some(Untested));
    let mixed = IncidentFact {
        mixed_with: Some(Explanation::Attack),
        ..incident(Explanation::Crowd, 900, POSTED + 600, 900)
    };
    assert_eq!(tested(&claim, &facts(vec![mixed])).outcome(Target), Some(Untested));
}

#[test]
fn down_is_contradicted_from_outside_only_while_something_unusual_goes_on() {
    let claim = claim(&["www.sos.example.gov"]);
    let inside = facts(vec![incident(Explanation::Attack, 970, POSTED + 600, 900)]);
    assert_eq!(tested(&claim, &inside).outcome(Effect), Some(Untested));
    let probed = |reachable, from_unix_s, to_unix_s| ReachabilityFact {
        record: RecordRef::Outage("sos/3".to_owned()),
        vantage: "county".to_owned(),
        span: Span { from_unix_s, to_unix_s },
        error_s: 30,
        reachable,
        cause: None,
    };
    let (start, end) = (POSTED, POSTED + 3_600);
    let check = |probes: Vec<ReachabilityFact>, outcome| {
        let facts = SiteFacts { reachability: probes, ..inside.clone() };
        assert_eq!(tested(&claim, &facts).outcome(Effect), Some(outcome));
    };
    check(vec![probed(true, start, end)], Contradicts);
    check(vec![probed(true, start, start + 900)], Untested);
    check(vec![probed(true, start, start + 900), probed(true, start + 900, end)], Contradicts);
    check(vec![probed(true, start, start + 900), probed(false, start + 900, end)], Supports);
    check(vec![probed(false, start - 900, start)], Untested);
    let mut failing = inside.clone();
    failing.incidents[0].goodput_permille = Some(300);
    assert_eq!(tested(&claim, &failing).outcome(Effect), Some(Supports));
    failing.incidents[0].goodput_permille = None;
    assert_eq!(tested(&claim, &failing).outcome(Effect), Some(Untested));
}

#[test]
fn an_edited_post_proves_no_foreknowledge() {
    let facts = facts(vec![incident(Explanation::Attack, 970, POSTED + 600, 900)]);
    let mut claim = claim(&["www.sos.example.gov"]);
    assert_eq!(tested(&claim, &facts).outcome(Foreknowledge), Some(Supports));
    claim.targets[0].since = Moment::between(POSTED, POSTED + 7_200);
    assert_eq!(tested(&claim, &facts).outcome(Foreknowledge), Some(Untested));
    let public = SiteFacts { public_since_unix_s: Some(POSTED + 3_600), ..facts.clone() };
    assert_eq!(tested(&claim, &public).outcome(Foreknowledge), Some(Untested));
    claim.targets[0].since = Moment::second(POSTED + 3_600);
    assert_eq!(tested(&claim, &public).outcome(Foreknowledge), Some(Untestable));
    claim.targets[0].since = Moment::second(POSTED + 3_599);
    assert_eq!(tested(&claim, &public).outcome(Foreknowledge), Some(Supports));
}

#[test]
fn times_methods_lengths_and_sizes() {
    let facts = facts(vec![incident(Explanation::Attack, 970, POSTED + 600, 900)]);
    let at = |from: i64, wide: u32| {
        let window = ClaimedWindow { from: Moment { unix_s: from, precision_s: wide }, until: None };
        tested(&Claim { window: Some(window), ..claim(&["www.sos.example.gov"]) }, &facts).outcome(Time)
    };
    assert_eq!(at(POSTED + 600, 60), Some(Supports));
    assert_eq!(at(POSTED + 300, 60), Some(Contradicts));
    assert_eq!(at(POSTED + 900, 60), Some(Contradicts));
    assert_eq!(at(POSTED - POSTED % 86_400, 86_400), Some(Supports));
    let window = ClaimedWindow { from: Moment { unix_s: POSTED + 300, precision_s: 60 }, until: None };
    let mut gap = facts.clone();
    gap.minutes.retain(|minute| minute.minute_unix_s != POSTED + 300);
    let early = Claim { window: Some(window), ..claim(&["www.sos.example.gov"]) };
    assert_eq!(tested(&early, &gap).outcome(Time), Some(Untested));
    let with = |change: &dyn Fn(&mut Claim)| {
        let mut claim = claim(&["www.sos.example.gov"]);
        change(&mut claim);
        outcomes(&tested(&claim, &facts))
    };
    assert!(with(&|claim| claim.methods = vec![ClaimedMethod::HttpFlood]).contains(&(Method, Supports)));
    assert!(
        with(&|claim| claim.methods = vec![ClaimedMethod::StreamResets]).contains(&(Method, Contradicts))
    );
    assert!(with(&|claim| claim.methods = vec![ClaimedMethod::PacketFlood]).contains(&(Method, Untested)));
    assert!(with(&|claim| claim.methods = vec![ClaimedMethod::Intrusion]).contains(&(Method, Untestable)));
    assert!(with(&|claim| claim.duration_s = Some(900)).contains(&(Duration, Supports)));
    assert!(with(&|claim| claim.duration_s = Some(7_200)).contains(&(Duration, Contradicts)));
    let of = |amount, unit| crate::ClaimedSize { amount, unit };
    use crate::SizeUnit::{BitsPerSecond, RequestsPerSecond};
    assert!(with(&|claim| claim.size = Some(of(1_000, RequestsPerSecond))).contains(&(Size, Supports)));
    assert!(
        with(&|claim| claim.size = Some(of(3_000_000, RequestsPerSecond))).contains(&(Size, Contradicts))
    );
    let mut failing = facts.clone();
    failing.incidents[0].goodput_permille = Some(600);
    let large = Claim { size: Some(of(3_000_000, RequestsPerSecond)), ..claim(&["www.sos.example.gov"]) };
    assert_eq!(tested(&large, &failing).outcome(Size), Some(Untested), "the way here may have been full");
    assert!(with(&|claim| claim.size = Some(of(1_000_000, BitsPerSecond))).contains(&(Size, Untestable)));
}

#[test]
fn a_record_over_all_claims_counts_what_could_be_tested() {
    let claim = claim(&["www.sos.example.gov"]);
    let hit = tested(&claim, &facts(vec![incident(Explanation::Attack, 970, POSTED + 600, 900)]));
    let fine = tested(&claim, &facts(Vec::new()));
    let unknown = tested(&claim, &SiteFacts { minutes: Vec::new(), ..facts(Vec::new()) });
    let mut record = TrackRecord::default();
    assert_eq!(record.permille(), 500);
    [&hit, &fine, &fine, &unknown].into_iter().for_each(|test| record.add(test));
    let not_named = tested(&self::claim(&["other.example.gov"]), &facts(Vec::new()));
    record.add(&not_named);
    assert_eq!((record.tested, record.supported, record.contradicted), (4, 1, 2));
    assert_eq!(record.permille(), 400);
    insta::assert_snapshot!(record.in_words());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whichever minute of the time is missing, and whatever else the claim says.
    #[test]
    fn a_missing_minute_contradicts_nothing(
        gone in 745_usize..3_500,
        size in proptest::option::of(1_u64..5_000_000),
        duration in proptest::option::of(1_u64..100_000),
        method in 0_usize..7,
        verdict in 0_usize..3,
    ) {
        let claim = Claim {
            methods: vec![ClaimedMethod::ALL[method]],
            size: size.map(|amount| crate::ClaimedSize { amount, unit: crate::SizeUnit::RequestsPerSecond }),
            duration_s: duration,
            ..claim(&["www.sos.example.gov"])
        };
        let incidents = match verdict {
            0 => Vec::new(),
            1 => vec![incident(Explanation::Crowd, 900, POSTED + 600, 900)],
            _ => vec![incident(Explanation::Routine, 990, POSTED + 600, 900)],
        };
        let has_incident = !incidents.is_empty();
        let mut facts = facts(incidents);
        facts.minutes.remove(gone);
        for row in tested(&claim, &facts).rows {
            // How long an incident lasted, and how much came in it, is on record whatever is missing elsewhere.
            let is_of_incident = has_incident && matches!(row.assertion, Duration | Size);
            prop_assert!(row.outcome != Contradicts || is_of_incident, "{row:?}");
        }
    }
}
