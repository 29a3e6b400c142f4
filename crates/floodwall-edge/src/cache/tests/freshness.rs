//! RFC 9111 section 4.2: lifetime, age, and what may be served stale.

use floodwall_model::Timestamp;
use http::StatusCode;

use super::super::directives::ResponseDirectives;
use super::super::freshness::{Exchange, Freshness};
use super::{POLLS_OPEN, POLLS_OPEN_DATE, TEN_HOURS_BEFORE, at, exchange, header_lines, seconds, settings};

fn freshness_of(status: u16, fields: &str, exchange: &Exchange) -> Freshness {
    let headers = header_lines(fields);
    let directives = ResponseDirectives::of(&headers);
    let status = StatusCode::from_u16(status).unwrap();
    Freshness::of(status, &headers, &directives, exchange, &settings())
}

/// Section 4.2.1, 4.2.2 and 5.3.
#[test]
#[rustfmt::skip] // one row a line
fn lifetimes() {
    let expires = |date: &str| format!("date: {POLLS_OPEN_DATE}\nexpires: {date}");
    let modified = |date: &str| format!("date: {POLLS_OPEN_DATE}\nlast-modified: {date}");
    let rows: Vec<(u16, String, u64)> = vec![
        (200, "cache-control: s-maxage=10, max-age=20".into(), 10),
        (200, format!("cache-control: max-age=20\n{}", expires("Tue, 08 Nov 2022 15:00:00 GMT")), 20),
        (200, "cache-control: s-maxage=x, max-age=20".into(), 0),
        (200, "cache-control: max-age=999999999999".into(), 365 * 24 * 3600),
        (200, "cache-control: no-cache, max-age=20".into(), 0),
        (500, "cache-control: max-age=20".into(), 20),
        (200, expires("Tue, 08 Nov 2022 14:00:30 GMT"), 30),
        (200, expires("Tuesday, 08-Nov-22 14:00:30 GMT"), 30),
        (200, expires("Tue Nov  8 14:00:30 2022"), 30),
        (200, expires("Tue, 08 Nov 2022 13:00:00 GMT"), 0),
        (200, expires("0"), 0),
        (200, expires("-1"), 0),
        (200, expires("soon"), 0),
        (200, format!("{}\nexpires: Tue, 08 Nov 2022 14:00:10 GMT", expires("Tue, 08 Nov 2022 14:00:30 GMT")), 10),
        (200, format!("{}\nexpires: 0", expires("Tue, 08 Nov 2022 14:00:30 GMT")), 0),
        // Without a Date, the time of arrival.
        (200, "expires: Tue, 08 Nov 2022 14:00:30 GMT".into(), 30),
        (200, "date: yesterday\nexpires: Tue, 08 Nov 2022 14:00:30 GMT".into(), 30),
        // A tenth, at most five minutes.
        (200, modified("Tue, 08 Nov 2022 13:50:00 GMT"), 60),
        (200, modified(TEN_HOURS_BEFORE), 300),
        (200, modified("Tue, 08 Nov 2022 15:00:00 GMT"), 0),
        (200, modified("a while ago"), 0),
        (301, modified(TEN_HOURS_BEFORE), 300),
        // Errors that speak of the address: ten seconds, and those that may not, never more.
        (404, String::new(), 10),
        (404, modified(TEN_HOURS_BEFORE), 10),
        (410, String::new(), 10),
        (405, modified(TEN_HOURS_BEFORE), 10),
        (414, String::new(), 10),
        (501, String::new(), 10),
        (404, "cache-control: max-age=600".into(), 600),
        (410, "expires: Tue, 08 Nov 2022 14:10:00 GMT".into(), 600),
        (405, "cache-control: max-age=600".into(), 10),
        (501, "cache-control: max-age=3".into(), 3),
        (404, "cache-control: no-cache".into(), 0),
        (400, String::new(), 0),
        (302, modified(TEN_HOURS_BEFORE), 0),
        (302, format!("cache-control: public\n{}", modified(TEN_HOURS_BEFORE)), 300),
        // What is stated, though unusable, is not guessed over.
        (200, format!("expires: 0\n{}", modified(TEN_HOURS_BEFORE)), 0),
        (200, String::new(), 0),
    ];
    for (status, fields, expected) in rows {
        let freshness = freshness_of(status, &fields, &exchange(0));
        assert_eq!(freshness.lifetime(), seconds(expected), "{status}\n{fields}");
    }
}

