//! What is bounded, at the bound and one beyond it.

use super::*;

const LIMITS: GuardLimits = GuardLimits { head_bytes_max: 200, fields_max: 4 };

/// Checks that `request` passes whole and byte by byte.
#[track_caller]
fn check_passes(limits: GuardLimits, request: &[u8]) {
    assert_eq!(feed(limits, [request]), (Ok(()), request.len()));
    assert_eq!(feed(limits, request.chunks(1)), (Ok(()), request.len()));
}

fn head_of(bytes: usize, before: &str) -> Vec<u8> {
    let fixed = format!("{before}GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n").len();
    let filler = "x".repeat(bytes - fixed);
    format!("{before}GET / HTTP/1.1\r\nHost: a\r\nX: {filler}\r\n\r\n").into_bytes()
}

#[test]
fn head_bytes() {
    check_passes(LIMITS, &head_of(200, ""));
    check_refused(LIMITS, &head_of(201, ""), FaultKind::HeadTooLarge);
    check_passes(LIMITS, &head_of(200, "\r\n\r\n"));
    check_refused(LIMITS, &head_of(201, "\r\n\r\n"), FaultKind::HeadTooLarge);
    let long_target = format!("GET /{} HTTP/1.1\r\n", "x".repeat(200));
    check_refused(LIMITS, long_target.as_bytes(), FaultKind::HeadTooLarge);
    // No line end at all, and a line both too long and faulty.
    check_refused(LIMITS, &[b'x'; 201], FaultKind::HeadTooLarge);
    check_refused(LIMITS, &[&[0; 300][..], b"\n"].concat(), FaultKind::HeadTooLarge);
}

#[test]
fn the_default_head_is_64_kib_and_128_fields() {
    let limits = GuardLimits::default();
    check_passes(limits, &head_of(65536, ""));
    assert_eq!(feed(limits, [&head_of(65537, "")[..]]).0, Err(FaultKind::HeadTooLarge));
    let fields = |count| format!("GET / HTTP/1.0\r\n{}\r\n", "X: y\r\n".repeat(count));
    check_passes(limits, fields(128).as_bytes());
    check_refused(limits, fields(129).as_bytes(), FaultKind::TooManyFields);
}

/// What is kept of an unfinished head never holds more than the limit, whatever arrives.
#[test]
fn kept_bytes_are_bounded() {
    let mut guard = Requests::new(LIMITS);
    for _ in 0..200 {
        assert_eq!(guard.inspect(b"x"), Ok(()));
        assert!(guard.input.len() <= LIMITS.head_bytes_max);
    }
    assert_eq!(guard.inspect(b"x").unwrap_err().kind, FaultKind::HeadTooLarge);
    assert_eq!(guard.input.capacity(), 0);
}

const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn chunk_extensions() {
    let limits = GuardLimits::default();
    let line = |bytes: usize| format!("{CHUNKED}1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(bytes - "1;\r\n".len()));
    check_passes(limits, line(256).as_bytes());
    check_refused(limits, line(257).as_bytes(), FaultKind::ChunkExtension);
    check_refused(limits, format!("{CHUNKED}{}", "0".repeat(257)).as_bytes(), FaultKind::ChunkExtension);
    // 128 extension bytes a chunk: the 65th chunk is beyond 8 KiB.
    let chunk = format!("1;{}\r\nx\r\n", "e".repeat(127));
    check_passes(limits, format!("{CHUNKED}{}0\r\n\r\n", chunk.repeat(64)).as_bytes());
    let body = format!("{CHUNKED}{}0\r\n\r\n", chunk.repeat(65));
    assert_eq!(feed(limits, [body.as_bytes()]), (Err(FaultKind::ChunkExtension), 0));
    assert_eq!(feed(limits, body.as_bytes().chunks(1)).0, Err(FaultKind::ChunkExtension));
}

#[test]
fn trailers() {
    let limits = GuardLimits::default();
    let many = |count| format!("{CHUNKED}0\r\n{}\r\n", "X: y\r\n".repeat(count));
    check_passes(limits, many(64).as_bytes());
    check_refused(limits, many(65).as_bytes(), FaultKind::TrailersTooLarge);
    let long = |bytes: usize| format!("{CHUNKED}0\r\nX: {}\r\n\r\n", "y".repeat(bytes - "X: \r\n\r\n".len()));
    check_passes(limits, long(8192).as_bytes());
    assert_eq!(feed(limits, [long(8193).as_bytes()]), (Err(FaultKind::TrailersTooLarge), 0));
    assert_eq!(feed(limits, long(8193).as_bytes().chunks(1)).0, Err(FaultKind::TrailersTooLarge));
}
