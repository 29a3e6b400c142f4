//! A request as an origin gets it, and its bytes on the wire.

use std::rc::Rc;

use http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING, VIA};
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method};
use http_body::Body as _;

use super::RequestBody;
use crate::forwarded::Introduction;

/// One request to an origin.
#[derive(Debug)]
pub(crate) struct OriginRequest {
    pub(crate) method: Method,
    pub(crate) target: PathAndQuery,
    pub(crate) fields: HeaderMap,
    /// Who asks, where `fields` does not say so.
    pub(crate) introduction: Option<Rc<Introduction>>,
    pub(crate) body: RequestBody,
}

/// How a request's body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// All of it has been sent, or there is none.
    Done,
    /// So many bytes are still to be sent.
    Length(u64),
    Chunked,
}

impl OriginRequest {
    /// Whether it can be sent twice without harm (RFC 9110 section 9.2.2) and without its body.
    pub(super) fn is_repeatable(&self) -> bool {
        self.method.is_idempotent() && self.body.is_empty()
    }

    pub(super) fn coding(&self) -> Coding {
        if self.body.is_empty() {
            return Coding::Done;
        }
        self.body.size_hint().exact().map_or(Coding::Chunked, Coding::Length)
    }

    /// Writes the head. The framing fields are written here and say how the body is sent, whatever
    /// the visitor's own said. `via` names this edge (RFC 9110 section 7.6.3).
    pub(super) fn write_head(&self, coding: Coding, via: &HeaderValue, out: &mut Vec<u8>) {
        out.extend_from_slice(self.method.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.target.as_str().as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        let mut says_length = false;
        for (name, value) in &self.fields {
            if *name == CONTENT_LENGTH {
                says_length = true;
            } else if *name != TRANSFER_ENCODING {
                write_field(name, value, out);
            }
        }
        if let Some(introduction) = &self.introduction {
            out.extend_from_slice(introduction.lines());
        }
        write_field(&VIA, via, out);
        match coding {
            Coding::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            Coding::Length(bytes) => {
                write_field(&CONTENT_LENGTH, &HeaderValue::from(bytes), out);
            }
            // RFC 9110 section 8.6: an origin that expects content should know that there is none.
            Coding::Done if says_length || self.expects_length() => {
                out.extend_from_slice(b"content-length: 0\r\n");
            }
            Coding::Done => {}
        }
        out.extend_from_slice(b"\r\n");
    }

    fn expects_length(&self) -> bool {
        matches!(self.method, Method::POST | Method::PUT | Method::PATCH)
    }
}

fn write_field(name: &HeaderName, value: &HeaderValue, out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}
