//! The head of an answer: status, fields, and what they say about framing and the connection.

use std::mem::MaybeUninit;

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use smallvec::SmallVec;

use super::{AnswerFault, AnswerFields, Chunks, FieldLines, Framing};
use crate::headers;
use crate::place::{Place, header_name};
use crate::plain;

/// Answers of origins may have larger headers than we take from visitors.
pub(super) const BYTES_MAX: usize = 128 * 1024;
pub(super) const FIELDS_MAX: usize = 256;

/// Room for the lines that are passed on, which those of most answers fill in part.
const KEPT_BYTES: usize = 512;

/// Interim answers (RFC 9110 section 15.2) before the one that counts.
pub(super) const INTERIM_MAX: u8 = 16;

/// What an answer begins with.
#[derive(Clone, Debug)]
pub(crate) struct AnswerHead {
    pub(crate) status: StatusCode,
    pub(crate) fields: AnswerFields,
    pub(crate) framing: Framing,
    /// Whether the connection may be used again once the body has come.
    pub(crate) keeps_alive: bool,
}

/// Reads one answer's head from bytes as they come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HeadReader {
    /// Bytes in which no head ended.
    searched: usize,
    interim: u8,
}

impl HeadReader {
    /// Takes the head off `input`, interim answers before it left out; `None` when it takes more
    /// bytes. `method` is what was asked with.
    ///
    /// # Errors
    /// The bytes are no head of an answer, or it cannot be told where its body ends.
    pub(crate) fn take(
        &mut self,
        input: &mut BytesMut,
        method: &Method,
    ) -> Result<Option<AnswerHead>, AnswerFault> {
        loop {
            if self.searched > 0 && !has_blank_line(input, self.searched) {
                return self.wants_more(input);
            }
            let Some((head, bytes)) = parse(input, method)? else { return self.wants_more(input) };
            if bytes > BYTES_MAX {
                return Err(AnswerFault::HeadTooLarge);
            }
            self.searched = 0;
            if !head.status.is_informational() {
                return Ok(Some(head));
            }
            if head.status == StatusCode::SWITCHING_PROTOCOLS {
                return Err(AnswerFault::Switches);
            }
            self.interim = self.interim.saturating_add(1);
            if self.interim > INTERIM_MAX {
                return Err(AnswerFault::TooManyInterim);
            }
        }
    }

    fn wants_more(&mut self, input: &BytesMut) -> Result<Option<AnswerHead>, AnswerFault> {
        if input.len() > BYTES_MAX {
            return Err(AnswerFault::HeadTooLarge);
        }
        self.searched = input.len();
        Ok(None)
    }
}

/// Whether a blank line ends in what was not searched before, so that a head that drips is not
/// parsed anew for each byte.
fn has_blank_line(input: &[u8], searched: usize) -> bool {
    let fresh = input.get(searched.saturating_sub(3)..).unwrap_or_default();
    memchr::memchr_iter(b'\n', fresh)
        .any(|end| matches!(fresh.get(end.saturating_add(1)..), Some([b'\n', ..] | [b'\r', b'\n', ..])))
}

/// The head at the start of `input`, taken off it, and how many bytes it had.
fn parse(input: &mut BytesMut, method: &Method) -> Result<Option<(AnswerHead, usize)>, AnswerFault> {
    let Some((status, scan, bytes)) = plain_head(input) else { return parse_any(input, method) };
    if !scan.hop.named.is_empty() || is_without_content(status, method) {
        return parse_any(input, method);
    }
    let (framing, keeps_alive) = scan.hop.frame(status, method, true)?;
    let fields = AnswerFields::Lines(Box::new(FieldLines::new(scan.kept, scan.dated)));
    input.advance(bytes);
    Ok(Some((AnswerHead { status, fields, framing, keeps_alive }, bytes)))
}

