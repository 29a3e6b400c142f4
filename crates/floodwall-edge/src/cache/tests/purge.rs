//! Purging by address, beginning and tag.

use floodwall_model::SiteId;
use http::HeaderMap;

use super::super::{CacheRequest, LookUp, NotStored, PurgeDepth, PurgeTarget, ResponseCache};
use super::{at, cache, exchange, get, header_lines, store, store_page};

const HOST: &str = "www.sos.example.gov";

fn state(cache: &ResponseCache, path: &str) -> &'static str {
    match cache.look_up(&get(path, &HeaderMap::new()), at(5)) {
        LookUp::Fresh(_) => "fresh",
        LookUp::Stale { may_serve_on_error: true, may_serve_while_revalidating: false, .. } => "stale",
        LookUp::Miss { .. } => "gone",
        _ => "other",
    }
}

fn address(path: &str) -> PurgeTarget {
    PurgeTarget::Address { authority: HOST.to_owned(), path_and_query: path.to_owned() }
}

fn prefix(path: &str) -> PurgeTarget {
    PurgeTarget::Prefix { authority: HOST.to_owned(), path: path.to_owned() }
}

#[test]
#[rustfmt::skip] // one row a line
fn what_is_meant_and_nothing_else() {
    let pages = ["/", "/news/a", "/news/a?page=2", "/newsletter"];
    for (target, expected) in [
        (address("/news/a"), ["fresh", "stale", "fresh", "fresh"]),
        (address("/news"), ["fresh", "fresh", "fresh", "fresh"]),
        (prefix("/news/"), ["fresh", "stale", "stale", "fresh"]),
        (prefix("/news"), ["fresh", "stale", "stale", "stale"]),
        (PurgeTarget::Prefix { authority: "other.gov".into(), path: "/".into() }, ["fresh", "fresh", "fresh", "fresh"]),
        (PurgeTarget::Tag("news".into()), ["fresh", "stale", "stale", "fresh"]),
        (PurgeTarget::Tag("front".into()), ["stale", "fresh", "fresh", "fresh"]),
        (PurgeTarget::Tag("fron".into()), ["fresh", "fresh", "fresh", "fresh"]),
        (PurgeTarget::Tag("News".into()), ["fresh", "fresh", "fresh", "fresh"]),
        (PurgeTarget::Tag(String::new()), ["fresh", "fresh", "fresh", "fresh"]),
        (PurgeTarget::All, ["stale", "stale", "stale", "stale"]),
    ] {
        for depth in [PurgeDepth::Expire, PurgeDepth::Remove] {
            let cache = cache();
            for page in pages {
                let tags = match page {
                    "/" => "surrogate-key: front x",
                    "/newsletter" => "cache-tag: letters",
                    _ => "cache-tag: a,news , b",
                };
                let fields = format!("cache-control: max-age=60, stale-while-revalidate=60\n{tags}");
                store_page(&cache, page, &fields, 0).unwrap();
            }
            let purged = cache.purge(Some(SiteId(0)), &target, depth, at(1));
            let expected = expected.map(|state| if depth == PurgeDepth::Remove && state == "stale" { "gone" } else { state });
            assert_eq!(pages.map(|page| state(&cache, page)), expected, "{target:?} {depth:?}");
            assert_eq!(purged, expected.iter().filter(|state| **state != "fresh").count(), "{target:?}");
        }
    }
}

#[test]
fn over_both_schemes_and_on_one_site_or_all() {
    let none = HeaderMap::new();
    let fields = header_lines("cache-control: max-age=60");
    for (site, purged) in [(Some(SiteId(0)), 2), (Some(SiteId(1)), 1), (Some(SiteId(2)), 0), (None, 3)] {
        let cache = cache();
        for (site, https) in [(0, true), (0, false), (1, true)] {
            let request = CacheRequest { site: SiteId(site), https, ..get("/", &none) };
            store(&cache, &request, 200, &fields, b"", 0).unwrap();
        }
        assert_eq!(cache.purge(site, &address("/"), PurgeDepth::Expire, at(1)), purged, "{site:?}");
    }
}

/// An answer that was on its way when its page changed must not be kept.
#[test]
fn what_was_asked_for_before_is_not_stored_after() {
    let cache = cache();
    let none = HeaderMap::new();
    let fields = header_lines("cache-control: max-age=60");
    let fill = cache.begin_fill(&get("/", &none), http::StatusCode::OK, &fields, &exchange(1)).unwrap();
    cache.purge(None, &PurgeTarget::Tag("news".into()), PurgeDepth::Remove, at(2));
    assert_eq!(cache.finish_fill(fill, at(3)).unwrap_err().reason, NotStored::Outdated);
    assert!(store(&cache, &get("/", &none), 200, &fields, b"", 3).is_ok());
}

/// What is confirmed after a purge is as good as new.
#[test]
fn a_purged_copy_is_freshened() {
    let cache = cache();
    let none = HeaderMap::new();
    let stored = store_page(&cache, "/", "cache-control: max-age=60\netag: \"a\"", 0).unwrap();
    cache.purge(None, &PurgeTarget::All, PurgeDepth::Expire, at(1));
    assert_eq!(state(&cache, "/"), "stale");
    cache.freshen(&get("/", &none), &stored, &header_lines("etag: \"a\""), &exchange(2));
    assert_eq!(state(&cache, "/"), "fresh");
}

#[test]
fn urls() {
    let of = |url: &str| PurgeTarget::of_url(url);
    assert_eq!(of("https://WWW.sos.example.gov/news/a?page=2#top"), Some(address("/news/a?page=2")));
    assert_eq!(of("http://www.sos.example.gov:80"), Some(address("/")));
    assert_eq!(of("https://www.sos.example.gov?x"), Some(address("/?x")));
    assert_eq!(of("https://www.sos.example.gov/news/*"), Some(prefix("/news/")));
    assert_eq!(of("https://www.sos.example.gov*"), Some(prefix("/")));
    for none in ["", "/news", "ftp://www.sos.example.gov/", "https:///", "https://me@www.sos.example.gov/"] {
        assert_eq!(of(none), None, "{none}");
    }
}
