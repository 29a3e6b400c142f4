//! Five cases in which officials had to speak while somebody claimed the credit. Names and figures are made
//! up; what happened to whom, and when it was claimed, is as it was.

#![expect(clippy::unwrap_used, reason = "the lint's exception for tests does not reach the helpers of one")]

use std::fmt::Write as _;

use floodwall_assessment::{
    Assertion, CLAIM_FORMAT, Claim, ClaimNote, ClaimOrigin, DeclaredSite, Explanation, HostRule,
    IncidentFact, Language, MinuteFact, Moment, Outcome, ReadBy, RecordRef, SiteFacts, StatementFacts,
    WhereFound, assess, lint, named, read_text, statement, test_claim,
};

const HOST: &str = "www.sos.example.gov";
/// 2022-11-08 18:30 UTC, half past twelve in the afternoon of election day in Mississippi and Chicago.
const HALF_PAST_NOON: i64 = 1_667_932_200;
const HOUR: i64 = 3_600;

fn post(at: i64, text: &str) -> Claim {
    let posted = Moment::second(at);
    let reading = read_text(text, &[], posted);
    Claim {
        format: CLAIM_FORMAT.to_owned(),
        id: "c-5b1d0c7a9e42".to_owned(),
        claimant: "Example Group".to_owned(),
        found: WhereFound {
            origin: ClaimOrigin::Telegram,
            channel: "t.me/example".to_owned(),
            reference: Some("17".to_owned()),
        },
        posted,
        captured_unix_s: at + HOUR,
        capture_sha256: "5b".repeat(32),
        text: Some(reading.text),
        targets: reading.targets,
        targets_dropped: reading.targets_dropped,
        window: None,
        methods: reading.methods,
        effect: reading.effect,
        duration_s: None,
        size: reading.size,
        proofs: reading.proofs,
        edits: Vec::new(),
        read_by: ReadBy::Program,
    }
}

/// Every minute of three days around noon, with so many good answers in each.
fn minutes(good: u64) -> Vec<MinuteFact> {
    let first = HALF_PAST_NOON - 36 * HOUR;
    let minute = |number: u32| MinuteFact {
        minute_unix_s: first + i64::from(number) * 60,
        log: 0,
        record: 40_000 + u64::from(number),
        seconds_read: 60,
        dropped: 0,
        clock_step_ms: 0,
        clock_is_kept: true,
        requests: good + 4,
        answered_well: good,
        failed: 1,
    };
    (0..72 * 60).map(minute).collect()
}

fn incident(verdict: Explanation, likelihood: u16, from: i64, lasted: i64) -> IncidentFact {
    let of = |which| if verdict == which { likelihood } else { 30 };
    IncidentFact {
        id: "sos-20221108-190004-1".to_owned(),
        evidence: vec![RecordRef::Evidence { log: None, first: 42_191, last: 42_240 }],
        verdict,
        mixed_with: None,
        attack_permille: of(Explanation::Attack),
        crowd_permille: of(Explanation::Crowd),
        routine_permille: of(Explanation::Routine),
        vectors: vec!["look_ups".to_owned()],
        routine_cause: None,
        onset_earliest_unix_s: from - 3,
        onset_unix_s: from,
        onset_latest_unix_s: from + 4,
        ended_unix_s: Some(from + lasted - 1),
        seen_until_unix_s: from + lasted - 1,
        is_open: false,
        peak_requests_per_s: 6_400,
        calm_requests_per_s: 35,
        goodput_permille: Some(640),
        waited: 18_000,
        challenged: 240_000,
        refused: 4_100_000,
    }
}

fn observed(incidents: Vec<IncidentFact>) -> SiteFacts {
    SiteFacts {
        site: "sos".to_owned(),
        logs: vec![None],
        minutes: minutes(1_900),
        incidents,
        reachability: Vec::new(),
        public_since_unix_s: None,
        as_of_unix_s: HALF_PAST_NOON + 36 * HOUR,
    }
}

