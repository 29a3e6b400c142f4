//! Floods of HTTP/2 frames: each connection sends on for as long as the server lets it.

mod barrage;
mod frames;
#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::flood::{Fate, Running};
use crate::clock::Moment;
use crate::plan::FloodArrival;
use barrage::{BATCHES_PER_SECOND, Barrage};
use frames::{FrameHeads, PREFACE, flag, kind, put};

/// Read at once.
const READ_BYTES: usize = 16_384;
/// What the server said before it closed is waited for so long.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Opens a connection and floods it until the server closes it or the flood is over.
pub(super) async fn hold(running: &Running, source: IpAddr, arrival: &FloodArrival) -> Fate {
    let connecting = connect(running, source);
    let stream = match tokio::time::timeout(running.patience(), connecting).await {
        Ok(Some(stream)) => stream,
        Ok(None) => return Fate::Failed,
        Err(_) => return Fate::GaveUp,
    };
    let barrage = Barrage::new(running.flood.kind, &running.post.site, arrival.at_us);
    let left = running.ends.since(Moment::now());
    let held = flood(stream, barrage, |count| running.sent(count));
    // Still open when the flood ends: the server took it all the time.
    tokio::time::timeout(left, held).await.unwrap_or(Fate::Served)
}

async fn connect(running: &Running, source: IpAddr) -> Option<impl AsyncRead + AsyncWrite + Unpin + use<>> {
    let tls = running.post.tls.as_ref()?;
    let stream = running.post.own.edge(source, tls.port).connect(source).await.ok()?;
    let _ = stream.set_nodelay(true);
    let stream = tls.shake(tls.of_h2_flooder(), stream).await.ok()?;
    let speaks_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    speaks_h2.then_some(stream)
}

/// Sends batch after batch until the server has had enough. `sent` is told of every batch.
async fn flood<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    mut barrage: Barrage,
    mut sent: impl FnMut(u64),
) -> Fate {
    let Ok(heads) = greet(&mut stream).await else { return Fate::Refused };
    let (read, mut write) = tokio::io::split(stream);
    let verdict = verdict(read, heads);
    tokio::pin!(verdict);
    let sending = async {
        let mut every = tokio::time::interval(Duration::from_secs(1) / BATCHES_PER_SECOND);
        // A server that takes nothing for a while gets no more afterwards.
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut batch = Vec::new();
        loop {
            every.tick().await;
            batch.clear();
            let count = barrage.batch(&mut batch);
            if write.write_all(&batch).await.is_err() || write.flush().await.is_err() {
                return;
            }
            sent(count);
        }
    };
    tokio::select! {
        biased;
        fate = &mut verdict => return fate,
        () = sending => {}
    }
    tokio::time::timeout(LAST_WORDS, verdict).await.unwrap_or(Fate::Refused)
}

/// The beginning of every HTTP/2 connection, as any client does it. Returns where in the server's
/// frames it has come to.
async fn greet<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<FrameHeads> {
    let mut hello = PREFACE.to_vec();
    put(&mut hello, kind::SETTINGS, 0, 0, &[]);
    stream.write_all(&hello).await?;
    stream.flush().await?;
    let mut heads = FrameHeads::default();
    let mut bytes = [0; 1_024];
    loop {
        let count = stream.read(&mut bytes).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let found = heads.take(bytes.get(..count).unwrap_or_default());
        if found.iter().any(|(kind, flags)| *kind == kind::SETTINGS && flags & flag::ACK == 0) {
            let mut answer = Vec::new();
            put(&mut answer, kind::SETTINGS, flag::ACK, 0, &[]);
            stream.write_all(&answer).await?;
            stream.flush().await?;
            return Ok(heads);
        }
    }
}

/// Reads until the server closes, and says how it went about it.
async fn verdict<R: AsyncRead + Unpin>(mut read: R, mut heads: FrameHeads) -> Fate {
    let mut fate = Fate::Refused;
    let mut bytes = vec![0; READ_BYTES];
    while let Ok(count @ 1..) = read.read(&mut bytes).await {
        let found = heads.take(bytes.get(..count).unwrap_or_default());
        if found.iter().any(|(kind, _)| *kind == kind::GOAWAY) {
            fate = Fate::ToldToGo;
        }
    }
    fate
}
