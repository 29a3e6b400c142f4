//! Who a request is from when it came through proxies, and what the origin is told about it.
//!
//! Anyone can write `X-Forwarded-For` or `Forwarded` (RFC 7239). What a proxy of ours wrote stands
//! rightmost, so both are read from the right and no further than the first address that is not a
//! trusted proxy's: what lies left of it was written by whoever that is.
//!
//! Which of the two is believed: the one that is present. If both are, `X-Forwarded-For`, since it
//! is the one that proxies maintain when they maintain only one; where `Forwarded` then names
//! another client, the answer is flagged as malformed. Operators should have their proxies remove
//! the header that they do not set.
//!
//! Limits: [`HOPS_MAX`] hops are read. `X-Real-IP` and its kin name an address without saying who
//! wrote it, and are never believed.

mod element;
#[cfg(test)]
mod tests;

use std::fmt::Write;
use std::net::IpAddr;

use bytes::{BufMut, Bytes, BytesMut};
use element::{Element, Node};
use floodwall_model::Prefix;
use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue};

/// Most hops that are read or passed on.
pub(crate) const HOPS_MAX: usize = 32;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientAddress {
    /// The visitor's address: the peer's own, or the one that trusted proxies vouch for. Where a
    /// proxy does not say or says nonsense, that of the last trusted proxy before it. Never an
    /// IPv4-mapped IPv6 address.
    pub(crate) address: IpAddr,
    /// Whether the visitor spoke https with the outermost trusted proxy; `None` if none said so.
    pub(crate) scheme_https: Option<bool>,
    /// Whether the peer is a trusted proxy.
    pub(crate) trusted_peer: bool,
    /// Trusted proxies that the request passed, the peer included.
    pub(crate) trusted_hops: usize,
    /// A trusted proxy's header could not be read, ran beyond [`HOPS_MAX`], or two disagreed.
    pub(crate) malformed: bool,
}

/// Finds out whom a request is from: `peer` is the connection's other end, `trusted` are the
/// addresses of proxies that are believed. Headers from any other peer are ignored.
#[must_use]
pub(crate) fn client_address(peer: IpAddr, trusted: &[Prefix], headers: &HeaderMap) -> ClientAddress {
    let is_trusted = |address| trusted.iter().any(|prefix| prefix.contains(address));
    let address = peer.to_canonical();
    if !is_trusted(address) {
        return ClientAddress {
            address,
            scheme_https: None,
            trusted_peer: false,
            trusted_hops: 0,
            malformed: false,
        };
    }
    let addresses = || x_forwarded_for(headers).map(|entry| Node::parse(entry).map(|node| (node, None)));
    let elements =
        || forwarded(headers).map(|text| Element::parse(text).map(|element| (element.node, element.https)));
    let mut walk = if headers.contains_key(X_FORWARDED_FOR) {
        let mut walk = Walk::new(address, addresses(), is_trusted);
        if headers.contains_key(FORWARDED) {
            let other = Walk::new(address, elements(), is_trusted);
            walk.malformed |= other.address != walk.address;
            walk.https = other.https.filter(|_| other.address == walk.address);
        }
        walk
    } else {
        Walk::new(address, elements(), is_trusted)
    };
    match proto_at(headers, walk.entries_read.saturating_sub(1)) {
        Ok(None) => {}
        Ok(https) => walk.https = https,
        Err(UnknownProto) => walk.malformed = true,
    }
    ClientAddress {
        address: walk.address,
        scheme_https: walk.https,
        trusted_peer: true,
        trusted_hops: walk.trusted_hops,
        malformed: walk.malformed,
    }
}

/// A way from the peer towards the visitor.
struct Walk {
    address: IpAddr,
    https: Option<bool>,
    trusted_hops: usize,
    entries_read: usize,
    malformed: bool,
}

impl Walk {
    /// Follows `hops`, nearest first, until one is not trusted. Each was written by the trusted
    /// proxy before it.
    fn new(
        peer: IpAddr,
        hops: impl Iterator<Item = Option<(Node, Option<bool>)>>,
        is_trusted: impl Fn(IpAddr) -> bool,
    ) -> Self {
        let mut walk =
            Self { address: peer, https: None, trusted_hops: 1, entries_read: 0, malformed: false };
        for hop in hops {
            walk.entries_read += 1;
            let Some((node, https)) = hop.filter(|_| walk.entries_read <= HOPS_MAX) else {
                walk.malformed = true;
                break;
            };
            walk.https = https;
            let Node::Address(address) = node else { break };
            walk.address = address;
            if !is_trusted(address) {
                break;
            }
            walk.trusted_hops += 1;
        }
        walk
    }
}

