//! The edge between real sockets: what is passed on, what is kept, what is refused.

mod support;

use std::time::Duration;

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use floodwall_edge::CacheSettings;
use floodwall_model::OriginHealth;
use floodwall_policy::{RateLimit, SitePolicy};
use http::{Response, StatusCode};
use support::origin::page;
use support::{Origin, Visitor, config, get, site, start, start_with_log, until};

const CACHEABLE: (&str, &str) = ("cache-control", "public, max-age=60");
const PRIVATE: (&str, &str) = ("cache-control", "no-store");

#[test]
fn passes_requests_on_with_who_asks_and_without_what_is_for_one_hop() {
    let origin = Origin::start(|_| {
        page(
            "hello",
            &[PRIVATE, ("connection", "x-hop"), ("x-hop", "1"), ("keep-alive", "5"), ("x-end", "2")],
        )
    });
    let edge = start(config(&[origin.address]));
    let fields =
        "Connection: x-secret\r\nX-Secret: 1\r\nX-Forwarded-For: 203.0.113.9\r\nAccept: text/html\r\n";
    let answer = Visitor::connect(&edge).get_with("/a?b=c", fields);
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    assert_eq!((answer.header("x-hop"), answer.header("keep-alive")), (None, None));
    assert_eq!(answer.header("x-end"), Some("2"));

    let asked = origin.asked().remove(0);
    assert_eq!(asked.uri(), "/a?b=c");
    let field = |name| asked.headers().get(name).and_then(|v| v.to_str().ok());
    assert_eq!(field("host"), Some("a.test"));
    assert_eq!(field("accept"), Some("text/html"));
    assert_eq!(field("x-secret"), None);
    assert_eq!(field("x-forwarded-for"), Some("127.0.0.1"), "a visitor cannot claim another address");
    assert_eq!(field("x-forwarded-proto"), Some("http"));
    assert!(field("via").unwrap().starts_with("1.1 floodwall-"));
}

