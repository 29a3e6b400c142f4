//! A worker's connections to its origins.
//!
//! A connection is driven by whoever uses it: its future is polled inside the request's own task,
//! so that passing a request on costs no second task and no wake-up between the two. While it lies
//! in the pool nothing polls it; that it was closed meanwhile is seen when it is taken out.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Origin, OriginFailure, RequestBody};
use crate::connection::CoarseTime;

/// Idle connections kept for one origin by one worker.
const IDLE_MAX: usize = 64;

/// Answers of origins may have larger headers than we take from visitors.
const ANSWER_HEAD_BYTES_MAX: usize = 128 * 1024;
const ANSWER_FIELDS_MAX: usize = 256;

pub(crate) type Driver = http1::Connection<TokioIo<TcpStream>, RequestBody>;

/// A connection to an origin, with the future that moves its bytes. Always boxed: it goes from pool
/// to request to body and back, and is half a kilobyte.
#[derive(Debug)]
pub(crate) struct OriginConnection {
    pub(crate) sender: http1::SendRequest<RequestBody>,
    pub(crate) driver: Driver,
    pub(crate) reused: bool,
}

impl OriginConnection {
    /// Moves bytes; `false` when the connection has ended.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        Pin::new(&mut self.driver).poll(cx).is_pending()
    }
}

#[derive(Debug)]
struct Idle {
    connection: Box<OriginConnection>,
    since: CoarseTime,
}

/// See the module's head.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    idle: RefCell<HashMap<usize, Vec<Idle>, foldhash::fast::RandomState>>,
}

impl Pool {
    /// The most recently used idle connection that is still open.
    pub(crate) fn take(&self, origin: &Origin) -> Option<Box<OriginConnection>> {
        let mut idle = self.idle.borrow_mut();
        let list = idle.get_mut(&origin.number)?;
        let mut cx = Context::from_waker(Waker::noop());
        while let Some(mut entry) = list.pop() {
            if entry.connection.drive(&mut cx) && entry.connection.sender.is_ready() {
                entry.connection.reused = true;
                return Some(entry.connection);
            }
        }
        None
    }

    /// Keeps a connection for the next request.
    pub(crate) fn give_back(&self, origin: &Origin, connection: Box<OriginConnection>, now: CoarseTime) {
        let mut idle = self.idle.borrow_mut();
        let list = idle.entry(origin.number).or_default();
        if list.len() < IDLE_MAX {
            list.push(Idle { connection, since: now });
        }
    }

    /// Closes connections that were idle for `idle_max` or that the origin closed.
    pub(crate) fn sweep(&self, now: CoarseTime, idle_max: Duration) {
        let mut cx = Context::from_waker(Waker::noop());
        for list in self.idle.borrow_mut().values_mut() {
            list.retain_mut(|entry| !now.reached(entry.since, idle_max) && entry.connection.drive(&mut cx));
        }
    }
}

/// Opens a connection to an origin.
pub(crate) async fn connect(
    origin: &Origin,
    patience: Duration,
) -> Result<Box<OriginConnection>, OriginFailure> {
    let (host, port) = (origin.config.host.as_str(), origin.config.port);
    let stream = match tokio::time::timeout(patience, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(OriginFailure::Connect(error.to_string().into())),
        Err(_) => return Err(OriginFailure::TimedOut { what: "connection", after: patience }),
    };
    let _ = stream.set_nodelay(true);
    let (sender, driver) = http1::Builder::new()
        .max_buf_size(ANSWER_HEAD_BYTES_MAX)
        .max_headers(ANSWER_FIELDS_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| OriginFailure::Connect(error.to_string().into()))?;
    let mut connection = Box::new(OriginConnection { sender, driver, reused: false });
    std::future::poll_fn(|cx| {
        connection.drive(cx);
        Poll::Ready(())
    })
    .await;
    Ok(connection)
}
