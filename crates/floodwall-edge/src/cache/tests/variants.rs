//! RFC 9111 section 4.1: which stored response answers which request.

use std::sync::Arc;

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

use super::super::slot::VARIANTS_MAX;
use super::super::variant::{Codings, Variant};
use super::super::{CacheSettings, LookUp, ResponseCache, prepare_fill};
use super::{at, cache, get, header_lines, seconds, settings, store};

#[test]
#[rustfmt::skip] // one row a line
fn matching() {
    for (vary, stored_for, asked, expected) in [
        ("", "", "accept: x", true),
        ("Accept-Language", "accept-language: en", "accept-language: en", true),
        ("Accept-Language", "accept-language: en", "accept-language: de", false),
        ("Accept-Language", "accept-language: en", "", false),
        ("Accept-Language", "", "accept-language: en", false),
        ("Accept-Language", "", "", true),
        ("X-Variant", "x-variant:", "", false),
        ("accept-language, ACCEPT", "accept-language: en\naccept: a", "accept: a\naccept-language: en", true),
        ("accept-language, accept", "accept-language: en\naccept: a", "accept: b\naccept-language: en", false),
        // White space and lines.
        ("accept", "accept: a, b", "accept: a,b", true),
        ("accept", "accept: a, b", "accept: a \t,  b", true),
        ("accept", "accept: a, b", "accept: a\naccept: b", true),
        ("accept", "accept: a, b", "accept: ab", false),
        ("accept", "accept: a b", "accept: a  \t b", true),
        ("accept", "accept: a, b", "accept: b, a", false),
        ("accept", "accept: \"a, b\"", "accept: \"a,b\"", false),
        ("accept", "accept: \"a\\\" , b\"", "accept: \"a\\\" , b\"", true),
        // Codings: what is acceptable, not how it is worded.
        ("accept-encoding", "accept-encoding: gzip, br", "accept-encoding: br;q=0.9,gzip;q=1", true),
        ("accept-encoding", "accept-encoding: gzip, deflate, br", "accept-encoding: br, gzip, x-unheard-of", true),
        ("accept-encoding", "accept-encoding: gzip", "accept-encoding: br", false),
        ("accept-encoding", "", "accept-encoding: identity", true),
        // Cookies: whether one may be personal.
        ("cookie", "", "", true),
        ("cookie", "", "cookie: _ga=1; _gid=2", true),
        ("cookie", "cookie: _ga=7", "cookie: _gid=2", true),
        ("cookie", "", "cookie: session=1", false),
    ] {
        let variant = Variant::of(&header_lines(&format!("vary: {vary}")), &header_lines(stored_for)).unwrap();
        assert_eq!(variant.matches(&header_lines(asked)), expected, "{vary} | {stored_for} | {asked}");
    }
}

#[test]
#[rustfmt::skip] // one row a line
fn accept_encoding_is_reduced() {
    for (asked, expected) in [
        ("", "identity"),
        ("accept-encoding: identity", "identity"),
        ("accept-encoding: gzip", "gzip"),
        ("accept-encoding: X-GZIP", "gzip"),
        ("accept-encoding: br", "br"),
        ("accept-encoding: zstd", "zstd"),
        ("accept-encoding: gzip, deflate, br", "br, gzip"),
        ("accept-encoding: zstd,br", "br, zstd"),
        ("accept-encoding: zstd;q=0.1, gzip ; q=1.0", "gzip, zstd"),
        ("accept-encoding: gzip\naccept-encoding: br, zstd", "br, gzip, zstd"),
        ("accept-encoding: gzip;q=0, br", "br"),
        ("accept-encoding: gzip;q=0.000", "identity"),
        ("accept-encoding: gzip;Q=0", "identity"),
        ("accept-encoding: *", "br, gzip, zstd"),
        ("accept-encoding: *, br;q=0", "gzip, zstd"),
        ("accept-encoding: gzip, *;q=0", "gzip"),
        ("accept-encoding: gzip;q=", "gzip"),
        ("accept-encoding: ,,;;=", "identity"),
    ] {
        let mut request = header_lines(asked);
        let codings = Codings::accepted_by(&request);
        assert_eq!(codings.field(), expected, "{asked}");
        prepare_fill(&mut request);
        assert_eq!(request.get(ACCEPT_ENCODING).unwrap(), expected, "{asked}");
        assert_eq!(Codings::accepted_by(&request), codings, "the forwarded form reads the same: {asked}");
    }
}

#[test]
fn measuring_cookies_do_not_reach_the_origin_on_a_fill() {
    for (asked, expected) in [
        ("", None),
        ("cookie: _ga=1; nmstat=2", None),
        ("cookie: _ga=1; id=2; _gid=3;theme=dark", Some("id=2; theme=dark")),
        ("cookie: _ga=1\ncookie: id=2", Some("id=2")),
        ("cookie: id=2;theme=dark", Some("id=2;theme=dark")),
        ("cookie: ;", Some(";")),
    ] {
        let mut request = header_lines(asked);
        prepare_fill(&mut request);
        let cookie = request.get("cookie").map(|value| value.to_str().unwrap());
        assert_eq!(cookie, expected, "{asked}");
    }
}

