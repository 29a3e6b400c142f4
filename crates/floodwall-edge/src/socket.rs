//! A TCP connection whose reads and writes are system calls and nothing else.
//!
//! The C library's `recv`, `send` and `writev` are cancellation points, and in a process with threads
//! each call pays for that before and after: with the call itself 2 % of what a passed-through request
//! costs. Everything else is the runtime's own.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use rustix::net::{RecvFlags, SendFlags};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// What is sent at once of a usual page with its head.
const SMALL_BYTES_MAX: usize = 16 * 1024;

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Socket(TcpStream);

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self(stream)
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.0
    }

    /// Ready once there is something to read.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_read_ready(cx)
    }

    /// Reads what is there into `memory`; 0 is the end of the stream.
    pub(crate) fn poll_read_slice(&self, cx: &mut Context<'_>, memory: &mut [u8]) -> Poll<io::Result<usize>> {
        let room = memory.len();
        loop {
            ready!(self.poll_readable(cx))?;
            let read = || Ok(rustix::net::recv(&self.0, &mut *memory, RecvFlags::empty())?.1);
            if let Some(outcome) = self.read_once(room, self.0.try_io(Interest::READABLE, read)) {
                return Poll::Ready(outcome);
            }
        }
    }

    /// Reads what is there behind what `buffer` holds, into the room it has; 0 is the end of the
    /// stream. `None`: nothing is there after all; ask [`Self::poll_readable`] again.
    pub(crate) fn read_into(&self, buffer: &mut BytesMut) -> Option<io::Result<usize>> {
        let room = buffer.capacity().saturating_sub(buffer.len());
        self.read_once(room, self.0.try_read_buf(buffer))
    }

    fn read_once(&self, room: usize, outcome: io::Result<usize>) -> Option<io::Result<usize>> {
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Ok(bytes) if bytes > 0 && bytes < room => {
                // All that was there: the next call would find nothing, so let it wait at once.
                let nothing = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
                let _ = self.0.try_io(Interest::READABLE, nothing);
                Some(Ok(bytes))
            }
            outcome => Some(outcome),
        }
    }

    /// Sends `bytes`. The runtime is asked for room only once there was none, which a call finds out
    /// as well; not so for large parts, for it is by asking that those who send much give others a turn.
    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        bytes: usize,
        mut send: impl FnMut(&TcpStream) -> rustix::io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let mut asks = bytes > SMALL_BYTES_MAX;
        loop {
            if asks {
                ready!(self.0.poll_write_ready(cx))?;
            }
            match self.0.try_io(Interest::WRITABLE, || Ok(send(&self.0)?)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => asks = true,
                outcome => return Poll::Ready(outcome),
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, buf.len(), |stream| rustix::net::send(stream, buf, SendFlags::NOSIGNAL))
    }
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // The standard library ignores SIGPIPE from the start, so that this only fails.
        let bytes = bufs.iter().map(|part| part.len()).fold(0, usize::saturating_add);
        self.poll_send(cx, bytes, |stream| rustix::io::writev(stream, bufs))
    }
    fn is_write_vectored(&self) -> bool {
        true
    }
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
