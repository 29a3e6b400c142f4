use proptest::prelude::*;

use super::*;
use crate::secret::Secret;

const NOON: i64 = 1_667_916_000;

fn at(unix_s: i64) -> Timestamp {
    Timestamp::new(Duration::from_secs(1), unix_s * 1_000_000)
}

fn ring() -> Keyring {
    Keyring::new(&Secret::new([42; 32]), at(NOON))
}

fn claims() -> TokenClaims {
    TokenClaims {
        site: SiteTag::of_name("sos"),
        fingerprint: ClientFingerprint(0xB0B0),
        proof: ProofKind::Redirect,
        generation: 3,
        issued_unix_s: unix_seconds(at(NOON)),
        lifetime_s: 1_800,
        id: TokenId(99),
    }
}

fn binding() -> Binding {
    Binding { site: SiteTag::of_name("sos"), fingerprint: ClientFingerprint(0xB0B0), generation: 3 }
}

#[test]
fn counts_only_where_and_when_it_was_given() {
    let (ring, given) = (ring(), claims());
    let text = ring.issue_token(&given);
    assert_eq!(text.as_str().len(), 72);
    let other_site = Binding { site: SiteTag::of_name("dmv"), ..binding() };
    let other_client = Binding { fingerprint: ClientFingerprint(1), ..binding() };
    let revoked = Binding { generation: 4, ..binding() };
    let older = Binding { generation: 2, ..binding() };
    for (case, binding, unix_s, expected) in [
        ("at once", binding(), NOON, Ok(given)),
        ("just before its end", binding(), NOON + 1_799, Ok(given)),
        ("at its end", binding(), NOON + 1_800, Err(CredentialFault::Expired)),
        ("at an edge whose clock is behind", binding(), NOON - 60, Ok(given)),
        ("from the future", binding(), NOON - 61, Err(CredentialFault::NotYetValid)),
        ("at another site", other_site, NOON, Err(CredentialFault::OtherSite)),
        ("in another kind of client", other_client, NOON, Err(CredentialFault::OtherClient)),
        ("after revocation", revoked, NOON, Err(CredentialFault::Revoked)),
        ("at an edge that has not heard of the new generation", older, NOON, Ok(given)),
    ] {
        assert_eq!(ring.verify_token(text.as_str().as_bytes(), &binding, at(unix_s)), expected, "{case}");
    }
}

#[test]
fn outlives_one_change_of_keys_and_not_two_nor_the_secret() {
    let given = TokenClaims { lifetime_s: u32::MAX, ..claims() };
    let text = ring().issue_token(&given);
    let epoch = i64::try_from(KEY_EPOCH.as_secs()).unwrap();
    let verify = |secret: u8, unix_s: i64| {
        let ring = Keyring::new(&Secret::new([secret; 32]), at(unix_s));
        ring.verify_token(text.as_str().as_bytes(), &binding(), at(unix_s))
    };
    assert_eq!(verify(42, NOON + epoch - 1), Ok(given));
    assert_eq!(verify(42, NOON + epoch), Err(CredentialFault::Expired), "no lifetime is longer than a key's");
    assert_eq!(verify(42, NOON + 2 * epoch), Err(CredentialFault::UnknownEpoch));
    assert_eq!(verify(43, NOON), Err(CredentialFault::Forged));
}

#[test]
fn what_is_no_token_is_told_without_computing() {
    let ring = ring();
    let text = ring.issue_token(&claims());
    let (first, rest) = text.as_str().split_at(1);
    let longer = format!("{}A", text.as_str());
    let padded = format!("{}=", &text.as_str()[..71]);
    let other_alphabet = format!("+{rest}");
    let other_version = format!("{}{rest}", if first == "A" { "B" } else { "C" });
    for faulty in ["", "A", &longer, &padded, rest, &other_alphabet, &other_version, &"A".repeat(72)] {
        let verdict = ring.verify_token(faulty.as_bytes(), &binding(), at(NOON));
        assert_eq!(verdict, Err(CredentialFault::Malformed), "{faulty}");
    }
}

#[test]
fn other_sealed_texts_are_no_tokens() {
    let ring = ring();
    let mut payload = [0; PAYLOAD_BYTES];
    FieldWriter::new(&mut payload).put([VERSION, ProofKind::Work.code()]);
    let token = ring.issue_token(&claims());
    let unverified = Unverified::decode(token.as_str().as_bytes()).unwrap();
    for purpose in [Purpose::Ticket, Purpose::Challenge, Purpose::Identity] {
        let text = seal(ring.key(purpose, ring.epoch()).unwrap(), unverified.payload());
        let verdict = ring.verify_token(text.as_str().as_bytes(), &binding(), at(NOON));
        assert_eq!(verdict, Err(CredentialFault::Forged), "{purpose:?}");
    }
}

fn any_claims() -> impl Strategy<Value = TokenClaims> {
    let kinds = prop::sample::select(vec![ProofKind::Redirect, ProofKind::WaitingRoom, ProofKind::Work]);
    (any::<u64>(), any::<u32>(), kinds, any::<u16>(), any::<u32>(), 1..1_000_000_u32, any::<u64>()).prop_map(
        |(site, fingerprint, proof, generation, issued_unix_s, lifetime_s, id)| TokenClaims {
            site: SiteTag(site),
            fingerprint: ClientFingerprint(fingerprint),
            proof,
            generation,
            issued_unix_s,
            lifetime_s,
            id: TokenId(id),
        },
    )
}

proptest! {
    #[test]
    fn comes_back_as_it_was_given(given in any_claims(), secret in any::<[u8; 32]>()) {
        let now = at(i64::from(given.issued_unix_s));
        let ring = Keyring::new(&Secret::new(secret), now);
        let binding = Binding {
            site: given.site,
            fingerprint: given.fingerprint,
            generation: given.generation,
        };
        let text = ring.issue_token(&given);
        prop_assert_eq!(ring.verify_token(text.as_str().as_bytes(), &binding, now), Ok(given));
    }

    #[test]
    fn any_bytes_are_refused(text in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(ring().verify_token(&text, &binding(), at(NOON)).is_err());
    }
}

/// Every single letter changed to every other letter, which is every bit flipped and more.
#[test]
fn any_change_of_a_letter_is_refused() {
    let ring = ring();
    let text = ring.issue_token(&claims());
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for place in 0..SealedText::LENGTH {
        for letter in alphabet {
            let mut changed = text.as_str().as_bytes().to_vec();
            if changed[place] == *letter {
                continue;
            }
            changed[place] = *letter;
            assert!(ring.verify_token(&changed, &binding(), at(NOON)).is_err(), "{place} {letter}");
        }
    }
}
