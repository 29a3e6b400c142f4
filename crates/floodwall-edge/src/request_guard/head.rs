//! A checked head as the values that the rest of the edge works with.

use bytes::Bytes;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};

use super::{FaultKind, Said};
use crate::place::{Place, header_name};

/// A request as far as its header says. In a box: it is handed on several times before it is used.
#[derive(Debug)]
pub(crate) struct RequestHead {
    pub(crate) parts: Parts,
    /// Bytes of the head, empty lines before it included.
    pub(crate) bytes: usize,
    /// Whether the visitor wants to send another request over this connection.
    pub(crate) persists: bool,
    /// Whether the body is held back until an interim answer asks for it (RFC 9110 section 10.1.1).
    pub(crate) expects_continue: bool,
}

/// Makes the values of a head that has been checked. They are parts of one copy of it, so that they
/// do not keep the memory alive that was read into.
///
/// # Errors
/// None that the checks leave: the library is as strict at the most. They are told all the same.
pub(super) fn build(
    head: &[u8],
    said: &Said,
    lines: &[(Place, Place)],
) -> Result<Box<RequestHead>, FaultKind> {
    let text = Bytes::copy_from_slice(head);
    let mut fields = HeaderMap::try_with_capacity(lines.len()).map_err(|_| FaultKind::TooManyFields)?;
    for (name, value) in lines {
        let name = header_name(name.in_text(&text)).map_err(|_| FaultKind::FieldName)?;
        let value = HeaderValue::from_maybe_shared(text.slice_ref(value.in_text(&text)))
            .map_err(|_| FaultKind::ControlCharacter)?;
        fields.try_append(name, value).map_err(|_| FaultKind::TooManyFields)?;
    }
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = method(said.method.in_text(&text))?;
    parts.uri = uri(text.slice_ref(said.target.in_text(&text)))?;
    parts.version = if said.http10 { Version::HTTP_10 } else { Version::HTTP_11 };
    parts.headers = fields;
    Ok(Box::new(RequestHead {
        parts,
        bytes: head.len(),
        persists: !said.closes && (!said.http10 || said.keeps_alive),
        // RFC 9110 section 10.1.1: from an HTTP/1.0 client it is to be ignored.
        expects_continue: said.expects_continue && !said.http10,
    }))
}

fn method(name: &[u8]) -> Result<Method, FaultKind> {
    match name {
        b"GET" => Ok(Method::GET),
        _ => Method::from_bytes(name).map_err(|_| FaultKind::RequestLine),
    }
}

fn uri(target: Bytes) -> Result<Uri, FaultKind> {
    if target.first() == Some(&b'/') {
        // Any number of slashes: this is a path, never an authority.
        return PathAndQuery::from_maybe_shared(target).map(Uri::from).map_err(|_| FaultKind::Target);
    }
    Uri::from_maybe_shared(target).map_err(|_| FaultKind::Target)
}
