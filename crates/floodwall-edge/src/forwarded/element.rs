//! Reading and writing the elements of `Forwarded` (RFC 7239 4) and the addresses in it and in
//! `X-Forwarded-For`.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::{BufMut, BytesMut};

use crate::plain::is_token_byte;

/// Whom a proxy says a request came from (RFC 7239 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// An address; its port is of no interest. Never an IPv4-mapped IPv6 address.
    Address(IpAddr),
    /// `unknown`, an obfuscated identifier such as `_hidden`, or nothing.
    Hidden,
}

impl Node {
    /// Reads an address or identifier, each with an optional port. Bare IPv6 addresses, which only
    /// `X-Forwarded-For` has, are taken in both headers.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Self::Address(address.to_canonical()));
        }
        if let Some(bracketed) = text.strip_prefix('[') {
            let (address, port) = bracketed.split_once(']')?;
            let address = address.parse::<Ipv6Addr>().ok()?;
            let port_is_fine = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
            return port_is_fine.then(|| Self::Address(IpAddr::V6(address).to_canonical()));
        }
        let name = match text.split_once(':') {
            Some((name, port)) if is_port(port) => name,
            Some(_) => return None,
            None => text,
        };
        if let Ok(address) = name.parse::<Ipv4Addr>() {
            return Some(Self::Address(IpAddr::V4(address)));
        }
        (name.eq_ignore_ascii_case("unknown") || is_obfuscated(name)).then_some(Self::Hidden)
    }
}

/// `node-port` of RFC 7239 6: up to five digits, or an obfuscated one.
fn is_port(text: &str) -> bool {
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits || is_obfuscated(text)
}

/// `obfnode` and `obfport` of RFC 7239 6.3.
fn is_obfuscated(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    text.strip_prefix('_').is_some_and(|name| !name.is_empty() && name.bytes().all(allowed))
}

/// Whether a scheme's name is https; `None` if it is neither http nor https.
pub(super) fn is_https(proto: &[u8]) -> Option<bool> {
    match proto {
        _ if proto.eq_ignore_ascii_case(b"https") => Some(true),
        _ if proto.eq_ignore_ascii_case(b"http") => Some(false),
        _ => None,
    }
}

/// What one proxy says of the request it received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) node: Node,
    pub(super) https: Option<bool>,
}

impl Element {
    /// Reads `name=value` pairs separated by semicolons; `None` if they are malformed, if `for` or
    /// `proto` occurs twice or has no meaning. Laxer than the grammar in what proxies are seen to
    /// send: spaces around semicolons, and colons and brackets without quotes.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let (mut node, mut https) = (None, None);
        let mut rest = text.trim_ascii();
        while !rest.is_empty() {
            let equals = memchr::memchr2(b'=', b';', rest)?;
            let (name, value) = rest.split_at_checked(equals)?;
            if name.is_empty() && value.first() == Some(&b';') {
                rest = value.get(1..)?.trim_ascii_start();
                continue;
            }
            if name.is_empty() || !name.iter().all(|&b| is_token_byte(b)) {
                return None;
            }
            let value;
            (value, rest) = split_value(rest.get(equals..)?.strip_prefix(b"=")?)?;
            if name.eq_ignore_ascii_case(b"for") {
                let known = node.replace(Node::parse(value)?).is_some();
                if known {
                    return None;
                }
            } else if name.eq_ignore_ascii_case(b"proto") && https.replace(is_https(value)?).is_some() {
                return None;
            }
        }
        Some(Self { node: node.unwrap_or(Node::Hidden), https })
    }
}

/// Splits off a value; what follows its semicolon comes second. Escapes are left in place: nothing
/// that is read here can hold them.
fn split_value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (value, rest) = if let Some(quoted) = text.strip_prefix(b"\"") {
        let end = closing_quote(quoted)?;
        (quoted.get(..end)?, quoted.get(end + 1..)?.trim_ascii_start())
    } else {
        let end = memchr::memchr(b';', text).unwrap_or(text.len());
        let (value, rest) = text.split_at_checked(end)?;
        let value = value.trim_ascii_end();
        let plain = |&b: &u8| is_token_byte(b) || matches!(b, b':' | b'[' | b']');
        if value.is_empty() || !value.iter().all(plain) {
            return None;
        }
        (value, rest)
    };
    match rest.split_first() {
        None => Some((value, rest)),
        Some((b';', rest)) => Some((value, rest.trim_ascii_start())),
        Some(_) => None,
    }
}

/// Where the quote stands that ends a quoted string (RFC 9110 5.6.4).
fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    text.iter().position(|&b| {
        let closes = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        closes
    })
}

/// The elements of a line, last first.
///
/// Split from the right, for what stands left may be a visitor's: read from the left, an opened
/// quote in it would swallow the element that our own proxy appended.
pub(super) fn from_right(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    let elements = std::iter::from_fn(move || {
        let text = rest?;
        let comma = last_unquoted_comma(text);
        rest = comma.and_then(|at| text.get(..at));
        text.get(comma.map_or(0, |at| at + 1)..).map(<[u8]>::trim_ascii)
    });
    elements.filter(|element| !element.is_empty())
}

fn last_unquoted_comma(text: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut at = text.len();
    while let Some((before, byte)) =
        text.get(..at).and_then(<[u8]>::split_last).map(|(byte, before)| (before, *byte))
    {
        at = before.len();
        match byte {
            b'"' if quoted => quoted = is_escaped(before),
            b'"' => quoted = true,
            b',' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// Whether a byte is escaped by the backslashes that end `before`.
fn is_escaped(before: &[u8]) -> bool {
    before.iter().rev().take_while(|&&b| b == b'\\').count() % 2 == 1
}

/// Writes `for=`; addresses with colons need brackets and quotes.
pub(super) fn write_for(text: &mut BytesMut, node: Node) {
    // Writing to memory cannot fail.
    let _ = match node {
        Node::Address(IpAddr::V4(address)) => write!(text, "for={address}"),
        Node::Address(IpAddr::V6(address)) => write!(text, "for=\"[{address}]\""),
        Node::Hidden => write!(text, "for=unknown"),
    };
}

/// Writes `;host=`, quoted where a port or an address makes it no token; nothing if the host holds
/// what no quoted string may.
pub(super) fn write_host(text: &mut BytesMut, host: &str) {
    let is_visible = |b: u8| (b' '..=b'~').contains(&b);
    if host.is_empty() || !host.bytes().all(is_visible) {
        return;
    }
    text.put_slice(b";host=");
    if host.bytes().all(is_token_byte) {
        text.put_slice(host.as_bytes());
        return;
    }
    text.put_u8(b'"');
    for byte in host.bytes() {
        if matches!(byte, b'"' | b'\\') {
            text.put_u8(b'\\');
        }
        text.put_u8(byte);
    }
    text.put_u8(b'"');
}
