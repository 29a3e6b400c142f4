//! RFC 9111 sections 4.3.1 to 4.3.4 and 3.2, RFC 9110 section 13.

use http::{HeaderMap, Method, StatusCode};

use super::super::validation::{confirms, is_not_modified, is_origin_failure, merged_fields};
use super::super::{
    CacheRequest, CachedResponse, Freshened, LookUp, NotStored, OriginSaid, Revalidation, Served,
    after_revalidation, prepare_revalidation,
};
use super::{Arc, TEN_HOURS_BEFORE, at, cache, exchange, get, header_lines, store, store_page};

fn stored(status: u16, fields: &str) -> Arc<CachedResponse> {
    let fields = header_lines(&format!("cache-control: max-age=600\n{fields}"));
    store(&cache(), &get("/", &HeaderMap::new()), status, &fields, b"page", 0).unwrap()
}

/// Section 4.3.2, RFC 9110 sections 13.1.2, 13.1.3 and 13.2.2.
#[test]
#[rustfmt::skip] // one row a line
fn visitors_conditions() {
    const TAG: &str = "etag: \"a\"";
    const WEAK: &str = "etag: W/\"a\"";
    let modified = format!("last-modified: {TEN_HOURS_BEFORE}");
    let both = format!("{TAG}\n{modified}");
    let since = |date: &str| format!("if-modified-since: {date}");
    for (fields, asked, expected) in [
        (TAG, "if-none-match: \"a\"".to_owned(), true),
        (TAG, "if-none-match: W/\"a\"".to_owned(), true),
        (WEAK, "if-none-match: \"a\"".to_owned(), true),
        (TAG, "if-none-match: \"b\"".to_owned(), false),
        (TAG, "if-none-match: \"b\", W/\"c\" ,\"a\"".to_owned(), true),
        (TAG, "if-none-match: \"b\"\nif-none-match: \"a\"".to_owned(), true),
        ("etag: \"a,b\"", "if-none-match: \"x\", \"a,b\"".to_owned(), true),
        (TAG, "if-none-match: *".to_owned(), true),
        ("", "if-none-match: *".to_owned(), true),
        ("", "if-none-match: \"a\"".to_owned(), false),
        (TAG, "if-none-match: a".to_owned(), false),
        (TAG, "if-none-match: \"a".to_owned(), false),
        (TAG, "if-none-match: w/\"a\"".to_owned(), false),
        (TAG, "if-none-match: \"\"".to_owned(), false),
        (TAG, "if-none-match:".to_owned(), false),
        ("etag: a", "if-none-match: a".to_owned(), false),
        (&modified, since(TEN_HOURS_BEFORE), true),
        (&modified, since("Tue, 08 Nov 2022 05:00:00 GMT"), true),
        (&modified, since("Tue, 08 Nov 2022 03:59:59 GMT"), false),
        (&modified, since("never"), false),
        (&modified, format!("{}\n{}", since(TEN_HOURS_BEFORE), since(TEN_HOURS_BEFORE)), false),
        // Without Last-Modified, by Date.
        ("date: Tue, 08 Nov 2022 13:00:00 GMT", since("Tue, 08 Nov 2022 13:00:00 GMT"), true),
        ("date: Tue, 08 Nov 2022 13:00:00 GMT", since("Tue, 08 Nov 2022 12:00:00 GMT"), false),
        ("", since("Tue, 08 Nov 2022 14:00:00 GMT"), true),
        // If-None-Match outranks the date.
        (&both, format!("if-none-match: \"b\"\n{}", since(TEN_HOURS_BEFORE)), false),
        (&both, format!("if-none-match: \"a\"\n{}", since("Tue, 08 Nov 2022 03:00:00 GMT")), true),
        // Not for caches.
        (TAG, "if-match: \"b\"".to_owned(), false),
        (TAG, String::new(), false),
    ] {
        assert_eq!(is_not_modified(&stored(200, fields), &header_lines(&asked)), expected, "{fields} | {asked}");
    }
    let gone = stored(404, TAG);
    assert!(!is_not_modified(&gone, &header_lines("if-none-match: \"a\"")), "only what would be a 200");
}

