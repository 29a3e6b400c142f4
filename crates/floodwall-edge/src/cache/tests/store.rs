//! The cache as the proxy uses it: look-ups, markers, leases, invalidation.

use floodwall_model::SiteId;
use http::{HeaderMap, Method};

use super::super::request::BypassReason;
use super::super::{CacheRequest, CacheSettings, Forwarded, LookUp, NotStored, ResponseCache};
use super::{at, cache, get, header_lines, seconds, settings, store, store_page};

/// A look-up in one word.
fn word(found: &LookUp) -> &'static str {
    match found {
        LookUp::Fresh(_) => "fresh",
        LookUp::Stale { may_serve_on_error: true, may_serve_while_revalidating: true, .. } => {
            "stale+error+beside"
        }
        LookUp::Stale { may_serve_on_error: true, .. } => "stale+error",
        LookUp::Stale { may_serve_while_revalidating: true, .. } => "stale+beside",
        LookUp::Stale { .. } => "stale",
        LookUp::Miss { known_uncacheable: true, .. } => "miss (uncacheable)",
        LookUp::Miss { alone: true, .. } => "miss (alone)",
        LookUp::Miss { other_variant: true, .. } => "miss (variant)",
        LookUp::Miss { .. } => "miss",
        LookUp::Bypass(BypassReason::Method) => "bypass method",
        LookUp::Bypass(BypassReason::Body) => "bypass body",
        LookUp::Bypass(BypassReason::KeyTooLong) => "bypass key",
        LookUp::Bypass(BypassReason::Authorization) => "bypass authorization",
        LookUp::Unsatisfiable => "unsatisfiable",
    }
}

/// What requests for a page with `Cache-Control: max-age=60` find while it is fresh, when it is
/// stale, and where nothing is stored.
#[test]
#[rustfmt::skip] // one row a line
fn no_visitor_gets_past_the_cache() {
    let cache = cache();
    store_page(&cache, "/", "cache-control: max-age=60\netag: \"a\"", 0).unwrap();
    for (asked, fresh, stale, nothing) in [
        ("", "fresh", "stale+error", "miss"),
        ("cache-control: no-cache\npragma: no-cache", "fresh", "stale+error", "miss"),
        ("cache-control: max-age=0, no-store, min-fresh=9999", "fresh", "stale+error", "miss"),
        ("cache-control: only-if-cached", "fresh", "unsatisfiable", "unsatisfiable"),
        ("if-none-match: \"b\"", "fresh", "stale+error", "miss"),
        ("if-match: \"b\"", "fresh", "stale+error", "miss"),
        ("cookie: session=1", "fresh", "stale+error", "miss"),
        ("range: bytes=0-9", "fresh", "stale+error", "miss"),
        ("range: bytes=0-9\nif-range: \"x\"", "fresh", "stale+error", "miss"),
        // Whoever shows credentials expects an answer to them.
        ("authorization: Basic eA==", "bypass authorization", "bypass authorization", "miss (alone)"),
    ] {
        let headers = header_lines(asked);
        assert_eq!(word(&cache.look_up(&get("/", &headers), at(59))), fresh, "fresh: {asked}");
        assert_eq!(word(&cache.look_up(&get("/", &headers), at(60))), stale, "stale: {asked}");
        assert_eq!(word(&cache.look_up(&get("/none", &headers), at(0))), nothing, "nothing: {asked}");
    }
}

#[test]
fn authorization_is_answered_where_the_response_says_so() {
    for (directives, expected) in [
        ("max-age=60, public", "fresh"),
        ("s-maxage=60", "fresh"),
        ("max-age=60, must-revalidate", "fresh"),
        ("max-age=60, proxy-revalidate", "bypass authorization"),
    ] {
        let cache = cache();
        store_page(&cache, "/", &format!("cache-control: {directives}"), 0).unwrap();
        let headers = header_lines("authorization: Basic eA==");
        assert_eq!(word(&cache.look_up(&get("/", &headers), at(0))), expected, "{directives}");
    }
}

