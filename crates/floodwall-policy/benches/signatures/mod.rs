//! What signatures cost: traits, matching, sampling, and the worst search there can be.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use floodwall_model::{Prefix, Protocol, Timestamp};
use floodwall_policy::{
    ClientTraits, Condition, Conjunction, Evidence, Findings, Proposed, Referrer, RequestShape,
    SignatureSettings, SignatureWatch, TraitField, TraitKeys,
};

use crate::{at, clock, measure};

const NAMES: [&str; 12] = [
    "host",
    "user-agent",
    "accept",
    "accept-language",
    "accept-encoding",
    "cookie",
    "upgrade-insecure-requests",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-user",
    "priority",
];

fn shape(number: u32) -> RequestShape<'static> {
    RequestShape {
        client: IpAddr::V4(Ipv4Addr::from(number.wrapping_mul(2_654_435_761))),
        method: "GET",
        path: "/county/17/polling-place",
        query: Some("zip=12345&street=Main"),
        user_agent: Some(b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36"),
        referrer: Referrer::SameSite,
        protocol: Protocol::Http2,
        asks_for_language: true,
        fingerprint: None,
        http2_settings: None,
        system: None,
    }
}

fn small(step: u64) -> u32 {
    u32::try_from(step & 0xFFFF_FFFF).unwrap_or(0)
}

/// Each field one of two values: 2,048 conjunctions are frequent.
fn mixed(number: u64) -> ClientTraits {
    let mut random = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    TraitField::ALL.into_iter().fold(ClientTraits::default(), |traits, field| {
        random = (random ^ (random >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        traits.with(field, 1 + small((random >> 33) % 2))
    })
}

fn with_rules(count: u32) -> SignatureWatch {
    let mut watch = SignatureWatch::new(SignatureSettings::default(), 7);
    let evidence = Evidence {
        surplus_matched: 0,
        surplus_sampled: 0,
        calm_hit: 0,
        calm_visitors: 0,
        calm_share_max: 0.0,
    };
    let rule = |number: u32| {
        // All but the last condition fit every request: none can be passed over.
        let common = |field| Condition { field, value: 1 };
        let own = Condition { field: TraitField::Network, value: 1_000 + number };
        let conjunction = Conjunction::of(common(TraitField::Path)).and(common(TraitField::Agent)).and(own);
        Proposed { conjunction, evidence }
    };
    let findings = Findings { proposed: (0..count).map(rule).collect(), refused: None };
    watch.conclude(&findings, at(0));
    watch
}

pub(crate) fn run() {
    let keys = TraitKeys::new(7);
    measure("traits of a request", 500_000, |step| {
        _ = black_box(keys.traits(&shape(small(step)), NAMES.into_iter()));
    });
    let client = Prefix::of_client(IpAddr::V4(0xC000_0207.into()));
    let traits =
        TraitField::ALL.into_iter().fold(ClientTraits::default(), |traits, field| traits.with(field, 1));
    for rules in [0, 8, 64] {
        let mut watch = with_rules(rules);
        measure(&format!("compared with {rules} rules"), 1_000_000, |_| {
            _ = black_box(watch.observe(client, black_box(&traits), false, at(0)));
        });
    }
    let mut watch = SignatureWatch::new(SignatureSettings::default(), 7);
    measure("a calm request, of many visitors", 500_000, |step| {
        let client = Prefix::of_client(shape(small(step)).client);
        watch.note_calm(client, &mixed(step % 50), at(step * 100_000));
    });
    measure("a surplus request, 100,000 a second", 500_000, |step| {
        watch.note_surplus(&traits, &shape(small(step)), NAMES.into_iter(), at(step * 10_000));
    });
    search();
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn search() {
    for (name, surplus) in
        [("nothing in common", mixed as fn(u64) -> ClientTraits), ("all alike", |_| ClientTraits::default())]
    {
        let mut watch = SignatureWatch::new(SignatureSettings::default(), 7);
        for visitor in 0..40_000_u32 {
            for asked in 0..4 {
                let client = Prefix::of_client(shape(visitor).client);
                watch.note_calm(client, &mixed(u64::from(visitor) * 7 + asked), at(0));
            }
        }
        let second = |second: u64| Timestamp::new(std::time::Duration::from_secs(second), 0);
        for number in 0..2_048_u64 {
            watch.note_surplus(
                &surplus(number),
                &shape(small(number)),
                NAMES.into_iter(),
                second(1 + number / 256),
            );
        }
        let start = clock();
        _ = watch.tick(false, second(1));
        let baseline = start.elapsed();
        let start = clock();
        let Some(search) = watch.tick(true, second(8)) else { return };
        let taken = start.elapsed();
        let start = clock();
        let findings = black_box(search.run());
        let ran = start.elapsed();
        println!(
            "search, {name}: {:.2} ms for the baseline, {:.2} ms to take the surplus, {:.1} ms to run, {} rules",
            baseline.as_nanos() as f64 / 1e6,
            taken.as_nanos() as f64 / 1e6,
            ran.as_nanos() as f64 / 1e6,
            findings.proposed.len()
        );
    }
}
