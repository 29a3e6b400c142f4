//! Where a part of a message's head lies in its bytes: told before the bytes are copied, used after.

use http::header::{self, HeaderName, InvalidHeaderName};

/// A part of some bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    start: u32,
    bytes: u32,
}

impl Place {
    /// `part` lies within `whole`.
    pub(crate) fn of(part: &[u8], whole: &[u8]) -> Self {
        let start = part.as_ptr().addr().saturating_sub(whole.as_ptr().addr());
        Self {
            start: u32::try_from(start).unwrap_or(u32::MAX),
            bytes: u32::try_from(part.len()).unwrap_or(u32::MAX),
        }
    }

    /// Where it begins.
    pub(crate) fn start(self) -> usize {
        usize::try_from(self.start).unwrap_or(usize::MAX)
    }

    /// Where it has ended.
    pub(crate) fn end(self) -> usize {
        self.start().saturating_add(usize::try_from(self.bytes).unwrap_or(usize::MAX))
    }

    /// The part of `text`, which is `whole` or a copy of it.
    pub(crate) fn in_text(self, text: &[u8]) -> &[u8] {
        text.get(self.start()..self.end()).unwrap_or_default()
    }
}

/// A field's name. Those that most messages have, as most programs spell them, are told at a glance:
/// reading a name letter by letter was a ninth of what reading an origin's answer costs.
///
/// # Errors
/// It is no name (RFC 9110 section 5.1).
pub(crate) fn header_name(name: &[u8]) -> Result<HeaderName, InvalidHeaderName> {
    Ok(match name {
        b"Accept" => header::ACCEPT,
        b"Accept-Encoding" => header::ACCEPT_ENCODING,
        b"Accept-Language" => header::ACCEPT_LANGUAGE,
        b"Accept-Ranges" => header::ACCEPT_RANGES,
        b"Cache-Control" => header::CACHE_CONTROL,
        b"Connection" => header::CONNECTION,
        b"Content-Encoding" => header::CONTENT_ENCODING,
        b"Content-Length" => header::CONTENT_LENGTH,
        b"Content-Type" => header::CONTENT_TYPE,
        b"Cookie" => header::COOKIE,
        b"Date" => header::DATE,
        b"ETag" => header::ETAG,
        b"Expires" => header::EXPIRES,
        b"Host" => header::HOST,
        b"Last-Modified" => header::LAST_MODIFIED,
        b"Referer" => header::REFERER,
        b"Server" => header::SERVER,
        b"Set-Cookie" => header::SET_COOKIE,
        b"User-Agent" => header::USER_AGENT,
        b"Vary" => header::VARY,
        _ => HeaderName::from_bytes(name)?,
    })
}
