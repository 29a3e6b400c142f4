//! What is written is taken apart by the HTTP/2 library, and its server is flooded in this process.

use std::collections::BTreeSet;

use super::barrage::Provocation;
use super::frames::{Block, PAYLOAD_BYTES_MAX};
use super::*;
use crate::scenario::FloodKind;

const HOST: &str = "www.vote.example";

/// Kind, flags, stream and payload.
type Frame = (u8, u8, u32, Vec<u8>);

fn taken_apart(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let [a, b, c, kind, flags, d, e, f, g, rest @ ..] = bytes {
        let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap();
        let (payload, rest) = rest.split_at(length);
        frames.push((*kind, *flags, u32::from_be_bytes([*d, *e, *f, *g]), payload.to_vec()));
        bytes = rest;
    }
    assert!(bytes.is_empty());
    frames
}

fn batches(kind: FloodKind, number: u64, count: usize) -> Vec<Vec<Frame>> {
    let mut barrage = Barrage::new(kind, HOST, number);
    let mut batch = || {
        let mut out = Vec::new();
        barrage.batch(&mut out);
        taken_apart(&out)
    };
    (0..count).map(|_| batch()).collect()
}

#[test]
fn a_rapid_reset_is_a_request_and_its_cancellation() {
    let frames = batches(FloodKind::H2RapidReset, 7, 2).concat();
    assert_eq!(frames.len(), 400);
    let mut blocks = BTreeSet::new();
    for (pair, stream) in frames.chunks(2).zip((1..).step_by(2)) {
        assert_eq!(
            (pair[0].0, pair[0].1, pair[0].2),
            (kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream)
        );
        assert_eq!((pair[1].0, pair[1].2, &pair[1].3[..]), (kind::RST_STREAM, stream, &[0, 0, 0, 8][..]));
        blocks.insert(pair[0].3.clone());
    }
    assert_eq!(blocks.len(), 200, "each asks for something else");
}

#[test]
fn a_continuation_flood_begins_once_and_never_ends() {
    let frames = batches(FloodKind::H2Continuation, 7, 3).concat();
    assert_eq!(frames.len(), 300);
    assert_eq!((frames[0].0, frames[0].1), (kind::HEADERS, flag::END_STREAM));
    assert!(frames[1..].iter().all(|frame| (frame.0, frame.1, frame.2) == (kind::CONTINUATION, 0, 1)));
}

#[test]
fn every_provocation_is_a_whole_request_and_one_frame_too_many() {
    for (number, provocation) in (0..).zip(Provocation::ALL) {
        let frames = batches(FloodKind::H2MadeYouReset, number, 1).concat();
        assert_eq!(frames.len(), 200);
        for pair in frames.chunks(2) {
            let (request, extra) = (&pair[0], &pair[1]);
            assert_eq!((request.0, request.1 & flag::END_HEADERS), (kind::HEADERS, flag::END_HEADERS));
            assert_eq!(request.2, extra.2);
            let ended = request.1 & flag::END_STREAM != 0;
            let expected: (u8, &[u8], bool) = match provocation {
                Provocation::WindowByZero => (kind::WINDOW_UPDATE, &[0; 4], true),
                Provocation::WindowTooLarge => (kind::WINDOW_UPDATE, &[0x7f, 0xff, 0xff, 0xff], true),
                Provocation::DataAfterEnd => (kind::DATA, b"xx", true),
                Provocation::DataBeyondLength => (kind::DATA, b"xx", false),
                Provocation::DependsOnItself => {
                    assert_eq!(extra.3[..4], request.2.to_be_bytes());
                    (kind::PRIORITY, &extra.3, true)
                }
            };
            assert_eq!((extra.0, &extra.3[..], ended), expected, "{provocation:?}");
        }
    }
}

#[test]
fn a_header_bomb_fills_its_frames_with_one_byte_each() {
    let frames = batches(FloodKind::H2HeaderBomb, 7, 3);
    // The first makes the server remember: a literal to be indexed, then a name of six.
    assert!(frames[0][0].3.windows(8).any(|window| window == b"\x40\x06x-bomb"));
    for batch in &frames[1..] {
        assert_eq!((batch.len(), batch[0].3.len()), (1, PAYLOAD_BYTES_MAX));
        assert!(batch[0].3.iter().filter(|byte| **byte == 0xbe).count() > 16_000);
        assert_eq!(batch[0].1, flag::END_HEADERS);
    }
}

