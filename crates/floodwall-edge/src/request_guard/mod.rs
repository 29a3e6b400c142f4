//! Reads the requests of one HTTP/1 connection from its bytes, and refuses what is not plain.
//!
//! Two programs that read the same bytes differently see different requests in them, which is how
//! requests are smuggled past an edge. So [`RequestGuard`] follows the framing of requests over
//! keep-alive and pipelining (RFC 9112 2 to 7) and takes nothing that another reader could take
//! otherwise: no bare LF as a line end, no Content-Length beside Transfer-Encoding, one Host.
//!
//! Shape: one state machine per connection, shown what has come so far. It works line by line, since
//! every ambiguity of a head shows in one line or in a few remembered facts. Every byte of a head is
//! looked at a fixed number of times, however the bytes come; what a request is made of are parts of
//! one copy of its head.
//!
//! Limits: it does not judge methods (save CONNECT), paths, the values of Expect or Connection, nor
//! how many cookies one Cookie line holds. It knows nothing of HTTP/2, whose preface it would answer
//! with `Version`: tell the two apart first. A line is judged when it ends, so an unfinished one has
//! to be bounded in time by the caller; its length is bounded here.

mod body;
mod chunk;
mod fault;
mod field;
mod head;
mod host;
mod request_line;
#[cfg(test)]
mod tests;

use std::mem;

pub(crate) use body::BodyStep;
pub(crate) use fault::FaultKind;
pub(crate) use head::RequestHead;
pub(crate) use host::HostPort;

use crate::place::Place;
use crate::plain;
use field::{FieldLine, Kind};
use host::TargetAuthority;

/// Bytes of the empty lines tolerated before a request line (two CRLF).
const EMPTY_LINE_BYTES_MAX: usize = 4;

/// Fields for which an idle connection keeps room: what a browser sends.
const FIELDS_KEPT: usize = 24;

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

/// Where in the stream of requests the bytes read so far end.
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

/// What one request has said of itself so far.
#[derive(Debug, Default)]
struct Said {
    method: Place,
    target: Place,
    http10: bool,
    /// The authority an absolute-form target named, until the head ends.
    authority: Option<Box<TargetAuthority>>,
    host: bool,
    length: bool,
    chunked: bool,
    closes: bool,
    keeps_alive: bool,
    expects_continue: bool,
}

/// Follows the requests on one HTTP/1 connection and refuses malformed ones.
#[derive(Debug)]
pub(crate) struct RequestGuard {
    limits: GuardLimits,
    /// The fields of the head being read: name and value.
    lines: Vec<(Place, Place)>,
    /// Bytes of the head being read that stand in finished lines.
    read: usize,
    /// Bytes of it in which there is no further line end.
    searched: usize,
    /// Body or chunk bytes still to come; in a head, the Content-Length.
    remaining: u64,
    /// In a chunked body, bytes of extensions; in a trailer section, bytes of finished lines.
    section_bytes: usize,
    trailers: usize,
    said: Said,
    expecting: Expecting,
    /// The fault this connection has ended with.
    faulted: Option<FaultKind>,
}

impl RequestGuard {
    /// A guard for a fresh connection. Owns no heap memory.
    #[must_use]
    pub(crate) fn new(limits: GuardLimits) -> Self {
        Self {
            limits,
            lines: Vec::new(),
            read: 0,
            searched: 0,
            remaining: 0,
            section_bytes: 0,
            trailers: 0,
            said: Said::default(),
            expecting: Expecting::RequestLine,
            faulted: None,
        }
    }

    /// Where the bytes read so far end.
    #[must_use]
    pub(crate) fn position(&self) -> Position {
        match self.expecting {
            Expecting::RequestLine if self.searched == 0 => Position::Between,
            Expecting::RequestLine | Expecting::Fields => Position::Head,
            _ => Position::Body,
        }
    }

    /// Reads on in a head, between two bodies. `input` is everything that has come from the head's
    /// first byte on; `None` when it takes more. Once there is a head, its
    /// [`bytes`](RequestHead::bytes) are to be taken off, and its body to be read to the end.
    ///
    /// # Errors
    /// The first fault found. The connection cannot be read any further: answer with
    /// [`FaultKind::status`] and close. Further calls return the same fault.
    pub(crate) fn read_head(&mut self, input: &[u8]) -> Result<Option<Box<RequestHead>>, FaultKind> {
        let outcome = match self.faulted {
            Some(kind) => Err(kind),
            None => self.read_lines(input),
        };
        outcome.inspect_err(|kind| self.fail(*kind))
    }

    fn fail(&mut self, kind: FaultKind) {
        self.faulted = Some(kind);
        self.lines = Vec::new();
        self.said = Said::default();
    }

