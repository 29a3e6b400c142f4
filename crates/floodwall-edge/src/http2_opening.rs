//! How an HTTP/2 client opens its connection, in a line such as
//! `1:65536,2:0,4:6291456,6:262144|15663105|0|m,a,s,p`: its settings in their order, the window it adds,
//! the priorities it states, and the order of a request's pseudo-header fields ("Passive Fingerprinting
//! of HTTP/2 Clients", Shuster and others, Akamai 2017). It differs from program to program.
//!
//! A pure reader of the first bytes, beside the HTTP/2 library, which does not tell. It judges nothing:
//! what is malformed the library refuses; here it only ends the reading.
//!
//! Limits: the first [`OPENING_BYTES_MAX`] bytes, and of them the frames up to the first request's
//! header; 16 settings, 8 priorities. Of the header only fields of the static table are known (RFC 7541
//! appendix A), which is how every program writes the pseudo-header fields of a first request.

use std::fmt::Write as _;

#[cfg(test)]
mod tests;

/// So many bytes are looked at.
pub(crate) const OPENING_BYTES_MAX: usize = 4096;

const SETTINGS_MAX: usize = 16;
const PRIORITIES_MAX: usize = 8;

/// RFC 9113 section 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEAD_BYTES: usize = 9;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const SETTINGS: u8 = 4;
const WINDOW_UPDATE: u8 = 8;
const FLAG_ACK: u8 = 0x1;
const FLAG_PADDED: u8 = 0x8;
const FLAG_PRIORITY: u8 = 0x20;

/// Reads an opening from a connection's bytes as they come.
#[derive(Debug, Default)]
pub(crate) struct OpeningReader {
    /// What has come and is not read, the first [`OPENING_BYTES_MAX`] bytes at most.
    input: Vec<u8>,
    /// How much of it is read.
    read: usize,
    opening: Opening,
}

/// How far the reading is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// More is to come.
    Reading,
    /// The first request is there: the opening in a line.
    Told(String),
    /// There is nothing to be told: the bytes are not HTTP/2's, or the first request comes late.
    Nothing,
}

#[derive(Debug, Default)]
struct Opening {
    settings: Vec<(u16, u32)>,
    window: Option<u32>,
    priorities: Vec<Priority>,
}

#[derive(Debug)]
struct Priority {
    stream: u32,
    exclusive: bool,
    depends_on: u32,
    weight: u16,
}

impl OpeningReader {
    /// Reads on with the bytes that came next.
    pub(crate) fn read_on(&mut self, bytes: &[u8]) -> Step {
        let room = OPENING_BYTES_MAX.saturating_sub(self.input.len());
        self.input.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        if self.read == 0 {
            let compared = self.input.len().min(PREFACE.len());
            if self.input.get(..compared) != PREFACE.get(..compared) {
                return Step::Nothing;
            }
            if self.input.len() < PREFACE.len() {
                return Step::Reading;
            }
            self.read = PREFACE.len();
        }
        let is_full = self.input.len() >= OPENING_BYTES_MAX;
        while let Some((head, rest)) =
            self.input.get(self.read..).and_then(<[u8]>::split_first_chunk::<FRAME_HEAD_BYTES>)
        {
            let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = *head;
            let length = usize::try_from(u32::from_be_bytes([0, l0, l1, l2])).unwrap_or(usize::MAX);
            let stream = u32::from_be_bytes([s0 & 0x7F, s1, s2, s3]);
            let payload = match rest.get(..length) {
                Some(payload) => payload,
                // A header may go on beyond what is looked at: its first fields are here.
                None if kind == HEADERS && is_full => rest,
                None => break,
            };
            if kind == HEADERS {
                let Some(block) = header_block(payload, flags) else { return Step::Nothing };
                return Step::Told(self.opening.line(block));
            }
            if self.opening.take(kind, flags, stream, payload).is_none() {
                return Step::Nothing;
            }
            self.read += FRAME_HEAD_BYTES + length;
        }
        if is_full { Step::Nothing } else { Step::Reading }
    }
}

