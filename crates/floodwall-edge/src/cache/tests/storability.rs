//! RFC 9111 section 3: what is stored, and what never.

use http::{HeaderMap, Method};

use super::super::NotStored;
use super::{POLLS_OPEN_DATE, TEN_HOURS_BEFORE, at, cache, get, header_lines, settings, store};
use crate::cache::{CacheRequest, CacheSettings, LookUp, ResponseCache};

fn outcome(status: u16, request: &str, response: &str) -> Result<(), NotStored> {
    let asked = header_lines(request);
    store(&cache(), &get("/", &asked), status, &header_lines(response), b"x", 0).map(drop)
}

#[test]
#[rustfmt::skip] // one row a line
fn by_response() {
    use NotStored as No;
    let modified = format!("date: {POLLS_OPEN_DATE}\nlast-modified: {TEN_HOURS_BEFORE}");
    let rows: &[(u16, &str, Result<(), NotStored>)] = &[
        (200, "cache-control: max-age=60", Ok(())),
        (200, "cache-control: s-maxage=60", Ok(())),
        (200, "expires: Tue, 08 Nov 2022 15:00:00 GMT", Ok(())),
        (200, &modified, Ok(())),
        (203, "cache-control: max-age=60", Ok(())),
        (301, "cache-control: max-age=60", Ok(())),
        (302, "cache-control: max-age=60", Ok(())),
        (404, "cache-control: max-age=60", Ok(())),
        (410, &modified, Ok(())),
        (404, "", Ok(())),
        (405, &modified, Ok(())),
        (414, "", Ok(())),
        (501, &modified, Ok(())),
        (404, "cache-control: no-store", Err(No::NoStore)),
        // Section 3 and 5.2.2.
        (200, "cache-control: max-age=60, no-store", Err(No::NoStore)),
        (200, "cache-control: max-age=60\ncache-control: NO-STORE", Err(No::NoStore)),
        (200, "cache-control: max-age=60, x=\"", Err(No::NoStore)),
        (200, "cache-control: public, private", Err(No::Private)),
        (200, "cache-control: private=\"x\", max-age=60", Err(No::Private)),
        (200, "cache-control: no-store, must-understand, max-age=60", Ok(())),
        (299, "cache-control: no-store, must-understand, max-age=60", Err(No::Status)),
        // Parts, questions, and what one visitor can provoke.
        (206, "cache-control: max-age=60", Err(No::Status)),
        (304, "cache-control: max-age=60", Err(No::Status)),
        (299, "cache-control: max-age=60", Err(No::Status)),
        (400, "cache-control: max-age=60", Err(No::Status)),
        (403, "cache-control: public, max-age=60", Err(No::Status)),
        (431, "cache-control: max-age=60", Err(No::Status)),
        (500, "cache-control: max-age=60", Err(No::ServerError)),
        (503, "cache-control: public, max-age=60", Err(No::ServerError)),
        // Ours.
        (200, "cache-control: public, max-age=60\nset-cookie: a=b", Err(No::SetCookie)),
        (200, "cache-control: max-age=60\nvary: *", Err(No::VariesOnEverything)),
        (200, "cache-control: max-age=60\nvary: accept, *", Err(No::VariesOnEverything)),
        (200, "cache-control: max-age=60\nvary: no name", Err(No::VariesOnEverything)),
        (200, "cache-control: max-age=60\nvary: a,b,c,d,e,f,g,h", Ok(())),
        (200, "cache-control: max-age=60\nvary: a,b,c,d,e,f,g,h,i", Err(No::VariesOnEverything)),
        // Without a lifetime: pages that can still serve stale or be validated.
        (200, "", Ok(())),
        (200, "cache-control: no-cache\netag: \"1\"", Ok(())),
        (200, "cache-control: no-cache", Err(No::NothingToGain)),
        (200, "cache-control: max-age=0, must-revalidate", Err(No::NothingToGain)),
        (200, "cache-control: stale-if-error=0", Err(No::NothingToGain)),
        (200, "cache-control: max-age=60\nage: 60", Ok(())),
        (200, "cache-control: s-maxage=60\nage: 60", Err(No::NothingToGain)),
        (404, "cache-control: max-age=0", Err(No::NothingToGain)),
        (302, &modified, Err(No::NothingToGain)),
        // Bodies that contradict their announcement.
        (200, "cache-control: max-age=60\ncontent-length: 1", Ok(())),
        (200, "cache-control: max-age=60\ncontent-length: 2", Err(No::Incomplete)),
        (200, "cache-control: max-age=60\ncontent-length: 0", Err(No::Incomplete)),
        (200, "cache-control: max-age=60\ncontent-length: -1", Err(No::Incomplete)),
        (200, "cache-control: max-age=60\ncontent-length: 1\ncontent-length: 2", Err(No::Incomplete)),
        (200, "cache-control: max-age=60\ncontent-length: 99999999", Err(No::TooLarge)),
    ];
    for (status, response, expected) in rows {
        assert_eq!(outcome(*status, "", response), *expected, "{status}\n{response}");
    }
}

