//! A flood of TLS handshakes: half of them are left as soon as the server has answered the first
//! message and so has done its share of the cryptography, half are completed and closed.

use std::net::IpAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::flood::{Fate, Running};
use crate::plan::FloodArrival;

/// One handshake. Served means that the server answered it.
pub(super) async fn shake(running: &Running, source: IpAddr, arrival: &FloodArrival) -> Fate {
    // The arrival's own time decides: as good as chance, and the same for the same seed.
    let is_left = arrival.at_us.is_multiple_of(2);
    let answered = answered(running, source, is_left);
    tokio::time::timeout(running.patience(), answered).await.unwrap_or(Fate::GaveUp)
}

async fn answered(running: &Running, source: IpAddr, is_left: bool) -> Fate {
    let Some(tls) = running.post.tls.as_ref() else { return Fate::Failed };
    let Ok(mut stream) = running.post.own.edge(source, tls.port).connect(source).await else {
        return Fate::Failed;
    };
    let _ = stream.set_nodelay(true);
    let served = if is_left {
        let mut byte = [0];
        stream.write_all(&running.hello).await.is_ok() && matches!(stream.read(&mut byte).await, Ok(1))
    } else {
        tls.shake(tls.of_flooder(), stream).await.is_ok()
    };
    running.sent(1);
    if served { Fate::Served } else { Fate::Refused }
}
