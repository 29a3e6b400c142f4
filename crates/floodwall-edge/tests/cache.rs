//! The cache between real sockets: what reaches the origin, what does not, and what is said of it.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use floodwall_edge::{PathPattern, PurgeDepth, PurgeTarget, QueryRule, QueryRules};
use http::StatusCode;
use support::origin::page;
use support::{Origin, Visitor, config, get, start, until};

const CACHEABLE: (&str, &str) = ("cache-control", "public, max-age=60");

/// RFC 9110 section 14: a range fills the cache with the whole, and is cut from it.
#[test]
fn ranges_are_cut_from_the_whole() {
    let origin = Origin::start(|asked| {
        assert!(!asked.headers().contains_key("range"), "the whole is asked for");
        page("0123456789", &[CACHEABLE, ("etag", "\"v1\"")])
    });
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    let part = visitor.get_with("/", "Range: bytes=2-4\r\n");
    assert_eq!((part.status, part.text().as_str()), (206, "234"));
    assert_eq!(part.header("content-range"), Some("bytes 2-4/10"));
    assert_eq!(part.header("cache-status"), Some("floodwall; fwd=uri-miss; fwd-status=200; ttl=60; stored"));
    assert_eq!(visitor.get_with("/", "Range: bytes=-1\r\nIf-Range: \"v1\"\r\n").text(), "9");
    assert_eq!(visitor.get_with("/", "Range: bytes=-1\r\nIf-Range: \"v0\"\r\n").text(), "0123456789");
    let beyond = visitor.get_with("/", "Range: bytes=10-\r\n");
    assert_eq!((beyond.status, beyond.header("content-range")), (416, Some("bytes */10")));
    let several = visitor.get_with("/", "Range: bytes=0-0,2-2\r\n");
    assert_eq!((several.status, several.text().as_str()), (200, "0123456789"));
    visitor.send(b"HEAD / HTTP/1.1\r\nHost: a.test\r\nRange: bytes=0-1\r\n\r\n");
    assert_eq!(visitor.read_answer(true).status, 200);
    assert_eq!(origin.count(), 1);
}

/// Who goes on with a download that is too large to be kept, goes on where it stopped.
#[test]
fn parts_of_what_is_too_large_come_from_the_origin() {
    let origin = Origin::start(|asked| match asked.headers().get("range") {
        None => page(&"x".repeat(100_000), &[CACHEABLE]),
        Some(range) => {
            assert_eq!(range, "bytes=99998-");
            let mut part = page("xx", &[CACHEABLE, ("content-range", "bytes 99998-99999/100000")]);
            *part.status_mut() = StatusCode::PARTIAL_CONTENT;
            part
        }
    });
    let mut config = config(&[origin.address]);
    config.cache.object_bytes_max = 50_000;
    let edge = start(config);
    for asked_before in [0, 2] {
        assert_eq!(origin.count(), asked_before);
        let part = Visitor::connect(&edge).get_with("/", "Range: bytes=99998-\r\n");
        assert_eq!((part.status, part.text().as_str()), (206, "xx"));
    }
    assert_eq!(origin.count(), 3, "once it is known to be too large, only the part is asked for");
}

/// RFC 9213.
#[test]
fn the_origin_can_tell_caches_and_browsers_apart() {
    let origin = Origin::start(|_| {
        page("kept", &[("cache-control", "no-store"), ("cdn-cache-control", "max-age=60")])
    });
    let edge = start(config(&[origin.address]));
    get(&edge, "/");
    let hit = get(&edge, "/");
    assert_eq!(
        (hit.header("cache-control"), hit.header("cdn-cache-control")),
        (Some("no-store"), Some("max-age=60"))
    );
    assert!(hit.header("cache-status").unwrap().starts_with("floodwall; hit"));
    assert_eq!(origin.count(), 1);
}

/// RFC 9111 section 4.2.2: scanners look for the same things again and again.
#[test]
fn a_scan_for_missing_pages_reaches_the_origin_once() {
    let origin = Origin::start(|_| {
        let mut missing = page("no such page", &[]);
        *missing.status_mut() = StatusCode::NOT_FOUND;
        missing
    });
    let edge = start(config(&[origin.address]));
    for _ in 0..10 {
        assert_eq!((get(&edge, "/wp-login.php").status, get(&edge, "/.env").status), (404, 404));
    }
    assert_eq!(origin.count(), 2);
}

/// RFC 9111 section 4.1: one copy for all who like its language best, however they say so.
#[test]
fn the_wording_of_preferences_makes_no_copies() {
    let origin = Origin::start(|asked| {
        let spanish = asked.headers()["accept-language"].as_bytes().starts_with(b"es");
        let (text, language) = if spanish { ("vota", "es") } else { ("vote", "en") };
        page(text, &[CACHEABLE, ("vary", "accept-language"), ("content-language", language)])
    });
    let edge = start(config(&[origin.address]));
    let asking = |languages: &str| {
        Visitor::connect(&edge).get_with("/", &format!("Accept-Language: {languages}\r\n")).text()
    };
    for _ in 0..2 {
        assert_eq!(asking("es-US, es;q=0.9"), "vota");
        assert_eq!(asking("ES-us,es;q=0.1"), "vota");
        assert_eq!(asking("en, fr;q=0.3"), "vote");
        assert_eq!(asking("en, it;q=0.7"), "vote");
        assert_eq!(asking("es"), "vota");
    }
    assert_eq!(origin.count(), 2);
}

