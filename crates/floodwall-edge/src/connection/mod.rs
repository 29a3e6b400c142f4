//! One visitor's connection from its first byte to its close.
//!
//! A connection that says nothing costs a socket and a small task: memory to read into and to write
//! from is taken only while there is something to read or to write.

mod first_bytes;
mod io;
mod marks;
mod pace;
pub(crate) mod proxied;
mod replayed;
mod secure;
mod state;
#[cfg(test)]
mod tests;

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use floodwall_policy::Share;
use http::{Request, Response};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use io::NotedIo;
pub(crate) use io::Transport;
pub(crate) use marks::{ClientMarks, OwnedMark};
pub(crate) use pace::Pace;
pub(crate) use state::{CoarseTime, ConnectionState, Order, Reading, TICK};

use crate::body::{Ledger, ResponseBody};
use crate::http1;
use crate::incoming::Incoming;
use crate::proxy::{self, Begun};
use crate::socket::Socket;
use crate::worker::{ListenerKind, Worker};

/// A request header's size and field count at the most (answered with 431 beyond).
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;
pub(crate) const FIELDS_MAX: usize = 128;

/// HTTP/2 limits; where hyper or h2 has a default that a flood can use, ours is lower. The figures
/// follow the highest caps published for edge servers.
///
/// The library answers a header list over its limit with 431 itself and tells nobody: so its limit
/// lies above ours, which is counted.
const H2_HEADER_LIST_BYTES_MAX: u32 = 96 * 1024;
const H2_STREAMS_MAX: u32 = 100;
const H2_PENDING_RESETS_MAX: usize = 20;
const H2_LOCAL_RESETS_MAX: usize = 50;
const H2_SEND_BUFFER_BYTES: usize = 64 * 1024;
const H2_STREAM_WINDOW_BYTES: u32 = 64 * 1024;
const H2_CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;

/// What a cleartext HTTP/2 connection begins with (RFC 9113 section 3.4); four bytes tell it from
/// every HTTP/1 method a browser sends.
const H2_PREFACE_START: &[u8] = b"PRI ";

/// Who is at the other end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) tls: bool,
}

/// Runs one accepted connection until it closes.
pub(crate) async fn serve(
    worker: Rc<Worker>,
    stream: TcpStream,
    address: SocketAddr,
    kind: ListenerKind,
    share: Option<Share>,
) {
    let state = Rc::new(ConnectionState::new(worker.coarse_now()));
    let mut registered = worker.register(&state, share);
    // Answers are written whole; Nagle's algorithm would only delay their last segment.
    let _ = stream.set_nodelay(true);
    let mut peer = Peer { address, tls: kind.tls };
    let mut first = BytesMut::new();
    if kind.proxied && worker.is_trusted_proxy(address.ip()) {
        let header = Box::pin(proxied::read(&worker, &stream, &mut first, &state));
        let Some(source) = until_ordered_away(&state, header).await.flatten() else { return };
        if let Some(source) = source {
            peer.address = source;
            if !registered.is_of(source.ip()) {
                return;
            }
        }
    }
    if kind.tls {
        // In a box: a connection that has said nothing yet should be small.
        Box::pin(secure::serve(&worker, stream, first, peer, &state)).await;
    } else {
        serve_cleartext(&worker, stream, first, peer, &state).await;
    }
}

async fn serve_cleartext(
    worker: &Rc<Worker>,
    mut stream: TcpStream,
    mut start: BytesMut,
    peer: Peer,
    state: &Rc<ConnectionState>,
) {
    // Nothing is kept for a connection that has said nothing.
    if start.is_empty() && !matches!(until_ordered_away(state, stream.readable()).await, Some(Ok(()))) {
        return;
    }
    let reading = Box::pin(read_protocol_start(worker, &mut stream, state, &mut start));
    let Some(Ok(())) = until_ordered_away(state, reading).await else { return };
    let transport = Transport::Plain(Socket::new(stream));
    if start.starts_with(H2_PREFACE_START) {
        return Box::pin(serve_h2(worker, transport, start.freeze(), peer, state)).await;
    }
    Box::pin(http1::serve(worker, transport, start, peer, state)).await;
}

/// Reads until it is clear whether the connection speaks HTTP/1 or HTTP/2.
async fn read_protocol_start(
    worker: &Worker,
    stream: &mut TcpStream,
    state: &ConnectionState,
    start: &mut BytesMut,
) -> std::io::Result<()> {
    if !start.is_empty() && !may_be_preface(start) {
        return Ok(());
    }
    start.reserve(2048);
    loop {
        if stream.read_buf(start).await? == 0 {
            return if start.is_empty() { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) };
        }
        if !may_be_preface(start) {
            return Ok(());
        }
        state.set_reading(Reading::Head(worker.coarse_now()));
    }
}

