//! What the guard lets pass, the HTTP library must frame into the same requests: otherwise one of
//! the two is wrong, and a request could be smuggled between them.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// The requests the library reads completely from `stream`.
async fn read_by_library(stream: &[u8]) -> Vec<ReadRequest> {
    let (mut client, server) = tokio::io::duplex(1 << 20);
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let seen = Arc::clone(&seen);
        async move {
            let mut body = Vec::new();
            while let Some(frame) = request.body_mut().frame().await {
                let Ok(frame) = frame else {
                    return Ok(Response::new(Empty::<Bytes>::new()));
                };
                body.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
            }
            let (head, _) = request.into_parts();
            let (method, target, fields) = (head.method, head.uri.to_string(), head.headers);
            seen.lock().unwrap().push(ReadRequest { method, target, fields, body });
            Ok::<_, Infallible>(Response::new(Empty::new()))
        }
    });
    client.write_all(stream).await.unwrap();
    client.shutdown().await.unwrap();
    // A stream that ends within a request ends the connection with an error; what was read counts.
    let connection = http1::Builder::new()
        .max_headers(GuardLimits::default().fields_max)
        .half_close(true)
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(server), service);
    let mut answers = Vec::new();
    let (_, read) = tokio::join!(connection, client.read_to_end(&mut answers));
    read.unwrap();
    Arc::into_inner(requests).unwrap().into_inner().unwrap()
}

/// Compares what both read: method, target, fields, body; says whether the guard let the stream pass at all.
fn compare(stream: &[u8]) -> bool {
    let (ours, verdict) = frame(stream);
    if verdict.is_err() {
        return false;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let theirs = runtime.block_on(read_by_library(stream));
    let shown = stream.escape_ascii();
    // After these the library stops reading; the guard goes on checking, which is harmless.
    let may_end_early =
        [&b"HTTP/1.0"[..], b"onnection"].iter().any(|sign| memchr::memmem::find(stream, sign).is_some());
    if may_end_early {
        assert!(ours.starts_with(&theirs), "{ours:?} and {theirs:?} in {shown}");
    } else {
        assert_eq!(ours, theirs, "{shown}");
    }
    true
}

#[test]
fn edge_cases_are_framed_alike() {
    for stream in [
        &b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0005\r\n\r\nhelloGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ChunKed\r\n\r\n0000000000000005;a=\";\"\r\nhello\r\n0;b\r\nT: u\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /a\"{}|\\^[]?`{}|\\^[] HTTP/1.1\r\nHost: a\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xc3\xbc?\xc3\xbc HTTP/1.1\r\nHost: a\r\nX: \xff\t\r\n\r\nGET http://my_host~1:80?q HTTP/1.1\r\nHost: my_host~1\r\n\r\n",
        b"!#$%&'*+-.^_`|~ / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~: x\r\n\r\nGET http://[::ffff:1.2.3.4]/ HTTP/1.1\r\nHost: [::ffff:1.2.3.4]\r\n\r\n",
        b"GET /HTTP/1.0 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        assert!(compare(stream), "refused: {}", stream.escape_ascii());
    }
}

#[test]
fn requests_at_the_limits_are_framed_alike() {
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(65536 - 30));
    assert!(compare(&[long.as_bytes(), GOOD].concat()));
    let fields = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(127));
    assert!(compare(&[fields.as_bytes(), GOOD].concat()));
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("1;{}\r\nx\r\n", "e".repeat(127));
    let trailers = "X: y\r\n".repeat(63);
    let long_trailer = "z".repeat(8192 - trailers.len() - "Z: \r\n\r\n".len());
    let body = format!("{}0\r\n{trailers}Z: {long_trailer}\r\n\r\n", chunk.repeat(64));
    assert!(compare(&[chunked.as_bytes(), body.as_bytes(), GOOD].concat()));
}

/// Every byte in every place where one byte may stand: method, target, names, values, chunk line.
#[test]
fn single_bytes_are_framed_alike() {
    let mut passed = 0;
    for byte in 0..=255 {
        for (before, after) in [
            (&b"G"[..], &b"T / HTTP/1.1\r\nHost: a\r\n\r\n"[..]),
            (b"GET /a", b"b HTTP/1.1\r\nHost: a\r\n\r\n"),
            (b"GET /a?b", b"c HTTP/1.1\r\nHost: a\r\n\r\n"),
            (b"GET http://a", b"/ HTTP/1.1\r\nHost: a\r\n\r\n"),
            (b"GET / HTTP/1.1", b"\r\nHost: a\r\n\r\n"),
            (b"GET / HTTP/1.1\r\n", b"Host: a\r\n\r\n"),
            (b"GET / HTTP/1.1\r\nHost: a\r\nX", b": b\r\n\r\n"),
            (b"GET / HTTP/1.1\r\nHost: a\r\nX:", b"b\r\n\r\n"),
            (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1", b"\r\n\r\n0123456789abcdefgh"),
            (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked", b"\r\n\r\n0\r\n\r\n"),
            (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1", b"\r\nx\r\n0\r\n\r\n"),
            (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"\r\nx\r\n0\r\n\r\n"),
            (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"\r\n\r\n"),
        ] {
            passed += usize::from(compare(&[before, &[byte], after].concat()));
        }
    }
    assert!(passed > 500, "only {passed} passed: nothing was compared");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_passes_is_framed_alike(stream in properties::stream()) {
        compare(&stream);
    }
}
