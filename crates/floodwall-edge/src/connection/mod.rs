//! One visitor's connection from its first byte to its close.
//!
//! A connection that says nothing costs a socket and a small task: the HTTP parser and its buffers
//! exist only while there is something to parse, and an idle keep-alive connection gives them back
//! (it hibernates) until its next byte.

mod io;
mod pace;
mod state;

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use floodwall_policy::Share;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) use io::{GuardedIo, Transport};
pub(crate) use pace::Pace;
pub(crate) use state::{CoarseTime, ConnectionState, Order, Reading, TICK};

use crate::body::{Ledger, ResponseBody};
use crate::pages;
use crate::proxy::{self, Begun};
use crate::request_guard::{Fault, GuardLimits, RequestGuard};
use crate::worker::Worker;

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

/// How long, and for how many reads of 1 KiB, a refused connection is read on before it is closed.
const LINGER: std::time::Duration = std::time::Duration::from_secs(1);
const LINGER_READS_MAX: usize = 128;

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
    tls: bool,
    share: Option<Share>,
) {
    let state = Rc::new(ConnectionState::new(worker.coarse_now()));
    let _registered = worker.register(&state, share);
    // Answers are written whole; Nagle's algorithm would only delay their last segment.
    let _ = stream.set_nodelay(true);
    let peer = Peer { address, tls };
    if tls {
        // In a box: a connection that has said nothing yet should be small.
        Box::pin(serve_tls(&worker, stream, peer, &state)).await;
    } else {
        serve_cleartext(&worker, stream, peer, &state).await;
    }
}

async fn serve_tls(worker: &Rc<Worker>, stream: TcpStream, peer: Peer, state: &Rc<ConnectionState>) {
    let Some(acceptor) = worker.tls_acceptor() else { return };
    if until_ordered_away(state, stream.readable()).await.is_none() {
        return;
    }
    state.set_reading(Reading::Head(worker.coarse_now()));
    let handshake = Box::pin(acceptor.accept(stream));
    let stream = match until_ordered_away(state, handshake).await {
        Some(Ok(stream)) => stream,
        Some(Err(error)) => {
            tracing::trace!(%error, peer = %peer.address, "TLS handshake failed");
            worker.counters.worker.tls_handshakes_failed.add(1);
            return;
        }
        None => return,
    };
    state.set_reading(Reading::Between);
    state.read_progressed(worker.coarse_now());
    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let transport = Transport::Tls(Box::new(stream));
    if h2 {
        Box::pin(serve_h2(worker, transport, Bytes::new(), peer, state)).await;
    } else {
        state.set_hibernating(true);
        let guard = new_guard();
        let ended = Box::pin(serve_h1(worker, transport, Bytes::new(), guard, peer, state)).await;
        debug_assert!(ended.is_none(), "a TLS connection does not hibernate");
    }
}

async fn serve_cleartext(
    worker: &Rc<Worker>,
    mut stream: TcpStream,
    peer: Peer,
    state: &Rc<ConnectionState>,
) {
    let mut guard = None;
    loop {
        let Some(Ok(())) = until_ordered_away(state, stream.readable()).await else { return };
        let first = guard.is_none();
        let mut start = BytesMut::new();
        if first {
            let reading = Box::pin(read_protocol_start(worker, &mut stream, state, &mut start));
            let Some(Ok(())) = until_ordered_away(state, reading).await else { return };
        }
        if first && start.starts_with(H2_PREFACE_START) {
            return Box::pin(serve_h2(worker, Transport::Plain(stream), start.freeze(), peer, state)).await;
        }
        state.set_hibernating(false);
        let transport = Transport::Plain(stream);
        let guarded = guard.take().unwrap_or_else(new_guard);
        let phase = serve_h1(worker, transport, start.freeze(), guarded, peer, state);
        match Box::pin(phase).await {
            Some((Transport::Plain(kept), kept_guard)) => {
                state.set_hibernating(true);
                stream = kept;
                guard = Some(kept_guard);
            }
            _ => return,
        }
    }
}

fn new_guard() -> RequestGuard {
    RequestGuard::new(GuardLimits { head_bytes_max: HEAD_BYTES_MAX, fields_max: FIELDS_MAX })
}

/// Reads until it is clear whether the connection speaks HTTP/1 or HTTP/2.
async fn read_protocol_start(
    worker: &Worker,
    stream: &mut TcpStream,
    state: &ConnectionState,
    start: &mut BytesMut,
) -> std::io::Result<()> {
    start.reserve(2048);
    loop {
        if stream.read_buf(start).await? == 0 {
            return if start.is_empty() { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) };
        }
        let compared = start.len().min(H2_PREFACE_START.len());
        let undecided = compared < H2_PREFACE_START.len() && H2_PREFACE_START.starts_with(start);
        if !undecided {
            return Ok(());
        }
        state.set_reading(Reading::Head(worker.coarse_now()));
    }
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