/// RFC 9110 section 15.4.5.
#[test]
fn answers() {
    let copy = stored(
        200,
        &format!(
            "etag: \"a\"\nlast-modified: {TEN_HOURS_BEFORE}\nvary: accept\nexpires: 0\n\
             content-location: /x\ncontent-type: text/html\nlink: </a>"
        ),
    );
    let whole = copy.answer(&Method::GET, &HeaderMap::new(), Served::Hit, at(7));
    assert_eq!((whole.status, whole.body.as_ref()), (StatusCode::OK, &b"page"[..]));
    assert_eq!(whole.headers["age"], "7");
    assert_eq!(whole.headers["content-length"], "4");
    assert_eq!(whole.headers["cache-status"], "floodwall; hit; ttl=593");
    assert_eq!(whole.headers["content-type"], "text/html");

    let unchanged = copy.answer(&Method::GET, &header_lines("if-none-match: \"a\""), Served::Hit, at(7));
    assert_eq!((unchanged.status, unchanged.body.len()), (StatusCode::NOT_MODIFIED, 0));
    let mut names: Vec<_> = unchanged.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["age", "cache-control", "cache-status", "content-location", "date", "etag", "expires", "vary"]
    );

    let by_date = stored(200, &format!("last-modified: {TEN_HOURS_BEFORE}"));
    let asked = header_lines(&format!("if-modified-since: {TEN_HOURS_BEFORE}"));
    let unchanged = by_date.answer(&Method::GET, &asked, Served::StaleIfError(OriginSaid::NotAsked), at(700));
    assert_eq!(unchanged.status, StatusCode::NOT_MODIFIED);
    assert_eq!(unchanged.headers["last-modified"], TEN_HOURS_BEFORE);
    assert_eq!(unchanged.headers["cache-status"], "floodwall; hit; ttl=-100; detail=stale-if-error");

    let empty =
        store(&cache(), &get("/", &HeaderMap::new()), 204, &header_lines("cache-control: max-age=9"), b"", 0);
    let empty = empty.unwrap().answer(&Method::GET, &HeaderMap::new(), Served::Hit, at(0));
    assert!(!empty.headers.contains_key("content-length"), "RFC 9110 section 8.6");
}

/// Section 4.3.1.
#[test]
#[rustfmt::skip] // one row a line
fn our_conditions() {
    let asked = "if-none-match: \"theirs\"\nif-modified-since: x\nif-match: \"theirs\"\n\
                 if-unmodified-since: x\nif-range: \"theirs\"\nrange: bytes=0-9\naccept: text/html";
    for (fields, expected) in [
        ("etag: \"a\"", vec![("if-none-match", "\"a\"")]),
        ("etag: W/\"a\"", vec![("if-none-match", "W/\"a\"")]),
        ("last-modified: Tue, 08 Nov 2022 04:00:00 GMT", vec![("if-modified-since", TEN_HOURS_BEFORE)]),
        (
            "etag: \"a\"\nlast-modified: Tue, 08 Nov 2022 04:00:00 GMT",
            vec![("if-modified-since", TEN_HOURS_BEFORE), ("if-none-match", "\"a\"")],
        ),
        ("", vec![]),
    ] {
        let mut request = header_lines(asked);
        prepare_revalidation(&mut request, &stored(200, fields));
        assert_eq!(request.remove("accept").unwrap(), "text/html");
        assert_eq!(request.remove("accept-encoding").unwrap(), "identity");
        let mut rest: Vec<_> = request.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        rest.sort_unstable();
        assert_eq!(rest, expected, "{fields}");
    }
}

