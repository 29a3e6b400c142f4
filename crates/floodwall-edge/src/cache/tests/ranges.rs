//! RFC 9110 section 14 (parts), 13.1.5 (`If-Range`), RFC 9111 section 3.2: parts of complete copies.

use http::{HeaderMap, Method, StatusCode};
use proptest::prelude::*;

use super::super::entry::Answer;
use super::super::{LookUp, Served};
use super::{TEN_HOURS_BEFORE, at, cache, get, header_lines, headers, store};

const BODY: &[u8] = b"0123456789";

fn answer(method: &Method, status: u16, body: &[u8], fields: &str, asked: &HeaderMap) -> Answer {
    let fields = header_lines(&format!("cache-control: max-age=600\n{fields}"));
    let copy = store(&cache(), &get("/", &HeaderMap::new()), status, &fields, body, 0).unwrap();
    copy.answer(method, asked, Served::Hit, at(1))
}

/// Status, body and `Content-Range` in one line.
fn summary(answer: &Answer) -> String {
    let range = answer.headers.get("content-range").map_or("", |value| value.to_str().unwrap());
    assert_eq!(answer.headers["content-length"].to_str().unwrap(), answer.body.len().to_string());
    format!("{} {} {range}", answer.status.as_u16(), std::str::from_utf8(&answer.body).unwrap())
}

#[test]
#[rustfmt::skip] // one row a line
fn one_range_or_the_whole() {
    for (range, expected) in [
        ("bytes=0-1", "206 01 bytes 0-1/10"),
        ("bytes=1-", "206 123456789 bytes 1-9/10"),
        ("bytes=-1", "206 9 bytes 9-9/10"),
        ("bytes=-99", "206 0123456789 bytes 0-9/10"),
        ("bytes=5-99", "206 56789 bytes 5-9/10"),
        ("bytes=9-9", "206 9 bytes 9-9/10"),
        ("BYTES=0-0", "206 0 bytes 0-0/10"),
        ("bytes= 0-1 ,", "206 01 bytes 0-1/10"),
        ("bytes=0-99999999999999999999999999", "206 0123456789 bytes 0-9/10"),
        // Nothing there.
        ("bytes=10-", "416  bytes */10"),
        ("bytes=99999999999999999999999999-", "416  bytes */10"),
        ("bytes=-0", "416  bytes */10"),
        // Not understood, or not wanted: ignored (section 14.2).
        ("bytes=0-1,3-4", "200 0123456789 "),
        ("bytes=0-,0-,0-,0-", "200 0123456789 "),
        ("bytes=2-1", "200 0123456789 "),
        ("bytes=-", "200 0123456789 "),
        ("bytes=", "200 0123456789 "),
        ("bytes=a-b", "200 0123456789 "),
        ("bytes=+1-2", "200 0123456789 "),
        ("bytes 0-1", "200 0123456789 "),
        ("items=0-1", "200 0123456789 "),
        ("", "200 0123456789 "),
    ] {
        let asked = headers(&[("range", range)]);
        assert_eq!(summary(&answer(&Method::GET, 200, BODY, "etag: \"a\"", &asked)), expected, "{range}");
    }
    let twice = headers(&[("range", "bytes=0-1"), ("range", "bytes=2-3")]);
    assert_eq!(summary(&answer(&Method::GET, 200, BODY, "", &twice)), "200 0123456789 ");
    let empty = headers(&[("range", "bytes=0-")]);
    assert_eq!(summary(&answer(&Method::GET, 200, b"", "", &empty)), "416  bytes */0");
}

/// Section 14.2: ranges are for GET, and apply to what would be a 200.
#[test]
fn other_methods_and_statuses_are_answered_whole() {
    let asked = headers(&[("range", "bytes=0-1")]);
    let head = answer(&Method::HEAD, 200, BODY, "", &asked);
    assert_eq!((head.status, head.headers.get("content-range")), (StatusCode::OK, None));
    assert_eq!(summary(&answer(&Method::GET, 404, BODY, "", &asked)), "404 0123456789 ");
}

