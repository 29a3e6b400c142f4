//! The head of an answer on the wire (RFC 9112 section 4), and how its body is framed.

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::Asked;
use crate::upstream::FieldLines;

/// How an answer's body is framed (RFC 9112 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none: the answer to HEAD, 204 or 304. Its fields say what they say.
    None,
    /// So many bytes.
    Length(u64),
    Chunked,
    /// Until the connection closes.
    UntilClose,
}

impl Framing {
    pub(super) fn of(status: StatusCode, asked: Asked, bytes: Option<u64>) -> Self {
        let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        match bytes {
            _ if asked.is_head || bodiless => Self::None,
            Some(bytes) => Self::Length(bytes),
            None if asked.http10 => Self::UntilClose,
            None => Self::Chunked,
        }
    }
}

/// An answer's fields, in one form or both.
pub(super) struct Fields<'a> {
    pub(super) table: &'a HeaderMap,
    /// Lines that frame nothing and are not for one hop.
    pub(super) lines: Option<Box<FieldLines>>,
}

/// Whether the answer itself asks for the connection to be closed.
pub(super) fn asks_to_close(fields: &HeaderMap) -> bool {
    fields.get(header::CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}

/// Writes the head. The framing fields are written here and say how the body is sent, whatever `fields`
/// say. `date`: the time as in a `Date` field, for answers without one (RFC 9110 section 6.6.1).
pub(super) fn write(
    out: &mut Vec<u8>,
    status: StatusCode,
    fields: &Fields<'_>,
    framing: Framing,
    connection: Option<&'static str>,
    date: &[u8],
) {
    if status == StatusCode::OK {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
    } else {
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(status.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    let mut dated = false;
    if let Some(lines) = &fields.lines {
        dated = lines.is_dated();
        out.extend_from_slice(lines.as_bytes());
        if let Some((name, value)) = lines.added() {
            write_field(out, name, value);
        }
    }
    for (name, value) in fields.table {
        let framing_field = *name == header::CONTENT_LENGTH && framing != Framing::None;
        if framing_field || *name == header::TRANSFER_ENCODING || *name == header::CONNECTION {
            continue;
        }
        dated |= *name == header::DATE;
        write_field(out, name, value);
    }
    if !dated {
        out.extend_from_slice(b"date: ");
        out.extend_from_slice(date);
        out.extend_from_slice(b"\r\n");
    }
    match framing {
        Framing::None | Framing::UntilClose => {}
        Framing::Length(bytes) => {
            out.extend_from_slice(b"content-length: ");
            out.extend_from_slice(itoa::Buffer::new().format(bytes).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
    if let Some(option) = connection {
        out.extend_from_slice(b"connection: ");
        out.extend_from_slice(option.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

fn write_field(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}