#[test]
fn bodies_stream_both_ways_whole() {
    let origin = Origin::start(|asked| {
        let mut response = Response::new(http_body_util::Full::new(asked.body().clone()));
        response.headers_mut().insert("cache-control", "no-store".parse().unwrap());
        response
    });
    let edge = start(config(&[origin.address]));
    let body: Vec<u8> = (0..8_000_000_u32).map(|n| (n % 251) as u8).collect();

    let mut visitor = Visitor::connect(&edge);
    visitor.send(
        format!("POST /up HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(),
    );
    let mut sender = visitor.stream.get_ref().try_clone().unwrap();
    let sent = body.clone();
    let sending = std::thread::spawn(move || sender.write_all(&sent).unwrap());
    assert!(visitor.read_answer(false).body == body, "the body comes back as it was sent");
    sending.join().unwrap();

    visitor.send(b"POST /up HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    visitor.send(b"6;x=y\r\n world\r\n0\r\n\r\n");
    assert_eq!(visitor.read_answer(false).text(), "hello world");
    until("bodies are counted", || edge.sites()[0].counts.request_body_bytes == 8_000_011);
}

#[test]
fn a_cached_page_is_answered_without_the_origin() {
    let origin = Origin::start(|_| page("kept", &[CACHEABLE, ("etag", "\"v1\"")]));
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    assert_eq!(visitor.get("/").header("cache-status"), Some("floodwall; fwd=uri-miss; ttl=60; stored"));
    let hit = visitor.get_with("/", "Cache-Control: no-cache\r\nPragma: no-cache\r\n");
    assert_eq!((hit.status, hit.text().as_str()), (200, "kept"));
    assert!(hit.header("age").is_some() && hit.header("cache-status").unwrap().starts_with("floodwall; hit"));

    visitor.send(b"HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let head = visitor.read_answer(true);
    assert_eq!((head.status, head.header("content-length")), (200, Some("4")));
    let not_modified = visitor.get_with("/", "If-None-Match: W/\"v1\"\r\n");
    assert_eq!((not_modified.status, not_modified.header("etag")), (304, Some("\"v1\"")));
    assert_eq!(origin.count(), 1);
    let counts = edge.sites().remove(0).counts;
    assert_eq!((counts.requests, counts.cache_hits, counts.cache_misses), (4, 3, 1));
}

#[test]
fn pages_for_one_visitor_only_are_never_kept() {
    let asked = AtomicUsize::new(0);
    let origin = Origin::start(move |_| {
        let number = asked.fetch_add(1, Ordering::SeqCst);
        page(&format!("yours {number}"), &[CACHEABLE, ("set-cookie", "session=1")])
    });
    let edge = start(config(&[origin.address]));
    assert_eq!(get(&edge, "/").text(), "yours 0");
    assert_eq!(get(&edge, "/").text(), "yours 1");
}

#[test]
fn with_the_origin_gone_kept_pages_go_on_and_say_so() {
    let mut origin = Origin::start(|_| page("kept", &[("cache-control", "public, max-age=0")]));
    let address = origin.address;
    let edge = start(config(&[address]));
    assert_eq!(get(&edge, "/").status, 200);
    origin.kill();

    for _ in 0..20 {
        let stale = get(&edge, "/");
        assert_eq!((stale.status, stale.text().as_str()), (200, "kept"));
        assert!(stale.header("age").is_some());
        assert!(stale.header("cache-status").unwrap().ends_with("detail=stale-if-error"), "{stale:?}");
    }
    until("the origin is seen to be down", || edge.sites()[0].origins[0].health == OriginHealth::Down);
    let unknown = get(&edge, "/never-seen");
    assert_eq!((unknown.status, unknown.header("retry-after")), (503, Some("5")));
    assert!(unknown.text().contains("does not answer at the moment"));
    assert!(edge.sites()[0].origins[0].last_failure.as_deref().unwrap().contains("refused"));

    let _back = Origin::start_at(address, |_| page("new", &[CACHEABLE]));
    until("the origin is seen to be back", || edge.sites()[0].origins[0].health == OriginHealth::Up);
    assert_eq!(get(&edge, "/").text(), "new");
}

#[test]
fn an_origin_that_answers_500_is_covered_by_the_kept_copy() {
    let broken = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_broken = broken.clone();
    let origin = Origin::start(move |_| {
        let mut response = page("kept", &[("cache-control", "max-age=0")]);
        if is_broken.load(Ordering::SeqCst) {
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        }
        response
    });
    let edge = start(config(&[origin.address]));
    get(&edge, "/");
    broken.store(true, Ordering::SeqCst);
    assert_eq!(get(&edge, "/").status, 200);
    let uncovered = get(&edge, "/other");
    assert_eq!(uncovered.status, 500, "without a copy the origin's own answer is passed on");
}

#[test]
fn many_who_want_one_page_cost_the_origin_one_request() {
    let origin = Origin::start(|_| page("one", &[CACHEABLE]));
    let edge = start(config(&[origin.address]));
    origin.close_gate();
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| assert_eq!(get(&edge, "/").text(), "one"));
        }
        until("all have asked", || edge.sites()[0].counts.requests == 40);
        origin.open_gate();
    });
    assert_eq!(origin.count(), 1);
}

#[test]
fn a_returning_origin_meets_no_herd() {
    let mut origin = Origin::start(|_| page("old", &[("cache-control", "max-age=1, stale-if-error=600")]));
    let address = origin.address;
    let edge = start(config(&[address]));
    get(&edge, "/");
    origin.kill();
    until("down", || {
        get(&edge, "/");
        edge.sites()[0].origins[0].health == OriginHealth::Down
    });
    let back = Origin::start_at(address, |_| page("new", &[CACHEABLE]));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                until("the new page is served", || {
                    let answer = get(&edge, "/");
                    assert_eq!(answer.status, 200, "nobody is shown an error while it returns");
                    answer.text() == "new"
                });
            });
        }
    });
    assert_eq!(back.count(), 1, "one request fetched the page for all");
}

