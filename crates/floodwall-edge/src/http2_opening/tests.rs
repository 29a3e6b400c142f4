use proptest::prelude::*;

use super::*;
use crate::fuzzing::read_opening;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let payload =
        settings.iter().flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat());
    frame(SETTINGS, 0, 0, &payload.collect::<Vec<u8>>())
}

fn opening(frames: &[Vec<u8>]) -> Vec<u8> {
    [PREFACE, &frames.concat()].concat()
}

/// `GET https://a.test/`: method, authority, scheme, path, then `user-agent`.
const M_A_S_P: &[u8] = b"\x82\x41\x06a.test\x87\x84\x7a\x01x";

#[test]
fn clients_are_told_apart_by_how_they_open() {
    let chrome = settings(&[(1, 65_536), (2, 0), (4, 6_291_456), (6, 262_144)]);
    let window = frame(WINDOW_UPDATE, 0, 0, &15_663_105_u32.to_be_bytes());
    let with_priority = [&[0x80, 0, 0, 0, 255], M_A_S_P].concat();
    let padded = [&[3], &with_priority[..], &[0; 3]].concat();
    for (case, frames, line) in [
        (
            "Chrome",
            vec![chrome.clone(), window.clone(), frame(HEADERS, 0x25, 1, &with_priority)],
            "1:65536,2:0,4:6291456,6:262144|15663105|0|m,a,s,p",
        ),
        (
            "padded",
            vec![chrome.clone(), window.clone(), frame(HEADERS, 0x2D, 1, &padded)],
            "1:65536,2:0,4:6291456,6:262144|15663105|0|m,a,s,p",
        ),
        (
            "Firefox as it was, with its tree of priorities",
            vec![
                settings(&[(1, 65_536), (4, 131_072), (5, 16_384)]),
                frame(WINDOW_UPDATE, 0, 0, &12_517_377_u32.to_be_bytes()),
                frame(PRIORITY, 0, 3, &[0, 0, 0, 0, 200]),
                frame(PRIORITY, 0, 5, &[0x80, 0, 0, 3, 0]),
                frame(HEADERS, 4, 15, b"\x82\x84\x41\x06a.test\x87"),
            ],
            "1:65536,4:131072,5:16384|12517377|3:0:0:201,5:1:3:1|m,p,a,s",
        ),
        (
            "a program with nothing of its own",
            vec![settings(&[]), frame(HEADERS, 4, 1, b"\x82\x87\x84\x01\x06a.test")],
            "|00|0|m,s,p,a",
        ),
        (
            "a stream's window and an answer to settings say nothing",
            vec![
                settings(&[(3, 100)]),
                frame(SETTINGS, FLAG_ACK, 0, &[]),
                frame(WINDOW_UPDATE, 0, 1, &9_u32.to_be_bytes()),
                frame(HEADERS, 4, 1, b"\x3f\xe1\x1f\x83\x86\x04\x02/x\x1f\x50\x01z"),
            ],
            "3:100|00|0|m,s,p",
        ),
        (
            "a name in full is not a pseudo-field known here",
            vec![settings(&[]), frame(HEADERS, 4, 1, b"\x82\x00\x05:path\x01/")],
            "|00|0|m",
        ),
        (
            "a block that breaks off within a number",
            vec![settings(&[]), frame(HEADERS, 0, 1, b"\x82\x41\xff\xff")],
            "|00|0|m",
        ),
    ] {
        let stream = opening(&frames);
        for chunk_bytes in [1, 7, stream.len()] {
            assert_eq!(read_opening(&stream, chunk_bytes), Step::Told(line.to_owned()), "{case}");
        }
    }
}

#[test]
fn what_cannot_be_told_ends_the_reading() {
    let many: Vec<(u16, u32)> = (0..17).map(|id| (id, 0)).collect();
    let half = frame(SETTINGS, 0, 0, &[0, 1, 0]);
    let priorities: Vec<Vec<u8>> = (0..9).map(|_| frame(PRIORITY, 0, 3, &[0; 5])).collect();
    let pings: Vec<Vec<u8>> = (0..300).map(|_| frame(6, 0, 0, &[0; 8])).collect();
    for (case, stream) in [
        ("another protocol", b"GET / HTTP/1.1\r\n".to_vec()),
        ("too many settings", opening(&[settings(&many)])),
        ("half a setting", opening(&[half])),
        ("too many priorities", opening(&priorities)),
        ("a flood before the first request", opening(&pings)),
        ("padding without its length", opening(&[frame(HEADERS, FLAG_PADDED, 1, &[])])),
    ] {
        assert_eq!(read_opening(&stream, stream.len()), Step::Nothing, "{case}");
        assert_eq!(read_opening(&stream, 1), Step::Nothing, "{case}, byte by byte");
    }
    assert_eq!(read_opening(&opening(&[settings(&[(1, 2)])]), 3), Step::Reading);
}

#[test]
fn a_long_header_is_told_by_its_first_fields() {
    let cookies = vec![b'c'; OPENING_BYTES_MAX];
    let block = [M_A_S_P, &cookies[..]].concat();
    let stream = opening(&[settings(&[(1, 2)]), frame(HEADERS, 0, 1, &block)]);
    for chunk_bytes in [1, 1000, stream.len()] {
        assert_eq!(read_opening(&stream, chunk_bytes), Step::Told("1:2|00|0|m,a,s,p".to_owned()));
    }
}

proptest! {
    #[test]
    fn any_frames_keep_the_promises(
        frames in prop::collection::vec(
            (0_u8..10, any::<u8>(), 0_u32..4, prop::collection::vec(any::<u8>(), 0..64)), 0..12),
        choice in any::<u8>(),
    ) {
        let frames: Vec<u8> =
            frames.iter().flat_map(|(kind, flags, stream, payload)| frame(*kind, *flags, *stream, payload)).collect();
        crate::fuzzing::http2_opening(&[&[choice][..], &frames].concat());
    }
}
