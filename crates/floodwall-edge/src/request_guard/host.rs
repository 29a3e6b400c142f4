//! Host names with optional ports, as they stand in Host and in absolute-form targets.

use std::net::Ipv6Addr;

use crate::plain::is_host_byte;

/// A host and its port, borrowed from the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostPort<'a> {
    host: &'a [u8],
    port: Option<u16>,
}

impl<'a> HostPort<'a> {
    /// Reads `uri-host [ ":" port ]` (RFC 9110 7.2, RFC 3986 3.2.2).
    ///
    /// Stricter than the grammar: names consist of letters, digits and `-._~`. The grammar also
    /// allows percent-encoding and `!$&'()*+,;=`, which occur in no name that resolves but are
    /// read differently by different programs. An empty host is refused; an empty port is not.
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        let (host, port) = if text.first() == Some(&b'[') {
            let end = memchr::memchr(b']', text)?;
            let address = std::str::from_utf8(text.get(1..end)?).ok()?;
            address.parse::<Ipv6Addr>().ok()?;
            (text.get(..=end)?, text.get(end + 1..)?)
        } else {
            let end = text.iter().position(|&b| !is_host_byte(b)).unwrap_or(text.len());
            let (host, port) = text.split_at_checked(end)?;
            if host.is_empty() || !matches!(port.first(), None | Some(b':')) {
                return None;
            }
            (host, port)
        };
        Some(Self { host, port: parse_port(port)? })
    }

    /// Whether both mean the same server, given the port that is meant where none is written.
    pub(crate) fn same_as(&self, other: &Self, default_port: u16) -> bool {
        self.host.eq_ignore_ascii_case(other.host)
            && self.port.unwrap_or(default_port) == other.port.unwrap_or(default_port)
    }
}

/// Reads what follows the host: nothing, or a colon and up to five digits. The outer `None` means
/// a fault, the inner one that no port is written.
fn parse_port(text: &[u8]) -> Option<Option<u16>> {
    let Some((colon, digits)) = text.split_first() else {
        return Some(None);
    };
    if *colon != b':' || digits.len() > 5 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if digits.is_empty() {
        return Some(None);
    }
    std::str::from_utf8(digits).ok()?.parse().ok().map(Some)
}

/// The authority of an absolute-form target, kept until Host arrives.
#[derive(Debug)]
pub(super) struct TargetAuthority {
    text: Box<[u8]>,
    default_port: u16,
}

impl TargetAuthority {
    /// Keeps `text`, the authority of a target whose scheme has `default_port`; `None` if it is
    /// no host with optional port (user information is refused with it: RFC 9110 4.2.4).
    pub(super) fn parse(text: &[u8], default_port: u16) -> Option<Self> {
        HostPort::parse(text)?;
        Some(Self { text: text.into(), default_port })
    }

    /// Whether Host names the same server.
    pub(super) fn agrees_with(&self, host: &HostPort<'_>) -> bool {
        HostPort::parse(&self.text).is_some_and(|own| own.same_as(host, self.default_port))
    }
}