/// Whether it is not clear yet which protocol the bytes are.
fn may_be_preface(start: &[u8]) -> bool {
    start.len() < H2_PREFACE_START.len() && H2_PREFACE_START.starts_with(start)
}

/// Awaits `future`, unless the connection is ordered away first.
async fn until_ordered_away<F: Future>(state: &ConnectionState, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        state.listen_for_orders(cx);
        if matches!(state.order(), Order::Drain | Order::Close) {
            return Poll::Ready(None);
        }
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// Runs spawned HTTP/2 streams on the worker's own thread.
#[derive(Clone, Copy, Debug)]
struct LocalExecutor;

impl<F> hyper::rt::Executor<F> for LocalExecutor
where
    F: Future + 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            let _ = future.await;
        });
    }
}

async fn serve_h2(
    worker: &Rc<Worker>,
    transport: Transport,
    replay: Bytes,
    peer: Peer,
    state: &Rc<ConnectionState>,
) {
    let io = NotedIo::new(transport, replay, state.clone(), worker.clone());
    let service = {
        let (worker, state) = (worker.clone(), state.clone());
        service_fn(move |request| answer(&worker, &state, peer, request))
    };
    let connection = http2::Builder::new(LocalExecutor)
        .timer(TokioTimer::new())
        .max_concurrent_streams(H2_STREAMS_MAX)
        .max_header_list_size(H2_HEADER_LIST_BYTES_MAX)
        .max_pending_accept_reset_streams(H2_PENDING_RESETS_MAX)
        .max_local_error_reset_streams(H2_LOCAL_RESETS_MAX)
        .max_send_buf_size(H2_SEND_BUFFER_BYTES)
        .initial_stream_window_size(H2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(H2_CONNECTION_WINDOW_BYTES)
        .serve_connection(TokioIo::new(io), service);
    let mut connection = pin!(connection);
    let mut draining = false;
    let outcome = poll_fn(|cx| {
        state.listen_for_orders(cx);
        match state.order() {
            Order::Close => return Poll::Ready(Ok(())),
            Order::Drain if !draining => {
                draining = true;
                connection.as_mut().graceful_shutdown();
            }
            _ => {}
        }
        connection.as_mut().poll(cx)
    })
    .await;
    if let Err(error) = outcome {
        tracing::trace!(%error, peer = %peer.address, "HTTP/2 connection ended");
        if is_protocol_error(&error) {
            worker.counters.worker.malformed_requests.add(1);
        }
    }
}

/// Whether an HTTP/2 connection ended because the visitor broke the protocol.
fn is_protocol_error(error: &hyper::Error) -> bool {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<h2::Error>())
        .is_some_and(|error| !error.is_io() && error.reason().is_some_and(|r| r != h2::Reason::NO_ERROR))
}

/// Opens the request's ledger at once and not when its future is first polled, so that the connection
/// is never taken for idle in between.
fn answer(
    worker: &Rc<Worker>,
    state: &Rc<ConnectionState>,
    peer: Peer,
    request: Request<hyper::body::Incoming>,
) -> Answer {
    let (head, body) = request.into_parts();
    match proxy::begin(Ledger::open(worker.clone(), state.clone()), peer, head, Incoming::Http2(body)) {
        Begun::Answered(response) => Answer::AtOnce(Some(response)),
        Begun::Waits(waiting) => Answer::Waits(proxy::answer(waiting)),
    }
}

/// An answer that is there or comes.
#[expect(clippy::large_enum_variant, reason = "an answer that is there takes no memory of its own")]
enum Answer {
    AtOnce(Option<Response<ResponseBody>>),
    Waits(Pin<Box<dyn Future<Output = Response<ResponseBody>>>>),
}

impl Future for Answer {
    type Output = Result<Response<ResponseBody>, std::convert::Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            // Polled once more after it was taken, it stays silent, as any future may.
            Self::AtOnce(response) => {
                response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response)))
            }
            Self::Waits(response) => response.as_mut().poll(cx).map(with_table).map(Ok),
        }
    }
}

/// The answer with all its fields in its table, where the library looks for them.
fn with_table(mut response: Response<ResponseBody>) -> Response<ResponseBody> {
    if let Some(lines) = response.body_mut().take_lines() {
        // A table that is full goes without the rest; an answer's is far from it.
        let _full = lines.append_to(response.headers_mut());
    }
    response
}