#[test]
fn frames_are_told_apart_however_they_come() {
    let mut bytes = Vec::new();
    put(&mut bytes, kind::SETTINGS, 0, 0, &[0; 18]);
    put(&mut bytes, kind::DATA, flag::END_STREAM, 1, &[kind::GOAWAY; 700]);
    put(&mut bytes, kind::GOAWAY, 0, 0, &[0; 8]);
    for piece in [1, 2, 7, 9, 10, 64, 10_000] {
        let mut heads = FrameHeads::default();
        let found: Vec<_> = bytes.chunks(piece).flat_map(|chunk| heads.take(chunk)).collect();
        assert_eq!(found, [(kind::SETTINGS, 0), (kind::DATA, 1), (kind::GOAWAY, 0)], "{piece}");
    }
}

/// What the library's server makes of the greeting and of these frames, on one connection.
async fn served(frames: Vec<u8>, requests: usize) -> Vec<http::Request<()>> {
    let (mut client, server) = tokio::io::duplex(1 << 20);
    let client = async {
        let heads = greet(&mut client).await.unwrap();
        client.write_all(&frames).await.unwrap();
        (client, heads)
    };
    let server = async {
        let mut connection = h2::server::Builder::new()
            .max_header_list_size(1 << 30)
            .handshake::<_, bytes::Bytes>(server)
            .await
            .unwrap();
        let mut seen = Vec::new();
        while seen.len() < requests {
            let (request, _) = connection.accept().await.unwrap().unwrap();
            seen.push(request.map(drop));
        }
        seen
    };
    tokio::join!(client, server).1
}

#[tokio::test]
async fn the_library_reads_what_is_written() {
    let mut frames = Vec::new();
    let mut block = Block::request(false, HOST, "/deadlines?x=1");
    // Longer than fits the length's first byte, and than the three that follow.
    block.remembered("x-long", &"y".repeat(4_000));
    put(&mut frames, kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 1, block.bytes());
    let mut block = Block::request(true, HOST, "/register");
    block.content_length(130);
    block.field("x-own", &"z".repeat(127));
    // The newest entry of the table, twice.
    let bytes = [block.bytes(), &[0xbe, 0xbe]].concat();
    put(&mut frames, kind::HEADERS, flag::END_HEADERS, 3, &bytes);
    let seen = served(frames, 2).await;
    assert_eq!(seen[0].uri().to_string(), "https://www.vote.example/deadlines?x=1");
    assert_eq!((seen[0].method().as_str(), seen[1].method().as_str()), ("GET", "POST"));
    assert_eq!(seen[0].headers()["x-long"], "y".repeat(4_000));
    assert_eq!(seen[1].headers()["x-own"], "z".repeat(127));
    assert_eq!(seen[1].headers()["content-length"], "130");
    assert_eq!(seen[1].headers().get_all("x-long").iter().count(), 2);
}

#[tokio::test]
async fn a_header_bomb_means_64_mib() {
    let mut barrage = Barrage::new(FloodKind::H2HeaderBomb, HOST, 7);
    let mut frames = Vec::new();
    barrage.batch(&mut frames);
    barrage.batch(&mut frames);
    assert!(frames.len() < 21_000);
    let seen = served(frames, 2).await;
    let bytes: usize = seen[1].headers().get_all("x-bomb").iter().map(http::HeaderValue::len).sum();
    assert!(bytes > 61 << 20, "{bytes}");
}

/// Floods the library's server as it comes for ten seconds of paused time, and says what became of
/// the connection.
async fn flooded(kind: FloodKind, number: u64) -> Fate {
    let (client, server) = tokio::io::duplex(1 << 20);
    let server = tokio::spawn(async move {
        let mut connection = h2::server::Builder::new()
            .max_header_list_size(16_384)
            .handshake::<_, bytes::Bytes>(server)
            .await
            .unwrap();
        while let Some(Ok((_request, mut respond))) = connection.accept().await {
            let _ = respond.send_response(http::Response::new(()), true);
        }
    });
    let flood = flood(client, Barrage::new(kind, HOST, number), |_| ());
    let fate = tokio::time::timeout(Duration::from_secs(10), flood).await.unwrap_or(Fate::Served);
    server.abort();
    fate
}

#[tokio::test(start_paused = true)]
async fn a_server_that_guards_itself_ends_the_flood() {
    let provocations = 0..u64::try_from(Provocation::ALL.len()).unwrap();
    let others = [(FloodKind::H2RapidReset, 0), (FloodKind::H2Continuation, 0)];
    let kinds = others.into_iter().chain(provocations.map(|number| (FloodKind::H2MadeYouReset, number)));
    let mut said = String::new();
    for (kind, number) in kinds {
        said.push_str(&format!("{} {number}: {:?}\n", kind.as_str(), flooded(kind, number).await));
    }
    insta::assert_snapshot!(said);
}
