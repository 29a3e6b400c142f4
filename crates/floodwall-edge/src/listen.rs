//! Listening sockets: one per worker and address, joined by `SO_REUSEPORT`, so that the kernel
//! spreads new connections over the workers and no worker wakes another.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections the kernel may hold ready for accept, per worker; the kernel caps it at
/// `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// Binds `workers` sockets to one address. With port 0 the kernel chooses one, the same for all.
///
/// # Errors
/// The operating system's error: address in use, no permission for the port, no such address.
pub(crate) fn bind(address: SocketAddr, workers: usize) -> io::Result<Vec<TcpListener>> {
    if address.port() != 0 {
        // With SO_REUSEPORT the kernel would let a second server of the same user in beside us and
        // give it half of the visitors: so first see that the port is really free.
        drop(bind_one(address, false)?);
    }
    let first = bind_one(address, true)?;
    let bound = first.local_addr()?;
    let mut sockets = vec![first];
    while sockets.len() < workers {
        sockets.push(bind_one(bound, true)?);
    }
    Ok(sockets)
}

fn bind_one(address: SocketAddr, share_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // `[::]` means IPv6 only, so that `0.0.0.0` beside it is no conflict.
        socket.set_only_v6(true)?;
    }
    // A restart must not wait for old connections in TIME_WAIT.
    socket.set_reuse_address(true)?;
    if share_port {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_worker_listens_on_the_same_port() {
        let sockets = bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        let port = sockets[0].local_addr().unwrap().port();
        assert_eq!(sockets.len(), 3);
        assert!(sockets.iter().all(|s| s.local_addr().unwrap().port() == port));
    }

    #[test]
    fn a_port_in_use_is_not_shared_silently() {
        let held = bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let error = bind(held[0].local_addr().unwrap(), 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