/// Reads a head as nearly all are, every line of it plain, and how many bytes it has; `None` leaves it to
/// the library. It is read in one go, which is half of what the library takes.
fn plain_head(input: &[u8]) -> Option<(StatusCode, Scan, usize)> {
    let line = input.strip_prefix(b"HTTP/1.1 ")?;
    let (code, line) = line.split_first_chunk::<3>()?;
    let [b' ', reason @ ..] = line else { return None };
    // Interim answers are not plain.
    let status = StatusCode::from_bytes(code).ok().filter(|status| !status.is_informational())?;
    let (reason, _) = reason.split_at_checked(plain::first_control(reason)?)?;
    let mut at = b"HTTP/1.1 200 ".len().saturating_add(reason.len());
    if !input.get(at..)?.starts_with(b"\r\n") {
        return None;
    }
    at = at.saturating_add(b"\r\n".len());
    let mut scan = Scan { whole_lines: true, kept: Vec::with_capacity(KEPT_BYTES), ..Scan::default() };
    let mut run = at..at;
    for _ in 0..=FIELDS_MAX {
        let rest = input.get(at..)?;
        let Some(line) = plain::field_line(rest) else {
            scan.kept.extend_from_slice(input.get(run)?);
            return rest.starts_with(b"\r\n").then(|| (status, scan, at.saturating_add(b"\r\n".len())));
        };
        let end = at.saturating_add(line.bytes);
        // The faults are the library's and its caller's to find, in their order.
        if scan.takes(line.name, line.value).ok()? {
            if run.end != at {
                scan.kept.extend_from_slice(input.get(run)?);
                run = at..end;
            }
            run.end = end;
        }
        at = end;
    }
    None
}

/// The head at the start of `input` as the library reads it, taken off, and how many bytes it had.
fn parse_any(input: &mut BytesMut, method: &Method) -> Result<Option<(AnswerHead, usize)>, AnswerFault> {
    let mut lines = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let bytes = match config.parse_response_with_uninit_headers(&mut parsed, input, &mut lines) {
        Ok(httparse::Status::Complete(bytes)) => bytes,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(AnswerFault::TooManyFields),
        Err(error) => return Err(AnswerFault::Head(error)),
    };
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(AnswerFault::Head(httparse::Error::Status))?;
    let http11 = parsed.version == Some(1);
    let head = input.get(..bytes).unwrap_or_default();
    let scan = Scan::of(head, parsed.headers)?;
    let (framing, keeps_alive) = scan.hop.frame(status, method, http11)?;
    let fields = if scan.whole_lines && scan.hop.named.is_empty() && !is_without_content(status, method) {
        AnswerFields::Lines(Box::new(FieldLines::new(scan.kept, scan.dated)))
    } else {
        AnswerFields::Table(table_of(head, parsed.headers, &scan.hop, status)?)
    };
    input.advance(bytes);
    Ok(Some((AnswerHead { status, fields, framing, keeps_alive }, bytes)))
}

/// What one look at the fields tells.
#[derive(Debug, Default)]
struct Scan {
    hop: Hop,
    /// The lines that are passed on as they are. A copy: what is kept is not to keep the memory alive
    /// that was read into.
    kept: Vec<u8>,
    dated: bool,
    /// Every line ends with CRLF.
    whole_lines: bool,
}

