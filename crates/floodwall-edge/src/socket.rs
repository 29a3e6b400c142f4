//! A TCP connection whose reads and writes are system calls and nothing else.
//!
//! The C library's `recv`, `send` and `writev` are cancellation points, and in a process with threads
//! each call pays for that before and after: with the call itself 2 % of what a passed-through request
//! costs. Everything else is the runtime's own.

use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use rustix::net::{RecvFlags, SendFlags};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

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

    /// Reads what is there into `memory`; 0 is the end of the stream.
    pub(crate) fn poll_read_slice(&self, cx: &mut Context<'_>, memory: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_read_ready(cx))?;
            let read = || Ok(rustix::net::recv(&self.0, &mut *memory, RecvFlags::empty())?.1);
            match self.0.try_io(Interest::READABLE, read) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(bytes) if bytes > 0 && bytes < memory.len() => {
                    // All that was there: the next call would find nothing, so let it wait at once.
                    let nothing = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
                    let _ = self.0.try_io(Interest::READABLE, nothing);
                    return Poll::Ready(Ok(bytes));
                }
                outcome => return Poll::Ready(outcome),
            }
        }
    }

    /// Reads what is there behind what `buffer` holds; 0 is the end of the stream.
    pub(crate) fn poll_read_buffer(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        pin!(self.0.read_buf(buffer)).poll(cx)
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        mut send: impl FnMut(&TcpStream) -> rustix::io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            match self.0.try_io(Interest::WRITABLE, || Ok(send(&self.0)?)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
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
        self.poll_send(cx, |stream| rustix::net::send(stream, buf, SendFlags::NOSIGNAL))
    }
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // The standard library ignores SIGPIPE from the start, so that this only fails.
        self.poll_send(cx, |stream| rustix::io::writev(stream, bufs))
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