/// Section 13.2.2: conditions come first.
#[test]
fn what_is_not_modified_has_no_parts() {
    let asked = headers(&[("range", "bytes=0-1"), ("if-none-match", "\"a\"")]);
    assert_eq!(answer(&Method::GET, 200, BODY, "etag: \"a\"", &asked).status, StatusCode::NOT_MODIFIED);
}

/// Section 15.3.7: the fields of the whole are sent with the part.
#[test]
fn the_fields_of_the_whole_stay() {
    let asked = headers(&[("range", "bytes=0-1")]);
    let part = answer(&Method::GET, 200, BODY, "etag: \"a\"\nvary: accept\nx-own: 1", &asked);
    for (name, expected) in [("etag", "\"a\""), ("vary", "accept"), ("x-own", "1"), ("age", "1")] {
        assert_eq!(part.headers[name], expected);
    }
    assert_eq!(part.headers["cache-status"], "floodwall; hit; ttl=599");
}

#[test]
#[rustfmt::skip] // one row a line
fn if_range() {
    let modified = format!("last-modified: {TEN_HOURS_BEFORE}");
    let just_now = "last-modified: Tue, 08 Nov 2022 14:00:00 GMT\ndate: Tue, 08 Nov 2022 14:00:00 GMT";
    for (fields, if_range, part) in [
        ("etag: \"a\"", "\"a\"", true),
        ("etag: \"a\"", "\"b\"", false),
        ("etag: W/\"a\"", "W/\"a\"", false),
        ("etag: W/\"a\"", "\"a\"", false),
        ("", "\"a\"", false),
        (&modified, TEN_HOURS_BEFORE, true),
        (&modified, "Tue, 08 Nov 2022 05:00:00 GMT", false),
        (&modified, "nonsense", false),
        // It may have changed again within the second (section 8.8.2.2).
        (just_now, "Tue, 08 Nov 2022 14:00:00 GMT", false),
        ("", TEN_HOURS_BEFORE, false),
    ] {
        let asked = headers(&[("range", "bytes=0-1"), ("if-range", if_range)]);
        let status = answer(&Method::GET, 200, BODY, fields, &asked).status;
        assert_eq!(status == StatusCode::PARTIAL_CONTENT, part, "{fields} | {if_range}");
    }
}

/// A flood of ranges must not get past the cache: they are looked up as any request is.
#[test]
fn a_range_is_no_way_around_the_cache() {
    let asked = headers(&[("range", "bytes=0-1")]);
    assert!(matches!(
        cache().look_up(&get("/", &asked), at(0)),
        LookUp::Miss { known_uncacheable: false, alone: false, .. }
    ));
}

proptest! {
    /// Whatever is asked, what is answered is that part of the body, and never all of it twice.
    #[test]
    fn parts_are_parts(range in "bytes=[0-9,-]{0,12}", length in 0_usize..40) {
        let body: Vec<u8> = (0..length).map(|n| b'a' + u8::try_from(n % 26).unwrap()).collect();
        let part = answer(&Method::GET, 200, &body, "", &headers(&[("range", &range)]));
        prop_assert!(part.body.len() <= body.len());
        match part.status {
            StatusCode::PARTIAL_CONTENT => {
                let told = part.headers["content-range"].to_str().unwrap();
                let (first, rest) = told.strip_prefix("bytes ").unwrap().split_once('-').unwrap();
                let (last, complete) = rest.split_once('/').unwrap();
                let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
                prop_assert_eq!(&part.body[..], &body[first..=last]);
                prop_assert_eq!(complete.parse::<usize>().unwrap(), length);
            }
            StatusCode::RANGE_NOT_SATISFIABLE => prop_assert!(part.body.is_empty()),
            _ => prop_assert_eq!(&part.body[..], &body[..]),
        }
    }
}