/// Section 3.5, and cookies.
#[test]
#[rustfmt::skip] // one row a line
fn by_request() {
    use NotStored as No;
    let guessed = format!("date: {POLLS_OPEN_DATE}\nlast-modified: {TEN_HOURS_BEFORE}");
    let rows: &[(&str, &str, Result<(), NotStored>)] = &[
        ("authorization: Basic eA==", "cache-control: max-age=60", Err(No::Authorization)),
        ("authorization: Basic eA==", "cache-control: max-age=60, public", Ok(())),
        ("authorization: Basic eA==", "cache-control: s-maxage=60", Ok(())),
        ("authorization: Basic eA==", "cache-control: max-age=60, must-revalidate", Ok(())),
        ("cookie: session=1", "cache-control: max-age=60", Ok(())),
        ("cookie: session=1", "cache-control: public\netag: \"1\"", Ok(())),
        ("cookie: session=1", &guessed, Err(No::Cookie)),
        ("cookie: session=1", "", Err(No::Cookie)),
        ("cookie: session=1", "cache-control: max-age=0\netag: \"1\"", Err(No::Cookie)),
        ("cookie: session=1", "cache-control: no-cache\netag: \"1\"", Err(No::Cookie)),
        ("cookie: session=1", "cache-control: max-age=60\nvary: Cookie", Err(No::VariesOnCookie)),
        ("cookie: _ga=1; _ga_X1=2; nmstat=3", &guessed, Ok(())),
        ("cookie: _ga=1; _gallery_session=2", &guessed, Err(No::Cookie)),
        ("cookie: _ga=1\ncookie: id=2", &guessed, Err(No::Cookie)),
        ("cookie: _ga=1", "cache-control: max-age=60\nvary: Cookie", Ok(())),
        // A visitor's wish for more work at the origin is not one (section 5.2.1: advisory).
        ("cache-control: no-store, no-cache\npragma: no-cache", "cache-control: max-age=60", Ok(())),
        // A coding that was not asked for would be handed to those who cannot read it.
        ("accept-encoding: gzip", "cache-control: max-age=60\nvary: accept-encoding\ncontent-encoding: gzip", Ok(())),
        (
            "accept-encoding: gzip",
            "cache-control: max-age=60\nvary: accept-encoding\ncontent-encoding: br",
            Err(No::Coding),
        ),
        (
            "accept-encoding: lzma",
            "cache-control: max-age=60\nvary: accept-encoding\ncontent-encoding: lzma",
            Err(No::Coding),
        ),
        ("", "cache-control: max-age=60\nvary: accept-encoding\ncontent-encoding: identity", Ok(())),
    ];
    for (request, response, expected) in rows {
        assert_eq!(outcome(200, request, response), *expected, "{request}\n{response}");
    }
}

#[test]
fn only_answers_to_plain_get_are_stored() {
    let none = HeaderMap::new();
    let long = format!("/{}", "a".repeat(9000));
    let plain = get("/", &none);
    for (request, expected) in [
        (plain, Ok(())),
        (CacheRequest { method: &Method::HEAD, ..plain }, Err(NotStored::Request)),
        (CacheRequest { method: &Method::POST, ..plain }, Err(NotStored::Request)),
        (CacheRequest { has_body: true, ..plain }, Err(NotStored::Request)),
        (CacheRequest { path_and_query: &long, ..plain }, Err(NotStored::Request)),
    ] {
        let fields = header_lines("cache-control: public, max-age=60");
        assert_eq!(store(&cache(), &request, 200, &fields, b"", 0).map(drop), expected);
    }
}

