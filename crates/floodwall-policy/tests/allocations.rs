//! What must not allocate does not.

use std::net::IpAddr;
use std::time::Duration;

use allocation_counter::measure;
use floodwall_model::Timestamp;
use floodwall_policy::{
    Binding, ClientFingerprint, Decision, Gate, GateFacts, GateSettings, Keyring, Outcome, ProofKind,
    RequestKind, Secret, SiteTag, Standing, TokenClaims, TokenId,
};

const NOON_UNIX_S: u32 = 1_667_916_000;

fn at(millis: u64) -> Timestamp {
    Timestamp::new(Duration::from_millis(1_000 + millis), i64::from(NOON_UNIX_S) * 1_000_000)
}

/// Verifying a token, judging its bearer, letting him in, and his answer's end: for many bearers.
#[test]
fn the_way_of_one_who_is_admitted() {
    let ring = Keyring::new(&Secret::new([42; 32]), at(0));
    let binding = Binding { site: SiteTag(5), fingerprint: ClientFingerprint(6), generation: 1 };
    let mut gate = Gate::new(GateSettings::default(), 7, at(0));
    let tokens: Vec<_> = (0..10_000)
        .map(|id| {
            ring.issue_token(&TokenClaims {
                site: binding.site,
                fingerprint: binding.fingerprint,
                proof: ProofKind::Work,
                generation: 1,
                issued_unix_s: NOON_UNIX_S,
                lifetime_s: 1_800,
                id: TokenId(id),
            })
        })
        .collect();
    let allocations = measure(|| {
        for (visitor, token) in tokens.iter().enumerate() {
            let now = at(visitor as u64 * 10);
            let claims = ring.verify_token(token.as_str().as_bytes(), &binding, now).unwrap();
            let facts = GateFacts {
                client: IpAddr::V4((u32::try_from(visitor).unwrap() * 7_919).into()),
                fingerprint: claims.fingerprint,
                token: Some((claims.id, claims.proof)),
                standing: Standing::Unknown,
                kind: RequestKind::Page,
                keeps_no_cookies: false,
            };
            assert_eq!(gate.offer(&facts, now), Decision::Admit);
            gate.on_release(Outcome::Answered(Duration::from_millis(75)), now);
            assert_eq!(gate.next_wake(now), None);
            if visitor % 100 == 0 {
                gate.tick(now);
            }
        }
    });
    assert_eq!(allocations.count_total, 0);
}

/// Refusing and challenging a flood.
#[test]
fn the_way_of_a_flood_that_is_challenged() {
    let mut gate = Gate::new(GateSettings::default(), 7, at(0));
    let mut flood = |count: u32| {
        let mut challenged = 0;
        for source in 0..count {
            let facts = GateFacts {
                client: IpAddr::V4((source * 7_919).into()),
                fingerprint: ClientFingerprint(1),
                token: None,
                standing: Standing::Unknown,
                kind: RequestKind::Page,
                keeps_no_cookies: false,
            };
            challenged += u32::from(matches!(gate.offer(&facts, at(0)), Decision::Challenge(_)));
        }
        challenged
    };
    // Whoever waits takes memory, within the queue's bound; then it is full.
    flood(10_000);
    let allocations = measure(|| assert_eq!(flood(100_000), 100_000));
    assert_eq!(allocations.count_total, 0);
}
