use proptest::prelude::*;

use super::*;
use crate::secret::Secret;

const NOON: i64 = 1_667_916_000;
const LIFETIME: Duration = Duration::from_secs(1_800);

fn at(unix_s: i64) -> Timestamp {
    Timestamp::new(Duration::from_secs(1), unix_s * 1_000_000)
}

fn ring() -> Keyring {
    Keyring::new(&Secret::new([42; 32]), at(NOON))
}

fn binding() -> Binding {
    Binding { site: SiteTag(5), fingerprint: ClientFingerprint(6), generation: 1 }
}

fn challenge() -> WorkChallenge {
    ring().issue_challenge(&binding(), Difficulty(500), 0xABCD, at(NOON))
}

/// As the widget does it.
fn solve(challenge: &WorkChallenge) -> u32 {
    let found = (0..=challenge.number_max)
        .find(|number| hexadecimal(&digest(&challenge.salt, *number)) == challenge.challenge);
    found.expect("there is an answer below the bound")
}

fn answer(challenge: &WorkChallenge, number: u32) -> String {
    let json = serde_json::json!({
        "algorithm": challenge.algorithm,
        "challenge": challenge.challenge,
        "number": number,
        "salt": challenge.salt,
        "signature": challenge.signature,
        "took": 1234.5,
    });
    STANDARD.encode(json.to_string())
}

fn redeem(text: &str, unix_s: i64) -> Result<TokenClaims, CredentialFault> {
    ring().redeem_solution(text.as_bytes(), &binding(), LIFETIME, at(unix_s))
}

#[test]
fn reads_what_the_protocol_writes() {
    // `printf %s 'salt?expires=1&42' | sha256sum`
    let expected = "56214130327e60ede7419aa4c87157c630572fb218bedc3f373eda067fe5b4c9";
    assert_eq!(hexadecimal(&digest("salt?expires=1&", 42)), expected);
    let challenge = challenge();
    let json = serde_json::to_value(&challenge).unwrap();
    let mut names: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["algorithm", "challenge", "maxnumber", "salt", "signature"]);
    assert!(challenge.salt.ends_with('&'), "or digits can be moved between expiry and number");
    assert!(answer(&challenge, u32::MAX).len() <= SOLUTION_BYTES_MAX);
}

#[test]
fn a_solution_is_one_token_however_often_it_is_redeemed() {
    let challenge = challenge();
    let text = answer(&challenge, solve(&challenge));
    let token = redeem(&text, NOON + 5).unwrap();
    assert_eq!(redeem(&text, NOON + 500), Ok(token), "later it is the same, with the same end");
    assert_eq!((token.proof, token.lifetime_s), (ProofKind::Work, 1_800));
    let sealed = ring().issue_token(&token);
    assert_eq!(ring().verify_token(sealed.as_str().as_bytes(), &binding(), at(NOON + 5)), Ok(token));
    let other = ring().issue_challenge(&binding(), Difficulty(500), 0xABCE, at(NOON));
    assert_ne!(redeem(&answer(&other, solve(&other)), NOON).unwrap().id, token.id);
}

#[test]
fn what_is_not_solved_here_and_now_does_not_count() {
    let challenge = challenge();
    let number = solve(&challenge);
    let text = answer(&challenge, number);
    assert_eq!(redeem(&answer(&challenge, number + 1), NOON), Err(CredentialFault::Unsolved));
    assert_eq!(redeem(&text, NOON + 600), Err(CredentialFault::Expired));
    assert_eq!(redeem(&text, NOON - 61), Err(CredentialFault::NotYetValid));
    assert_eq!(redeem(&text[..text.len() - 4], NOON), Err(CredentialFault::Malformed));
    assert_eq!(redeem(&"A".repeat(2_000), NOON), Err(CredentialFault::Malformed));
    for (binding, fault) in [
        (Binding { site: SiteTag(1), ..binding() }, CredentialFault::OtherSite),
        (Binding { fingerprint: ClientFingerprint(1), ..binding() }, CredentialFault::OtherClient),
        (Binding { generation: 2, ..binding() }, CredentialFault::Revoked),
    ] {
        let verdict = ring().redeem_solution(text.as_bytes(), &binding, LIFETIME, at(NOON));
        assert_eq!(verdict, Err(fault));
    }
    let foreign = Keyring::new(&Secret::new([1; 32]), at(NOON));
    let made_elsewhere = foreign.issue_challenge(&binding(), Difficulty(500), 1, at(NOON));
    let text = answer(&made_elsewhere, solve(&made_elsewhere));
    assert_eq!(redeem(&text, NOON), Err(CredentialFault::Forged));
}

/// CVE-2025-68113 in other libraries.
#[test]
fn digits_cannot_be_moved_from_the_number_into_the_salt() {
    let challenge = challenge();
    let number = solve(&challenge).to_string();
    for cut in 1..number.len() {
        let (moved, left) = number.split_at(cut);
        let spliced = WorkChallenge { salt: format!("{}{moved}", challenge.salt), ..challenge.clone() };
        let verdict = redeem(&answer(&spliced, left.parse().unwrap()), NOON);
        assert_eq!(verdict, Err(CredentialFault::Malformed), "{moved} {left}");
    }
}

#[test]
fn difficulty_follows_the_load_within_its_bounds() {
    for (load, expected) in [
        (0.0, 50_000),
        (1.0, 50_000),
        (2.0, 100_000),
        (8.0, 400_000),
        (1e9, 400_000),
        (f64::INFINITY, 400_000),
        (f64::NAN, 400_000),
    ] {
        assert_eq!(Difficulty::by_load(load).number_max(), expected, "{load}");
    }
    assert!(Difficulty::SLOW_DEVICE < Difficulty::MIN);
}

proptest! {
    #[test]
    fn any_changed_byte_of_an_answer_is_refused(place in 0_usize..500, to: u8) {
        let challenge = challenge();
        let text = answer(&challenge, solve(&challenge));
        let mut json = STANDARD.decode(&text).unwrap();
        let place = place % json.len();
        let took = String::from_utf8_lossy(&json).find("\"took\"").unwrap();
        prop_assume!(place < took - 1 && json[place] != to);
        json[place] = to;
        let changed = redeem(&STANDARD.encode(&json), NOON);
        prop_assert!(changed.is_err(), "{}", String::from_utf8_lossy(&json));
    }

    #[test]
    fn any_bytes_are_refused(text in prop::collection::vec(any::<u8>(), 0..300), json: String) {
        prop_assert!(ring().redeem_solution(&text, &binding(), LIFETIME, at(NOON)).is_err());
        prop_assert!(redeem(&STANDARD.encode(json), NOON).is_err());
    }

    #[test]
    fn numbers_print_as_they_do_elsewhere(number: u32) {
        let (mut digits, text) = ([0; 10], number.to_string());
        prop_assert_eq!(decimal(number, &mut digits), text.as_bytes());
    }
}