/// RFC 9111 section 2, and what of the target the origin sees.
#[test]
#[rustfmt::skip] // one row a line
fn keys() {
    let cache = cache();
    let none = HeaderMap::new();
    let home = get("/vote?x=1", &none);
    store_page(&cache, "/vote?x=1", "cache-control: max-age=60", 0).unwrap();
    let long = format!("/{}", "a".repeat(8200));
    for (request, expected) in [
        (home, "fresh"),
        (CacheRequest { method: &Method::HEAD, ..home }, "fresh"),
        (CacheRequest { path_and_query: "/vote?x=2", ..home }, "miss"),
        (CacheRequest { path_and_query: "/vote", ..home }, "miss"),
        (CacheRequest { path_and_query: "/Vote?x=1", ..home }, "miss"),
        (CacheRequest { https: false, ..home }, "miss"),
        (CacheRequest { site: SiteId(1), ..home }, "miss"),
        (CacheRequest { authority: "www.sos.example.gov:8443", ..home }, "miss"),
        (CacheRequest { authority: "www.sos.example.gov/vote", path_and_query: "?x=1", ..home }, "miss"),
        (CacheRequest { path_and_query: &long, ..home }, "bypass key"),
        (CacheRequest { method: &Method::POST, ..home }, "bypass method"),
        (CacheRequest { method: &Method::OPTIONS, ..home }, "bypass method"),
        (CacheRequest { has_body: true, ..home }, "bypass body"),
    ] {
        assert_eq!(word(&cache.look_up(&request, at(1))), expected, "{request:?}");
    }
}

#[test]
fn stale_says_what_it_may_be_used_for() {
    for (directives, second, expected) in [
        ("max-age=60", 60, "stale+error"),
        ("max-age=60", 60 + 24 * 3600, "stale"),
        ("max-age=60, stale-while-revalidate=30", 89, "stale+error+beside"),
        ("max-age=60, stale-while-revalidate=30", 90, "stale+error"),
        ("max-age=60, must-revalidate", 60, "stale"),
        ("s-maxage=60, stale-while-revalidate=30", 60, "stale+beside"),
        ("no-cache", 0, "stale"),
    ] {
        let cache = cache();
        store_page(&cache, "/", &format!("cache-control: {directives}\netag: \"a\""), 0).unwrap();
        let found = cache.look_up(&get("/", &HeaderMap::new()), at(second));
        assert_eq!(word(&found), expected, "{directives} at {second}");
        assert_eq!(found.forwarded(), Some(Forwarded::Stale));
    }
}

