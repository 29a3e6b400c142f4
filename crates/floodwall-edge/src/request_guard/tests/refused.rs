//! Malformed lines, targets, fields and hosts, one row each.

use super::FaultKind::*;
use super::*;

#[test]
fn line_ends() {
    check_streams(&[
        (b"GET / HTTP/1.1\nHost: a\n\n", BareLf),
        (b"GET / HTTP/1.1\r\nHost: a\n\r\n", BareLf),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\n", BareLf),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: y\nContent-Length: 3\r\n\r\nabc", BareLf),
        (b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", BareLf),
        (b"GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", BareCr),
        (b"GET /\rx HTTP/1.1\r\nHost: a\r\n\r\n", BareCr),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n", BareCr),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX\r: y\r\n\r\n", BareCr),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n", BareCr),
        (b"\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", EmptyLines),
    ]);
}

#[test]
fn request_lines() {
    check_streams(&[
        (b"GET /\r\n\r\n", RequestLine),
        (b"GET\r\n", RequestLine),
        (b"GET  / HTTP/1.1\r\n", RequestLine),
        (b"GET /  HTTP/1.1\r\n", RequestLine),
        (b"GET / x HTTP/1.1\r\n", RequestLine),
        (b"GET\t/ HTTP/1.1\r\n", RequestLine),
        (b"GET /\tx HTTP/1.1\r\n", RequestLine),
        (b"GET / HTTP/1.1 \r\n", RequestLine),
        (b"GET / http/1.1\r\n", RequestLine),
        (b"GET / HTTP/1.\r\n", RequestLine),
        (b"GET / HTTP/1.10\r\n", RequestLine),
        (b"GET / HTTP/+1.1\r\n", RequestLine),
        (b"GE(T / HTTP/1.1\r\n", RequestLine),
        (b"G\x80T / HTTP/1.1\r\n", RequestLine),
        (b" GET / HTTP/1.1\r\n", LeadingWhitespace),
        (b"\tGET / HTTP/1.1\r\n", LeadingWhitespace),
        (b"\x16\x03\x01\x02\x00\x01\x00\n", BareLf),
        (b"GET / HTTP/1.2\r\n", Version),
        (b"GET / HTTP/0.9\r\n", Version),
        (b"GET / HTTP/2.0\r\n", Version),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Version),
    ]);
}

#[test]
fn targets() {
    check_streams(&[
        (b"GET x HTTP/1.1\r\n", Target),
        (b"GET ?x HTTP/1.1\r\n", Target),
        (b"GET * HTTP/1.1\r\n", Target),
        (b"OPTIONS ** HTTP/1.1\r\n", Target),
        (b"GET a.example:80 HTTP/1.1\r\n", Target),
        (b"GET /a#b HTTP/1.1\r\n", Target),
        (b"GET /a?b#c HTTP/1.1\r\n", Target),
        (b"GET /a\x00b HTTP/1.1\r\n", Target),
        (b"GET /a\x7fb HTTP/1.1\r\n", Target),
        (b"GET /a\x0bb HTTP/1.1\r\n", Target),
        (b"GET /a\xffb HTTP/1.1\r\n", Target),
        (b"GET /<script> HTTP/1.1\r\n", Target),
        (b"GET /?\" HTTP/1.1\r\n", Target),
        (b"GET /?> HTTP/1.1\r\n", Target),
        (b"GET http:///x HTTP/1.1\r\n", Target),
        (b"GET http:/x HTTP/1.1\r\n", Target),
        (b"GET ftp://a/ HTTP/1.1\r\n", Target),
        (b"GET http://user@a/ HTTP/1.1\r\n", Target),
        (b"GET http://a:99999/ HTTP/1.1\r\n", Target),
        (b"GET http://a:b/ HTTP/1.1\r\n", Target),
        (b"GET http://[::1/ HTTP/1.1\r\n", Target),
        (b"GET http://a#/ HTTP/1.1\r\n", Target),
        (b"CONNECT a.example:443 HTTP/1.1\r\n", ConnectMethod),
        (b"CONNECT / HTTP/1.1\r\n", ConnectMethod),
    ]);
}