#[test]
fn what_only_the_origin_knows_is_waited_for_while_it_is_started_anew() {
    let private = [("cache-control", "no-store")];
    let mut origin = Origin::start(move |asked| page(asked.uri().path(), &private));
    let address = origin.address;
    let mut config = config(&[address]);
    config.timeouts.origin_return = Duration::from_secs(20);
    let edge = start(config);
    assert_eq!(get(&edge, "/before").status, 200);
    origin.kill();
    let asking: Vec<_> = (0..40)
        .map(|number| {
            let mut visitor = Visitor::connect(&edge);
            visitor.send(format!("GET /{number} HTTP/1.1\r\nHost: a.test\r\n\r\n").as_bytes());
            visitor
        })
        .collect();
    // Some are too many to wait, and are told so at once: that is how the test knows that all have asked.
    until("it is known to be down", || edge.sites()[0].counts.responses_5xx >= 8);
    let origin = Origin::start_at(address, move |asked| page(asked.uri().path(), &private));
    let statuses: Vec<u16> =
        asking.into_iter().map(|mut visitor| visitor.read_answer(false).status).collect();
    let served = statuses.iter().filter(|status| **status == 200).count();
    assert!((24..=32).contains(&served), "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 502 | 503)), "{statuses:?}");
    assert!(origin.count() >= served);
}

#[test]
fn an_origin_that_does_not_come_back_is_not_waited_for_for_long() {
    let mut origin = Origin::start(|_| page("page", &[("cache-control", "no-store")]));
    let mut config = config(&[origin.address]);
    config.timeouts.origin_return = Duration::from_millis(300);
    let edge = start(config);
    assert_eq!(get(&edge, "/").status, 200);
    origin.kill();
    for _ in 0..4 {
        let answer = get(&edge, "/");
        assert!(matches!(answer.status, 502 | 503), "{}", answer.status);
    }
}

fn limited(requests_per_second: u32, burst: u32) -> SitePolicy {
    SitePolicy { origin_limit: RateLimit::from_numbers(requests_per_second, burst).ok(), request_limit: None }
}

#[test]
fn a_prefix_over_its_limit_is_told_when_to_come_back() {
    let origin = Origin::start(|asked| {
        let kept = asked.uri().path() == "/kept";
        page("page", &[if kept { CACHEABLE } else { PRIVATE }])
    });
    let mut config = config(&[origin.address]);
    config.sites[0].policy = limited(1, 5);
    config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let edge = start(config);
    let mut visitor = Visitor::connect(&edge);
    let from = |visitor: &mut Visitor, address: &str, path: &str| {
        visitor.get_with(path, &format!("X-Forwarded-For: {address}\r\n"))
    };
    assert_eq!(from(&mut visitor, "203.0.113.9", "/kept").status, 200);
    let statuses: Vec<u16> = (0..6).map(|_| from(&mut visitor, "203.0.113.9", "/look-up").status).collect();
    assert_eq!(statuses[..4], [200; 4]);
    assert_eq!(statuses[5], 429);
    let refused = from(&mut visitor, "203.0.113.9", "/look-up");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=2).contains(&wait), "{wait}");
    let reference = refused.header("x-request-id").unwrap();
    assert!(refused.text().contains(reference) && refused.header("cache-control") == Some("no-store"));
    // What the cache answers is answered to everybody, and other prefixes are other people.
    assert_eq!(from(&mut visitor, "203.0.113.9", "/kept").status, 200);
    assert_eq!(from(&mut visitor, "203.0.113.10", "/look-up").status, 200);
    // One IPv6 subscriber has a whole /64.
    for n in 0..5 {
        from(&mut visitor, &format!("2001:db8::{n}"), "/look-up");
    }
    assert_eq!(from(&mut visitor, "2001:db8::ffff", "/look-up").status, 429);
    assert_eq!(from(&mut visitor, "2001:db8:0:1::1", "/look-up").status, 200);
    assert!(edge.sites()[0].counts.refused_prefix_rate >= 3);
}

#[test]
fn a_site_for_https_only_redirects_and_says_so_to_browsers() {
    let origin = Origin::start(|_| page("page", &[("cache-control", "no-store")]));
    let mut config = config(&[origin.address]);
    config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    (config.sites[0].https_only, config.sites[0].hsts) = (true, Some(Duration::from_secs(86_400)));
    let edge = start(config);
    let mut visitor = Visitor::connect(&edge);
    visitor.send(b"GET /x?y=1 HTTP/1.1\r\nHost: A.test:8080\r\n\r\n");
    let answer = visitor.read_answer(false);
    assert_eq!((answer.status, answer.header("location")), (308, Some("https://a.test/x?y=1")));
    assert_eq!(answer.header("strict-transport-security"), None, "browsers do not look at it in clear text");
    assert!(answer.text().contains("secure"));
    assert_eq!(visitor.get("/.well-known/acme-challenge/token").text(), "page");
    // Twice: as a page that may be kept, and as one that is known not to be.
    for _ in 0..2 {
        let answer = visitor.get_with("/x", "X-Forwarded-Proto: https\r\n");
        assert_eq!((answer.status, answer.text().as_str()), (200, "page"));
        assert_eq!(answer.header("strict-transport-security"), Some("max-age=86400"));
    }
    assert_eq!(origin.count(), 3);
}

