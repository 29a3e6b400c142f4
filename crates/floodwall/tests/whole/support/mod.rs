//! A real server between real visitors and a real origin, all on loopback, always killed.

mod heard;
pub(crate) mod origin;
mod server;
mod visitor;

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use heard::Heard;
pub(crate) use origin::{Origin, Page};
pub(crate) use server::{Program, Server};
pub(crate) use visitor::{Answer, Visitor, get};

/// The longest anything is waited for. It is reached only where something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A loopback address that no other test and no system's own choice of port uses, so that a port on
/// it stays free while a server there is down.
pub(crate) fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(10);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high, low, NEXT.fetch_add(1, Ordering::Relaxed))
}