#[test]
fn field_lines() {
    check_streams(&[
        (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", LeadingWhitespace),
        (b"GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", LeadingWhitespace),
    ]);
    check_fields(&[
        (b"X: a\r\n b", ObsFold),
        (b"X: a\r\n\tb", ObsFold),
        (b"X: a\r\n ", ObsFold),
        (b"X: a\r\n Transfer-Encoding: chunked", ObsFold),
        (b"X : a", SpaceBeforeColon),
        (b"X\t: a", SpaceBeforeColon),
        (b"X \t : a", SpaceBeforeColon),
        (b": a", FieldName),
        (b"X", FieldName),
        (b"X y", FieldName),
        (b"X y: z", FieldName),
        (b"GET /smuggled HTTP/1.1", FieldName),
        (b"X(y): a", FieldName),
        (b"X\x00: a", FieldName),
        (b"\x0bX: a", FieldName),
        (b"X\xc3\xa9: a", FieldName),
        (b"X@: a", FieldName),
        (b"X: a\x00b", ControlCharacter),
        (b"X: a\x0bb", ControlCharacter),
        (b"X: a\x08", ControlCharacter),
        (b"X: a\x7f", ControlCharacter),
        (b"X: a\x1b[31m", ControlCharacter),
    ]);
}

#[test]
fn hosts() {
    check_streams(&[
        (b"GET / HTTP/1.1\r\n\r\n", HostMissing),
        (b"GET http://a/ HTTP/1.1\r\n\r\n", HostMissing),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", HostRepeated),
        (b"GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n", HostRepeated),
        (b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", HostRepeated),
        (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", HostValue),
        (b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", HostValue),
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", HostValue),
        (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HostValue),
        (b"GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", HostValue),
        (b"GET / HTTP/1.1\r\nHost: a%00b\r\n\r\n", HostValue),
        (b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", HostValue),
        (b"GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", HostValue),
        (b"GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", HostValue),
        (b"GET / HTTP/1.1\r\nHost: a:+80\r\n\r\n", HostValue),
        (b"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", HostValue),
        (b"GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", HostValue),
        (b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", HostValue),
        (b"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", HostValue),
        (b"GET / HTTP/1.1\r\nHost: [g]\r\n\r\n", HostValue),
        (b"GET / HTTP/1.1\r\nHost: b\xc3\xbccher.example\r\n\r\n", HostValue),
        (b"GET / HTTP/1.1\r\nHost: \"a\"\r\n\r\n", HostValue),
        (b"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", HostDisagrees),
        (b"GET http://a/ HTTP/1.0\r\nHost: b\r\n\r\n", HostDisagrees),
        (b"GET http://a/ HTTP/1.1\r\nX: y\r\nHost: a.b\r\n\r\n", HostDisagrees),
        (b"GET http://a:81/ HTTP/1.1\r\nHost: a\r\n\r\n", HostDisagrees),
        (b"GET https://a/ HTTP/1.1\r\nHost: a:80\r\n\r\n", HostDisagrees),
        (b"GET http://[::1]/ HTTP/1.1\r\nHost: [::2]\r\n\r\n", HostDisagrees),
    ]);
}

#[test]
fn every_kind_is_told_apart_and_explained() {
    let names: std::collections::BTreeSet<_> = FaultKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(names.len(), FaultKind::ALL.len());
    for kind in FaultKind::ALL {
        assert!(kind.status().is_client_error() || kind.status().is_server_error());
        assert!(kind.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
        assert!(kind.explanation().ends_with('.'));
    }
    for (kind, status) in
        [(BareLf, 400), (Version, 505), (ConnectMethod, 501), (HeadTooLarge, 431), (TooManyFields, 431)]
    {
        assert_eq!(kind.status().as_u16(), status);
    }
    let fault = Fault { kind: HostMissing, accepted: 0 };
    assert_eq!(fault.kind.explanation(), "The Host header is missing.");
}
