//! Connecting to one address, and what a failure says.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use floodwall_outage::{Cause, UnknownCause};
use tokio::net::TcpStream;

use crate::attempt::Failure;

/// Connects.
///
/// # Errors
/// The failure by its kind, and the error's own words.
pub(crate) async fn connect(address: SocketAddr) -> Result<TcpStream, (Failure, String)> {
    match TcpStream::connect(address).await {
        Ok(stream) => {
            // A probe's small writes are its own; it fails no probe when this is refused.
            let _ = stream.set_nodelay(true);
            Ok(stream)
        }
        Err(error) => Err((failure(&error, address), error.to_string())),
    }
}

fn failure(error: &io::Error, address: SocketAddr) -> Failure {
    match error.kind() {
        ErrorKind::ConnectionRefused => Failure::Target(Cause::ConnectRefused),
        ErrorKind::TimedOut => Failure::Target(Cause::ConnectTimeout),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            Failure::Target(Cause::ConnectReset)
        }
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable if has_route(address) => {
            Failure::Target(Cause::ConnectUnreachable)
        }
        // No way leads there from this host: the packet was never sent.
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => {
            Failure::Own(UnknownCause::EgressGone)
        }
        _ => Failure::Own(UnknownCause::ProberFailed),
    }
}

/// Whether this host's routing table leads there: connecting a datagram socket looks the way up and
/// sends nothing.
fn has_route(address: SocketAddr) -> bool {
    let any: SocketAddr = if address.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
    std::net::UdpSocket::bind(any).and_then(|socket| socket.connect(address)).is_ok()
}