/// Section 4.3.3 and RFC 5861 section 4.
#[test]
fn what_the_origins_status_means() {
    for (status, expected) in [
        (304, Revalidation::NotModified),
        (500, Revalidation::OriginFailed),
        (502, Revalidation::OriginFailed),
        (503, Revalidation::OriginFailed),
        (504, Revalidation::OriginFailed),
        (501, Revalidation::Replaced),
        (200, Revalidation::Replaced),
        (404, Revalidation::Replaced),
        (429, Revalidation::Replaced),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(after_revalidation(status), expected, "{status}");
        assert_eq!(is_origin_failure(status), expected == Revalidation::OriginFailed, "{status}");
    }
}

/// Section 4.3.4.
#[test]
#[rustfmt::skip] // one row a line
fn which_copy_a_304_is_about() {
    for (fields, not_modified, expected) in [
        ("etag: \"a\"", "etag: \"a\"", true),
        ("etag: \"a\"", "etag: \"b\"", false),
        ("etag: W/\"a\"", "etag: \"a\"", false),
        ("etag: \"a\"", "etag: W/\"a\"", true),
        ("etag: W/\"a\"", "etag: W/\"a\"", true),
        ("", "etag: \"a\"", false),
        ("etag: \"a\"", "", true),
        ("last-modified: Tue, 08 Nov 2022 04:00:00 GMT", "last-modified: Tue, 08 Nov 2022 04:00:00 GMT", true),
        ("last-modified: Tue, 08 Nov 2022 04:00:00 GMT", "last-modified: Tue, 08 Nov 2022 05:00:00 GMT", false),
        ("etag: \"a\"", "last-modified: Tue, 08 Nov 2022 05:00:00 GMT", true),
    ] {
        assert_eq!(
            confirms(&header_lines(not_modified), &stored(200, fields)),
            expected,
            "{fields} | {not_modified}"
        );
    }
}

/// Section 3.2.
#[test]
fn fields_of_a_304_replace_stored_ones_but_not_the_bodys() {
    let kept = header_lines(
        "content-type: text/html\ncontent-encoding: gzip\ncontent-length: 4\ncache-control: max-age=1\n\
         date: Tue, 08 Nov 2022 04:00:00 GMT\nage: 9\nx-old: 1\nlink: </a>\nlink: </b>",
    );
    let merged = merged_fields(
        &kept,
        &header_lines(
            "content-type: text/plain\ncontent-encoding: br\ncontent-length: 0\ncontent-range: bytes 0-1/2\n\
             cache-control: max-age=2\nx-new: 1\nlink: </c>\nlink: </d>",
        ),
    )
    .unwrap();
    let mut fields: Vec<_> =
        merged.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "cache-control: max-age=2",
            "content-encoding: gzip",
            "content-length: 4",
            "content-type: text/html",
            "link: </c>",
            "link: </d>",
            "x-new: 1",
            "x-old: 1"
        ]
    );
}

#[test]
fn a_304_freshens() {
    let cache = cache();
    let none = HeaderMap::new();
    let request = get("/", &none);
    let old = store_page(&cache, "/", "cache-control: max-age=60\netag: \"a\"\nx-build: 1", 0).unwrap();
    assert!(matches!(cache.look_up(&request, at(100)), LookUp::Stale { .. }));
    let Freshened::Stored(new) =
        cache.freshen(&request, &old, &header_lines("etag: \"a\"\nx-build: 2"), &exchange(100))
    else {
        panic!("not stored");
    };
    assert_eq!((new.fields()["x-build"].as_bytes(), new.body()), (&b"2"[..], old.body()));
    assert_eq!(new.fields()["date"], "Tue, 08 Nov 2022 14:01:40 GMT");
    assert_eq!(new.answer(&Method::GET, &none, Served::Hit, at(101)).headers["age"], "1");
    assert!(matches!(cache.look_up(&request, at(159)), LookUp::Fresh(_)));
    assert!(matches!(cache.look_up(&request, at(160)), LookUp::Stale { .. }));
    assert_eq!(cache.entries(), 1);
}

