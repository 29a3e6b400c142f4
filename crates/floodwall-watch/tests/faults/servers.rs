//! Servers that do one thing wrong.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(crate) const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// What becomes of a connection once its request was read.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// These bytes, then a close.
    Bytes(Vec<u8>),
    /// These bytes, then a reset.
    Reset(Vec<u8>),
    /// These bytes, then nothing more.
    Hang(Vec<u8>),
    /// These bytes, and then the second again and again.
    Endless(Vec<u8>, Vec<u8>),
}

/// Answers every connection so; its address.
pub(crate) async fn serve(ip: IpAddr, answer: Answer) -> SocketAddr {
    let listener = TcpListener::bind((ip, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { return };
            tokio::spawn(reply(stream, answer.clone()));
        }
    });
    address
}

async fn reply(mut stream: TcpStream, answer: Answer) {
    // The request's beginning; a client that speaks something else sends something too.
    let mut buffer = [0; 4096];
    let _ = stream.read(&mut buffer).await;
    match answer {
        Answer::Bytes(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Answer::Reset(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.flush().await;
            if !bytes.is_empty() {
                // A reset drops what was not read: only what the client has taken counts as sent.
                let _ = tokio::time::timeout(std::time::Duration::from_millis(80), stream.read(&mut buffer))
                    .await;
            }
            socket_reset(stream);
        }
        Answer::Hang(bytes) => {
            let _ = stream.write_all(&bytes).await;
            while stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {}
        }
        Answer::Endless(bytes, again) => {
            let _ = stream.write_all(&bytes).await;
            while stream.write_all(&again).await.is_ok() {}
        }
    }
}

/// Closes with a reset instead of an end.
pub(crate) fn socket_reset(stream: TcpStream) {
    let _ = stream.set_zero_linger();
    drop(stream);
}