fn worth_waiting(cache: &ResponseCache, second: u64) -> bool {
    match cache.look_up(&get("/", &HeaderMap::new()), at(second)) {
        LookUp::Stale { worth_waiting, .. } => worth_waiting,
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_what_was_fresh_once_is_worth_waiting_for() {
    let cache = cache();
    store_page(&cache, "/", "cache-control: max-age=60", 0).unwrap();
    assert!(worth_waiting(&cache, 60));
    // The origin now sets a cookie: the copy stays for errors, but nobody waits for the next.
    let outcome = store_page(&cache, "/", "cache-control: max-age=60\nset-cookie: a=b", 60);
    assert_eq!(outcome.map(drop), Err(NotStored::SetCookie));
    assert!(!worth_waiting(&cache, 61));
    assert!(worth_waiting(&cache, 71));

    let cache = super::cache();
    store_page(&cache, "/", "etag: \"a\"", 0).unwrap();
    assert!(!worth_waiting(&cache, 0), "stale from the start");
}

#[test]
#[rustfmt::skip] // one row a line
fn uncacheable_addresses_are_marked_for_a_while_and_by_their_own_fault_only() {
    for (request, status, response, marked) in [
        ("", 200, "cache-control: no-store", true),
        ("", 200, "cache-control: private", true),
        ("", 200, "set-cookie: a=b", true),
        ("", 200, "vary: *", true),
        ("", 404, "cache-control: max-age=0", true),
        // One visitor's request, or the origin's trouble, is no mark.
        ("authorization: Basic eA==", 200, "cache-control: max-age=60", false),
        ("cookie: session=1", 200, "", false),
        ("cookie: session=1", 200, "cache-control: max-age=60\nvary: cookie", false),
        ("", 503, "cache-control: no-store", false),
        ("", 400, "cache-control: no-store", false),
        ("", 206, "cache-control: no-store", false),
    ] {
        let cache = cache();
        let asked = header_lines(request);
        store(&cache, &get("/", &asked), status, &header_lines(response), b"", 0).unwrap_err();
        let none = HeaderMap::new();
        let found = cache.look_up(&get("/", &none), at(9));
        assert_eq!(word(&found), if marked { "miss (uncacheable)" } else { "miss" }, "{request} {status} {response}");
        assert_eq!(word(&cache.look_up(&get("/", &none), at(10))), "miss");
        assert_eq!(word(&cache.look_up(&get("/other", &none), at(9))), "miss");
        store_page(&cache, "/", "cache-control: max-age=1", 1).unwrap();
        assert!(worth_waiting(&cache, 5), "storing takes the mark back");
    }
}

/// Section 4.3.3: which new answers end a stored copy that is not replaced by them.
#[test]
fn answers_that_supersede() {
    for (status, fields, stays) in [
        (200, "cache-control: no-store", false),
        (200, "cache-control: private", false),
        (404, "cache-control: max-age=0", false),
        (410, "cache-control: no-store", false),
        (302, "", false),
        (200, "set-cookie: a=b", true),
        (500, "", true),
        (503, "cache-control: no-store", true),
        // What one visitor's odd request can provoke.
        (400, "cache-control: no-store", true),
        (403, "", true),
        (413, "", true),
        // An odd request may bring these about: for seconds where nothing is kept, never over a page.
        (405, "cache-control: max-age=60", true),
        (501, "", true),
        (429, "cache-control: no-store", true),
        (206, "cache-control: no-store", true),
    ] {
        let cache = cache();
        store_page(&cache, "/", "cache-control: max-age=60", 0).unwrap();
        let none = HeaderMap::new();
        store(&cache, &get("/", &none), status, &header_lines(fields), b"", 70).unwrap_err();
        assert_eq!(cache.entries() == 1, stays, "{status} {fields}");
    }
}

#[test]
fn superseding_one_variant_leaves_the_others() {
    let cache = cache();
    let (en, es) = (header_lines("accept-language: en"), header_lines("accept-language: es"));
    let fields = header_lines("cache-control: max-age=60\nvary: accept-language");
    store(&cache, &get("/", &en), 200, &fields, b"vote", 0).unwrap();
    store(&cache, &get("/", &es), 200, &fields, b"vota", 0).unwrap();
    store(&cache, &get("/", &en), 200, &header_lines("cache-control: no-store"), b"", 1).unwrap_err();
    assert_eq!(word(&cache.look_up(&get("/", &en), at(20))), "miss (variant)");
    assert_eq!(word(&cache.look_up(&get("/", &es), at(20))), "fresh");
}

#[test]
fn one_request_a_lease_revalidates() {
    let cache = cache();
    let copy = store_page(&cache, "/", "cache-control: max-age=60", 0).unwrap();
    assert!(copy.try_begin_revalidation(at(60), seconds(5)));
    assert!(!copy.try_begin_revalidation(at(60), seconds(5)));
    assert!(!copy.try_begin_revalidation(at(64), seconds(5)));
    assert!(copy.try_begin_revalidation(at(65), seconds(5)));

    let winners = std::thread::scope(|scope| {
        let race = || copy.try_begin_revalidation(at(1000), seconds(5));
        let racers: Vec<_> = (0..8).map(|_| scope.spawn(race)).collect();
        racers.into_iter().filter_map(|racer| racer.join().ok()).filter(|won| *won).count()
    });
    assert_eq!(winners, 1);
}

#[test]
fn small_and_large_settings_work() {
    for memory_bytes_max in [0, 1, 1000, 20_000, 1 << 20, 64 << 20, 1 << 40] {
        for object_bytes_max in [0, 1000, 8 << 20, u64::MAX] {
            let cache =
                ResponseCache::new(CacheSettings { memory_bytes_max, object_bytes_max, ..settings() });
            for n in 0..50 {
                let _either_way = store_page(&cache, &format!("/{n}"), "cache-control: max-age=60", 0);
            }
            assert!(cache.bytes() <= cache.bytes_max(), "{memory_bytes_max} {object_bytes_max}");
            // Sixteen markers are the least.
            assert!(cache.bytes_max() <= memory_bytes_max.max(2048), "{memory_bytes_max}");
            let stores = memory_bytes_max >= 1 << 20 && object_bytes_max >= 8 << 20;
            assert!(!stores || cache.entries() == 50, "{memory_bytes_max} {object_bytes_max}");
        }
    }
}

#[test]
fn weight_counts_header_body_and_key() {
    let cache = cache();
    let none = HeaderMap::new();
    let path = format!("/{}", "p".repeat(3000));
    let fields = format!("cache-control: max-age=60\nx-long: {}", "y".repeat(5000));
    let empty = cache.bytes();
    let copy = store(&cache, &get(&path, &none), 200, &header_lines(&fields), &[b'x'; 7000], 0);
    let weight = copy.unwrap().weight();
    assert!((12_500..20_000).contains(&weight), "{weight}");
    assert!(cache.bytes() - empty > weight + 3000, "key");
}

/// Slow readers hold bodies that the cache has evicted: that memory has a bound too.
#[test]
fn bodies_held_by_slow_readers_are_bounded() {
    const BODY: usize = 100_000;
    let settings = CacheSettings { filling_bytes_max: 1 << 20, ..settings() };
    let bound = settings.memory_bytes_max + settings.filling_bytes_max;
    let cache = ResponseCache::new(settings);
    let none = HeaderMap::new();
    let fields = header_lines("Cache-Control: max-age=60");
    let put = |n: usize| store(&cache, &get(&format!("/{n}"), &none), 200, &fields, &[0; BODY], 0);
    let mut held = Vec::new();
    let refused = (0..1000).find_map(|n| match put(n) {
        Ok(copy) => {
            held.push(copy.body().clone());
            None
        }
        Err(reason) => Some(reason),
    });
    assert_eq!(refused, Some(NotStored::FillBudget));
    let held_bytes = held.iter().map(bytes::Bytes::len).sum::<usize>();
    assert!(held_bytes as u64 <= bound + BODY as u64, "{held_bytes} of {bound}");
    assert!(held_bytes as u64 > bound / 2, "refused early: {held_bytes} of {bound}");
    drop(held);
    assert!(put(1000).is_ok(), "once they are read, pages are stored again");
}

/// A page that is everybody's, and "private" to those who are logged in.
#[test]
fn who_is_logged_in_takes_nothing_from_the_others() {
    let cache = cache();
    store_page(&cache, "/", "Cache-Control: max-age=10", 0).unwrap();
    let (anybody, known) = (HeaderMap::new(), header_lines("Cookie: session=1"));
    for answer in ["Cache-Control: private", "Cache-Control: no-store", "Set-Cookie: session=2"] {
        let answer = header_lines(answer);
        assert!(store(&cache, &get("/", &known), 200, &answer, b"yours", 20).is_err());
        let kept = cache.look_up(&get("/", &anybody), at(20));
        assert!(matches!(kept, LookUp::Stale { worth_waiting: true, .. }), "{answer:?}: {}", word(&kept));
        // Those who are logged in do not wait for one another.
        let own = cache.look_up(&get("/", &known), at(20));
        assert!(matches!(own, LookUp::Stale { worth_waiting: false, .. }), "{answer:?}");
    }
    // The same said to somebody unknown is about the page.
    assert!(
        store(&cache, &get("/", &anybody), 200, &header_lines("Cache-Control: private"), b"", 20).is_err()
    );
    assert_eq!(word(&cache.look_up(&get("/", &anybody), at(20))), "miss (uncacheable)");
}

/// Negative caching (RFC 9111 section 4.2.2): a scan for missing pages asks the origin once each.
#[test]
fn errors_of_the_address_are_kept_for_seconds() {
    for (negative_for, second, expected) in
        [(10, 9, "fresh"), (10, 10, "stale+error"), (0, 0, "miss (uncacheable)")]
    {
        let cache = ResponseCache::new(CacheSettings { negative_for: seconds(negative_for), ..settings() });
        let none = HeaderMap::new();
        let _ = store(&cache, &get("/wp-login.php", &none), 404, &none, b"not here", 0);
        assert_eq!(
            word(&cache.look_up(&get("/wp-login.php", &none), at(second))),
            expected,
            "{negative_for} {second}"
        );
    }
}

/// Section 3.5: an answer to credentials is stored only where it says that it is for everybody, and
/// nobody waits for it.
#[test]
fn answers_to_credentials() {
    let asked = header_lines("authorization: Basic eA==");
    for (directives, stored) in [("max-age=60", false), ("public, max-age=60", true), ("s-maxage=60", true)] {
        let cache = cache();
        assert_eq!(word(&cache.look_up(&get("/", &asked), at(0))), "miss (alone)");
        let fields = header_lines(&format!("cache-control: {directives}"));
        assert_eq!(store(&cache, &get("/", &asked), 200, &fields, b"", 0).is_ok(), stored, "{directives}");
        let none = HeaderMap::new();
        assert_eq!(word(&cache.look_up(&get("/", &none), at(1))), if stored { "fresh" } else { "miss" });
        // The next one with credentials is passed through, conditions and all.
        let next = word(&cache.look_up(&get("/", &asked), at(1)));
        assert_eq!(next, if stored { "fresh" } else { "miss (uncacheable)" }, "{directives}");
    }
}