/// RFC 9211 section 2: what is told of a stale answer.
#[test]
fn cache_status_says_what_the_origin_did() {
    let status = Arc::new(AtomicUsize::new(200));
    let answers = status.clone();
    let origin = Origin::start(move |asked| {
        let mut answer = page("kept", &[("cache-control", "max-age=0"), ("etag", "\"v1\"")]);
        let confirmed =
            answers.load(Ordering::SeqCst) == 200 && asked.headers().contains_key("if-none-match");
        let code = if confirmed { 304 } else { u16::try_from(answers.load(Ordering::SeqCst)).unwrap() };
        *answer.status_mut() = StatusCode::from_u16(code).unwrap();
        answer
    });
    let edge = start(config(&[origin.address]));
    let said = || get(&edge, "/").header("cache-status").unwrap().to_owned();
    assert_eq!(said(), "floodwall; fwd=uri-miss; ttl=0; stored");
    assert_eq!(said(), "floodwall; fwd=stale; fwd-status=304; ttl=0; stored");
    status.store(503, Ordering::SeqCst);
    assert_eq!(said(), "floodwall; fwd=stale; fwd-status=503; ttl=0; detail=stale-if-error");
    status.store(404, Ordering::SeqCst);
    assert_eq!(said(), "floodwall; fwd=stale; detail=no-lifetime");
}

/// RFC 5861 section 3, and one revalidation for all who come meanwhile.
#[test]
fn stale_while_revalidate_serves_everybody_at_once() {
    let second = Arc::new(AtomicBool::new(false));
    let is_second = second.clone();
    let origin = Origin::start(move |_| match is_second.swap(true, Ordering::SeqCst) {
        false => page("old", &[("cache-control", "max-age=0, stale-while-revalidate=600")]),
        true => page("new", &[CACHEABLE]),
    });
    let edge = start(config(&[origin.address]));
    assert_eq!(get(&edge, "/").text(), "old");
    origin.close_gate();
    for _ in 0..20 {
        let stale = get(&edge, "/");
        assert_eq!(stale.text(), "old");
        assert!(stale.header("cache-status").unwrap().ends_with("detail=stale-while-revalidate"));
    }
    origin.open_gate();
    until("the new page is there", || get(&edge, "/").text() == "new");
    assert_eq!(origin.count(), 2);
}

/// RFC 9111 section 3.5.
#[test]
fn answers_to_credentials_are_shared_only_where_they_say_so() {
    let origin = Origin::start(|asked| match asked.uri().path() {
        "/public" => page("for all", &[CACHEABLE]),
        _ => page("for one", &[("cache-control", "max-age=60")]),
    });
    let edge = start(config(&[origin.address]));
    let with = |path: &str| Visitor::connect(&edge).get_with(path, "Authorization: Basic eA==\r\n").status;
    for path in ["/public", "/own"] {
        assert_eq!((with(path), get(&edge, path).status), (200, 200));
    }
    let asked: Vec<String> = origin.asked().iter().map(|asked| asked.uri().path().to_owned()).collect();
    assert_eq!(asked, ["/public", "/own", "/own"]);
}

/// Random parameters neither miss the cache nor reach the origin; what changes something is left be.
#[test]
fn parameters_that_nobody_reads_make_no_work() {
    let origin = Origin::start(|asked| page(asked.uri().query().unwrap_or("none"), &[CACHEABLE]));
    let mut config = config(&[origin.address]);
    config.sites[0].query = QueryRules::new(vec![
        QueryRule { path: PathPattern::Below("/".into()), parameters: vec![] },
        QueryRule { path: PathPattern::Exact("/search".into()), parameters: vec!["q".into(), "page".into()] },
    ]);
    let edge = start(config);
    for n in 0..20 {
        assert_eq!(get(&edge, &format!("/?x={n}")).text(), "none");
        assert_eq!(get(&edge, &format!("/search?page=2&n={n}&q=vote")).text(), "q=vote&page=2");
    }
    let mut visitor = Visitor::connect(&edge);
    visitor.send(b"POST /form?x=1 HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(visitor.read_answer(false).text(), "x=1");
    let asked: Vec<String> = origin.asked().iter().map(|asked| asked.uri().to_string()).collect();
    assert_eq!(asked, ["/", "/search?q=vote&page=2", "/form?x=1"]);
}

/// A purge is seen by the next visitor, and with the origin gone what only expired still serves.
#[test]
fn purged_pages_are_asked_for_anew() {
    let asked = AtomicUsize::new(0);
    let mut origin = Origin::start(move |_| {
        let text = format!("version {}", asked.fetch_add(1, Ordering::SeqCst));
        page(&text, &[CACHEABLE, ("cache-tag", "news")])
    });
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    assert_eq!(
        (visitor.get("/a").text().as_str(), visitor.get("/a").text().as_str()),
        ("version 0", "version 0")
    );
    let tagged = PurgeTarget::Tag("news".to_owned());
    assert_eq!(edge.purge(None, &tagged, PurgeDepth::Expire), 1);
    assert_eq!(visitor.get("/a").text(), "version 1");
    origin.kill();
    let url = PurgeTarget::of_url("http://a.test/a").unwrap();
    assert_eq!(edge.purge(None, &url, PurgeDepth::Expire), 1);
    assert_eq!(visitor.get("/a").text(), "version 1");
    assert_eq!(edge.purge(None, &url, PurgeDepth::Remove), 1);
    assert!(matches!(get(&edge, "/a").status, 502 | 503));
}