impl Scan {
    fn of(head: &[u8], lines: &[httparse::Header<'_>]) -> Result<Self, AnswerFault> {
        let kept = Vec::with_capacity(head.len());
        let mut scan = Self { whole_lines: true, kept, ..Self::default() };
        let start_of = |line: &httparse::Header<'_>| Place::of(line.name.as_bytes(), head).start();
        // Lines that follow one another are copied together.
        let mut run = 0..0;
        for (number, line) in lines.iter().enumerate() {
            let name = line.name.as_bytes();
            let start = start_of(line);
            // A line ends where the next begins; the head ends with an empty one.
            let next = lines.get(number.saturating_add(1));
            let end = next.map_or(head.len().saturating_sub(b"\r\n".len()), start_of);
            scan.whole_lines &= head.get(start..end).is_some_and(|line| line.ends_with(b"\r\n"));
            if scan.takes(name, line.value)? {
                if run.end != start {
                    scan.kept.extend_from_slice(head.get(run).unwrap_or_default());
                    run = start..end;
                }
                run.end = end;
            }
        }
        scan.kept.extend_from_slice(head.get(run).unwrap_or_default());
        Ok(scan)
    }

    /// Looks at one field; whether its line is kept.
    fn takes(&mut self, name: &[u8], value: &[u8]) -> Result<bool, AnswerFault> {
        match name.len() {
            4 => {
                self.dated |= name.eq_ignore_ascii_case(b"date");
                Ok(true)
            }
            14 => Ok(self.hop.keeps(name, value)? && !is_content_length(name)),
            // Of no other length is a field for one hop.
            2 | 7 | 10 | 16..=19 => self.hop.keeps(name, value),
            _ => Ok(true),
        }
    }
}

/// As nearly everybody spells it, told at a glance.
fn is_content_length(name: &[u8]) -> bool {
    name == b"Content-Length" || name.eq_ignore_ascii_case(b"content-length")
}

/// The fields as a table, where their lines cannot be passed on as they are.
fn table_of(
    head: &[u8],
    lines: &[httparse::Header<'_>],
    read: &Hop,
    status: StatusCode,
) -> Result<HeaderMap, AnswerFault> {
    let mut hop = Hop::default();
    let mut fields = HeaderMap::try_with_capacity(lines.len().saturating_add(2))
        .map_err(|_| AnswerFault::TooManyFields)?;
    // All values are parts of one copy.
    let text = Bytes::copy_from_slice(head);
    for line in lines {
        if hop.keeps(line.name.as_bytes(), line.value)? {
            let name = header_name(line.name.as_bytes())
                .map_err(|_| AnswerFault::Head(httparse::Error::HeaderName))?;
            let value = Place::of(line.value, head).in_text(&text);
            let value = HeaderValue::from_maybe_shared(text.slice_ref(value))
                .map_err(|_| AnswerFault::Head(httparse::Error::HeaderValue))?;
            fields.try_append(name, value).map_err(|_| AnswerFault::TooManyFields)?;
        }
    }
    for name in &read.named {
        fields.remove(name);
    }
    if read.chunked || status == StatusCode::NO_CONTENT {
        // RFC 9112 section 6.3: the coding framed it. RFC 9110 section 8.6: 204 has no length.
        fields.remove(CONTENT_LENGTH);
    }
    Ok(fields)
}

/// Whether an answer has no body whatever its fields say (RFC 9112 section 6.3).
fn is_without_content(status: StatusCode, method: &Method) -> bool {
    *method == Method::HEAD
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// What the fields say that is for this hop, collected line by line.
#[derive(Debug, Default)]
struct Hop {
    length: Option<u64>,
    chunked: bool,
    closes: bool,
    keeps_alive: bool,
    /// Fields that `Connection` names, which are for this hop too.
    named: SmallVec<[HeaderName; 2]>,
}

impl Hop {
    /// Whether a field is passed on; notes it where it is for this hop or about framing.
    fn keeps(&mut self, name: &[u8], value: &[u8]) -> Result<bool, AnswerFault> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        Ok(match name.len() {
            2 => !is("te"),
            7 => !is("upgrade") && !is("trailer"),
            10 if name == b"Connection" || is("connection") => {
                self.connection(value);
                false
            }
            10 => !is("keep-alive"),
            14 if is_content_length(name) => {
                let length = Some(digits(value).ok_or(AnswerFault::Length)?);
                let first = self.length.is_none();
                if !first && self.length != length {
                    return Err(AnswerFault::Length);
                }
                self.length = length;
                first
            }
            16 => !is("proxy-connection"),
            17 if is("transfer-encoding") => {
                if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(AnswerFault::Coding);
                }
                self.chunked = true;
                false
            }
            18 => !is("proxy-authenticate"),
            19 => !is("proxy-authorization"),
            _ => true,
        })
    }

    /// RFC 9110 section 7.6.1, RFC 9112 section 9.3.
    fn connection(&mut self, value: &[u8]) {
        if value == b"keep-alive" {
            self.keeps_alive = true;
            return;
        }
        for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keeps_alive = true;
            } else if option.eq_ignore_ascii_case(b"close") {
                self.closes = true;
            } else if let Ok(name) = HeaderName::from_bytes(option)
                && !headers::is_kept_whatever_connection_says(&name)
            {
                self.named.push(name);
            }
        }
    }

    /// How the body is framed, and whether the connection outlives it.
    fn frame(
        &self,
        status: StatusCode,
        method: &Method,
        http11: bool,
    ) -> Result<(Framing, bool), AnswerFault> {
        if self.chunked && !http11 {
            // RFC 9112 section 6.1: an HTTP/1.0 message with it has faulty framing.
            return Err(AnswerFault::Coding);
        }
        let persists = !self.closes && (http11 || self.keeps_alive);
        Ok(match (is_without_content(status, method), self.chunked, self.length) {
            (true, ..) => (Framing::NONE, persists),
            (_, true, length) => (Framing::Chunked(Chunks::default()), persists && length.is_none()),
            (_, false, Some(length)) => (Framing::Length(length), persists),
            (_, false, None) => (Framing::UntilClose, false),
        })
    }
}

/// `1*DIGIT` below 2^63.
fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    let number = text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })?;
    i64::try_from(number).is_ok().then_some(number)
}