    fn read_lines(&mut self, input: &[u8]) -> Result<Option<Box<RequestHead>>, FaultKind> {
        loop {
            // Only where none of the line has been looked at: each byte is, a fixed number of times.
            if self.expecting == Expecting::Fields
                && self.searched == self.read
                && let Some(line) = plain::field_line(input.get(self.read..).unwrap_or_default())
            {
                let end = self.read.saturating_add(line.bytes);
                if end > self.limits.head_bytes_max {
                    return Err(FaultKind::HeadTooLarge);
                }
                (self.read, self.searched) = (end, end);
                self.count_field()?;
                self.field(field::check_plain(line)?, input)?;
                continue;
            }
            let unsearched = input.get(self.searched..).unwrap_or_default();
            // The length is checked before the line's content is: so the verdict on a line that is
            // both too long and faulty does not depend on how the bytes came.
            let Some(ahead) = memchr::memchr(b'\n', unsearched) else {
                self.searched = input.len();
                let too_long = input.len() > self.limits.head_bytes_max;
                return if too_long { Err(FaultKind::HeadTooLarge) } else { Ok(None) };
            };
            let end = self.searched.saturating_add(ahead).saturating_add(1);
            if end > self.limits.head_bytes_max {
                return Err(FaultKind::HeadTooLarge);
            }
            let line = input.get(self.read..end).unwrap_or_default();
            let content = line.strip_suffix(b"\r\n").ok_or(FaultKind::BareLf)?;
            let empty_lines = self.read;
            (self.read, self.searched) = (end, end);
            match (self.expecting, content.is_empty()) {
                (Expecting::Fields, false) => self.field_line(content, input)?,
                (Expecting::Fields, true) => return self.end_head(input).map(Some),
                (_, false) => self.request_line(content, input)?,
                (_, true) if empty_lines >= EMPTY_LINE_BYTES_MAX => return Err(FaultKind::EmptyLines),
                (_, true) => {}
            }
        }
    }

    fn request_line(&mut self, line: &[u8], input: &[u8]) -> Result<(), FaultKind> {
        let checked = request_line::check(line)?;
        self.said.method = Place::of(checked.method, input);
        self.said.target = Place::of(checked.target, input);
        self.said.http10 = checked.http10;
        self.said.authority = checked.authority;
        self.expecting = Expecting::Fields;
        Ok(())
    }

    fn field_line(&mut self, line: &[u8], input: &[u8]) -> Result<(), FaultKind> {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            let first = self.lines.is_empty();
            return Err(if first { FaultKind::LeadingWhitespace } else { FaultKind::ObsFold });
        }
        self.count_field()?;
        self.field(field::check(line)?, input)
    }

    fn count_field(&self) -> Result<(), FaultKind> {
        if self.lines.len() >= self.limits.fields_max { Err(FaultKind::TooManyFields) } else { Ok(()) }
    }

    fn field(&mut self, field: FieldLine<'_>, input: &[u8]) -> Result<(), FaultKind> {
        match field.kind {
            Kind::Other => {}
            Kind::Host => self.host(field.value)?,
            Kind::ContentLength => self.content_length(field.value)?,
            Kind::TransferEncoding => self.transfer_encoding(field.value)?,
            Kind::Connection => self.connection(field.value),
            Kind::Expect => self.said.expects_continue |= field.value.eq_ignore_ascii_case(b"100-continue"),
        }
        self.lines.push((Place::of(field.name, input), Place::of(field.value, input)));
        Ok(())
    }

    fn host(&mut self, value: &[u8]) -> Result<(), FaultKind> {
        if mem::replace(&mut self.said.host, true) {
            return Err(FaultKind::HostRepeated);
        }
        let host = HostPort::parse(value).ok_or(FaultKind::HostValue)?;
        match self.said.authority.take() {
            Some(authority) if !authority.agrees_with(&host) => Err(FaultKind::HostDisagrees),
            _ => Ok(()),
        }
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), FaultKind> {
        if self.said.chunked {
            return Err(FaultKind::LengthBesideTransferEncoding);
        }
        if mem::replace(&mut self.said.length, true) {
            return Err(FaultKind::ContentLengthRepeated);
        }
        self.remaining = field::content_length(value)?;
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), FaultKind> {
        if self.said.length {
            return Err(FaultKind::LengthBesideTransferEncoding);
        }
        if mem::replace(&mut self.said.chunked, true) {
            return Err(FaultKind::TransferEncodingRepeated);
        }
        if self.said.http10 {
            return Err(FaultKind::TransferEncodingInHttp10);
        }
        field::transfer_encoding(value)
    }

    /// What is asked of this connection (RFC 9112 section 9.3).
    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|&b| b == b',').map(field::trim) {
            self.said.closes |= option.eq_ignore_ascii_case(b"close");
            self.said.keeps_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn end_head(&mut self, input: &[u8]) -> Result<Box<RequestHead>, FaultKind> {
        if !self.said.host && !self.said.http10 {
            return Err(FaultKind::HostMissing);
        }
        let said = mem::take(&mut self.said);
        let head = head::build(input.get(..self.read).unwrap_or_default(), &said, &self.lines)?;
        self.lines.clear();
        self.lines.shrink_to(FIELDS_KEPT);
        (self.read, self.searched, self.section_bytes) = (0, 0, 0);
        self.expecting = match (said.chunked, self.remaining) {
            (true, _) => Expecting::ChunkSize,
            (false, 0) => Expecting::RequestLine,
            (false, _) => Expecting::BodyBytes,
        };
        Ok(head)
    }
}