impl Opening {
    /// `None`: malformed, or too much of it.
    fn take(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Option<()> {
        match kind {
            SETTINGS if flags & FLAG_ACK == 0 => {
                let (settings, rest) = payload.as_chunks::<6>();
                for [i0, i1, v0, v1, v2, v3] in settings {
                    let setting = (u16::from_be_bytes([*i0, *i1]), u32::from_be_bytes([*v0, *v1, *v2, *v3]));
                    self.settings.push(setting);
                }
                (rest.is_empty() && self.settings.len() <= SETTINGS_MAX).then_some(())
            }
            WINDOW_UPDATE if stream == 0 => {
                let [w0, w1, w2, w3] = *payload.first_chunk::<4>()?;
                self.window.get_or_insert(u32::from_be_bytes([w0 & 0x7F, w1, w2, w3]));
                Some(())
            }
            PRIORITY => {
                let [d0, d1, d2, d3, weight] = *payload.first_chunk::<5>()?;
                self.priorities.push(Priority {
                    stream,
                    exclusive: d0 & 0x80 != 0,
                    depends_on: u32::from_be_bytes([d0 & 0x7F, d1, d2, d3]),
                    weight: u16::from(weight) + 1,
                });
                (self.priorities.len() <= PRIORITIES_MAX).then_some(())
            }
            _ => Some(()),
        }
    }

    fn line(&self, header_block: &[u8]) -> String {
        let mut line = String::new();
        // Writing to a String does not fail.
        for (place, (id, value)) in self.settings.iter().enumerate() {
            let _ = write!(line, "{}{id}:{value}", if place > 0 { "," } else { "" });
        }
        let _ = match self.window {
            Some(window) => write!(line, "|{window}|"),
            None => write!(line, "|00|"),
        };
        for (place, priority) in self.priorities.iter().enumerate() {
            let Priority { stream, exclusive, depends_on, weight } = priority;
            let comma = if place > 0 { "," } else { "" };
            let _ = write!(line, "{comma}{stream}:{}:{depends_on}:{weight}", u8::from(*exclusive));
        }
        if self.priorities.is_empty() {
            line.push('0');
        }
        line.push('|');
        for (place, letter) in PseudoFields(header_block).take(8).enumerate() {
            if place > 0 {
                line.push(',');
            }
            line.push(letter);
        }
        line
    }
}

/// A HEADERS frame's fields, without padding and priority (RFC 9113 section 6.2).
fn header_block(payload: &[u8], flags: u8) -> Option<&[u8]> {
    let unpadded = if flags & FLAG_PADDED == 0 { payload } else { payload.get(1..)? };
    if flags & FLAG_PRIORITY == 0 { Some(unpadded) } else { unpadded.get(5..) }
}

/// The pseudo-header fields that a header begins with, by their first letters.
struct PseudoFields<'a>(&'a [u8]);

impl Iterator for PseudoFields<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        loop {
            let first = *self.0.first()?;
            // RFC 7541 section 6: how many bits of the first byte belong to the number, and whether a
            // value follows.
            let (bits, has_value) = match first {
                0x80.. => (7, false),
                0x40..=0x7F => (6, true),
                0x20..=0x3F => {
                    // A new size of the dynamic table.
                    self.number(5)?;
                    continue;
                }
                _ => (4, true),
            };
            let letter = match self.number(bits)? {
                1 => 'a',
                2 | 3 => 'm',
                4 | 5 => 'p',
                6 | 7 => 's',
                _ => return None,
            };
            if has_value {
                let length = usize::try_from(self.number(7)?).ok()?;
                // The last one may break off: it was named.
                self.0 = self.0.get(length..).unwrap_or_default();
            }
            return Some(letter);
        }
    }
}

impl PseudoFields<'_> {
    /// RFC 7541 section 5.1; numbers beyond four bytes are nobody's.
    fn number(&mut self, bits: u8) -> Option<u32> {
        let (first, mut rest) = self.0.split_first()?;
        let mask = (1_u8 << bits) - 1;
        let mut number = u32::from(first & mask);
        if first & mask == mask {
            for shift in [0, 7, 14] {
                let (byte, behind) = rest.split_first()?;
                rest = behind;
                number += u32::from(byte & 0x7F) << shift;
                if byte & 0x80 == 0 {
                    self.0 = rest;
                    return Some(number);
                }
            }
            return None;
        }
        self.0 = rest;
        Some(number)
    }
}