#[test]
fn refusals_speak_the_visitors_language() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let edge = start(config(&[gone]));
    for (fields, lang) in [("", "en"), ("Accept-Language: es-MX,es;q=0.9,en;q=0.8\r\n", "es")] {
        for (path, status) in [("/", 502), ("/only-kept", 504)] {
            let kept = if status == 504 { "Cache-Control: only-if-cached\r\n" } else { "" };
            let answer = Visitor::connect(&edge).get_with(path, &format!("{fields}{kept}"));
            assert_eq!((answer.status, answer.header("content-language")), (status, Some(lang)), "{path}");
            assert!(answer.text().contains(&format!("<html lang=\"{lang}\">")), "{}", answer.text());
        }
    }
}

#[test]
fn unknown_hosts_never_reach_an_origin() {
    let origin = Origin::start(|_| page("x", &[]));
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    visitor.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    assert_eq!(visitor.read_answer(false).status, 421);
    assert!(visitor.is_closed());
    assert_eq!((edge.counts().unknown_hosts, origin.count()), (1, 0));
}

#[test]
fn malformed_and_ambiguous_requests_are_refused_and_the_connection_closed() {
    let origin = Origin::start(|_| page("x", &[PRIVATE]));
    let edge = start(config(&[origin.address]));
    let long = format!("GET / HTTP/1.1\r\nHost: a.test\r\nX: {}\r\n\r\n", "a".repeat(70_000));
    let many = format!("GET / HTTP/1.1\r\nHost: a.test\r\n{}\r\n", "X: a\r\n".repeat(129));
    let rows: [(&str, u16); 13] = [
        ("GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (
            "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        ("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: a.test\n\n", 400),
        ("GET / HTTP/1.1\r\nHost: a.test\r\nX: a\r\n b\r\n\r\n", 400),
        ("GET http://a.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n\r\n", 400),
        ("nonsense\r\n\r\n", 400),
        ("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n", 501),
        (&long, 431),
        (&many, 431),
    ];
    for (request, status) in rows {
        let mut visitor = Visitor::connect(&edge);
        let _ = visitor.stream.get_mut().write_all(request.as_bytes());
        let shown: String = request.chars().take(80).collect();
        let answer = visitor.try_read_answer(false).unwrap_or_else(|| panic!("no answer to {shown:?}"));
        assert_eq!(answer.status, status, "{shown:?}");
        assert!(visitor.is_closed(), "{shown:?}");
    }
    assert_eq!(origin.count(), 0, "none of it reached the origin");
    let counts = edge.counts();
    assert_eq!((counts.malformed_requests, counts.oversized_headers), (11, 2));
}

#[test]
fn requests_before_a_malformed_one_are_still_answered() {
    let origin = Origin::start(|_| page("ok", &[PRIVATE]));
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    visitor.send(
        b"GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\nGET /2 HTTP/1.1\r\nHost: a.test\r\n\r\nGET /3 HTTP/1.1\n\n",
    );
    assert_eq!(visitor.read_answer(false).text(), "ok");
    assert_eq!(visitor.read_answer(false).text(), "ok");
    assert_eq!(visitor.read_answer(false).status, 400);
    assert!(visitor.is_closed());
    assert_eq!(origin.count(), 2);
}

#[test]
fn a_request_in_progress_is_answered_though_a_malformed_one_follows() {
    let origin = Origin::start(|_| page("slow but sure", &[PRIVATE]));
    origin.close_gate();
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    visitor.send(b"GET /1 HTTP/1.1\r\nHost: a.test\r\n\r\n");
    until("the first is at the origin", || origin.count() == 1);
    visitor.send(b"GET /2 HTTP/1.1\n\n");
    origin.open_gate();
    assert_eq!(visitor.read_answer(false).text(), "slow but sure");
    assert_eq!(visitor.read_answer(false).status, 400);
}

#[test]
fn several_sites_and_their_origins_stay_apart() {
    let (one, two) = (Origin::start(|_| page("one", &[])), Origin::start(|_| page("two", &[])));
    let mut config = config(&[one.address]);
    config.sites.push(site("dmv", &["*.dmv.test"], &[two.address]));
    let edge = start(config);
    let mut visitor = Visitor::connect(&edge);
    visitor.send(b"GET / HTTP/1.1\r\nHost: www.dmv.test:8080\r\n\r\n");
    assert_eq!(visitor.read_answer(false).text(), "two");
    assert_eq!(visitor.get("/").text(), "one");
}

#[test]
fn an_origin_may_be_given_by_name() {
    let origin = Origin::start(|_| page("found", &[("cache-control", "no-store")]));
    let mut config = config(&[origin.address]);
    config.sites[0].origins[0].host = "localhost".to_owned();
    let edge = start(config);
    assert_eq!(get(&edge, "/").text(), "found");
}

#[test]
fn with_several_origins_a_dead_one_is_left_out() {
    let alive = Origin::start(|_| page("alive", &[PRIVATE]));
    let mut dead = Origin::start(|_| page("dead", &[PRIVATE]));
    let edge = start(config(&[dead.address, alive.address]));
    dead.kill();
    until("the dead one is seen", || {
        get(&edge, "/");
        edge.sites()[0].origins[0].health == OriginHealth::Down
    });
    for _ in 0..10 {
        assert_eq!(get(&edge, "/").text(), "alive");
    }
}

#[test]
fn an_origin_that_points_back_is_seen() {
    // The edge's own address is its origin: the request comes back and is ended by its `Via`.
    let placeholder = Origin::start(|_| page("x", &[]));
    let own = placeholder.address;
    drop(placeholder);
    let mut config = config(&[own]);
    config.http = vec![own];
    let edge = start(config);
    assert_eq!(get(&edge, "/").status, 508);
}

#[test]
fn unsafe_methods_drop_the_kept_copy() {
    let changed = std::sync::Arc::new(AtomicUsize::new(0));
    let state = changed.clone();
    let origin = Origin::start(move |asked| {
        if asked.method() == http::Method::POST {
            state.fetch_add(1, Ordering::SeqCst);
        }
        page(&state.load(Ordering::SeqCst).to_string(), &[CACHEABLE])
    });
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    assert_eq!(visitor.get("/").text(), "0");
    visitor.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(visitor.read_answer(false).text(), "1");
    assert_eq!(visitor.get("/").text(), "1");
}

#[test]
fn the_access_log_has_every_request_once() {
    let origin = Origin::start(|_| page("hello", &[CACHEABLE]));
    let (edge, records) = start_with_log(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    visitor.get_with("/a?b", "User-Agent: \"q\"\r\nReferer: http://r.test/\r\n");
    visitor.get("/a?b");
    until("two records", || records.0.lock().unwrap().len() == 2);
    let records = records.0.lock().unwrap();
    let first = &records[0];
    assert_eq!((first.method.as_str(), first.target.as_str(), first.status), ("GET", "/a?b", 200));
    assert_eq!((first.site.as_deref(), first.host.as_str(), first.body_bytes), (Some("sos"), "a.test", 5));
    assert_eq!(
        (first.user_agent.as_deref(), first.referer.as_deref()),
        (Some("\"q\""), Some("http://r.test/"))
    );
    assert_eq!((first.cache, records[1].cache), (Some("miss"), Some("hit")));
}

#[test]
fn the_cache_stays_within_its_bound() {
    let origin = Origin::start(|_| page(&"x".repeat(50_000), &[CACHEABLE]));
    let mut config = config(&[origin.address]);
    config.cache = CacheSettings { memory_bytes_max: 4 << 20, ..CacheSettings::default() };
    let edge = start(config);
    let mut visitor = Visitor::connect(&edge);
    for n in 0..300 {
        assert_eq!(visitor.get(&format!("/{n}")).status, 200);
        let counts = edge.counts();
        assert!(counts.cache_bytes <= counts.cache_bytes_max && counts.cache_bytes_max <= 4 << 20);
    }
    assert!(edge.counts().cache_entries > 10);
}