fn ask(cache: &ResponseCache, request: &str, second: u64) -> Option<Vec<u8>> {
    match cache.look_up(&get("/", &header_lines(request)), at(second)) {
        LookUp::Fresh(response) => Some(response.body().to_vec()),
        _ => None,
    }
}

fn fill(cache: &ResponseCache, request: &str, response: &str, body: &str, second: u64) {
    let request = header_lines(request);
    store(cache, &get("/", &request), 200, &header_lines(response), body.as_bytes(), second).unwrap();
}

const BY_LANGUAGE: &str = "cache-control: max-age=600\nvary: accept-language";

#[test]
fn variants_live_side_by_side_and_replace_their_own() {
    let cache = cache();
    fill(&cache, "accept-language: en", BY_LANGUAGE, "vote", 0);
    fill(&cache, "accept-language: es", BY_LANGUAGE, "vota", 1);
    assert_eq!(cache.entries(), 1);
    assert_eq!(ask(&cache, "accept-language: en", 2).unwrap(), b"vote");
    assert_eq!(ask(&cache, "accept-language: es", 2).unwrap(), b"vota");
    let found = cache.look_up(&get("/", &HeaderMap::new()), at(2));
    assert!(matches!(found, LookUp::Miss { other_variant: true, known_uncacheable: false, .. }), "{found:?}");

    fill(&cache, "accept-language: en", BY_LANGUAGE, "vote!", 3);
    assert_eq!(ask(&cache, "accept-language: en", 4).unwrap(), b"vote!");
    assert_eq!(ask(&cache, "accept-language: es", 4).unwrap(), b"vota");

    // The origin no longer varies: one response for all.
    fill(&cache, "accept-language: fr", "cache-control: max-age=600", "all", 5);
    assert_eq!(ask(&cache, "accept-language: en", 6).unwrap(), b"all");
}

#[test]
fn of_several_that_match_the_latest_answers() {
    let cache = cache();
    fill(&cache, "accept-language: en\naccept: a", BY_LANGUAGE, "old", 0);
    fill(&cache, "accept-language: en\naccept: a", "cache-control: max-age=600\nvary: accept", "new", 1);
    assert_eq!(ask(&cache, "accept-language: en\naccept: a", 2).unwrap(), b"new");
}

#[test]
fn an_answer_that_comes_late_does_not_replace_a_later_one() {
    let cache = cache();
    fill(&cache, "", "cache-control: max-age=600", "later", 10);
    let none = HeaderMap::new();
    let stored =
        store(&cache, &get("/", &none), 200, &header_lines("cache-control: max-age=600"), b"late", 5);
    assert_eq!(stored.map(drop), Err(super::NotStored::Outdated));
    assert_eq!(ask(&cache, "", 11).unwrap(), b"later");
}

#[test]
fn a_flood_of_variants_leaves_those_in_use() {
    let cache = cache();
    fill(&cache, "accept-language: en", BY_LANGUAGE, "vote", 0);
    for n in 1..100 {
        assert!(ask(&cache, "accept-language: en", n).is_some(), "lost after {n} others");
        fill(&cache, &format!("accept-language: x-{n}"), BY_LANGUAGE, "junk", n);
    }
    let kept = (0..100).filter(|n| ask(&cache, &format!("accept-language: x-{n}"), 100).is_some()).count();
    assert_eq!(kept, VARIANTS_MAX - 1);
}

#[test]
fn variants_together_stay_within_what_one_address_may_hold() {
    let cache = ResponseCache::new(CacheSettings {
        memory_bytes_max: 400_000,
        object_bytes_max: 100_000,
        ..settings()
    });
    let body = "x".repeat(60_000);
    for n in 0..10 {
        fill(&cache, &format!("accept-language: x-{n}"), BY_LANGUAGE, &body, n);
        assert!(ask(&cache, &format!("accept-language: x-{n}"), n).is_some(), "the newest is kept: {n}");
        assert!(cache.bytes() <= cache.bytes_max());
    }
}

#[test]
fn a_visitor_with_a_session_knows_not_to_wait() {
    let cache = cache();
    fill(&cache, "", "cache-control: max-age=600\nvary: cookie", "anonymous", 0);
    assert_eq!(ask(&cache, "cookie: _ga=1", 1).unwrap(), b"anonymous");
    let session = header_lines("cookie: session=1");
    let found = cache.look_up(&get("/", &session), at(1));
    assert!(matches!(found, LookUp::Miss { other_variant: true, known_uncacheable: true, .. }), "{found:?}");
}

#[test]
fn a_hit_shares_what_is_stored() {
    let cache = cache();
    fill(&cache, "", "cache-control: max-age=600", "page", 0);
    let none = HeaderMap::new();
    let (first, second) = (cache.look_up(&get("/", &none), at(1)), cache.look_up(&get("/", &none), at(2)));
    match (first, second) {
        (LookUp::Fresh(first), LookUp::Fresh(second)) => {
            assert!(Arc::ptr_eq(&first, &second));
            assert_eq!(first.freshness().age(at(2)), seconds(2));
        }
        other => panic!("{other:?}"),
    }
}
