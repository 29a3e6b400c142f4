//! PROXY protocol, versions 1 and 2 (HAProxy's `doc/proxy-protocol.txt`): a proxy before us says in a
//! connection's first bytes whose connection it is.
//!
//! Only from trusted proxies and only on listeners that are to have it, where it must be there: a
//! stranger's would let him choose the address he is counted under.

use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use ppp::{HeaderResult, PartialResult, v1, v2};
use tokio::net::TcpStream;

use super::first_bytes::read_more;
use super::state::{ConnectionState, Reading};
use crate::worker::Worker;

/// The longest header that is read; what proxies add to the addresses takes some hundred bytes.
pub(crate) const HEADER_BYTES_MAX: usize = 4096;

/// A version 1 header: how it begins, and its longest (section 2.1).
const V1_START: &[u8] = b"PROXY ";
const V1_BYTES_MAX: usize = 107;

/// How a header reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// More is to come.
    Partial,
    /// It is `length` bytes long and says whose the connection is; `None` for the proxy's own, by which
    /// it sees whether we are there.
    Whole { length: usize, source: Option<SocketAddr> },
    /// It is none, or too long.
    Fault,
}

/// Reads a header from a connection's first bytes.
pub(crate) fn read_header(input: &[u8]) -> Header {
    if input.is_empty() {
        return Header::Partial;
    }
    let compared = input.len().min(V1_START.len());
    let is_version_1 = input.get(..compared) == V1_START.get(..compared);
    // The library takes a line that breaks off within a number for a wrong one, and a whole line in which
    // something is missing for one that breaks off: so it is shown whole lines only.
    if is_version_1 && !input.iter().take(V1_BYTES_MAX).any(|byte| *byte == b'\n') {
        return if input.len() < V1_BYTES_MAX { Header::Partial } else { Header::Fault };
    }
    let parsed = HeaderResult::parse(input);
    if parsed.is_incomplete() {
        let goes_on = !is_version_1 && input.len() < HEADER_BYTES_MAX;
        return if goes_on { Header::Partial } else { Header::Fault };
    }
    match parsed {
        HeaderResult::V1(Ok(header)) => {
            let source = match header.addresses {
                v1::Addresses::Tcp4(ip) => Some(SocketAddr::new(ip.source_address.into(), ip.source_port)),
                v1::Addresses::Tcp6(ip) => Some(SocketAddr::new(ip.source_address.into(), ip.source_port)),
                v1::Addresses::Unknown => None,
            };
            whole(header.header.len(), source)
        }
        HeaderResult::V2(Ok(header)) => {
            let source = match (header.command, header.addresses) {
                (v2::Command::Local, _) => None,
                (v2::Command::Proxy, v2::Addresses::IPv4(ip)) => {
                    Some(SocketAddr::new(ip.source_address.into(), ip.source_port))
                }
                (v2::Command::Proxy, v2::Addresses::IPv6(ip)) => {
                    Some(SocketAddr::new(ip.source_address.into(), ip.source_port))
                }
                (v2::Command::Proxy, v2::Addresses::Unspecified | v2::Addresses::Unix(_)) => None,
            };
            whole(header.len(), source)
        }
        HeaderResult::V1(Err(_)) | HeaderResult::V2(Err(_)) => Header::Fault,
    }
}

fn whole(length: usize, source: Option<SocketAddr>) -> Header {
    if length > HEADER_BYTES_MAX {
        return Header::Fault;
    }
    let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    Header::Whole { length, source: source.map(canonical) }
}

/// Reads the header and leaves what came behind it in `first`. `None`: there is none, and the connection
/// is to be closed.
pub(super) async fn read(
    worker: &Worker,
    stream: &TcpStream,
    first: &mut BytesMut,
    state: &ConnectionState,
) -> Option<Option<SocketAddr>> {
    loop {
        if read_more(worker, stream, first).await.ok()? == 0 {
            return None;
        }
        state.set_reading(Reading::Head(worker.coarse_now()));
        match read_header(first) {
            Header::Partial => {}
            Header::Fault => {
                worker.counters.worker.proxy_headers_malformed.add(1);
                return None;
            }
            Header::Whole { length, source } => {
                first.advance(length);
                state.set_reading(Reading::Between);
                return Some(source);
            }
        }
    }
}

#[cfg(test)]
mod tests;