/// Runs HTTP/1.1 until the connection closes (`None`) or hibernates (its transport and guard).
async fn serve_h1(
    worker: &Rc<Worker>,
    transport: Transport,
    replay: Bytes,
    guard: RequestGuard,
    peer: Peer,
    state: &Rc<ConnectionState>,
) -> Option<(Transport, RequestGuard)> {
    let io = GuardedIo::new(transport, replay, Some(guard), state.clone(), worker.clone());
    let service = service_fn(|request| answer(worker, state, peer, request));
    let mut connection = http1::Builder::new()
        .max_headers(FIELDS_MAX)
        .max_buf_size(HEAD_BYTES_MAX * 2)
        .half_close(false)
        .serve_connection(TokioIo::new(io), service);
    let mut draining = false;
    let outcome = poll_fn(|cx| {
        state.listen_for_orders(cx);
        match state.order() {
            Order::Carry => {}
            Order::Close => return Poll::Ready(Ended::Ordered),
            Order::Hibernate if state.is_idle() => return Poll::Ready(Ended::Hibernates),
            Order::Hibernate => state.decline_hibernation(),
            Order::Drain if draining => {}
            Order::Drain => {
                draining = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
        connection.poll_without_shutdown(cx).map(Ended::ByItself)
    })
    .await;
    let parts = connection.into_parts();
    let mut io = parts.io.into_inner();
    match outcome {
        Ended::Hibernates if parts.read_buf.is_empty() => match io.into_parts() {
            (transport, Some(guard)) => return Some((transport, guard)),
            _ => return None,
        },
        Ended::ByItself(result) => {
            if let Some(fault) = io.take_fault() {
                let refusal = Box::pin(refuse_fault(worker, io, fault));
                let _ = until_ordered_away(state, refusal).await;
                return None;
            } else if let Err(error) = result {
                count_parser_error(worker, &error);
            }
        }
        Ended::Hibernates | Ended::Ordered => return None,
    }
    let _ = until_ordered_away(state, io.shutdown()).await;
    None
}

enum Ended {
    ByItself(hyper::Result<()>),
    Ordered,
    Hibernates,
}

/// Answers a request the guard refused and closes, so that the answer is read.
async fn refuse_fault(worker: &Worker, mut io: GuardedIo, fault: Fault) {
    let status = fault.kind.status();
    if status == http::StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE {
        worker.counters.worker.oversized_headers.add(1);
    } else {
        worker.counters.worker.malformed_requests.add(1);
    }
    let reference = worker.next_reference();
    tracing::trace!(kind = fault.kind.as_str(), %reference, "request refused by the guard");
    let page = pages::malformed_request_bytes(status, fault.kind.explanation(), reference);
    let transport = io.transport_mut();
    // One write: if the visitor's window is too small for 2 KiB, the page is not worth waiting for.
    if transport.write(&page).await.is_err() || transport.shutdown().await.is_err() {
        return;
    }
    // Closing while bytes of theirs are unread would reset the connection and take the page away
    // with it: so read on for a little while.
    let mut scrap = [0; 1024];
    let drain = async {
        for _ in 0..LINGER_READS_MAX {
            match transport.read(&mut scrap).await {
                Ok(bytes) if bytes > 0 => {}
                _ => return,
            }
        }
    };
    let _ = tokio::time::timeout(LINGER, drain).await;
}

/// The guard is stricter than the parser, so that this is the exception; it is counted all the same.
fn count_parser_error(worker: &Worker, error: &hyper::Error) {
    if error.is_parse_too_large() {
        worker.counters.worker.oversized_headers.add(1);
    } else if error.is_parse() {
        worker.counters.worker.malformed_requests.add(1);
    }
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
    state.set_hibernating(true); // HTTP/2 has connection state that cannot be set aside.
    let io = GuardedIo::new(transport, replay, None, state.clone(), worker.clone());
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

/// Opens the request's ledger at once and not when its future is first polled: the parser may look
/// for the next request in between, and must see that one is being answered.
fn answer(
    worker: &Rc<Worker>,
    state: &Rc<ConnectionState>,
    peer: Peer,
    request: Request<Incoming>,
) -> Answer {
    match proxy::begin(Ledger::open(worker.clone(), state.clone()), peer, request) {
        Begun::Answered(response) => Answer::AtOnce(Some(response)),
        Begun::Waits(waiting) => Answer::Waits(proxy::answer(waiting)),
    }
}

/// An answer that is there or comes.
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
            Self::Waits(response) => response.as_mut().poll(cx).map(Ok),
        }
    }
}
