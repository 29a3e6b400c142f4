//! RFC 9111 section 5.2 and RFC 5861: `Cache-Control`.

use std::time::Duration;

use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue};

use super::super::directives::{ResponseDirectives, asks_only_if_cached, delta_seconds};
use super::seconds;

fn parse(lines: &[&str]) -> ResponseDirectives {
    ResponseDirectives::of(&lines_of(lines))
}

fn lines_of(lines: &[&str]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for line in lines {
        map.append(CACHE_CONTROL, HeaderValue::from_bytes(line.as_bytes()).unwrap());
    }
    map
}

#[test]
#[rustfmt::skip] // one row a line
fn reads_max_age() {
    for (line, expected) in [
        ("max-age=60", Some(60)),
        ("MAX-AGE=60", Some(60)),
        ("max-age=\"60\"", Some(60)),
        ("max-age=0060", Some(60)),
        (" , ,max-age=60,, ", Some(60)),
        ("public,max-age=60;x=1", Some(0)),
        ("max-age=0", Some(0)),
        ("max-age=2147483648", Some(1 << 31)),
        ("max-age=99999999999999999999999999", Some(1 << 31)),
        // Of several, the most restrictive.
        ("max-age=60, max-age=30", Some(30)),
        ("max-age=30, max-age=60", Some(30)),
        ("max-age=60, max-age=x", Some(0)),
        // Invalid is stale.
        ("max-age", Some(0)),
        ("max-age=", Some(0)),
        ("max-age=-1", Some(0)),
        ("max-age=+1", Some(0)),
        ("max-age=1.5", Some(0)),
        ("max-age=60s", Some(0)),
        ("max-age='60'", Some(0)),
        ("max-age = 60", Some(0)),
        ("max-age= 60", Some(0)),
        ("max-age=\"60\"x", Some(0)),
        ("max-age=\"6\\0\"", Some(0)),
        // Something else.
        ("x-max-age=60", None),
        ("max-age-x=60", None),
        ("extension=\"max-age=60\"", None),
        ("extension=\"a, max-age=60\"", None),
        ("extension=\"a\\\", max-age=60\"", None),
        ("", None),
    ] {
        let directives = parse(&[line]);
        assert_eq!(directives.max_age, expected.map(seconds), "{line}");
        assert!(!directives.no_store, "{line}");
    }
}

#[test]
#[rustfmt::skip] // one row a line
fn reads_each_directive() {
    type Set = fn(&mut ResponseDirectives);
    let rows: &[(&str, Set)] = &[
        ("no-store", |d| d.no_store = true),
        ("No-Store=1", |d| d.no_store = true),
        ("no-cache", |d| d.no_cache = true),
        ("no-cache=\"set-cookie, x\"", |d| d.no_cache = true),
        ("private", |d| d.private = true),
        ("private=\"x-user\"", |d| d.private = true),
        ("public", |d| d.public = true),
        ("must-revalidate", |d| d.must_revalidate = true),
        ("proxy-revalidate", |d| d.proxy_revalidate = true),
        ("must-understand", |d| d.must_understand = true),
        ("s-maxage=7", |d| d.s_maxage = Some(seconds(7))),
        ("stale-if-error=9", |d| d.stale_if_error = Some(seconds(9))),
        ("stale-if-error=x", |d| d.stale_if_error = Some(Duration::ZERO)),
        ("stale-while-revalidate=9", |d| d.stale_while_revalidate = Some(seconds(9))),
        ("immutable, no-transform, community=\"UCI\"", |_| {}),
    ];
    for (line, set) in rows {
        let mut expected = ResponseDirectives::default();
        set(&mut expected);
        assert_eq!(parse(&[line]), expected, "{line}");
    }
}

#[test]
fn reads_several_lines_as_one() {
    let directives = parse(&["public, max-age=60", "s-maxage=5", "max-age=10"]);
    assert!(directives.public);
    assert_eq!(directives.max_age, Some(seconds(10)));
    assert_eq!(directives.s_maxage, Some(seconds(5)));
}

#[test]
fn stores_nothing_it_cannot_read_to_the_end() {
    let long = format!("max-age=60, x=\"{}\"", "a".repeat(5000));
    let many = format!("{}max-age=60", "a,".repeat(64));
    for line in
        ["max-age=60, x=\"open", "x=\"open\\\"", "must-understand, x=\"", long.as_str(), many.as_str()]
    {
        let directives = parse(&[line]);
        assert!(directives.no_store, "{line}");
        assert!(!directives.must_understand, "{line}");
    }
    assert!(!parse(&[&format!("{}max-age=60", "a,".repeat(63))]).no_store);
    let two_thousand = format!("x={}", "a".repeat(2000));
    assert!(parse(&[&two_thousand, &two_thousand, &two_thousand]).no_store, "bound over all lines");
}

#[test]
fn requests_have_one_directive() {
    for (lines, expected) in [
        (&["only-if-cached"][..], true),
        (&["no-cache", "Only-If-Cached"][..], true),
        (&["max-age=0, only-if-cached"][..], true),
        (&["x=\"only-if-cached\""][..], false),
        (&["only-if-cached, x=\""][..], false),
        (&["no-cache, no-store, max-age=0"][..], false),
        (&[][..], false),
    ] {
        assert_eq!(asks_only_if_cached(&lines_of(lines)), expected, "{lines:?}");
    }
}

#[test]
fn delta_seconds_are_digits() {
    for (text, expected) in [
        ("0", Some(0)),
        ("10", Some(10)),
        ("2147483647", Some(2_147_483_647)),
        ("18446744073709551616", Some(1 << 31)),
        ("", None),
        (" 1", None),
        ("0x1", None),
        ("\u{0661}", None),
    ] {
        assert_eq!(delta_seconds(text.as_bytes()), expected.map(seconds), "{text}");
    }
}
