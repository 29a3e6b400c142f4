//! The first line of a request: method, target, version (RFC 9112 3).

use super::fault::FaultKind;
use super::host::TargetAuthority;
use crate::plain::{is_path_byte, is_query_byte, is_token_byte};

/// What the rest of the head is checked against.
#[derive(Debug)]
pub(super) struct RequestLine<'a> {
    pub(super) method: &'a [u8],
    pub(super) target: &'a [u8],
    /// HTTP/1.0 rather than HTTP/1.1.
    pub(super) http10: bool,
    /// The authority that an absolute-form target names.
    pub(super) authority: Option<Box<TargetAuthority>>,
}

/// Checks a request line, given without its line end.
pub(super) fn check(line: &[u8]) -> Result<RequestLine<'_>, FaultKind> {
    if memchr::memchr(b'\r', line).is_some() {
        return Err(FaultKind::BareCr);
    }
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(FaultKind::LeadingWhitespace);
    }
    // Splitting at the outermost spaces leaves any further space in the target, which refuses it.
    let first = line.iter().position(|&b| b == b' ').ok_or(FaultKind::RequestLine)?;
    let last = line.iter().rposition(|&b| b == b' ').ok_or(FaultKind::RequestLine)?;
    let method = line.get(..first).unwrap_or_default();
    let target = line.get(first + 1..last).unwrap_or_default();
    let version = line.get(last + 1..).unwrap_or_default();
    if method.is_empty() || target.is_empty() || !method.iter().all(|&b| is_token_byte(b)) {
        return Err(FaultKind::RequestLine);
    }
    let http10 = check_version(version)?;
    if method == b"CONNECT" {
        return Err(FaultKind::ConnectMethod);
    }
    if target.iter().any(|&b| matches!(b, b' ' | b'\t')) {
        return Err(FaultKind::RequestLine);
    }
    let authority = check_target(method, target)?;
    Ok(RequestLine { method, target, http10, authority })
}

/// Answers whether the version is HTTP/1.0 rather than HTTP/1.1. A higher minor version is refused
/// as well: none exists, and what it would mean is not known.
fn check_version(version: &[u8]) -> Result<bool, FaultKind> {
    match version {
        b"HTTP/1.1" => Ok(false),
        b"HTTP/1.0" => Ok(true),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Err(FaultKind::Version)
        }
        _ => Err(FaultKind::RequestLine),
    }
}

fn check_target(method: &[u8], target: &[u8]) -> Result<Option<Box<TargetAuthority>>, FaultKind> {
    if target.first() == Some(&b'/') {
        return if is_path_and_query(target) { Ok(None) } else { Err(FaultKind::Target) };
    }
    if target == b"*" {
        return if method == b"OPTIONS" { Ok(None) } else { Err(FaultKind::Target) };
    }
    let (after_scheme, default_port) = after_scheme(target).ok_or(FaultKind::Target)?;
    let end = memchr::memchr3(b'/', b'?', b'#', after_scheme).unwrap_or(after_scheme.len());
    let (authority, path) = after_scheme.split_at_checked(end).ok_or(FaultKind::Target)?;
    if !is_path_and_query(path) {
        return Err(FaultKind::Target);
    }
    let authority = TargetAuthority::parse(authority, default_port).ok_or(FaultKind::Target)?;
    Ok(Some(Box::new(authority)))
}

/// What follows `http://` or `https://`, and that scheme's port.
fn after_scheme(target: &[u8]) -> Option<(&[u8], u16)> {
    [(&b"http://"[..], 80), (&b"https://"[..], 443)].into_iter().find_map(|(scheme, port)| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some((rest, port))
    })
}

/// Whether a target's path and query hold only bytes that the HTTP library takes as well.
///
/// Laxer than RFC 3986 where browsers are: they send some of `{}|^[]\` and the backtick
/// unencoded. Bytes beyond ASCII must be UTF-8. A fragment is refused: it never belongs into a
/// request, and is dropped by some recipients and kept by others.
fn is_path_and_query(text: &[u8]) -> bool {
    let Some(path_end) = text.iter().position(|&b| !is_path_byte(b)) else { return true };
    if let Some([b'?', query @ ..]) = text.get(path_end..)
        && query.iter().all(|&b| is_query_byte(b))
    {
        return true;
    }
    is_odd_path_and_query(text)
}

/// As [`is_path_and_query`], for those with bytes beyond ASCII.
#[cold]
fn is_odd_path_and_query(text: &[u8]) -> bool {
    let control = |&b: &u8| b <= b' ' || b == 0x7f;
    if text.iter().any(control) || std::str::from_utf8(text).is_err() {
        return false;
    }
    let (path, query) = match memchr::memchr(b'?', text) {
        Some(mark) => text.split_at_checked(mark).unwrap_or_default(),
        None => (text, &[][..]),
    };
    !path.iter().any(|b| matches!(b, b'#' | b'<' | b'>' | b'`'))
        && !query.iter().any(|b| matches!(b, b'#' | b'<' | b'>' | b'"'))
}
