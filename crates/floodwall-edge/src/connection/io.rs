//! The one layer between a connection's bytes and the HTTP parser: it replays what was read to tell
//! the protocol, shows every byte to the request guard first, and notes progress for the reaper.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::state::{ConnectionState, Reading};
use crate::request_guard::{Fault, Position, RequestGuard};
use crate::worker::Worker;

/// Over HTTP/2, less than this written at once may be the answer to a ping, which would keep an idle
/// connection open for ever.
const H2_PROGRESS_BYTES_MIN: usize = 512;

/// A visitor's connection, cleartext or TLS.
#[derive(Debug)]
pub(crate) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

macro_rules! forward {
    ($self:ident, $io:ident => $call:expr) => {
        match $self.get_mut() {
            Transport::Plain(io) => {
                let $io = Pin::new(io);
                $call
            }
            Transport::Tls(io) => {
                let $io = Pin::new(io.as_mut());
                $call
            }
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        forward!(self, io => io.poll_read(cx, buf))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        forward!(self, io => io.poll_write(cx, buf))
    }
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, io => io.poll_flush(cx))
    }
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, io => io.poll_shutdown(cx))
    }
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        forward!(self, io => io.poll_write_vectored(cx, bufs))
    }
    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(io) => io.is_write_vectored(),
            Self::Tls(io) => io.is_write_vectored(),
        }
    }
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct GuardedIo {
    transport: Transport,
    replay: Bytes,
    /// `None` for HTTP/2, whose framing its own parser checks.
    guard: Option<RequestGuard>,
    fault: Option<Fault>,
    /// The fault lies in a body that is being handed over: its request cannot be answered.
    fault_cuts_body: bool,
    state: Rc<ConnectionState>,
    worker: Rc<Worker>,
}

impl GuardedIo {
    /// `replay` is what was read from `transport` already.
    pub(crate) fn new(
        transport: Transport,
        replay: Bytes,
        guard: Option<RequestGuard>,
        state: Rc<ConnectionState>,
        worker: Rc<Worker>,
    ) -> Self {
        Self { transport, replay, guard, fault: None, fault_cuts_body: false, state, worker }
    }

    /// What the guard found wrong, once it did; the HTTP parser saw an end of stream instead.
    pub(crate) fn take_fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    pub(crate) fn into_parts(self) -> (Transport, Option<RequestGuard>) {
        (self.transport, self.guard)
    }

    pub(crate) fn transport_mut(&mut self) -> &mut Transport {
        &mut self.transport
    }

    /// Shows the bytes of `buf` from `start` to the guard and cuts off what it refuses.
    fn inspect(&mut self, buf: &mut ReadBuf<'_>, start: usize) {
        let now = self.worker.coarse_now();
        let Some(guard) = self.guard.as_mut() else {
            // Over HTTP/2 a ping or a window is no progress: requests and answers note their own.
            return;
        };
        self.state.read_progressed(now);
        let fresh = buf.filled().get(start..).unwrap_or_default();
        if fresh.is_empty() {
            return;
        }
        let before = guard.position();
        if let Err(fault) = guard.inspect(fresh) {
            let accepted = start.saturating_add(fault.accepted.min(fresh.len()));
            buf.set_filled(accepted);
            self.fault_cuts_body = before == Position::Body && fault.accepted == 0;
            self.fault = Some(fault);
        }
        self.state.set_reading(match guard.position() {
            Position::Between => Reading::Between,
            Position::Head => Reading::Head(now),
            Position::Body => Reading::Body,
        });
    }
}

impl AsyncRead for GuardedIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let start = buf.filled().len();
        if this.fault.is_none() {
            if this.replay.has_remaining() {
                let taken = this.replay.len().min(buf.remaining());
                buf.put_slice(&this.replay.split_to(taken));
            } else if Pin::new(&mut this.transport).poll_read(cx, buf)?.is_pending() {
                this.state.read_blocked(this.worker.coarse_now());
                return Poll::Pending;
            }
            this.inspect(buf, start);
        }
        // The parser takes an end of stream as leave to drop what is being answered, so after a
        // fault it comes only once the requests before the faulty one have been answered.
        let ends = this.fault.is_some() && buf.filled().len() == start;
        if ends && this.state.in_flight() > 0 && !this.fault_cuts_body {
            this.state.hold_end_back();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl GuardedIo {
    fn note_write(&self, outcome: &Poll<io::Result<usize>>) {
        match outcome {
            Poll::Ready(Ok(bytes)) => {
                let answers_ping = self.guard.is_none() && *bytes < H2_PROGRESS_BYTES_MIN;
                if answers_ping && !self.state.is_write_blocked() {
                    self.state.wrote();
                } else {
                    self.state.write_progressed(self.worker.coarse_now());
                }
            }
            Poll::Pending => self.state.set_write_blocked(),
            Poll::Ready(Err(_)) => {}
        }
    }
}

impl AsyncWrite for GuardedIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.transport).poll_write(cx, buf);
        self.note_write(&outcome);
        outcome
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.transport).poll_write_vectored(cx, bufs);
        self.note_write(&outcome);
        outcome
    }
    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }
}
