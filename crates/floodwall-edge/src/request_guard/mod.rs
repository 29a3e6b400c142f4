//! Strict checking of HTTP/1 request bytes before the HTTP library parses them.
//!
//! The library is lenient where an edge must not be: it takes a bare LF as a line end, does not
//! say that Content-Length stood beside Transfer-Encoding, and leaves Host to its user. Two
//! programs that read such bytes differently see different requests in them, which is how requests
//! are smuggled past an edge. [`RequestGuard`] sees every byte first, follows the framing of
//! requests over keep-alive and pipelining (RFC 9112 2 to 7), and refuses what is not plain.
//!
//! Shape: one state machine per connection, fed chunks in any split. It works line by line, since
//! every ambiguity of a head shows in one line or in a few remembered facts: a line that lies in
//! one chunk is checked in place, one that is split is put together in a buffer that is freed with
//! the head. Every byte is looked at a fixed number of times, however the bytes are split.
//!
//! Limits: it does not judge methods (save CONNECT), paths, Expect or Connection options, nor how
//! many cookies one Cookie line holds. It follows what requests declare, so after a switch of
//! protocols (status 101) it must be dropped. It knows nothing of HTTP/2, whose preface it would
//! answer with `Version`: tell the two apart first. A line is judged when it ends, so an
//! unfinished one has to be bounded in time by the caller; its length is bounded here.

mod chunk;
mod fault;
mod field;
mod host;
mod request_line;
#[cfg(test)]
mod tests;

use std::mem;

pub(crate) use fault::FaultKind;
use field::Field;
pub(crate) use host::HostPort;
use host::TargetAuthority;

/// Most bytes of trailer fields after one body, line ends included; lower than what the HTTP
/// library takes, so that the guard is the one that speaks.
const TRAILER_BYTES_MAX: usize = 8 * 1024;

/// Most trailer fields after one body.
const TRAILER_FIELDS_MAX: usize = 64;

/// Bytes of the empty lines tolerated before a request line (two CRLF).
const EMPTY_LINE_BYTES_MAX: usize = 4;

/// How much one request head may hold. Cookie crumbs count as the one line they stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GuardLimits {
    /// Bytes from the first byte after the request before to the empty line, both included.
    pub(crate) head_bytes_max: usize,
    /// Field lines, the request line not counted.
    pub(crate) fields_max: usize,
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self { head_bytes_max: 64 * 1024, fields_max: 128 }
    }
}

/// A request that must not reach the HTTP parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .kind.explanation())]
pub(crate) struct Fault {
    /// What is wrong with it.
    pub(crate) kind: FaultKind,
    /// How many bytes of the chunk just inspected may still be passed on, so that the complete
    /// requests before the faulty one are answered: those before the faulty request's first byte
    /// if it lies in this chunk, otherwise none.
    pub(crate) accepted: usize,
}

/// Where in the stream of requests the bytes inspected so far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// Every request begun is complete: the connection is idle as far as its client goes.
    Between,
    /// In a request line or its fields, or in empty lines before them.
    Head,
    /// In a body: its data, the lines between chunks, or the trailer fields.
    Body,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expecting {
    RequestLine,
    Fields,
    BodyBytes,
    ChunkSize,
    ChunkBytes,
    ChunkEndCr,
    ChunkEndLf,
    Trailers,
}

/// Follows the requests on one HTTP/1 connection and refuses malformed ones.
///
/// An idle connection's guard owns no heap memory.
#[derive(Debug)]
pub(crate) struct RequestGuard {
    limits: GuardLimits,
    /// The beginning of a line whose end has not arrived.
    carry: Vec<u8>,
    /// Body or chunk bytes still to come; in a head, the Content-Length.
    remaining: u64,
    /// Bytes of finished lines in this head or trailer section; in a chunked body, of extensions.
    section_bytes: usize,
    /// Field lines in this head or trailer section.
    fields: usize,
    /// The authority an absolute-form target named, until the head ends.
    authority: Option<Box<TargetAuthority>>,
    expecting: Expecting,
    http10: bool,
    host_seen: bool,
    length_seen: bool,
    chunked: bool,
    /// The fault this connection has ended with.
    faulted: Option<FaultKind>,
}

impl RequestGuard {
    /// A guard for a fresh connection.
    #[must_use]
    pub(crate) fn new(limits: GuardLimits) -> Self {
        Self {
            limits,
            carry: Vec::new(),
            remaining: 0,
            section_bytes: 0,
            fields: 0,
            authority: None,
            expecting: Expecting::RequestLine,
            http10: false,
            host_seen: false,
            length_seen: false,
            chunked: false,
            faulted: None,
        }
    }

