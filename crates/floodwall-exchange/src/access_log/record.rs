//! What one line of a log says.

use std::fmt;
use std::net::IpAddr;

/// One request of a log. It borrows from its line: reading one allocates nothing. Texts are as they
/// stand in the line, escapes included, and need not be UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRecord<'a> {
    /// When, in microseconds since 1970-01-01T00:00:00Z. Some servers write when the request came,
    /// others when the answer had been sent.
    pub unix_micros: i64,
    /// Whether the line tells parts of a second.
    pub within_second: bool,
    /// Who the server spoke with: the visitor, or a proxy.
    pub client: IpAddr,
    /// What a proxy said of the visitor (`X-Forwarded-For`), where the line has it.
    pub forwarded_for: Option<&'a [u8]>,
    /// Method; empty where what came was no request.
    pub method: &'a [u8],
    /// Path; empty where what came was no request.
    pub path: &'a [u8],
    /// Query, without its question mark.
    pub query: Option<&'a [u8]>,
    /// Host that was asked for.
    pub host: Option<&'a [u8]>,
    /// Status of the answer; `None` where none was sent.
    pub status: Option<u16>,
    /// Bytes of the answer.
    pub body_bytes: Option<u64>,
    /// How long the answer took, in microseconds.
    pub duration_us: Option<u64>,
    /// How long the origin took to begin its answer, in microseconds.
    pub origin_us: Option<u64>,
    /// Whether an origin was asked.
    pub origin: OriginUse,
    /// `Referer`; `None` where none was sent.
    pub referer: Option<&'a [u8]>,
    /// `User-Agent`; `None` where none was sent.
    pub user_agent: Option<&'a [u8]>,
}

impl<'a> LogRecord<'a> {
    /// A record of which only time and client are known.
    pub(super) fn new(unix_micros: i64, client: IpAddr) -> Self {
        Self {
            unix_micros,
            within_second: false,
            client,
            forwarded_for: None,
            method: b"",
            path: b"",
            query: None,
            host: None,
            status: None,
            body_bytes: None,
            duration_us: None,
            origin_us: None,
            origin: OriginUse::Unknown,
            referer: None,
            user_agent: None,
        }
    }

    /// Takes path and query from a request's target.
    pub(super) fn set_target(&mut self, target: &'a [u8]) {
        (self.path, self.query) = match super::lines::cut(target, b'?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
    }

    /// Takes method, path and query from `GET /x?y HTTP/1.1`. What is no request leaves them empty.
    pub(super) fn set_request(&mut self, request: &'a [u8]) {
        let Some((method, rest)) = super::lines::cut(request, b' ') else { return };
        if method.is_empty() || !method.iter().all(u8::is_ascii_alphabetic) {
            return;
        }
        let target = match super::lines::cut_last(rest, b' ') {
            Some((target, protocol)) if protocol.starts_with(b"HTTP/") => target,
            _ => rest,
        };
        self.method = method;
        self.set_target(target);
    }
}

/// Whether a request took work at an origin, as far as its line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginUse {
    /// The line does not say.
    Unknown,
    /// An origin was asked.
    Asked,
    /// It was answered from a cache, or by the server itself.
    NotAsked,
}

/// So many requests at a time: one row of plain counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountRecord {
    /// Start of the period, in microseconds since 1970-01-01T00:00:00Z.
    pub unix_micros: i64,
    /// Requests within it.
    pub count: u64,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// One request.
    Request(LogRecord<'a>),
    /// A count of requests.
    Count(CountRecord),
    /// Nothing to count: empty, a comment, a directive, a heading.
    Nothing,
    /// Not readable.
    Fault(LineFault),
}

/// Why a line cannot be read. One closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LineFault {
    /// It has not the form of the format.
    Form,
    /// Where the time should be there is none.
    Time,
    /// Where the client's address should be there is none.
    Client,
    /// The client is given by name.
    ClientName,
    /// A W3C line before `#Fields` said what its columns are.
    NoFields,
    /// A count that is no number.
    Count,
    /// Longer than a line may be.
    TooLong,
}

impl LineFault {
    /// Every fault there is.
    pub const ALL: &'static [Self] =
        &[Self::Form, Self::Time, Self::Client, Self::ClientName, Self::NoFields, Self::Count, Self::TooLong];

    /// A short name for JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Time => "time",
            Self::Client => "client",
            Self::ClientName => "client_name",
            Self::NoFields => "no_fields",
            Self::Count => "count",
            Self::TooLong => "too_long",
        }
    }
}

/// In words, with what to do where something can be done.
impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "not a line of this format",
            Self::Time => "no time that can be read",
            Self::Client => "no address of a client",
            Self::ClientName => {
                "the client is a name; let the server write addresses (Apache: HostnameLookups Off)"
            }
            Self::NoFields => "no #Fields line before it says what its columns are",
            Self::Count => "the count is no whole number",
            Self::TooLong => "longer than a line may be",
        })
    }
}