#[test]
fn a_304_about_something_else_changes_nothing() {
    let cache = cache();
    let none = HeaderMap::new();
    let old = store_page(&cache, "/", "cache-control: max-age=60\netag: \"a\"", 0).unwrap();
    let freshened = cache.freshen(&get("/", &none), &old, &header_lines("etag: \"b\""), &exchange(100));
    assert!(matches!(freshened, Freshened::Mismatch));
    assert!(matches!(cache.look_up(&get("/", &none), at(100)), LookUp::Stale { .. }));
}

#[test]
fn a_304_that_forbids_storing_ends_the_copy() {
    for (not_modified, reason, gone) in [
        ("cache-control: no-store", NotStored::NoStore, true),
        ("cache-control: private", NotStored::Private, true),
        ("vary: *", NotStored::VariesOnEverything, true),
        // The copy is as public as before; the cookie is the asking visitor's.
        ("set-cookie: a=b", NotStored::SetCookie, false),
    ] {
        let cache = cache();
        let none = HeaderMap::new();
        let old = store_page(&cache, "/", "cache-control: max-age=60\netag: \"a\"", 0).unwrap();
        let freshened = cache.freshen(&get("/", &none), &old, &header_lines(not_modified), &exchange(100));
        let Freshened::Unstored(answer, why) = freshened else { panic!("{freshened:?}") };
        assert_eq!((why, answer.body()), (reason, old.body()));
        assert_eq!(answer.fields().contains_key("set-cookie"), reason == NotStored::SetCookie);
        assert_eq!(cache.entries() == 0, gone, "{not_modified}");
    }
}

#[test]
fn who_asks_does_not_matter_to_a_confirmed_copy() {
    let cache = cache();
    let guessed = format!("last-modified: {TEN_HOURS_BEFORE}\netag: \"a\"");
    let old = store_page(&cache, "/", &guessed, 0).unwrap();
    let session = header_lines("cookie: session=1");
    let freshened = cache.freshen(&get("/", &session), &old, &header_lines("etag: \"a\""), &exchange(400));
    assert!(matches!(freshened, Freshened::Stored(_)), "{freshened:?}");
}

/// Section 4.3.5: what the answer to a HEAD says of a stale copy.
#[test]
#[rustfmt::skip] // one row a line
fn a_head_freshens_what_it_agrees_with() {
    for (status, fields, freshened) in [
        (200, "etag: \"a\"\nx: 2", true),
        (200, "etag: \"a\"\ncontent-length: 13\nx: 2", true),
        (200, "content-length: 13\nx: 2", true),
        (200, "etag: \"b\"\ncontent-length: 13\nx: 2", false),
        (200, "etag: \"a\"\ncontent-length: 14\nx: 2", false),
        (200, "last-modified: Tue, 08 Nov 2022 04:00:00 GMT\nx: 2", false),
        // It says nothing to go by, or speaks of something else.
        (200, "x: 2", false),
        (404, "etag: \"a\"\nx: 2", false),
    ] {
        let cache = cache();
        let none = HeaderMap::new();
        let stored = store_page(&cache, "/", "cache-control: max-age=60\netag: \"a\"\nx: 1", 0).unwrap();
        let head = CacheRequest { method: &Method::HEAD, ..get("/", &none) };
        let status = StatusCode::from_u16(status).unwrap();
        cache.freshen_by_head(&head, &stored, status, &header_lines(fields), &exchange(100));
        match (cache.look_up(&get("/", &none), at(101)), freshened) {
            (LookUp::Fresh(copy), true) => {
                assert_eq!((copy.fields()["x"].as_bytes(), copy.body().as_ref()), (&b"2"[..], &b"<h1>Vote</h1>"[..]));
            }
            (LookUp::Stale { response, .. }, false) => assert_eq!(response.fields()["x"], "1"),
            (found, _) => panic!("{status} {fields}: {found:?}"),
        }
    }
}
