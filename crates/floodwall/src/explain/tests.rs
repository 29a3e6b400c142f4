use std::time::Duration;

use floodwall_policy::{Decided, Evidence, Rung, Secret, SignatureEnd, SignatureRecord, SignatureStage};

use super::address::SiteStanding;
use super::*;

const AT: i64 = 1_793_966_400;

fn now() -> Timestamp {
    Timestamp::new(Duration::from_secs(1), (AT + 3_600) * 1_000_000)
}

fn key() -> ReferenceKey {
    ReferenceKey::new(&Secret::new([42; 32]))
}

fn client() -> IpAddr {
    "192.0.2.7".parse().unwrap()
}

fn sealed(decided: Decided, rung: Rung, site: Option<u8>) -> ReferenceId {
    let client = key().client_tag(Prefix::of_client(client()));
    key().seal(&RefusalNote { at_unix_s: AT, decided, rung, site, client, counter: 1 })
}

fn explained(id: ReferenceId, from: Option<&str>) -> Explanation {
    let sites = ["sos".to_owned(), "results".to_owned()];
    explain_reference(&key(), id, Some(&sites), from.map(|from| from.parse().unwrap()), now())
}

/// Every decision there is, as it is read out.
#[test]
fn every_decision_in_words() {
    let mut text = String::new();
    for (place, decided) in Decided::ALL.into_iter().enumerate() {
        let rung = Rung::ALL[place % 5];
        let site = (decided != Decided::UnknownHost).then_some(u8::try_from(place % 2).unwrap());
        let explanation = explained(sealed(decided, rung, site), None);
        text.push_str(&format!("{}\n  {}\n\n", decided.as_str(), explanation.words.join("\n  ")));
    }
    insta::assert_snapshot!(text);
}

#[test]
fn an_id_as_figures() {
    let explanation = explained(sealed(Decided::Choice, Rung::Choice, Some(1)), Some("192.0.2.7"));
    let mut value = serde_json::to_value(&explanation).unwrap();
    value["words"] = serde_json::Value::Null;
    insta::assert_json_snapshot!(value);
    assert_eq!(
        serde_json::from_str::<Explanation>(&serde_json::to_string(&explanation).unwrap()).unwrap(),
        explanation
    );
}

#[test]
fn whether_it_was_given_to_an_address() {
    let id = sealed(Decided::NoRoom, Rung::Open, Some(0));
    for (from, fits, words) in [
        ("192.0.2.7", true, "can have been given to 192.0.2.7"),
        ("192.0.2.8", false, "not given to 192.0.2.8"),
    ] {
        let explanation = explained(id, Some(from));
        assert_eq!(explanation.reference.unwrap().fits_address, Some(fits));
        assert!(explanation.words.last().unwrap().contains(words), "{:?}", explanation.words);
    }
}

#[test]
fn what_is_not_ours_is_said_so() {
    let other = ReferenceKey::new(&Secret::new([1; 32]));
    let ids = (0..64).map(|counter| {
        let note = RefusalNote {
            at_unix_s: AT,
            decided: Decided::NoRoom,
            rung: Rung::Open,
            site: Some(0),
            client: 0,
            counter,
        };
        other.seal(&note)
    });
    let passed = ids.filter(|id| explained(*id, None).found).count();
    assert_eq!(passed, 0, "one in 2,500 would");
    let explanation = explained(
        other.seal(&RefusalNote {
            at_unix_s: AT,
            decided: Decided::NoRoom,
            rung: Rung::Open,
            site: None,
            client: 0,
            counter: 0,
        }),
        None,
    );
    assert!(explanation.words[0].contains("no such reference ID"));
    assert_eq!(explanation.reference, None);
}

#[test]
fn subjects() {
    for (text, expected) in [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("7f3k 9qwx o2mb", "7F3K-9QWX-02MB"),
        ("s3", "S3"),
    ] {
        assert_eq!(text.parse::<Subject>().unwrap().to_string(), expected);
    }
    for text in ["", "192.0.2.0/24", "7F3K", "a.test"] {
        assert!(
            text.parse::<Subject>().unwrap_err().contains("neither an address nor a reference ID"),
            "{text}"
        );
    }
}

#[test]
fn an_address_in_words() {
    let site = |site: &str, excess, limited_ms, signatures: &[&str]| SiteStanding {
        site: site.to_owned(),
        rung: 3,
        excess,
        recovers_s: 12,
        limited_ms,
        signatures: signatures.iter().map(ToString::to_string).collect(),
    };
    let calm = AddressFacts {
        client: "192.0.2.7/32".to_owned(),
        system: None,
        allowed: None,
        blocked: None,
        known: true,
        sites: vec![site("sos", 0, 0, &[])],
    };
    let troubled = AddressFacts {
        client: "2001:db8:1:2::/64".to_owned(),
        system: Some(64_496),
        allowed: Some("office `town-hall` of the settings".to_owned()),
        blocked: Some(
            "by an operator since 2026-11-03T14:02:07Z, until 2026-11-03T15:02:07Z: \"floods\"".to_owned(),
        ),
        known: false,
        sites: vec![site("sos", 2, 0, &["rule S3: no Accept-Language"]), site("results", 0, 700, &[])],
    };
    let text = format!("{}\n\n{}", calm.sentences().join("\n"), troubled.sentences().join("\n"));
    insta::assert_snapshot!(text);
}

/// Rule S3, on trial.
pub(crate) fn sample_rule() -> SignatureRecord {
    let evidence = Evidence {
        surplus_matched: 1_500,
        surplus_sampled: 1_600,
        calm_hit: 1,
        calm_visitors: 6_144,
        calm_share_max: 0.000_77,
    };
    let condition = floodwall_policy::Condition { field: floodwall_policy::TraitField::Language, value: 0 };
    let conjunction = floodwall_policy::Conjunction::of(condition);
    SignatureRecord {
        id: SignatureId(3),
        conjunction,
        words: "no Accept-Language; protocol HTTP/1.1".to_owned(),
        evidence,
        stage: SignatureStage::Trial,
        proposed: now(),
        acting_since: None,
        until: now().plus(Duration::from_secs(3_600)),
        matched_on_trial: 12_345,
        matched_acting: 0,
        people_matched: 0,
        people_seen: 41,
    }
}

#[test]
fn a_rule_in_words() {
    let trial = sample_rule();
    let acting = SignatureRecord {
        stage: SignatureStage::Acting,
        acting_since: Some(now().plus(Duration::from_secs(10))),
        matched_acting: 987_654,
        ..trial.clone()
    };
    let ended =
        |why| SignatureRecord { stage: SignatureStage::Ended(why), people_matched: 3, ..acting.clone() };
    let rules =
        [ended(SignatureEnd::Idle), ended(SignatureEnd::LifetimeOver), ended(SignatureEnd::HitPeople)];
    let all = [trial, acting.clone()].into_iter().chain(rules);
    let text: Vec<_> = all.map(|record| signature_sentences(&record).join("\n")).collect();
    insta::assert_snapshot!(text.join("\n\n"));
}
