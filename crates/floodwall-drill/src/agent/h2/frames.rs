//! HTTP/2 frames (RFC 9113 section 4) and header blocks (RFC 7541), written and told apart byte by
//! byte: a library would not write what a flood is made of.

/// What a client sends first (RFC 9113 section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The largest payload that every server takes (RFC 9113 section 4.2).
pub(super) const PAYLOAD_BYTES_MAX: usize = 16_384;

const HEAD_BYTES: usize = 9;

/// Kinds of frames (RFC 9113 section 6).
pub(super) mod kind {
    pub(in super::super) const DATA: u8 = 0;
    pub(in super::super) const HEADERS: u8 = 1;
    pub(in super::super) const PRIORITY: u8 = 2;
    pub(in super::super) const RST_STREAM: u8 = 3;
    pub(in super::super) const SETTINGS: u8 = 4;
    pub(in super::super) const GOAWAY: u8 = 7;
    pub(in super::super) const WINDOW_UPDATE: u8 = 8;
    pub(in super::super) const CONTINUATION: u8 = 9;
}

/// Flags of frames.
pub(super) mod flag {
    pub(in super::super) const ACK: u8 = 1;
    pub(in super::super) const END_STREAM: u8 = 1;
    pub(in super::super) const END_HEADERS: u8 = 4;
}

/// "Not wanted any more" (RFC 9113 section 7).
pub(super) const CANCEL: u32 = 8;

/// Appends one frame. A payload beyond what every server takes is cut.
pub(super) fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let payload = payload.get(..PAYLOAD_BYTES_MAX).unwrap_or(payload);
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    out.extend_from_slice(length.get(1..).unwrap_or_default());
    out.extend([kind, flags]);
    out.extend((stream & 0x7fff_ffff).to_be_bytes());
    out.extend_from_slice(payload);
}

/// A header block in the making, without Huffman coding.
#[derive(Clone, Debug, Default)]
pub(super) struct Block(Vec<u8>);

/// Places in the static table (RFC 7541 appendix A).
const AUTHORITY: usize = 1;
const METHOD_GET: u8 = 2;
const METHOD_POST: u8 = 3;
const PATH: usize = 4;
const SCHEME_HTTPS: u8 = 7;
const CONTENT_LENGTH: usize = 28;
const USER_AGENT: usize = 58;
/// The newest entry of the dynamic table.
const NEWEST: u8 = 62;

impl Block {
    /// The fields of an ordinary request.
    pub(super) fn request(post: bool, host: &str, target: &str) -> Self {
        let mut block = Self::default();
        block.0.extend([0x80 | if post { METHOD_POST } else { METHOD_GET }, 0x80 | SCHEME_HTTPS]);
        block.indexed_name(AUTHORITY, host);
        block.indexed_name(PATH, target);
        block.indexed_name(USER_AGENT, "Mozilla/5.0 (Windows NT 10.0; Win64; x64)");
        block
    }

    pub(super) fn content_length(&mut self, bytes: usize) {
        self.indexed_name(CONTENT_LENGTH, &bytes.to_string());
    }

    /// A field with a name of its own, which the server is not to remember.
    pub(super) fn field(&mut self, name: &str, value: &str) {
        self.0.push(0);
        self.text(name);
        self.text(value);
    }

    /// A field that the server is to remember in its dynamic table.
    pub(super) fn remembered(&mut self, name: &str, value: &str) {
        self.0.push(0x40);
        self.text(name);
        self.text(value);
    }

    /// The field remembered last, so often that the block fills a frame.
    pub(super) fn newest_until_full(&mut self) {
        self.0.resize(PAYLOAD_BYTES_MAX, 0x80 | NEWEST);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// A field whose name is in the static table, not to be remembered.
    fn indexed_name(&mut self, place: usize, value: &str) {
        integer(&mut self.0, 0, 4, place);
        self.text(value);
    }

    fn text(&mut self, text: &str) {
        integer(&mut self.0, 0, 7, text.len());
        self.0.extend_from_slice(text.as_bytes());
    }
}

/// An integer with a prefix of so many bits (RFC 7541 section 5.1).
fn integer(out: &mut Vec<u8>, above: u8, prefix_bits: u32, number: usize) {
    let most = (1_usize << prefix_bits) - 1;
    let small = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
    if number < most {
        out.push(above | small(number));
        return;
    }
    out.push(above | small(most));
    let mut rest = number - most;
    while rest >= 128 {
        out.push(0x80 | small(rest % 128));
        rest /= 128;
    }
    out.push(small(rest));
}

/// Follows a stream of frames as it comes, in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct FrameHeads {
    head: Vec<u8>,
    skip: usize,
}

impl FrameHeads {
    /// Takes more bytes; returns the kind and flags of every frame that begins in them.
    pub(super) fn take(&mut self, mut bytes: &[u8]) -> Vec<(u8, u8)> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            if self.skip > 0 {
                let (_, rest) = bytes.split_at(self.skip.min(bytes.len()));
                self.skip -= bytes.len() - rest.len();
                bytes = rest;
                continue;
            }
            let (more, rest) = bytes.split_at((HEAD_BYTES - self.head.len()).min(bytes.len()));
            self.head.extend_from_slice(more);
            bytes = rest;
            if let [a, b, c, kind, flags, _, _, _, _] = *self.head.as_slice() {
                self.skip = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
                self.head.clear();
                found.push((kind, flags));
            }
        }
        found
    }
}
