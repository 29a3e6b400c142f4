//! Well-formed requests, and how they are framed.

use super::*;

/// Checks that the stream passes in every split and holds requests with these bodies.
#[track_caller]
fn check(stream: &[u8], bodies: &[&[u8]]) {
    let shown = stream.escape_ascii();
    let (framed, verdict) = frame(stream);
    assert_eq!(verdict, Ok(()), "{shown}");
    assert_eq!(framed.iter().map(|request| &request.body[..]).collect::<Vec<_>>(), bodies, "{shown}");
    for at in 0..=stream.len() {
        let (first, second) = stream.split_at(at);
        let mut guard = guard();
        assert_eq!(guard.inspect(first), Ok(()), "split at {at}: {shown}");
        assert_eq!(guard.inspect(second), Ok(()), "split at {at}: {shown}");
        assert_eq!(guard.guard.position(), Position::Between, "split at {at}: {shown}");
        assert!(guard.guard.lines.capacity() <= FIELDS_KEPT, "an idle guard owns little memory");
    }
}

#[test]
fn heads() {
    for head in [
        &b"GET / HTTP/1.1\r\nHost: www.sos.example.gov\r\n\r\n"[..],
        b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"get-x!#$%&'*+-.^_`|~1 / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET //a/../b?c=[d]|e{f}^`g\\&h='i'%zz HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /stra\xc3\x9fe?q=\xc3\xbc HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /?a?b=http://c HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost:a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHOST:\t a.example:8080 \t\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 192.0.2.1:80\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: my_host~1.example.:\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY:   \r\nZ: a\tb \xe4 \"c\"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Lengths: x\r\nTransfer-Encodinx: y\r\nX_Y: z\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    ] {
        check(head, &[b""]);
    }
}

#[test]
fn absolute_targets_that_agree_with_host() {
    for (target, host) in [
        ("http://a/", "a"),
        ("HTTP://A.example/x?y", "a.EXAMPLE"),
        ("http://a", "a:80"),
        ("http://a:80/", "a"),
        ("http://a:/", "a:"),
        ("https://a/", "a:443"),
        ("https://a:443?q", "a"),
        ("http://a:8080/", "a:8080"),
        ("http://[2001:db8::1]:81/", "[2001:DB8::1]:81"),
    ] {
        check(format!("GET {target} HTTP/1.1\r\nX: y\r\nHost: {host}\r\n\r\n").as_bytes(), &[b""]);
    }
    check(b"GET http://a/ HTTP/1.0\r\n\r\n", &[b""]);
}

#[test]
fn bodies() {
    check(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", &[b"hello"]);
    check(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\t 0005 \r\n\r\n\r\n\n\0\r", &[b"\r\n\n\0\r"]);
    check(b"POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi", &[b"hi"]);
    let chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \tChunKed \r\n\r\n";
    for (body, data) in [
        (&b"0\r\n\r\n"[..], &b""[..]),
        (b"000\r\n\r\n", b""),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5;a=b;c=\"d e\"\r\nhello\r\n00;x\r\n\r\n", b"hello"),
        (b"0000000000000002\r\n\r\n\r\n1\r\n\n\r\n0\r\n\r\n", b"\r\n\n"),
        (b"A\r\n0\r\n\r\nGET /\r\n0\r\n\r\n", b"0\r\n\r\nGET /"),
        (b"1\r\nx\r\n0\r\nX-Checksum: 1\r\nY:\r\n\r\n", b"x"),
    ] {
        check(&[&chunked[..], body].concat(), &[data]);
    }
}

#[test]
fn pipelines() {
    check(
        b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
          \r\nPOST /2 HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ndef\r\n0\r\nT: u\r\n\r\n\
          GET http://c/3 HTTP/1.1\r\nHost: c\r\n\r\n\
          GET /4 HTTP/1.0\r\n\r\n\
          POST /5 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
        &[b"abc", b"def", b"", b"", b"x"],
    );
}

/// A host named by one request's target must not be held against the next one's Host.
#[test]
fn nothing_is_remembered_between_requests() {
    check(
        b"GET http://a/ HTTP/1.0\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n\
          POST / HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\
          POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 1\r\n\r\nx",
        &[b"", b"", b"", b"x"],
    );
}

#[test]
fn the_position_in_an_unfinished_request_is_told() {
    for (stream, position) in [
        (&b""[..], Position::Between),
        (b"G", Position::Head),
        (b"\r\n", Position::Head),
        (b"GET / HTTP/1.1\r\n", Position::Head),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r", Position::Head),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx", Position::Body),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", Position::Body),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx", Position::Body),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX", Position::Body),
    ] {
        let mut guard = guard();
        assert_eq!(guard.inspect(stream), Ok(()));
        assert_eq!(guard.guard.position(), position, "{}", stream.escape_ascii());
    }
}

#[test]
fn an_idle_guard_is_small() {
    assert!(size_of::<RequestGuard>() <= 120, "{}", size_of::<RequestGuard>());
}
