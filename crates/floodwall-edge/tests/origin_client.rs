//! The edge as a client of origins: framing, kept connections, uploads, on real sockets.

mod support;

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use support::raw_origin::{RawOrigin, always};
use support::{Origin, Visitor, config, get, start, until};

#[test]
fn interim_answers_are_not_passed_on() {
    let origin = always(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n\
          HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok",
    );
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    for _ in 0..2 {
        let answer = visitor.get("/");
        assert_eq!((answer.status, answer.text().as_str(), answer.header("link")), (200, "ok", None));
    }
}

#[test]
fn an_answer_that_ends_with_its_connection_is_passed_on_whole() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    let page = "x".repeat(300_000);
    let sent = page.clone();
    let origin = RawOrigin::start(move |_, stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        stream.write_all(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n\r\n").unwrap();
        stream.write_all(sent.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
        false
    });
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    for number in 1..4 {
        assert!(visitor.get("/").text() == page, "the page is not what the origin sent");
        assert_eq!(connections.load(Ordering::SeqCst), number);
    }
}

#[test]
fn what_follows_an_answer_is_nobodys_answer() {
    const TWO: &[u8] = b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 2\r\n\r\nok\
                         HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 4\r\n\r\nevil";
    let ports = Arc::new(Mutex::new(HashSet::new()));
    let seen = ports.clone();
    let origin = RawOrigin::start(move |_, stream| {
        seen.lock().unwrap().insert(stream.peer_addr().unwrap());
        stream.write_all(TWO).is_ok()
    });
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    for number in 1..4 {
        assert_eq!(visitor.get("/").text(), "ok");
        assert_eq!(ports.lock().unwrap().len(), number, "a connection was used again");
    }
}

#[test]
fn an_origin_may_answer_before_it_has_the_whole_upload() {
    let origin = RawOrigin::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 413 Too Large\r\nCache-Control: no-store\r\nContent-Length: 3\r\n\r\nbig")
            .unwrap();
        // Reads on without ever being satisfied; the edge closes.
        let mut scrap = [0; 4096];
        while stream.read(&mut scrap).unwrap_or(0) > 0 {}
        false
    });
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    visitor.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000\r\n\r\npart of it");
    let answer = visitor.read_answer(false);
    assert_eq!((answer.status, answer.text().as_str()), (413, "big"));
}

#[test]
fn a_visitor_who_goes_away_in_an_upload_does_not_hurt_the_origin() {
    let (got, told) = std::sync::mpsc::sync_channel(1);
    let origin = RawOrigin::start(move |_, stream| {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        let _ = got.send(rest);
        false
    });
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    visitor.send(b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100\r\n\r\nhalf");
    until("the upload is at the origin", || edge.sites()[0].counts.request_body_bytes == 4);
    drop(visitor);
    assert!(told.recv().unwrap().len() <= 4, "no end was made up");
    assert_eq!(edge.sites()[0].origins[0].last_failure, None);
}

#[test]
fn a_connection_the_origin_closed_meanwhile_costs_nobody_an_answer() {
    let mut origin = Origin::start(|asked| support::origin::page(asked.method().as_str(), &[]));
    let address = origin.address;
    let edge = start(config(&[address]));
    let mut visitor = Visitor::connect(&edge);
    for round in 0..3 {
        for method in ["GET", "POST", "DELETE"] {
            let request = format!("{method} /{round} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\nx");
            visitor.send(request.as_bytes());
            assert_eq!(visitor.read_answer(false).text(), method);
        }
        origin.kill();
        origin = Origin::start_at(address, |asked| support::origin::page(asked.method().as_str(), &[]));
    }
}

#[test]
fn what_is_no_http_is_a_502_and_said_to_whom_it_concerns() {
    let origin = always(b"SSH-2.0-OpenSSH_9.6\r\n");
    let edge = start(config(&[origin.address]));
    assert_eq!(get(&edge, "/").status, 502);
    let said = edge.sites()[0].origins[0].last_failure.clone().unwrap();
    assert!(said.contains("no HTTP/1"), "{said}");
}

#[test]
fn requests_are_framed_anew() {
    let origin = always(b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 0\r\n\r\n");
    let edge = start(config(&[origin.address]));
    let mut visitor = Visitor::connect(&edge);
    for (request, framing) in [
        ("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n", "content-length: 0"),
        ("POST / HTTP/1.0\r\nConnection: keep-alive\r\nHost: a.test\r\n", "content-length: 0"),
        ("DELETE / HTTP/1.1\r\nHost: a.test\r\n", ""),
        ("GET / HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nTrailer: x\r\nExpect: 100-continue\r\n", ""),
    ] {
        visitor.send(format!("{request}\r\n").as_bytes());
        assert_eq!(visitor.read_answer(false).status, 200, "{request:?}");
        let head = origin.heads().pop().unwrap();
        let about_framing: Vec<&str> = head
            .lines()
            .filter(|line| {
                ["content-length", "transfer-encoding", "te:", "trailer", "expect"]
                    .iter()
                    .any(|f| line.starts_with(f))
            })
            .collect();
        assert_eq!(about_framing.join("|"), framing, "{request:?}");
    }
}
