//! What is known of one request before it is decided on.

use std::net::IpAddr;

use crate::Prefix;

/// Which declared site a request is for: its place in the list of sites of the running settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteId(pub u16);

/// The protocol the visitor speaks with the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.0 (RFC 1945).
    Http10,
    /// HTTP/1.1 (RFC 9112).
    Http11,
    /// HTTP/2 (RFC 9113).
    Http2,
}

impl Protocol {
    /// As it stands in access logs: `HTTP/1.1`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2.0",
        }
    }
}

/// The facts policy decides on. They borrow from the request: building them allocates nothing.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'a> {
    /// The site the request is for.
    pub site: SiteId,
    /// The visitor's address: the peer's, or the one a trusted proxy reported.
    pub client: IpAddr,
    /// The prefix the visitor is counted under.
    pub prefix: Prefix,
    /// The request method as sent: `GET`.
    pub method: &'a str,
    /// The path without the query: `/register`.
    pub path: &'a str,
    /// Whether answering it takes work at the origin (nothing in the cache answers it).
    pub origin_bound: bool,
}
