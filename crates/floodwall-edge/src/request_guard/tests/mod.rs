//! What the guard refuses and lets pass, in any split.

mod accepted;
mod against_library;
mod limits;
mod properties;
mod refused;
mod smuggled;

use super::*;
use crate::fuzzing::{Fault, ReadRequest, Requests};

/// A request that is fine, put before faulty ones.
const GOOD: &[u8] = b"GET /before HTTP/1.1\r\nHost: a.example\r\n\r\n";

fn guard() -> Requests {
    Requests::new(GuardLimits::default())
}

/// Feeds `stream` byte by byte: the requests that are whole, and the verdict.
fn frame(stream: &[u8]) -> (Vec<ReadRequest>, Result<(), FaultKind>) {
    let mut requests = guard();
    let verdict = stream.chunks(1).try_for_each(|byte| requests.inspect(byte));
    (requests.whole, verdict.map_err(|fault| fault.kind))
}

/// Feeds the chunks; the verdict, and how many bytes of the stream may be passed on in all.
fn feed<'a>(
    limits: GuardLimits,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Result<(), FaultKind>, usize) {
    let mut guard = Requests::new(limits);
    let mut passed = 0;
    for chunk in chunks {
        match guard.inspect(chunk) {
            Ok(()) => passed += chunk.len(),
            Err(fault) => {
                assert!(fault.accepted <= chunk.len());
                assert!(guard.guard.lines.capacity() == 0, "a faulted guard keeps nothing");
                assert_eq!(guard.inspect(b"GET"), Err(Fault { kind: fault.kind, accepted: 0 }));
                return (Err(fault.kind), passed + fault.accepted);
            }
        }
    }
    (Ok(()), passed)
}

/// Checks that `request` is refused with `kind`, whole, in every split in two and byte by byte,
/// alone and behind a good request, which stays answerable.
#[track_caller]
fn check_refused(limits: GuardLimits, request: &[u8], kind: FaultKind) {
    for before in [&b""[..], GOOD] {
        let stream = [before, request].concat();
        let shown = request.escape_ascii();
        assert_eq!(feed(limits, [&stream[..]]), (Err(kind), before.len()), "whole: {shown}");
        assert_eq!(feed(limits, stream.chunks(1)).0, Err(kind), "byte by byte: {shown}");
        for at in 1..stream.len() {
            let (first, second) = stream.split_at(at);
            let (verdict, passed) = feed(limits, [first, second]);
            assert_eq!(verdict, Err(kind), "split at {at}: {shown}");
            // Either the fault shows in the first chunk, or that chunk has gone already.
            let held_back = feed(limits, [first]).0.is_err();
            let expected = if held_back { before.len() } else { before.len().max(at) };
            assert_eq!(passed, expected, "split at {at}: {shown}");
        }
    }
}

/// Rows of a whole stream and the fault in it.
#[track_caller]
fn check_streams(rows: &[(&[u8], FaultKind)]) {
    for (request, kind) in rows {
        check_refused(GuardLimits::default(), request, *kind);
    }
}

/// Rows of field lines (with Host and the line ends around them added) and the fault in them.
#[track_caller]
fn check_fields(rows: &[(&[u8], FaultKind)]) {
    for (fields, kind) in rows {
        let request = [b"POST /x HTTP/1.1\r\nHost: a.example\r\n", *fields, b"\r\n\r\n"].concat();
        check_refused(GuardLimits::default(), &request, *kind);
    }
}

/// Rows of a chunked body and the fault in it.
#[track_caller]
fn check_chunked(rows: &[(&[u8], FaultKind)]) {
    for (body, kind) in rows {
        let head = b"POST /x HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n";
        check_refused(GuardLimits::default(), &[&head[..], *body].concat(), *kind);
    }
}
