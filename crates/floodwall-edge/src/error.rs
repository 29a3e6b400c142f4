//! What can go wrong when the edge starts. While it runs, faults of visitors and origins become
//! answers and counts, never errors.

use std::io;
use std::net::SocketAddr;

use crate::kept::KeptError;
use crate::tls::TlsError;

/// Why the edge did not start. All of these are for the operator to mend; a retry alone helps only
/// where the message says so.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// A listener cannot be bound.
    #[error("cannot listen on {address}: {}", explain_listen(source))]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// The operating system's word.
        source: io::Error,
    },
    /// Certificates cannot be used; one line for each fault.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Tls(Vec<TlsError>),
    /// Copies of pages cannot be kept.
    #[error(
        "cannot keep copies of pages: {0}; mend the directory, or set `max_age = \"0s\"` below [server.kept]"
    )]
    Kept(#[source] KeptError),
    /// No thread could be started.
    #[error("cannot start a worker thread: {0}; see the limits on tasks (ulimit -u, TasksMax)")]
    Thread(#[source] io::Error),
    /// The operating system gave no random numbers.
    #[error("the operating system gave no random numbers: {0}")]
    Entropy(String),
}

fn explain_listen(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there already; stop it (`ss -ltnp` names it) or choose another port"
                .to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "not permitted; ports below 1024 need root or the capability CAP_NET_BIND_SERVICE".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; use 0.0.0.0 (or [::]) for all of its addresses".to_owned()
        }
        _ => error.to_string(),
    }
}