/// Section 4.2.3.
#[test]
#[rustfmt::skip] // one row a line
fn ages() {
    for (fields, response_delay, expected) in [
        ("date: Tue, 08 Nov 2022 14:00:00 GMT", 0, 0),
        ("date: Tue, 08 Nov 2022 13:59:00 GMT", 0, 60),
        // A clock that runs ahead is not younger than new.
        ("date: Tue, 08 Nov 2022 14:05:00 GMT", 0, 0),
        ("", 0, 0),
        ("", 3, 3),
        ("age: 50", 3, 53),
        ("age: 50\ndate: Tue, 08 Nov 2022 13:59:00 GMT", 3, 60),
        ("age: 90\ndate: Tue, 08 Nov 2022 13:59:00 GMT", 3, 93),
        ("age: 50, 70", 0, 50),
        ("age: old", 0, 0),
        ("age: -5", 0, 0),
        ("age: 99999999999", 0, 1 << 31),
    ] {
        let times = Exchange {
            request_sent: at(0),
            response_received: Timestamp::new(seconds(5000 + response_delay), POLLS_OPEN * 1_000_000 + 900_000),
            stale_if_error: None,
        };
        let freshness = freshness_of(200, fields, &times);
        assert_eq!(freshness.age(times.response_received).as_secs(), expected, "{fields}");
        let later = times.response_received.plus(seconds(7));
        assert_eq!(freshness.age(later).as_secs(), expected + 7, "{fields}");
    }
}

#[test]
fn stepping_the_wall_clock_changes_no_age() {
    let freshness = freshness_of(200, "cache-control: max-age=60", &exchange(0));
    let clock_set_back_a_year = Timestamp::new(seconds(5030), (POLLS_OPEN - 31_536_000) * 1_000_000);
    assert_eq!(freshness.age(clock_set_back_a_year), seconds(30));
    assert!(freshness.is_fresh(clock_set_back_a_year));
}

#[test]
fn is_fresh_until_its_age_reaches_its_lifetime() {
    let freshness = freshness_of(200, "cache-control: max-age=60", &exchange(0));
    for (second, fresh, left) in [(0, true, 60), (59, true, 1), (60, false, 0), (61, false, -1)] {
        assert_eq!(freshness.is_fresh(at(second)), fresh, "{second}");
        assert_eq!(freshness.seconds_left(at(second)), left, "{second}");
    }
}

/// Section 4.2.4 and RFC 5861: seconds past the lifetime of 60 in which it may serve on error, and
/// while it is revalidated.
#[test]
#[rustfmt::skip] // one row a line
fn staleness() {
    const DAY: u64 = 24 * 3600;
    for (directives, on_error, revalidating) in [
        ("max-age=60", DAY, 0),
        ("max-age=60, public", DAY, 0),
        ("max-age=60, stale-if-error=30", 30, 0),
        ("max-age=60, stale-if-error=0", 0, 0),
        ("max-age=60, stale-if-error=junk", 0, 0),
        ("max-age=60, stale-while-revalidate=20", DAY, 20),
        ("max-age=60, must-revalidate", 0, 0),
        ("max-age=60, proxy-revalidate", 0, 0),
        ("s-maxage=60", 0, 0),
        ("s-maxage=60, stale-if-error=30", 30, 0),
        ("max-age=60, must-revalidate, stale-if-error=30", 30, 0),
        ("s-maxage=60, stale-while-revalidate=20", 0, 20),
        ("max-age=60, must-revalidate, stale-while-revalidate=20", 0, 0),
        ("max-age=60, proxy-revalidate, stale-while-revalidate=20", 0, 0),
    ] {
        let freshness = freshness_of(200, &format!("cache-control: {directives}"), &exchange(0));
        for (allowed, may) in [
            (on_error, Freshness::may_serve_on_error as fn(&Freshness, Timestamp) -> bool),
            (revalidating, Freshness::may_serve_while_revalidating),
        ] {
            assert!(may(&freshness, at(59 + allowed)), "{directives}: at {allowed}");
            assert!(!may(&freshness, at(60 + allowed)), "{directives}: past {allowed}");
        }
    }
    let no_cache = freshness_of(200, "cache-control: no-cache", &exchange(0));
    assert!(!no_cache.is_fresh(at(0)) && !no_cache.may_serve_on_error(at(0)));
}

#[test]
fn a_site_sets_its_own_stale_if_error() {
    let own = Exchange { stale_if_error: Some(seconds(10)), ..exchange(0) };
    let silent = freshness_of(200, "cache-control: max-age=60", &own);
    assert!(silent.may_serve_on_error(at(69)) && !silent.may_serve_on_error(at(70)));
    let stated = freshness_of(200, "cache-control: max-age=60, stale-if-error=30", &own);
    assert!(stated.may_serve_on_error(at(89)));
}