/// The entries of `X-Forwarded-For`, nearest hop first.
fn x_forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    list_from_right(headers, X_FORWARDED_FOR)
}

/// The elements of `Forwarded`, nearest hop first.
fn forwarded(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(FORWARDED).iter().rev();
    lines.flat_map(|line| element::from_right(line.as_bytes()))
}

/// The entries of a plain comma-separated header over all its lines, last first; empty ones are
/// no entries (RFC 9110 5.6.1.2).
fn list_from_right(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(name).iter().rev();
    let entries = lines.flat_map(|line| line.as_bytes().rsplit(|&b| b == b','));
    entries.map(<[u8]>::trim_ascii).filter(|entry| !entry.is_empty())
}

struct UnknownProto;

/// Whether `X-Forwarded-Proto` says https at `place`, counted from the right from 0. Proxies that
/// keep the header instead of appending to it leave fewer entries: then the leftmost counts.
fn proto_at(headers: &HeaderMap, place: usize) -> Result<Option<bool>, UnknownProto> {
    let entries = list_from_right(headers, X_FORWARDED_PROTO);
    let Some(proto) = entries.take(place.saturating_add(1)).last() else {
        return Ok(None);
    };
    element::is_https(proto).map(Some).ok_or(UnknownProto)
}

/// Both hosts where `X-Forwarded-Host` names another than `authority`. No host holds a space, so
/// this is none of anybody else's.
pub(crate) fn told_host(headers: &HeaderMap, authority: &str) -> Option<String> {
    let mut told =
        headers.get_all(X_FORWARDED_HOST).iter().map(|host| String::from_utf8_lossy(host.as_bytes()));
    let first = told.next()?;
    let rest = told.fold(String::new(), |all, host| all + " " + &host);
    let same = rest.is_empty() && first.eq_ignore_ascii_case(authority);
    (!same).then(|| format!("{authority} {first}{rest}"))
}

/// Tells the origin whom a request is from: sets or extends `X-Forwarded-For` and `Forwarded`,
/// and sets `X-Forwarded-Proto` and `X-Forwarded-Host`.
///
/// `https` says whether the visitor uses https as far as known, `host` is the host asked for.
/// Unless `peer_trusted`, whatever the request claims about its way is removed first: a visitor
/// must not forge it. From a trusted peer, a host that was rewritten is kept, and so are the hops
/// before it; a hop that cannot be read is dropped, with what lies beyond it. If the peer sent only
/// one of the two hop headers, the other tells the same hops (RFC 7239 7.4), so that origins
/// reading either see the same visitor.
pub(crate) fn append_forwarding(
    headers: &mut HeaderMap,
    peer: IpAddr,
    https: bool,
    host: &str,
    peer_trusted: bool,
) {
    remove_claims(headers, peer_trusted);
    let peer = peer.to_canonical();
    let proto = proto(https);
    let addresses = x_forwarded_for_with(headers, peer);
    let elements = forwarded_with(headers, peer, proto, host);
    set(headers, X_FORWARDED_FOR, addresses);
    set(headers, FORWARDED, elements);
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(proto));
    if !headers.contains_key(X_FORWARDED_HOST)
        && let Ok(host) = HeaderValue::from_str(host)
    {
        headers.insert(X_FORWARDED_HOST, host);
    }
}

/// What the origin is told of a visitor whose peer is not trusted: the same for all requests of one
/// connection to one host, so it is put into words once.
#[derive(Debug)]
pub(crate) struct Introduction {
    host: String,
    https: bool,
    lines: Vec<u8>,
}

impl Introduction {
    pub(crate) fn new(peer: IpAddr, https: bool, host: &str) -> Self {
        let mut told = HeaderMap::new();
        append_forwarding(&mut told, peer, https, host, false);
        let mut lines = Vec::with_capacity(192);
        for (name, value) in &told {
            lines.extend_from_slice(name.as_str().as_bytes());
            lines.extend_from_slice(b": ");
            lines.extend_from_slice(value.as_bytes());
            lines.extend_from_slice(b"\r\n");
        }
        Self { host: host.to_owned(), https, lines }
    }

    /// Whether it holds for this request of the same connection.
    pub(crate) fn serves(&self, https: bool, host: &str) -> bool {
        self.https == https && self.host == host
    }

    /// The header lines, each with its line end. Beside them the request has none of the claims
    /// that [`remove_strangers_claims`] removes.
    pub(crate) fn lines(&self) -> &[u8] {
        &self.lines
    }
}

