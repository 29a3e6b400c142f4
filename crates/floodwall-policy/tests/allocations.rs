//! What must not allocate does not.

use std::net::IpAddr;
use std::time::Duration;

use allocation_counter::measure;
use floodwall_model::{Prefix, Protocol, Timestamp};
use floodwall_policy::{
    Binding, ClientFingerprint, Condition, Conjunction, Decided, Decision, Evidence, Findings, Gate,
    GateFacts, GateSettings, Keyring, Outcome, PrefixMap, ProbeClaims, ProofKind, Proposed, ReferenceKey,
    Referrer, RefusalNote, RequestKind, RequestShape, Rung, Secret, SignatureSettings, SignatureWatch,
    SiteTag, Standing, TokenClaims, TokenId, TraitField, WorkKind,
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
                system: None,
                token: Some((claims.id, claims.proof)),
                standing: Standing::Unknown,
                kind: RequestKind::Page,
                keeps_no_cookies: false,
            };
            assert_eq!(gate.offer(&facts, now), Decision::Admit);
            gate.on_release(
                Outcome::Answered(Duration::from_millis(75), WorkKind::of("GET", "/look-up")),
                now,
            );
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
                system: None,
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

/// A request's traits compared with rules, whether it is known good, and the reference ID of its answer.
#[test]
fn what_every_request_to_the_origin_is_asked() {
    let mut watch = SignatureWatch::new(SignatureSettings::default(), 7);
    let conjunction = Conjunction::of(Condition { field: TraitField::Language, value: 0 });
    let evidence = Evidence {
        surplus_matched: 0,
        surplus_sampled: 0,
        calm_hit: 0,
        calm_visitors: 0,
        calm_share_max: 0.0,
    };
    watch.conclude(&Findings { proposed: vec![Proposed { conjunction, evidence }], refused: None }, at(0));
    let secret = Secret::new([42; 32]);
    let (ring, key) = (Keyring::new(&secret, at(0)), ReferenceKey::new(&secret));
    let probe = ring.issue_probe(&ProbeClaims {
        site: None,
        name: "uptime".parse().unwrap(),
        generation: 0,
        issued_unix_s: NOON_UNIX_S,
        lifetime_s: 1_800,
    });
    let offices = PrefixMap::new([("192.0.2.0/24".parse().unwrap(), 1_u8)]);
    let keys = watch.keys();
    let allocations = measure(|| {
        for source in 0..10_000_u32 {
            let client = IpAddr::V4((source * 7_919).into());
            let prefix = Prefix::of_client(client);
            let shape = RequestShape {
                client,
                method: "GET",
                path: "/county/17/polling-place",
                query: Some("zip=12345"),
                user_agent: Some(b"Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"),
                referrer: Referrer::of(Some(b"https://a.test/"), "a.test"),
                protocol: Protocol::Http2,
                asks_for_language: source.is_multiple_of(2),
                fingerprint: None,
                http2_settings: None,
                system: None,
            };
            let traits = keys.traits(&shape, ["host", "user-agent", "accept"].into_iter());
            _ = watch.observe(prefix, &traits, source.is_multiple_of(3), at(0));
            _ = offices.get(client);
            assert!(ring.verify_probe(probe.as_str().as_bytes(), SiteTag(1), 0, at(0)).is_ok());
            let note = RefusalNote {
                at_unix_s: i64::from(NOON_UNIX_S),
                decided: Decided::NoRoom,
                rung: Rung::Redirect,
                site: Some(0),
                client: key.client_tag(prefix),
                counter: 0,
            };
            _ = key.open(key.seal(&note), 1, at(0));
        }
    });
    assert_eq!(allocations.count_total, 0);
    assert_eq!(watch.live().next().unwrap().matched_on_trial, 5_000);
}