/// The table, the judgement and the statement; a statement only where there is an incident.
fn told(claim: &Claim, facts: &SiteFacts) -> (Vec<(Assertion, Outcome)>, String) {
    let sites = [DeclaredSite {
        name: "sos".to_owned(),
        hosts: vec![HostRule::Exact(HOST.to_owned())],
        addresses: Vec::new(),
    }];
    let found = named(claim, &sites);
    let test = test_claim(claim, found.first(), facts);
    let mut text = String::new();
    for row in &test.rows {
        let records: Vec<_> = row.records.iter().map(ToString::to_string).collect();
        let (what, outcome) = (row.assertion.in_words(), row.outcome.as_str());
        writeln!(text, "{what}: {outcome}\n  Claim: {}\n  {}\n  [{}]", row.says, row.why, records.join("; "))
            .unwrap();
    }
    let judged = assess(&test, facts);
    writeln!(text, "\n{}\n{}\n{}", judged.question, judged.judgement, judged.confidence_words).unwrap();
    for other in &judged.alternatives {
        writeln!(
            text,
            "Also considered: {}: {} ({} %)",
            other.what,
            other.word,
            other.likelihood_permille.percent()
        )
        .unwrap();
    }
    judged.would_change.iter().for_each(|words| writeln!(text, "Would change it: {words}").unwrap());
    judged.not_known.iter().for_each(|words| writeln!(text, "Not known: {words}").unwrap());
    if let Some(incident) = facts.incidents.first() {
        let claims = found
            .iter()
            .map(|_| ClaimNote { posted: claim.posted, records: vec![RecordRef::Claim(claim.id.clone())] });
        let stated = StatementFacts {
            host: HOST.to_owned(),
            role: Some("where to vote".to_owned()),
            coverage: facts.coverage(incident.span(facts.as_of_unix_s)),
            incident: incident.clone(),
            kept_from_internal: Some(RecordRef::Settings("9f2c11d0a4b86e35".to_owned())),
            reachability: Vec::new(),
            claims: claims.collect(),
            as_of_unix_s: facts.as_of_unix_s,
        };
        let zone = jiff::tz::TimeZone::posix("CST6CDT,M3.2.0,M11.1.0").unwrap();
        let made = statement(&stated, &zone, Language::English);
        assert_eq!(lint(&made.text_with_sources(), Some(&made.sources()), &[]), []);
        write!(text, "\n{}", made.text_with_sources()).unwrap();
    }
    (test.rows.iter().map(|row| (row.assertion, row.outcome)).collect(), text)
}

use Assertion::{Effect, Foreknowledge, Method, Proof, Size, Target, Time};
use Outcome::{Contradicts, Supports, Untestable, Untested};

/// November 2022: a state election office, named before its trouble began.
#[test]
fn claimed_and_hit() {
    let claim = post(
        HALF_PAST_NOON,
        "First target: https://www.sos.example.gov/ Layer 7. The site is down! https://check-host.net/check-report/1",
    );
    let attack = incident(Explanation::Attack, 960, HALF_PAST_NOON + HOUR / 2 + 7, 2 * HOUR + 240);
    let (rows, text) = told(&claim, &observed(vec![attack]));
    insta::assert_snapshot!(text);
    assert_eq!(
        rows,
        [
            (Target, Supports),
            (Time, Untestable),
            (Foreknowledge, Supports),
            (Method, Supports),
            (Effect, Untested),
            (Proof, Untested)
        ]
    );
}

/// The same day: others were named too, and nothing came.
#[test]
fn claimed_and_not_hit() {
    let claim = post(HALF_PAST_NOON, "www.sos.example.gov is down, 2 million requests per second");
    let (rows, text) = told(&claim, &observed(Vec::new()));
    insta::assert_snapshot!(text);
    assert_eq!(
        rows,
        [
            (Target, Contradicts),
            (Time, Untestable),
            (Foreknowledge, Untested),
            (Effect, Contradicts),
            (Size, Untested)
        ]
    );
}

/// October 2022: a state's election site was hit and was not on the group's list.
#[test]
fn hit_and_not_named() {
    let claim = post(HALF_PAST_NOON, "Targets: a.example.com b.example.com c.example.com d.example.com");
    let attack = incident(Explanation::Attack, 930, HALF_PAST_NOON + 2 * HOUR, 1_500);
    let (rows, text) = told(&claim, &observed(vec![attack]));
    insta::assert_snapshot!(text);
    assert_eq!(rows, [(Target, Untestable)]);
}

/// A post that names a site after the news had it.
#[test]
fn posted_after_the_news() {
    let claim = post(HALF_PAST_NOON + 4 * HOUR, "We took down www.sos.example.gov today");
    let attack = incident(Explanation::Attack, 960, HALF_PAST_NOON, HOUR);
    let facts =
        SiteFacts { public_since_unix_s: Some(HALF_PAST_NOON + HOUR + HOUR / 2), ..observed(vec![attack]) };
    let (rows, text) = told(&claim, &facts);
    insta::assert_snapshot!(text);
    assert_eq!(
        rows,
        [(Target, Supports), (Time, Untestable), (Foreknowledge, Untestable), (Effect, Untested)]
    );
}

/// 2014: eighteen sites at once, of one supplier, under load.
#[test]
fn a_suppliers_outage_claimed_as_an_attack() {
    let claim = post(HALF_PAST_NOON + HOUR, "We took down www.sos.example.gov");
    let outage = IncidentFact {
        routine_cause: Some("vendor".to_owned()),
        vectors: Vec::new(),
        goodput_permille: Some(220),
        waited: 0,
        challenged: 0,
        peak_requests_per_s: 51,
        ..incident(Explanation::Routine, 910, HALF_PAST_NOON, 5 * HOUR)
    };
    let (rows, text) = told(&claim, &observed(vec![outage]));
    insta::assert_snapshot!(text);
    // It was down, and nobody attacked it.
    assert_eq!(
        rows,
        [(Target, Contradicts), (Time, Untestable), (Foreknowledge, Untested), (Effect, Supports)]
    );
}
