use super::*;
use crate::facts::Span;
use crate::testing::tests::{POSTED, facts, incident};

fn zone() -> TimeZone {
    // Chicago in winter, by a rule that needs no file.
    TimeZone::posix("CST6CDT,M3.2.0,M11.1.0").unwrap()
}

fn of(incident: IncidentFact) -> StatementFacts {
    let site = facts(vec![incident.clone()]);
    StatementFacts {
        host: "www.sos.example.gov".to_owned(),
        role: Some("voter information".to_owned()),
        coverage: site.coverage(incident.span(site.as_of_unix_s)),
        incident,
        kept_from_internal: Some(RecordRef::Settings("9f2c11d0a4b86e35".to_owned())),
        reachability: Vec::new(),
        claims: vec![ClaimNote {
            posted: Moment::second(POSTED),
            records: vec![RecordRef::Claim("c-0123456789ab".to_owned())],
        }],
        as_of_unix_s: site.as_of_unix_s,
    }
}

fn cases() -> Vec<(&'static str, StatementFacts)> {
    let attack = of(incident(Explanation::Attack, 970, POSTED + 600, 2_340));
    let mut open = of(IncidentFact {
        ended_unix_s: None,
        is_open: true,
        goodput_permille: Some(870),
        ..incident(Explanation::Unknown, 970, POSTED + 600, 600)
    });
    open.claims = Vec::new();
    let mut begun = StatementFacts { as_of_unix_s: POSTED + 600, ..open.clone() };
    begun.incident.verdict = Explanation::Attack;
    begun.incident.attack_permille = 910;
    begun.coverage = Coverage::default();
    let mut vendor = of(IncidentFact {
        routine_cause: Some("vendor".to_owned()),
        goodput_permille: Some(310),
        waited: 0,
        challenged: 0,
        ..incident(Explanation::Routine, 860, POSTED + 600, 86_400)
    });
    vendor.kept_from_internal = None;
    vendor.coverage.recorded -= 3;
    let probe = |reachable, from: i64, to: i64| ReachabilityFact {
        record: RecordRef::Outage("county/7".to_owned()),
        vantage: "county".to_owned(),
        span: Span { from_unix_s: POSTED + from, to_unix_s: POSTED + to },
        error_s: 30,
        reachable,
        cause: None,
    };
    vendor.reachability = vec![probe(true, 0, 3_600), probe(false, 3_600, 9_000)];
    let mut crowd = of(IncidentFact {
        goodput_permille: None,
        ended_unix_s: None,
        ..incident(Explanation::Crowd, 520, POSTED + 600, 2_340)
    });
    crowd.reachability = vec![probe(true, 0, 9_000)];
    crowd.claims.push(crowd.claims[0].clone());
    crowd.incident.mixed_with = Some(Explanation::Attack);
    crowd.incident.attack_permille = 610;
    crowd.role = Some("public".to_owned());
    vec![
        ("attack_over", attack),
        ("unknown_goes_on", open),
        ("attack_just_begun", begun),
        ("vendor_a_day", vendor),
        ("crowd_cut_off", crowd),
    ]
}

#[test]
fn what_a_spokesperson_reads_out() {
    for (name, facts) in cases() {
        let english = statement(&facts, &zone(), Language::English);
        insta::assert_snapshot!(format!("{name}_en"), english.text_with_sources());
        let spanish = statement(&facts, &zone(), Language::Spanish);
        insta::assert_snapshot!(format!("{name}_es"), spanish.text());
    }
}

#[test]
fn what_is_generated_passes_its_own_check() {
    for (name, facts) in cases() {
        for language in [Language::English, Language::Spanish] {
            let made = statement(&facts, &zone(), language);
            let sources = made.sources();
            for text in [made.text(), made.text_with_sources()] {
                let faults = lint(&text, Some(&sources), std::slice::from_ref(&made));
                assert!(faults.is_empty(), "{name} {language:?}: {faults:#?}");
            }
            assert!(made.sentences.iter().all(|sentence| !sentence.sources.is_empty()), "{name}");
        }
    }
}

#[test]
fn what_people_write_under_pressure() {
    use LintRule::{
        Attribution, Beyond, Likelihood, Mixed, NoSearch, TooLong, Unbacked, UnknownSource, Untouched,
    };
    let made =
        statement(&of(incident(Explanation::Attack, 970, POSTED + 600, 2_340)), &zone(), Language::English);
    let sources = made.sources();
    let check = |text: &str, rules: &[LintRule]| {
        let faults = lint(text, Some(&sources), std::slice::from_ref(&made));
        let found: Vec<_> = faults.iter().map(|fault| fault.rule).collect();
        assert_eq!(found, rules, "{text}: {faults:#?}");
    };
    let backed = |text: &str| format!("{text} [incident sos-20221108-141000-1]");
    check("The website was slow.", &[Unbacked]);
    check(&backed("The website was slow."), &[]);
    check("The website was slow. [evidence 2205; evidence 2201-2210]", &[]);
    check("The website was slow. [evidence 2-9]", &[UnknownSource]);
    check("The website was slow. [evidence ab:2205]", &[UnknownSource]);
    check("We do not know who sent the requests.", &[]);
    check(&backed("There is no evidence of a campaign."), &[Beyond, NoSearch]);
    check(&backed("We have no indication that votes were changed."), &[NoSearch]);
    check(&backed("We searched the records of 2 to 5 p.m. and found no sign of other trouble."), &[]);
    check("We searched the records and found no sign of other trouble.", &[Unbacked, NoSearch]);
    check(&backed("It is very likely that this was an attack."), &[Likelihood]);
    check(&backed("It is very likely (97%) that this was an attack."), &[Likelihood]);
    check(&backed("It is almost certain (97 %) that this was an attack."), &[]);
    check(&backed("It was probably an attack."), &[Likelihood]);
    check(&backed("With high confidence it is very likely (90%) an attack."), &[Mixed]);
    check(&backed("Es muy probable (90 %) y nuestra confianza es alta."), &[Mixed]);
    check(&backed("Russian hackers took it down."), &[Attribution]);
    check(&backed("A group claimed responsibility."), &[Attribution]);
    check(&backed("It was state\u{2010}sponsored."), &[Attribution]);
    check(&backed("It was Rus\u{200B}sian."), &[Attribution]);
    check(&backed("All voting systems remain secure and unaffected."), &[Untouched]);
    check(&backed("Los sistemas no se vieron afectados."), &[Untouched]);
    check(&backed("The site was not hacked."), &[Beyond]);
    check(&backed(&"and ".repeat(50)), &[TooLong]);
    check("", &[]);
    check("# Headline\n\n", &[]);
}
