//! HTTP/1 as visitors speak it, byte by byte: framing, keep-alive, interim answers, early ends.

#![expect(clippy::unwrap_used, reason = "the lint's exception for tests does not reach the helpers of one")]

mod support;

use std::io::{BufRead, Read, Write};

use support::origin::page;
use support::raw_origin::always;
use support::{Origin, Visitor, config, start, until};

const PRIVATE: (&str, &str) = ("cache-control", "no-store");

/// The next line of an answer, without its end.
fn line(visitor: &mut Visitor) -> String {
    let mut line = String::new();
    visitor.stream.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

#[test]
fn a_body_that_is_held_back_is_asked_for_once_it_is_wanted() {
    let origin = Origin::start(|asked| page(std::str::from_utf8(asked.body()).unwrap(), &[PRIVATE]));
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    for _ in 0..2 {
        visitor.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n");
        assert_eq!(line(&mut visitor), "HTTP/1.1 100 Continue");
        assert_eq!(line(&mut visitor), "");
        visitor.send(b"hello");
        assert_eq!(visitor.read_answer(false).text(), "hello");
    }
    // Whoever does not wait is not asked.
    visitor.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi");
    assert_eq!(visitor.read_answer(false).text(), "hi");
    // Nor is anybody whose body nobody wants: they are told so, and the connection cannot go on.
    visitor.send(b"POST / HTTP/1.1\r\nHost: b.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    let answer = visitor.read_answer(false);
    assert_eq!((answer.status, answer.header("connection")), (421, Some("close")));
    assert!(visitor.is_closed());
}

#[test]
fn http10_is_answered_as_it_asks() {
    let origin = Origin::start(|_| page("page", &[PRIVATE]));
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    for _ in 0..2 {
        visitor.send(b"GET / HTTP/1.0\r\nHost: a.test\r\nConnection: Keep-Alive\r\n\r\n");
        let answer = visitor.read_answer(false);
        assert_eq!((answer.text().as_str(), answer.header("connection")), ("page", Some("keep-alive")));
    }
    // An interim answer is nothing HTTP/1.0 knows.
    let post = b"POST / HTTP/1.0\r\nHost: a.test\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    visitor.send(post);
    visitor.send(b"hi");
    assert_eq!(visitor.read_answer(false).status, 200);
    assert!(visitor.is_closed());
}

#[test]
fn an_answer_of_unknown_length_is_framed_for_each_version() {
    let origin = always(
        b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n\
          3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n",
    );
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    let answer = visitor.get("/");
    assert_eq!((answer.text().as_str(), answer.header("transfer-encoding")), ("onetwo", Some("chunked")));
    visitor.send(b"GET / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n");
    let answer = visitor.read_answer(false);
    assert_eq!((answer.text().as_str(), answer.header("transfer-encoding")), ("onetwo", None));
    assert_eq!(answer.header("connection"), Some("close"));
}

#[test]
fn answers_without_a_body_have_none_and_the_connection_goes_on() {
    let origin = Origin::start(|asked| {
        let mut answer =
            page(if asked.uri().path() == "/" { "page" } else { "" }, &[PRIVATE, ("etag", "\"1\"")]);
        match asked.uri().path() {
            "/204" => *answer.status_mut() = http::StatusCode::NO_CONTENT,
            "/304" => *answer.status_mut() = http::StatusCode::NOT_MODIFIED,
            _ => {}
        }
        answer
    });
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    visitor.send(b"HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let answer = visitor.read_answer(true);
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("4")));
    for (path, status) in [("/204", 204), ("/304", 304)] {
        let answer = visitor.get(path);
        assert_eq!((answer.status, answer.header("content-length")), (status, None), "{path}");
        assert_eq!(answer.header("transfer-encoding"), None, "{path}");
    }
    let answer = visitor.get("/");
    assert_eq!(answer.text(), "page");
    let dates = answer.headers.iter().filter(|(name, _)| name == "date").count();
    assert_eq!(dates, 1);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::start(|asked| page(asked.uri().path(), &[PRIVATE]));
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    let requests: Vec<String> = (0..50)
        .map(|n| format!("POST /{n} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc"))
        .collect();
    visitor.send(requests.concat().as_bytes());
    for n in 0..50 {
        assert_eq!(visitor.read_answer(false).text(), format!("/{n}"));
    }
    assert!(origin.asked().iter().all(|asked| asked.body() == "abc"));
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let origin = Origin::start(|asked| page(std::str::from_utf8(asked.body()).unwrap(), &[PRIVATE]));
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    visitor.stream.get_ref().set_nodelay(true).unwrap();
    let request =
        b"\r\nPOST /x HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x\r\n!\r\n0\r\nT: u\r\n\r\n";
    for _ in 0..2 {
        for byte in request {
            visitor.send(&[*byte]);
        }
        assert_eq!(visitor.read_answer(false).text(), "hello!");
    }
}

#[test]
fn whoever_still_sends_a_body_that_is_refused_can_read_why() {
    let origin = Origin::start(|_| page("x", &[PRIVATE]));
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    visitor.send(b"POST / HTTP/1.1\r\nHost: b.test\r\nContent-Length: 1000000\r\n\r\n");
    let mut sender = visitor.stream.get_ref().try_clone().unwrap();
    sender.write_all(&vec![b'x'; 1_000_000]).unwrap();
    let answer = visitor.read_answer(false);
    assert_eq!((answer.status, answer.header("connection")), (421, Some("close")));
    assert_eq!(visitor.stream.read(&mut [0; 1]).unwrap(), 0, "closed, and not reset");
    assert_eq!(origin.count(), 0);
}

#[test]
fn a_body_that_breaks_its_coding_is_refused_and_never_whole_at_the_origin() {
    let origin = Origin::start(|_| page("x", &[PRIVATE]));
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    visitor.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    visitor.send(b"-1\r\n");
    let answer = visitor.read_answer(false);
    assert_eq!((answer.status, answer.header("connection")), (400, Some("close")));
    assert!(answer.text().contains("chunk size"));
    assert!(visitor.is_closed());
    until("it is counted", || edge.counts().malformed_requests == 1);
    assert_eq!(origin.count(), 0);
}

#[test]
fn a_visitor_who_leaves_within_a_body_frees_what_they_held() {
    let origin = Origin::start(|_| page("x", &[PRIVATE]));
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    visitor.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nhalf");
    until("the connection is counted", || edge.counts().connections_open == 1);
    drop(visitor);
    until("it is gone", || edge.counts().connections_open == 0);
    assert_eq!(origin.count(), 0);
}

#[test]
fn fields_of_an_answer_that_is_only_passed_on_are_passed_on_whole() {
    let origin = always(
        b"HTTP/1.1 200 Fine\r\nSet-Cookie: a=1\r\nConnection: X-Hop\r\nX-Hop: 1\r\nCache-Control: no-store\r\n\
          Content-Length: 4\r\nSet-Cookie: b=2\r\nX-Spaced:   v  \r\n\r\npage",
    );
    let plain = always(
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nKeep-Alive: 9\r\nConnection: keep-alive\r\nCache-Control: no-store\r\n\
          Content-Length: 4\r\nSet-Cookie: b=2\r\nX-Spaced:   v  \r\n\r\npage",
    );
    for origin in [origin, plain] {
        let edge = start(config(&[origin.address]));
        let mut visitor = Visitor::connect(&edge);
        // The first request finds that the page is not to be kept; the others do not ask the cache.
        for _ in 0..3 {
            let answer = visitor.get("/");
            let values = |wanted: &str| {
                let values = answer.headers.iter().filter(|(name, _)| name == wanted);
                values.map(|(_, value)| value.clone()).collect::<Vec<_>>()
            };
            assert_eq!((answer.status, answer.text().as_str()), (200, "page"));
            assert_eq!(values("set-cookie"), ["a=1", "b=2"]);
            assert_eq!(values("x-spaced"), ["v"]);
            assert_eq!(values("content-length"), ["4"]);
            assert_eq!((values("date").len(), values("cache-status").len()), (1, 1));
            for hop in ["connection", "keep-alive", "x-hop"] {
                assert!(values(hop).is_empty(), "{hop} is for one hop");
            }
        }
    }
}
