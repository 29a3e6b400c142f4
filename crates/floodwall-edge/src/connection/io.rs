//! A visitor's connection, and the layer between it and the HTTP/2 library: it replays what was read
//! to tell the protocol, notes progress for the reaper, and looks at how the client opens.

use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::replayed::Replayed;
use super::state::ConnectionState;
use crate::http2_opening::{OpeningReader, Step};
use crate::socket::Socket;
use crate::worker::Worker;

/// Less than this written at once may be the answer to a ping, which would keep an idle connection open
/// for ever.
const PROGRESS_BYTES_MIN: usize = 512;

/// A visitor's connection, cleartext or TLS.
#[derive(Debug)]
pub(crate) enum Transport {
    Plain(Socket),
    Tls(Box<TlsStream<Replayed>>),
}

impl Transport {
    /// Reads what is there into `memory`; 0 is the end of the stream.
    pub(crate) fn poll_read_slice(
        &mut self,
        cx: &mut Context<'_>,
        memory: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(socket) => socket.poll_read_slice(cx, memory),
            Self::Tls(stream) => {
                let mut buffer = ReadBuf::new(memory);
                Pin::new(stream.as_mut()).poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len())
            }
        }
    }

    /// Reads what is there behind what `input` holds; 0 is the end of the stream. With less room than
    /// `room_min` it gets `memory` more bytes, but not before there is something to read.
    pub(crate) fn poll_read_behind(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
        room_min: usize,
        memory: usize,
    ) -> Poll<io::Result<usize>> {
        let make_room = |input: &mut BytesMut| {
            if input.capacity().saturating_sub(input.len()) < room_min {
                input.reserve(memory);
            }
        };
        match self {
            Self::Plain(socket) => loop {
                ready!(socket.poll_readable(cx))?;
                make_room(input);
                if let Some(outcome) = socket.read_into(input) {
                    return Poll::Ready(outcome);
                }
            },
            Self::Tls(stream) => {
                make_room(input);
                let polled = pin!(stream.read_buf(input)).poll(cx);
                if polled.is_pending() && input.is_empty() {
                    *input = BytesMut::new();
                }
                polled
            }
        }
    }
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
pub(super) struct NotedIo {
    transport: Transport,
    replay: Bytes,
    state: Rc<ConnectionState>,
    worker: Rc<Worker>,
    /// Until the first request is there.
    opening: Option<Box<OpeningReader>>,
}

impl NotedIo {
    /// `replay` is what was read from `transport` already.
    pub(super) fn new(
        transport: Transport,
        replay: Bytes,
        state: Rc<ConnectionState>,
        worker: Rc<Worker>,
    ) -> Self {
        Self { transport, replay, state, worker, opening: Some(Box::default()) }
    }

    fn look_at_opening(&mut self, bytes: &[u8]) {
        let Some(opening) = &mut self.opening else { return };
        match opening.read_on(bytes) {
            Step::Reading => return,
            Step::Told(line) => self.state.set_http2_settings(self.worker.mark(&line)),
            Step::Nothing => {}
        }
        self.opening = None;
    }

    fn note_write(&self, outcome: &Poll<io::Result<usize>>) {
        match outcome {
            Poll::Ready(Ok(bytes)) => {
                if *bytes < PROGRESS_BYTES_MIN && !self.state.is_write_blocked() {
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

impl AsyncRead for NotedIo {
    /// A ping or a window is no progress: requests and answers note their own.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        if this.replay.has_remaining() {
            let taken = this.replay.len().min(buf.remaining());
            buf.put_slice(&this.replay.split_to(taken));
        } else if Pin::new(&mut this.transport).poll_read(cx, buf)?.is_pending() {
            this.state.read_blocked(this.worker.coarse_now());
            return Poll::Pending;
        }
        if this.opening.is_some() {
            this.look_at_opening(buf.filled().get(before..).unwrap_or_default());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for NotedIo {
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
