//! What each path answers, and that no path reaches anything else.

use http::{Method, StatusCode};
use proptest::prelude::*;

use super::super::documents::LAST_MODIFIED;
use super::{get, header, request, site, text};

const PAGE: &str = "public, max-age=60, stale-if-error=86400";
const ASSET: &str = "public, max-age=3600, stale-if-error=86400";
const HTML: &str = "text/html; charset=utf-8";

#[tokio::test(start_paused = true)]
async fn each_path_answers_with_its_type_and_caching() {
    let site = site();
    let rows = [
        ("/", 200, HTML, PAGE),
        ("/?utm_source=mail", 200, HTML, PAGE),
        ("/register", 200, HTML, PAGE),
        ("/deadlines", 200, HTML, PAGE),
        ("/voting-by-mail", 200, HTML, PAGE),
        ("/accessibility", 200, HTML, PAGE),
        ("/polling-place", 200, HTML, PAGE),
        ("/es/", 200, HTML, PAGE),
        ("/robots.txt", 200, "text/plain; charset=utf-8", PAGE),
        ("/sitemap.xml", 200, "application/xml", PAGE),
        ("/assets/site.css", 200, "text/css; charset=utf-8", ASSET),
        ("/assets/seal.svg", 200, "image/svg+xml", ASSET),
        ("/favicon.ico", 200, "image/x-icon", ASSET),
        ("/healthz", 200, "application/json", "no-store"),
        ("/polling-place/lookup?zip=00112", 200, HTML, "no-store"),
        ("/polling-place/lookup?address=120+Main+Street&zip=", 200, HTML, "no-store"),
        ("/polling-place/lookup", 400, HTML, "no-store"),
        ("/polling-place/lookup?zip=abc", 400, HTML, "no-store"),
        ("/nowhere", 404, HTML, "no-store"),
        ("/Register", 404, HTML, "no-store"),
        ("/assets", 404, HTML, "no-store"),
        ("/assets/", 404, HTML, "no-store"),
        ("/register/", 301, HTML, "no-store"),
        ("/es", 301, HTML, "no-store"),
    ];
    for (target, status, content_type, caching) in rows {
        let answer = get(&site, target).await;
        assert_eq!(answer.status(), status, "{target}");
        assert_eq!(header(&answer, "content-type"), content_type, "{target}");
        assert_eq!(header(&answer, "cache-control"), caching, "{target}");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff", "{target}");
        assert!(header(&answer, "content-security-policy").starts_with("default-src 'none';"), "{target}");
        let kept = caching != "no-store";
        assert_eq!(answer.headers().contains_key("etag"), kept, "{target}");
        assert_eq!(header(&answer, "last-modified"), if kept { LAST_MODIFIED } else { "" }, "{target}");
    }
    assert_eq!(site.counters.requests.load(std::sync::atomic::Ordering::Relaxed), rows.len() as u64);
}

#[tokio::test]
async fn a_missing_or_extra_final_slash_leads_to_the_page() {
    let site = site();
    for (target, to) in [("/register/", "/register"), ("/es", "/es/"), ("/robots.txt/", "/robots.txt")] {
        assert_eq!(header(&get(&site, target).await, "location"), to);
    }
    assert_eq!(get(&site, "//register").await.status(), 404, "never to another host");
}

#[tokio::test]
async fn only_get_and_head_are_allowed() {
    let site = site();
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, Method::TRACE, Method::PATCH] {
        for target in ["/", "/polling-place/lookup?zip=00112", "/healthz", "/register/"] {
            let answer = site.answer(&request(method.clone(), target, &[])).await;
            assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {target}");
            assert_eq!(header(&answer, "allow"), "GET, HEAD");
        }
    }
    assert_eq!(site.answer(&request(Method::POST, "/nowhere", &[])).await.status(), 404);
    assert_eq!(site.answer(&request(Method::HEAD, "/", &[])).await.status(), 200);
}

#[tokio::test]
async fn what_the_asker_has_is_not_sent_again() {
    let site = site();
    let etag = header(&get(&site, "/deadlines").await, "etag").to_owned();
    let other = header(&get(&site, "/register").await, "etag").to_owned();
    assert_ne!(etag, other);
    let (weak, list) = (format!("W/{etag}"), format!("{other}, {etag}"));
    let rows: [(&[(&'static str, &str)], u16); 9] = [
        (&[("if-none-match", &etag)], 304),
        (&[("if-none-match", &weak)], 304),
        (&[("if-none-match", &list)], 304),
        (&[("if-none-match", "\"x\""), ("if-none-match", &etag)], 304),
        (&[("if-none-match", "*")], 304),
        (&[("if-none-match", &other)], 200),
        (&[("if-modified-since", LAST_MODIFIED)], 304),
        (&[("if-modified-since", "Sun, 04 Jan 2026 09:00:00 GMT")], 200),
        (&[("if-none-match", &other), ("if-modified-since", LAST_MODIFIED)], 200),
    ];
    for (headers, status) in rows {
        for method in [Method::GET, Method::HEAD] {
            let answer = site.answer(&request(method, "/deadlines", headers)).await;
            assert_eq!(answer.status(), status, "{headers:?}");
            assert_eq!(header(&answer, "etag"), etag);
            assert_eq!(header(&answer, "cache-control"), PAGE);
            assert_eq!(header(&answer, "last-modified"), LAST_MODIFIED);
            assert_eq!(text(answer).await.is_empty(), status == 304, "{headers:?}");
        }
    }
}

/// Ways to ask for a file that is not one of ours.
pub(super) const TRAVERSALS: &[(&str, u16)] = &[
    ("/assets/../../etc/passwd", 400),
    ("/../etc/passwd", 400),
    ("/..", 400),
    ("/./register", 400),
    ("/assets/%2e%2e/%2e%2e/etc/passwd", 400),
    ("/assets/.%2E/etc/passwd", 400),
    ("/assets/..%2f..%2fetc%2fpasswd", 400),
    ("/assets%2fsite.css", 400),
    ("/assets/..%5c..%5cetc%5cpasswd", 400),
    ("/assets\\..\\..\\etc\\passwd", 400),
    ("/assets/site.css%00", 400),
    ("/assets/site.css%00.html", 400),
    ("/register%0d%0aset-cookie:x", 400),
    ("/%", 400),
    ("/%zz", 400),
    ("/register%2", 400),
    ("/assets/%252e%252e/etc/passwd", 404),
    ("/assets/%c0%ae%c0%ae/etc/passwd", 404),
    ("/assets/..;/etc/passwd", 404),
    ("/assets/....//etc/passwd", 404),
    ("//etc/passwd", 404),
    ("/etc/passwd", 404),
    ("/%72egister", 404),
    ("/site/layout.html", 404),
];

#[tokio::test]
async fn no_path_leaves_the_table() {
    let site = site();
    for (target, status) in TRAVERSALS {
        let answer = get(&site, target).await;
        assert_eq!(answer.status(), *status, "{target}");
        assert_eq!(header(&answer, "cache-control"), "no-store", "{target}");
    }
}

proptest! {
    #[test]
    fn any_other_path_is_refused(path in "/[ -~]{0,60}") {
        let Ok(uri) = path.parse::<http::Uri>() else { return Ok(()) };
        let site = site();
        let known = site.documents.get(uri.path()).is_some() || ["/healthz", "/polling-place/lookup"].contains(&uri.path());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let status = runtime.block_on(get(&site, &path)).status().as_u16();
        prop_assert!(known || [301, 400, 404].contains(&status), "{path} gave {status}");
    }
}