#[test]
fn an_unfinished_body_leaves_nothing() {
    let cache = cache();
    let none = HeaderMap::new();
    let fields = header_lines("cache-control: max-age=60");
    let mut fill =
        cache.begin_fill(&get("/", &none), http::StatusCode::OK, &fields, &super::exchange(0)).unwrap();
    assert!(fill.push(b"half a pa"));
    assert!(cache.filling_bytes() > 0);
    drop(fill);
    assert_eq!((cache.entries(), cache.filling_bytes()), (0, 0));
}

#[test]
fn an_object_over_the_bound_is_not_stored_and_marked() {
    let cache = cache();
    let none = HeaderMap::new();
    let fields = header_lines("cache-control: max-age=60");
    let limit = usize::try_from(settings().object_bytes_max).unwrap();
    let large = vec![b'x'; limit];
    let stored = store(&cache, &get("/large", &none), 200, &fields, &large, 0);
    assert_eq!(stored.map(drop), Err(NotStored::TooLarge));
    assert_eq!((cache.entries(), cache.filling_bytes()), (0, 0));
    let found = cache.look_up(&get("/large", &none), at(9));
    assert!(matches!(found, LookUp::Miss { known_uncacheable: true, .. }), "{found:?}");
    let found = cache.look_up(&get("/large", &none), at(10));
    assert!(matches!(found, LookUp::Miss { known_uncacheable: false, .. }), "{found:?}");

    let nearly = store(&cache, &get("/nearly", &none), 200, &fields, &large[..limit * 8 / 10], 0);
    assert!(nearly.unwrap().weight() <= settings().object_bytes_max);
    assert_eq!(cache.entries(), 1);
}

#[test]
fn bodies_on_their_way_in_are_bounded_together() {
    let cache = ResponseCache::new(CacheSettings { filling_bytes_max: 20_000, ..settings() });
    let none = HeaderMap::new();
    let announced = header_lines("cache-control: max-age=60\ncontent-length: 15000");
    let open = header_lines("cache-control: max-age=60");
    let begin =
        |fields| cache.begin_fill(&get("/", &none), http::StatusCode::OK, fields, &super::exchange(0));
    let first = begin(&announced).unwrap();
    assert_eq!(begin(&announced).map(drop).unwrap_err(), NotStored::FillBudget);
    let mut third = begin(&open).unwrap();
    assert!(third.push(&[0; 4000]));
    assert!(!third.push(&[0; 4000]));
    assert!(!third.push(&[0; 1]), "given up for good");
    drop(first);
    assert_eq!(cache.filling_bytes(), 0);
    assert_eq!(cache.finish_fill(third, at(0)).unwrap_err().reason, NotStored::FillBudget);
    let found = cache.look_up(&get("/", &none), at(0));
    assert!(
        matches!(found, LookUp::Miss { known_uncacheable: false, .. }),
        "no fault of the page: {found:?}"
    );
}

/// Section 3.1.
#[test]
fn fields_of_one_connection_are_not_stored() {
    let stored = store(
        &cache(),
        &get("/", &HeaderMap::new()),
        200,
        &header_lines(
            "cache-control: max-age=60
             connection: close, X-Hop
             connection: x-other
             x-hop: 1
             x-other: 2
             keep-alive: timeout=5
             proxy-connection: close
             proxy-authenticate: Basic
             proxy-authentication-info: x
             transfer-encoding: chunked
             te: trailers
             trailer: x-sum
             upgrade: h2c
             age: 7
             cache-status: OriginCache; hit
             x-kept: 1
             x-kept: 2
             link: </a>; rel=preload",
        ),
        b"body",
        0,
    )
    .unwrap();
    let mut names: Vec<_> = stored.fields().keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["age", "cache-control", "cache-status", "content-length", "date", "link", "x-kept"]);
    assert_eq!(stored.fields()["content-length"], "4");
    assert_eq!(stored.fields()["date"], POLLS_OPEN_DATE);
    assert_eq!(stored.fields().get_all("x-kept").iter().count(), 2);
}