/// Whether [`remove_strangers_claims`] removes a field.
pub(crate) fn is_strangers_claim(name: &HeaderName) -> bool {
    is_claim(name.as_str())
}

/// Removes what a peer that is not trusted claims about who asks for what.
pub(crate) fn remove_strangers_claims(headers: &mut HeaderMap) {
    remove_claims(headers, false);
}

fn proto(https: bool) -> &'static str {
    if https { "https" } else { "http" }
}

/// The new `X-Forwarded-For`: the hops known so far, then the peer.
fn x_forwarded_for_with(headers: &HeaderMap, peer: IpAddr) -> Bytes {
    let mut text = BytesMut::with_capacity(64);
    let entries = x_forwarded_for(headers).take_while(|entry| Node::parse(entry).is_some());
    let entries: Vec<&[u8]> = entries.take(HOPS_MAX).collect();
    for entry in entries.iter().rev() {
        text.put_slice(entry);
        text.put_slice(b", ");
    }
    if entries.is_empty() {
        let nodes: Vec<Node> =
            forwarded(headers).map_while(Element::parse).map(|e| e.node).take(HOPS_MAX).collect();
        for node in nodes.iter().rev() {
            // Writing to memory cannot fail.
            let _ = match node {
                Node::Address(address) => write!(text, "{address}, "),
                Node::Hidden => write!(text, "unknown, "),
            };
        }
    }
    let _ = write!(text, "{peer}");
    text.freeze()
}

/// The new `Forwarded`: the hops known so far, then the peer with what it asked for.
fn forwarded_with(headers: &HeaderMap, peer: IpAddr, proto: &str, host: &str) -> Bytes {
    let mut text = BytesMut::with_capacity(96);
    let elements = forwarded(headers).take_while(|element| Element::parse(element).is_some());
    let elements: Vec<&[u8]> = elements.take(HOPS_MAX).collect();
    for element in elements.iter().rev() {
        text.put_slice(element);
        text.put_slice(b", ");
    }
    if elements.is_empty() {
        let nodes: Vec<Node> = x_forwarded_for(headers).map_while(Node::parse).take(HOPS_MAX).collect();
        for node in nodes.iter().rev() {
            element::write_for(&mut text, *node);
            text.put_slice(b", ");
        }
    }
    element::write_for(&mut text, Node::Address(peer));
    element::write_host(&mut text, host);
    text.put_slice(b";proto=");
    text.put_slice(proto.as_bytes());
    text.freeze()
}

/// Sets a header whose bytes all come from headers, addresses or quoted text; should they be no
/// header value all the same, the origin gets none rather than the unchecked old one.
fn set(headers: &mut HeaderMap, name: HeaderName, value: Bytes) {
    match HeaderValue::from_maybe_shared(value) {
        Ok(value) => headers.insert(name, value),
        Err(_) => headers.remove(name),
    };
}

/// Headers by which origins are told the visitor's address, host, scheme or path; besides these, every
/// name beginning with [`CLAIM_PREFIX`].
const CLAIMS: [&str; 17] = [
    "cf-connecting-ip",
    "client-ip",
    "fastly-client-ip",
    "forwarded",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-host",
    "x-http-host-override",
    "x-original-forwarded-for",
    "x-original-host",
    "x-original-uri",
    "x-original-url",
    "x-real-ip",
    "x-remote-addr",
    "x-remote-ip",
    "x-rewrite-url",
];

const CLAIM_PREFIX: &str = "x-forwarded";

/// Removes claims about where the request comes from. Names with underscores for hyphens go even
/// if the peer is trusted: programs that read headers as CGI variables (RFC 3875 4.1.18) take them
/// for the real ones, and proxies overlook them.
fn remove_claims(headers: &mut HeaderMap, peer_trusted: bool) {
    let must_go = |name: &&HeaderName| {
        let name = name.as_str();
        is_claim(name) && (!peer_trusted || name.contains('_'))
    };
    let claims: Vec<HeaderName> = headers.keys().filter(must_go).cloned().collect();
    for name in claims {
        headers.remove(name);
    }
}

fn is_claim(name: &str) -> bool {
    // Most fields begin with a letter that no claim begins with.
    if !matches!(name.as_bytes().first(), Some(b'c' | b'f' | b't' | b'x')) {
        return false;
    }
    let alike = |(given, known): (u8, u8)| given == known || (given == b'_' && known == b'-');
    let begins_with = |known: &str| name.len() >= known.len() && name.bytes().zip(known.bytes()).all(alike);
    begins_with(CLAIM_PREFIX) || CLAIMS.iter().any(|claim| name.len() == claim.len() && begins_with(claim))
}
