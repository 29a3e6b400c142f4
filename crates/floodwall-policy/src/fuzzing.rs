//! Entry points for fuzzing: each takes arbitrary bytes and panics when a promise is broken.

use std::time::Duration;

use floodwall_model::Timestamp;

use crate::secret::{Keyring, Secret};
use crate::token::{Binding, ClientFingerprint, SiteTag};

/// What visitors carry: a token, a ticket or a solved challenge. Nothing that was not signed with the
/// ring's key counts, whatever it looks like.
pub fn credential(data: &[u8]) {
    let now = Timestamp::new(Duration::from_secs(1), 1_667_916_000_000_000);
    let ring = Keyring::new(&Secret::new([42; 32]), now);
    // What a stranger's bytes claim may well fit; only the signature is beyond them.
    let binding = Binding { site: SiteTag(0), fingerprint: ClientFingerprint(0), generation: 0 };
    assert!(ring.verify_token(data, &binding, now).is_err(), "a forged token counts");
    assert!(ring.verify_ticket(data, &binding, now).is_err(), "a forged ticket counts");
    assert!(ring.verify_probe(data, binding.site, 0, now).is_err(), "a forged probe counts");
    let lifetime = Duration::from_secs(1_800);
    assert!(ring.redeem_solution(data, &binding, lifetime, now).is_err(), "a forged solution counts");
    // And the same bytes as the JSON within.
    let json = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, data);
    let redeemed = ring.redeem_solution(json.as_bytes(), &binding, lifetime, now);
    assert!(redeemed.is_err(), "a forged solution counts");
}

/// A crawler's published ranges, and how a `User-Agent` and a path are read: whatever they are, they
/// are read within bounds.
pub fn known_good(data: &[u8]) {
    if let Ok(ranges) = crate::published_ranges(data) {
        let map = crate::PrefixMap::new(ranges.iter().map(|range| (*range, *range)));
        for range in ranges {
            let found = map.get(range.network());
            assert!(found.is_some_and(|found| found.contains(range.network())), "{range} is not found");
        }
    }
    let text = String::from_utf8_lossy(data);
    let (path, query) = text.split_once('?').unwrap_or((&text, ""));
    let shape = crate::RequestShape {
        client: std::net::Ipv4Addr::LOCALHOST.into(),
        method: "GET",
        path,
        query: Some(query),
        user_agent: Some(data),
        referrer: crate::Referrer::of(Some(data), "a.test"),
        protocol: floodwall_model::Protocol::Http11,
        asks_for_language: false,
        fingerprint: None,
        http2_settings: None,
        system: None,
    };
    let mut watch = crate::SignatureWatch::new(crate::SignatureSettings::default(), 7);
    let now = Timestamp::new(Duration::from_secs(1), 0);
    let names = || text.split(' ');
    let traits = watch.keys().traits(&shape, names());
    assert_eq!(traits, watch.keys().traits(&shape, names()));
    watch.note_surplus(&traits, &shape, names(), now);
}
