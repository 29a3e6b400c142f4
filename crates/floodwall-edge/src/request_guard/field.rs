//! One field line of a head or a trailer section, and the values that decide on framing.

use super::fault::FaultKind;
use crate::plain::{self, is_token_byte};

/// One field line, its value without surrounding whitespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FieldLine<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
    pub(super) kind: Kind,
}

/// What a field has to do with framing and routing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Host,
    ContentLength,
    TransferEncoding,
    Connection,
    Expect,
    Other,
}

/// Checks one field line, given without its line end.
/// Lines that begin with whitespace are the caller's: what they are depends on the line before.
pub(super) fn check(line: &[u8]) -> Result<FieldLine<'_>, FaultKind> {
    let name_length = line.iter().position(|&b| !is_token_byte(b)).ok_or(FaultKind::FieldName)?;
    let (name, rest) = line.split_at_checked(name_length).ok_or(FaultKind::FieldName)?;
    match rest.first() {
        Some(b':') if !name.is_empty() => {}
        Some(b' ' | b'\t') if trim(rest).first() == Some(&b':') => {
            return Err(FaultKind::SpaceBeforeColon);
        }
        Some(b'\r') => return Err(FaultKind::BareCr),
        _ => return Err(FaultKind::FieldName),
    }
    let value = rest.get(1..).unwrap_or_default();
    // Not `any`: without the early exit the compiler checks many bytes at a time.
    let is_control = |b: u8| (b < b' ') & (b != b'\t') | (b == 0x7f);
    if value.iter().fold(false, |found, &b| found | is_control(b)) {
        let cr = memchr::memchr(b'\r', value).is_some();
        return Err(if cr { FaultKind::BareCr } else { FaultKind::ControlCharacter });
    }
    Ok(FieldLine { name, value: trim(value), kind: classify(name)? })
}

/// As [`check`], of a line that is plain already.
pub(super) fn check_plain(line: plain::FieldLine<'_>) -> Result<FieldLine<'_>, FaultKind> {
    let plain::FieldLine { name, value, .. } = line;
    Ok(FieldLine { name, value, kind: classify(name)? })
}

fn classify(name: &[u8]) -> Result<Kind, FaultKind> {
    Ok(match name.len() {
        4 if name.eq_ignore_ascii_case(b"host") => Kind::Host,
        6 if name.eq_ignore_ascii_case(b"expect") => Kind::Expect,
        10 if name.eq_ignore_ascii_case(b"connection") => Kind::Connection,
        14 if is_or_looks_like(name, b"content-length")? => Kind::ContentLength,
        17 if is_or_looks_like(name, b"transfer-encoding")? => Kind::TransferEncoding,
        _ => Kind::Other,
    })
}

/// Whether `name` is `wanted`; an error if it becomes so when underscores are read as hyphens.
fn is_or_looks_like(name: &[u8], wanted: &[u8]) -> Result<bool, FaultKind> {
    if name.eq_ignore_ascii_case(wanted) {
        return Ok(true);
    }
    let alike = |(&given, &wanted): (&u8, &u8)| {
        given.to_ascii_lowercase() == wanted || (given == b'_' && wanted == b'-')
    };
    if name.iter().zip(wanted).all(alike) { Err(FaultKind::FramingLookalike) } else { Ok(false) }
}

/// Without surrounding spaces and tabs: OWS of RFC 9110 5.6.3, and nothing else that some
/// languages call whitespace.
pub(super) fn trim(value: &[u8]) -> &[u8] {
    let solid = |&b: &u8| b != b' ' && b != b'\t';
    let start = value.iter().position(solid).unwrap_or(value.len());
    let end = value.iter().rposition(solid).map_or(start, |last| last + 1);
    value.get(start..end).unwrap_or_default()
}

/// Reads a Content-Length: `1*DIGIT`, at most 19 digits, below 2^63 so that no recipient's signed
/// or unsigned 64-bit number overflows.
pub(super) fn content_length(value: &[u8]) -> Result<u64, FaultKind> {
    if value.is_empty() || value.len() > 19 || !value.iter().all(u8::is_ascii_digit) {
        return Err(FaultKind::ContentLengthValue);
    }
    let digits = value.iter().map(|b| u64::from(b - b'0'));
    // 19 digits stay below 2^64.
    let length = digits.fold(0u64, |sum, digit| sum.saturating_mul(10).saturating_add(digit));
    if i64::try_from(length).is_err() { Err(FaultKind::ContentLengthValue) } else { Ok(length) }
}

/// Accepts exactly `chunked` in any case; says of everything else which answer it deserves
/// (RFC 9112 6.1: 501 for a coding not understood; 6.3: 400 where chunked is not the last).
pub(super) fn transfer_encoding(value: &[u8]) -> Result<(), FaultKind> {
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    if is_chunked(value) {
        return Ok(());
    }
    let mut codings = value.rsplit(|&b| b == b',').map(trim);
    let last_is_chunked = codings.next().is_some_and(is_chunked);
    let is_other_coding =
        |coding: &[u8]| !coding.is_empty() && !is_chunked(coding) && coding.iter().all(|&b| is_token_byte(b));
    if last_is_chunked && codings.all(is_other_coding) {
        return Err(FaultKind::TransferCodingUnsupported);
    }
    Err(FaultKind::TransferEncodingValue)
}

/// Fields that frame, route, authenticate or modify the request, or describe its content: a
/// recipient that merged them into the head after the fact would act on another request than the
/// one checked (RFC 9110 6.5.1).
const NOT_IN_TRAILERS: [&[u8]; 16] = [
    b"authorization",
    b"cache-control",
    b"content-encoding",
    b"content-range",
    b"content-type",
    b"cookie",
    b"forwarded",
    b"keep-alive",
    b"max-forwards",
    b"proxy-authorization",
    b"range",
    b"te",
    b"trailer",
    b"upgrade",
    b"x-forwarded-for",
    b"x-forwarded-host",
];

/// Whether this field must not stand in a trailer section.
pub(super) fn is_forbidden_in_trailers(field: FieldLine<'_>) -> bool {
    match field.kind {
        Kind::Other => NOT_IN_TRAILERS.iter().any(|forbidden| field.name.eq_ignore_ascii_case(forbidden)),
        _ => true,
    }
}
