//! Properties over generated streams.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A request as a client might build it, or nearly so.
pub(super) fn request() -> impl Strategy<Value = Vec<u8>> {
    let target = prop_oneof![Just("/"), Just("/a?b=c"), Just("http://a/x"), Just("//x"), Just("/%2e")];
    let fields = vec(("[A-Za-z][A-Za-z0-9-]{0,8}", "[ -~]{0,12}"), 0..4);
    (target, fields, body()).prop_map(|(target, fields, body)| {
        let mut request = format!("POST {target} HTTP/1.1\r\nHost: a\r\n").into_bytes();
        for (name, value) in fields {
            request.extend_from_slice(format!("X-{name}: {value}\r\n").as_bytes());
        }
        request.extend_from_slice(&body);
        request
    })
}

/// The framing fields, the empty line and the body.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let data = || vec(any::<u8>(), 1..20);
    prop_oneof![
        Just(b"\r\n".to_vec()),
        vec(any::<u8>(), 0..20).prop_map(|data| {
            let head = format!("Content-Length: {}\r\n\r\n", data.len());
            [head.as_bytes(), &data].concat()
        }),
        (vec((data(), "(;[a-z]{1,3}(=[a-z]{1,3})?)?"), 0..4), "(T-[a-z]{1,4}: [a-z]{0,4}\r\n){0,2}")
            .prop_map(|(chunks, trailers)| {
                let mut body = b"Transfer-Encoding: chunked\r\n\r\n".to_vec();
                for (data, extension) in chunks {
                    body.extend_from_slice(format!("{:x}{extension}\r\n", data.len()).as_bytes());
                    body.extend_from_slice(&data);
                    body.extend_from_slice(b"\r\n");
                }
                body.extend_from_slice(format!("0\r\n{trailers}\r\n").as_bytes());
                body
            }),
    ]
}

/// Pieces whose combinations are the interesting malformed streams.
const PIECES: [&[u8]; 30] = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"\0",
    b"#",
    b"0",
    b"5",
    b"f",
    b"/",
    b"*",
    b"GET ",
    b"OPTIONS ",
    b"/ HTTP/1.1\r\n",
    b"HTTP/1.0",
    b"GET / HTTP/1.1\r\nHost: a\r\n",
    b"http://a",
    b"Host: a\r\n",
    b"Host: b",
    b"Content-Length: ",
    b"Transfer-Encoding: ",
    b"chunked",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b"\xff",
];

/// Streams of requests, some with a piece put somewhere, some of pieces alone.
pub(super) fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = || prop::sample::select(&PIECES[..]);
    let broken = (vec(request(), 1..4), vec((any::<prop::sample::Index>(), piece(), 0..4usize), 0..3));
    prop_oneof![
        broken.prop_map(|(requests, edits)| {
            let mut stream = requests.concat();
            for (at, piece, dropped) in edits {
                let at = at.index(stream.len());
                let end = (at + dropped).min(stream.len());
                stream.splice(at..end, piece.iter().copied());
            }
            stream
        }),
        vec(piece(), 0..30).prop_map(|pieces| pieces.concat()),
    ]
}

/// Cuts `stream` at the given places.
fn cut<'a>(stream: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    places.sort_unstable();
    let mut rest = stream;
    let mut chunks = Vec::new();
    let mut from = 0;
    for place in places {
        let (chunk, tail) = rest.split_at(place - from);
        chunks.push(chunk);
        (rest, from) = (tail, place);
    }
    chunks.push(rest);
    chunks
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn the_split_does_not_matter(stream in stream(), cuts in vec(any::<prop::sample::Index>(), 0..8)) {
        let limits = GuardLimits { head_bytes_max: 120, fields_max: 4 };
        let (verdict, passed) = feed(limits, [&stream[..]]);
        let (cut_verdict, cut_passed) = feed(limits, cut(&stream, &cuts));
        prop_assert_eq!(verdict, cut_verdict);
        // A split may let a faulty request's beginning pass, but never holds back what was whole.
        prop_assert!(cut_passed >= passed);
        prop_assert_eq!(verdict, feed(limits, stream.chunks(1)).0);
    }

    #[test]
    fn well_formed_requests_pass(requests in vec(request(), 0..5), cuts in vec(any::<prop::sample::Index>(), 0..8)) {
        let stream = requests.concat();
        let mut guard = guard();
        for chunk in cut(&stream, &cuts) {
            prop_assert_eq!(guard.inspect(chunk), Ok(()));
        }
        prop_assert_eq!(guard.guard.position(), Position::Between);
        prop_assert_eq!(frame(&stream).0.len(), requests.len());
    }

    /// Complete requests before a fault pass, to the byte.
    #[test]
    fn requests_before_a_fault_pass(requests in vec(request(), 0..5)) {
        let whole = requests.concat();
        let stream = [&whole[..], b"GET / HTTP/1.1\nHost: a\n\n"].concat();
        prop_assert_eq!(guard().inspect(&stream), Err(Fault { kind: FaultKind::BareLf, accepted: whole.len() }));
    }

    #[test]
    fn random_bytes_never_panic(chunks in vec(vec(any::<u8>(), 0..50), 0..10)) {
        let mut guard = guard();
        for chunk in &chunks {
            if let Err(fault) = guard.inspect(chunk) {
                prop_assert!(fault.accepted <= chunk.len());
            }
        }
    }
}
