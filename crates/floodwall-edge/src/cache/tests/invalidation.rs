//! RFC 9111 section 4.4: what an unsafe method ends, and answers that were under way meanwhile.

use floodwall_model::SiteId;
use http::{HeaderMap, Method, StatusCode};

use super::super::{CacheRequest, LookUp, NotStored, ResponseCache};
use super::{at, cache, exchange, get, header_lines, store, store_page};

/// Section 4.4.
#[test]
#[rustfmt::skip] // one row a line
fn unsafe_methods_invalidate() {
    let reset = || {
        let cache = cache();
        for path in ["/a", "/b", "/c?d=e"] {
            store_page(&cache, path, "cache-control: max-age=60", 0).unwrap();
        }
        cache
    };
    let left = |cache: &ResponseCache| {
        let none = HeaderMap::new();
        let is_there = |path: &&str| matches!(cache.look_up(&get(path, &none), at(3)), LookUp::Fresh(_));
        ["/a", "/b", "/c?d=e"].into_iter().filter(is_there).collect::<Vec<_>>().join(" ")
    };
    let none = HeaderMap::new();
    for (method, status, fields, expected) in [
        (Method::POST, 200, "", "/b /c?d=e"),
        (Method::PUT, 204, "", "/b /c?d=e"),
        (Method::DELETE, 303, "", "/b /c?d=e"),
        (Method::from_bytes(b"UNHEARD").unwrap(), 200, "", "/b /c?d=e"),
        (Method::POST, 400, "", "/a /b /c?d=e"),
        (Method::POST, 500, "", "/a /b /c?d=e"),
        (Method::GET, 200, "location: /b", "/a /b /c?d=e"),
        (Method::OPTIONS, 200, "", "/a /b /c?d=e"),
        (Method::POST, 201, "location: /b", "/c?d=e"),
        (Method::POST, 201, "location: https://www.sos.example.gov/b#top", "/c?d=e"),
        (Method::POST, 201, "location: http://WWW.sos.example.gov/c?d=e", "/b"),
        (Method::POST, 201, "content-location: //www.sos.example.gov/b\nlocation: /c?d=e", ""),
        // Nobody else's addresses.
        (Method::POST, 201, "location: https://other.example/b", "/b /c?d=e"),
        (Method::POST, 201, "location: https://www.sos.example.gov.evil.example/b", "/b /c?d=e"),
        (Method::POST, 201, "location: //other.example/b", "/b /c?d=e"),
        (Method::POST, 201, "location: https://www.sos.example.gov", "/b /c?d=e"),
    ] {
        let cache = reset();
        let request = CacheRequest { method: &method, ..get("/a", &none) };
        let status = StatusCode::from_u16(status).unwrap();
        cache.invalidate_after(&request, status, &header_lines(fields), at(2));
        assert_eq!(left(&cache), expected, "{method} {status} {fields}");
    }
}

#[test]
fn an_answer_asked_for_before_the_change_is_not_stored_after_it() {
    let none = HeaderMap::new();
    let fields = header_lines("cache-control: max-age=60");
    let cache = cache();
    let begun = cache.begin_fill(&get("/", &none), StatusCode::OK, &fields, &exchange(1));
    let mut fill = begun.unwrap();
    fill.push(b"before");
    cache.invalidate(&get("/x", &none), "/", at(2));
    let unstored = cache.finish_fill(fill, at(3)).unwrap_err();
    assert_eq!(unstored.reason, NotStored::Outdated);
    assert_eq!(unstored.response.unwrap().body().as_ref(), b"before", "good for who asked");
    assert_eq!(cache.entries(), 0);
    store_page(&cache, "/", "cache-control: max-age=60", 4).unwrap();
    assert_eq!(cache.entries(), 1);
}

#[test]
fn both_schemes_are_invalidated_and_other_hosts_are_not() {
    let cache = cache();
    let none = HeaderMap::new();
    let secure = get("/", &none);
    let requests = [
        (secure, false),
        (CacheRequest { https: false, ..secure }, false),
        (CacheRequest { authority: "vote.sos.example.gov", ..secure }, true),
        (CacheRequest { site: SiteId(1), ..secure }, true),
    ];
    let fields = header_lines("cache-control: max-age=60");
    for (request, _) in &requests {
        store(&cache, request, 200, &fields, b"page", 0).unwrap();
    }
    cache.invalidate(&secure, "/", at(1));
    for (request, stays) in &requests {
        let found = cache.look_up(request, at(2));
        assert_eq!(matches!(found, LookUp::Fresh(_)), *stays, "{request:?}");
    }
}