    /// Where the bytes inspected so far end.
    #[must_use]
    pub(crate) fn position(&self) -> Position {
        match self.expecting {
            Expecting::RequestLine if self.section_bytes == 0 && self.carry.is_empty() => Position::Between,
            Expecting::RequestLine | Expecting::Fields => Position::Head,
            _ => Position::Body,
        }
    }

    /// Checks the next bytes of the connection; on `Ok` all of them may be passed on.
    ///
    /// # Errors
    /// The first fault found. The connection cannot be read any further: pass on what
    /// [`Fault::accepted`] allows, answer with [`FaultKind::status`] and close. Further calls
    /// return the same fault and accept nothing.
    pub(crate) fn inspect(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if let Some(kind) = self.faulted {
            return Err(Fault { kind, accepted: 0 });
        }
        let mut request_start = 0;
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.step(rest) {
                Ok(used) => rest = rest.get(used..).unwrap_or_default(),
                Err(kind) => {
                    self.faulted = Some(kind);
                    self.carry = Vec::new();
                    return Err(Fault { kind, accepted: request_start });
                }
            }
            if self.position() == Position::Between {
                request_start = bytes.len() - rest.len();
            }
        }
        Ok(())
    }

    /// Takes one line or one run of body bytes from the front of `rest`, which is not empty;
    /// returns how many bytes, at least one.
    fn step(&mut self, rest: &[u8]) -> Result<usize, FaultKind> {
        let next = rest.first().copied().unwrap_or_default();
        match self.expecting {
            Expecting::RequestLine | Expecting::Fields | Expecting::ChunkSize | Expecting::Trailers => {
                self.take_line(rest)
            }
            Expecting::BodyBytes | Expecting::ChunkBytes => Ok(self.skip_body(rest.len())),
            Expecting::ChunkEndCr if next == b'\r' => {
                self.expecting = Expecting::ChunkEndLf;
                Ok(1)
            }
            Expecting::ChunkEndCr if next == b'\n' => Err(FaultKind::BareLf),
            Expecting::ChunkEndLf if next == b'\n' => {
                self.expecting = Expecting::ChunkSize;
                Ok(1)
            }
            Expecting::ChunkEndCr | Expecting::ChunkEndLf => Err(FaultKind::ChunkEnd),
        }
    }

    fn skip_body(&mut self, available: usize) -> usize {
        let skipped = usize::try_from(self.remaining).map_or(available, |remaining| remaining.min(available));
        self.remaining = self.remaining.saturating_sub(skipped as u64);
        if self.remaining == 0 {
            if self.expecting == Expecting::ChunkBytes {
                self.expecting = Expecting::ChunkEndCr;
            } else {
                self.end_request();
            }
        }
        skipped
    }

    fn take_line(&mut self, rest: &[u8]) -> Result<usize, FaultKind> {
        let line_end = memchr::memchr(b'\n', rest);
        let taken = rest.get(..line_end.map_or(rest.len(), |lf| lf + 1)).unwrap_or_default();
        // Checked before anything is kept, and before the line's content is: so the verdict on a
        // line that is both too long and faulty does not depend on the split.
        let (room, too_long) = self.line_room();
        if self.carry.len() + taken.len() > room {
            return Err(too_long);
        }
        if line_end.is_none() {
            self.carry.extend_from_slice(taken);
        } else if self.carry.is_empty() {
            self.end_line(taken)?;
        } else {
            let mut line = mem::take(&mut self.carry);
            line.extend_from_slice(taken);
            self.end_line(&line)?;
            if matches!(self.expecting, Expecting::Fields | Expecting::Trailers) {
                line.clear();
                self.carry = line;
            }
        }
        Ok(taken.len())
    }

    /// How long the line being read may be, and the fault if it is longer.
    fn line_room(&self) -> (usize, FaultKind) {
        match self.expecting {
            Expecting::ChunkSize => (chunk::LINE_BYTES_MAX, FaultKind::ChunkExtension),
            Expecting::Trailers => {
                (TRAILER_BYTES_MAX.saturating_sub(self.section_bytes), FaultKind::TrailersTooLarge)
            }
            _ => (self.limits.head_bytes_max.saturating_sub(self.section_bytes), FaultKind::HeadTooLarge),
        }
    }

    fn end_line(&mut self, line: &[u8]) -> Result<(), FaultKind> {
        let content = line.strip_suffix(b"\r\n").ok_or(FaultKind::BareLf)?;
        if self.expecting == Expecting::ChunkSize {
            return self.chunk_line(content);
        }
        if content.is_empty() && self.expecting == Expecting::RequestLine {
            if self.section_bytes >= EMPTY_LINE_BYTES_MAX {
                return Err(FaultKind::EmptyLines);
            }
            self.section_bytes += line.len();
            return Ok(());
        }
        self.section_bytes += line.len();
        match (self.expecting, content.is_empty()) {
            (Expecting::RequestLine, _) => self.request_line(content),
            (Expecting::Fields, true) => self.end_head(),
            (Expecting::Fields, false) => self.field_line(content),
            (_, true) => {
                self.end_request();
                Ok(())
            }
            (_, false) => self.trailer_line(content),
        }
    }

    fn request_line(&mut self, line: &[u8]) -> Result<(), FaultKind> {
        let checked = request_line::check(line)?;
        self.http10 = checked.http10;
        self.authority = checked.authority;
        self.expecting = Expecting::Fields;
        Ok(())
    }

    fn field_line(&mut self, line: &[u8]) -> Result<(), FaultKind> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(if self.fields == 0 { FaultKind::LeadingWhitespace } else { FaultKind::ObsFold });
        }
        self.fields += 1;
        if self.fields > self.limits.fields_max {
            return Err(FaultKind::TooManyFields);
        }
        match field::check(line)? {
            Field::Other(_) => Ok(()),
            Field::Host(value) => self.host(value),
            Field::ContentLength(value) => self.content_length(value),
            Field::TransferEncoding(value) => self.transfer_encoding(value),
        }
    }

    fn host(&mut self, value: &[u8]) -> Result<(), FaultKind> {
        if mem::replace(&mut self.host_seen, true) {
            return Err(FaultKind::HostRepeated);
        }
        let host = HostPort::parse(value).ok_or(FaultKind::HostValue)?;
        match self.authority.take() {
            Some(authority) if !authority.agrees_with(&host) => Err(FaultKind::HostDisagrees),
            _ => Ok(()),
        }
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), FaultKind> {
        if self.chunked {
            return Err(FaultKind::LengthBesideTransferEncoding);
        }
        if mem::replace(&mut self.length_seen, true) {
            return Err(FaultKind::ContentLengthRepeated);
        }
        self.remaining = field::content_length(value)?;
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), FaultKind> {
        if self.length_seen {
            return Err(FaultKind::LengthBesideTransferEncoding);
        }
        if mem::replace(&mut self.chunked, true) {
            return Err(FaultKind::TransferEncodingRepeated);
        }
        if self.http10 {
            return Err(FaultKind::TransferEncodingInHttp10);
        }
        field::transfer_encoding(value)
    }

    fn end_head(&mut self) -> Result<(), FaultKind> {
        if !self.host_seen && !self.http10 {
            return Err(FaultKind::HostMissing);
        }
        if self.chunked {
            self.section_bytes = 0;
            self.expecting = Expecting::ChunkSize;
        } else if self.remaining > 0 {
            self.expecting = Expecting::BodyBytes;
        } else {
            self.end_request();
        }
        Ok(())
    }

    fn chunk_line(&mut self, line: &[u8]) -> Result<(), FaultKind> {
        let chunk = chunk::check(line)?;
        self.section_bytes += chunk.extension_bytes;
        if self.section_bytes > chunk::EXTENSION_BYTES_MAX {
            return Err(FaultKind::ChunkExtension);
        }
        self.remaining = chunk.size;
        if chunk.size > 0 {
            self.expecting = Expecting::ChunkBytes;
        } else {
            self.section_bytes = 0;
            self.fields = 0;
            self.expecting = Expecting::Trailers;
        }
        Ok(())
    }

    fn trailer_line(&mut self, line: &[u8]) -> Result<(), FaultKind> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(if self.fields == 0 { FaultKind::LeadingWhitespace } else { FaultKind::ObsFold });
        }
        self.fields += 1;
        if self.fields > TRAILER_FIELDS_MAX {
            return Err(FaultKind::TrailersTooLarge);
        }
        let trailer = field::check(line)?;
        if field::is_forbidden_in_trailers(trailer) { Err(FaultKind::TrailerField) } else { Ok(()) }
    }

    fn end_request(&mut self) {
        *self = Self::new(self.limits);
    }
}
