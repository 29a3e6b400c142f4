//! Serving the console: a bounded number of HTTP/1.1 connections, each with deadlines.
//!
//! HTTP/1.1 only: the readers are a few browsers and a scraper on the same host or behind the
//! operator's own tunnel.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::console::Console;
use crate::stalled_writes::StalledWrites;

/// Connections at once; further ones wait in the listener's queue.
const CONNECTIONS_MAX: usize = 256;
/// A request's header must be complete within this, and an idle connection is closed after it.
const HEADER_TIME_MAX: Duration = Duration::from_secs(20);
/// A reader who takes not a byte of an answer for this long is cut off.
const WRITE_STALL_MAX: Duration = Duration::from_secs(30);
/// Largest header: the console sets no cookies and reads none.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// A connection is closed after this at the latest, so that a reader who went away without a word
/// does not keep its place; browsers connect a live stream again by themselves.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(3600);
/// Pause after a failed accept: it mostly means that file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Answers under way at shutdown are given this long to finish.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

/// Serves until `shutdown` completes; then accepts no more, ends live streams and waits up to five
/// seconds for answers under way.
pub async fn serve(listener: TcpListener, console: Console, shutdown: impl Future<Output = ()> + Send) {
    let service = TowerToHyperService::new(console.router());
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accepted => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the admin listener could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIME_MAX)
            .max_buf_size(HEADER_BYTES_MAX)
            .serve_connection(TokioIo::new(StalledWrites::new(stream, WRITE_STALL_MAX)), service.clone());
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            let _place = place;
            // How it ended concerns only its reader, who sees it.
            let _ended = tokio::time::timeout(CONNECTION_AGE_MAX, connection).await;
        });
    }
    drop(listener);
    console.close_event_streams();
    if tokio::time::timeout(DRAIN_TIME_MAX, connections.shutdown()).await.is_err() {
        tracing::warn!("readers of the console were cut off: they did not take their answer in time");
    }
}
