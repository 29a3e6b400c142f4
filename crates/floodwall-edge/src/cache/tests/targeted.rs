//! RFC 9213: directives meant for caches like this one.

use std::time::Duration;

use http::HeaderMap;
use proptest::prelude::*;

use super::super::{LookUp, ResponseDirectives};
use super::{at, cache, get, header_lines, headers, seconds, store_page};

#[test]
#[rustfmt::skip] // one row a line
fn lifetimes() {
    let max_age = |fields: &str| {
        let directives = ResponseDirectives::of(&header_lines(fields));
        (directives.targeted, directives.no_store, directives.max_age)
    };
    for (fields, expected) in [
        ("cdn-cache-control: max-age=3600", (true, false, Some(seconds(3600)))),
        ("cdn-cache-control: foobar, max-age=60;a=b", (true, false, Some(seconds(60)))),
        ("cdn-cache-control: a\ncdn-cache-control: max-age=60", (true, false, Some(seconds(60)))),
        ("cdn-cache-control: max-age=99999999999", (true, false, Some(seconds(1 << 31)))),
        ("cache-control: no-store\ncdn-cache-control: max-age=60", (true, false, Some(seconds(60)))),
        ("cache-control: max-age=60\ncdn-cache-control: no-store", (true, true, None)),
        ("cache-control: max-age=60\ncdn-cache-control: no-store=?0", (true, false, None)),
        // A member that is no directive leaves Cache-Control out all the same (section 3.1).
        ("cache-control: max-age=60\ncdn-cache-control: none", (true, false, None)),
        // Not what a number of seconds is: never coerced (section 2.1), and less is stored.
        ("cdn-cache-control: max-age=\"60\"", (true, false, Some(Duration::ZERO))),
        ("cdn-cache-control: max-age=60.5", (true, false, Some(Duration::ZERO))),
        ("cdn-cache-control: max-age=-60", (true, false, Some(Duration::ZERO))),
        ("cdn-cache-control: max-age=(60)", (true, false, Some(Duration::ZERO))),
        ("cdn-cache-control: max-age", (true, false, Some(Duration::ZERO))),
        // No valid dictionary, or an empty one: ignored (sections 2.1 and 2.2).
        ("cache-control: no-store\ncdn-cache-control: max-age=60, &&&", (false, true, None)),
        ("cache-control: max-age=9\ncdn-cache-control: max-age =60", (false, false, Some(seconds(9)))),
        ("cache-control: max-age=9\ncdn-cache-control: MaX-aGe=60", (false, false, Some(seconds(9)))),
        ("cache-control: max-age=9\ncdn-cache-control:", (false, false, Some(seconds(9)))),
    ] {
        assert_eq!(max_age(fields), expected, "{fields}");
    }
}

#[test]
fn over_its_bounds_it_says_no_store() {
    let many = (0..100).map(|n| format!("a{n}")).collect::<Vec<_>>().join(", ");
    let long = format!("max-age=60, a=\"{}\"", "x".repeat(5000));
    for text in [many, long] {
        assert!(ResponseDirectives::of(&headers(&[("cdn-cache-control", &text)])).no_store, "{text:.60}");
    }
}

/// Section 2.2: `Expires` does not count beside a targeted field either.
#[test]
fn expires_gives_way() {
    for (fields, fresh) in [
        ("cdn-cache-control: max-age=3600\nexpires: 0", true),
        ("cdn-cache-control: max-age=0\netag: \"a\"\nexpires: Tue, 08 Nov 2050 14:00:00 GMT", false),
        ("cdn-cache-control: none\netag: \"a\"\nexpires: Tue, 08 Nov 2050 14:00:00 GMT", false),
    ] {
        let cache = cache();
        store_page(&cache, "/", fields, 0).unwrap();
        let found = cache.look_up(&get("/", &HeaderMap::new()), at(1));
        assert_eq!(matches!(found, LookUp::Fresh(_)), fresh, "{fields}");
    }
}

/// Visitors' browsers and caches of the same kind before us read the fields as they came.
#[test]
fn the_field_is_passed_on() {
    let fields = "cdn-cache-control: max-age=3600\ncache-control: max-age=1";
    let stored = store_page(&cache(), "/", fields, 0).unwrap();
    assert_eq!(stored.fields()["cdn-cache-control"], "max-age=3600");
    assert_eq!(stored.fields()["cache-control"], "max-age=1");
}

proptest! {
    #[test]
    fn never_panics(text in "[ -~]{0,60}") {
        let _ = ResponseDirectives::of(&headers(&[("cdn-cache-control", &text)]));
    }
}
