//! The head of an answer: status, fields, and what they say about framing and the connection.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Method, StatusCode};
use smallvec::SmallVec;

use super::{AnswerFault, Chunks, Framing};

/// Answers of origins may have larger headers than we take from visitors.
pub(super) const BYTES_MAX: usize = 128 * 1024;
pub(super) const FIELDS_MAX: usize = 256;

/// Interim answers (RFC 9110 section 15.2) before the one that counts.
pub(super) const INTERIM_MAX: u8 = 16;

/// What an answer begins with.
#[derive(Clone, Debug)]
pub(crate) struct AnswerHead {
    pub(crate) status: StatusCode,
    pub(crate) fields: HeaderMap,
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

/// Where a part lies in the bytes of the head.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    start: u32,
    bytes: u32,
}

impl Place {
    /// `part` lies within `whole`.
    fn of(part: &[u8], whole: &[u8]) -> Self {
        let start = part.as_ptr().addr().saturating_sub(whole.as_ptr().addr());
        Self {
            start: u32::try_from(start).unwrap_or(u32::MAX),
            bytes: u32::try_from(part.len()).unwrap_or(u32::MAX),
        }
    }

    fn range(self) -> std::ops::Range<usize> {
        let start = usize::try_from(self.start).unwrap_or(usize::MAX);
        start..start.saturating_add(usize::try_from(self.bytes).unwrap_or(usize::MAX))
    }
}

/// The head at the start of `input`, taken off it, and how many bytes it had.
fn parse(input: &mut BytesMut, method: &Method) -> Result<Option<(AnswerHead, usize)>, AnswerFault> {
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
    let places: SmallVec<[(Place, Place); 24]> = parsed
        .headers
        .iter()
        .map(|line| (Place::of(line.name.as_bytes(), input), Place::of(line.value, input)))
        .collect();
    let text = input.split_to(bytes).freeze();
    let mut fields = HeaderMap::try_with_capacity(places.len().saturating_add(2))
        .map_err(|_| AnswerFault::TooManyFields)?;
    for (name, value) in places {
        let name = HeaderName::from_bytes(text.get(name.range()).unwrap_or_default())
            .map_err(|_| AnswerFault::Head(httparse::Error::HeaderName))?;
        // Values share the memory of the head.
        let value = text.get(value.range()).map_or_else(Bytes::new, |value| text.slice_ref(value));
        let value = HeaderValue::from_maybe_shared(value)
            .map_err(|_| AnswerFault::Head(httparse::Error::HeaderValue))?;
        fields.try_append(name, value).map_err(|_| AnswerFault::TooManyFields)?;
    }
    let (framing, keeps_alive) = frame(status, &mut fields, method, http11)?;
    Ok(Some((AnswerHead { status, fields, framing, keeps_alive }, bytes)))
}

/// How the body is framed, and whether the connection outlives it.
fn frame(
    status: StatusCode,
    fields: &mut HeaderMap,
    method: &Method,
    http11: bool,
) -> Result<(Framing, bool), AnswerFault> {
    let length = length_of(fields)?;
    let coded = is_chunked(fields)?;
    if coded && !http11 {
        // RFC 9112 section 6.1: an HTTP/1.0 message with it has faulty framing.
        return Err(AnswerFault::Coding);
    }
    let persists = persists(fields, http11);
    let without_content = *method == Method::HEAD
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    Ok(match (without_content, coded, length) {
        (true, ..) => (Framing::NONE, persists),
        (_, true, length) => (Framing::Chunked(Chunks::default()), persists && length.is_none()),
        (_, false, Some(length)) => (Framing::Length(length), persists),
        (_, false, None) => (Framing::UntilClose, false),
    })
}

/// The one length that all `Content-Length` lines say; leaves one of them.
fn length_of(fields: &mut HeaderMap) -> Result<Option<u64>, AnswerFault> {
    let mut values = fields.get_all(CONTENT_LENGTH).iter();
    let Some(first) = values.next() else { return Ok(None) };
    let mut repeated = false;
    for value in values {
        if value != first {
            return Err(AnswerFault::Length);
        }
        repeated = true;
    }
    let length = digits(first.as_bytes()).ok_or(AnswerFault::Length)?;
    if repeated {
        fields.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(Some(length))
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

fn is_chunked(fields: &HeaderMap) -> Result<bool, AnswerFault> {
    let mut values = fields.get_all(TRANSFER_ENCODING).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(false),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(true),
        _ => Err(AnswerFault::Coding),
    }
}

/// RFC 9112 section 9.3.
fn persists(fields: &HeaderMap, http11: bool) -> bool {
    let (mut closes, mut keeps) = (false, false);
    for value in fields.get_all(CONNECTION) {
        for option in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            closes |= option.eq_ignore_ascii_case(b"close");
            keeps |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }
    !closes && (http11 || keeps)
}
