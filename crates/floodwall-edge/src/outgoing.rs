//! What is still to be written to a connection: a head or the coding around a part, a part of a
//! body, and what follows it, in one write where the other side takes it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

/// See the module's head.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// A head, or the coding around a part.
    pub(crate) text: Vec<u8>,
    text_written: usize,
    pub(crate) part: Bytes,
    /// What follows the part.
    pub(crate) tail: &'static [u8],
    /// Whether any byte was written since that was last set to `false`.
    pub(crate) begun: bool,
}

impl Outgoing {
    pub(crate) fn is_empty(&self) -> bool {
        self.text_written == self.text.len() && self.part.is_empty() && self.tail.is_empty()
    }

    /// Forgets what is still to be written.
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.text_written = 0;
        self.part = Bytes::new();
        self.tail = b"";
    }

    /// Puts a chunk of the chunked coding around `part` (RFC 9112 section 7.1).
    pub(crate) fn put_chunk(&mut self, part: Bytes) {
        use std::io::Write as _;
        // Writing to memory cannot fail.
        let _ = write!(self.text, "{:x}\r\n", part.len());
        self.part = part;
        self.tail = b"\r\n";
    }

    /// Writes until nothing is left. `io` may keep some of it in buffers of its own.
    pub(crate) fn poll_write<S>(&mut self, io: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: AsyncWrite + Unpin,
    {
        while !self.is_empty() {
            let text = self.text.get(self.text_written..).unwrap_or_default();
            let io = Pin::new(&mut *io);
            let written = if self.part.is_empty() && self.tail.is_empty() {
                ready!(io.poll_write(cx, text))?
            } else {
                let slices = [IoSlice::new(text), IoSlice::new(&self.part), IoSlice::new(self.tail)];
                let used = if self.tail.is_empty() { 2 } else { 3 };
                ready!(io.poll_write_vectored(cx, slices.get(..used).unwrap_or(&slices)))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.begun = true;
            self.advance(written);
        }
        self.text.clear();
        self.text_written = 0;
        // Without a byte it would still hold the memory that it was a part of.
        self.part = Bytes::new();
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, written: usize) {
        let of_text = written.min(self.text.len().saturating_sub(self.text_written));
        self.text_written = self.text_written.saturating_add(of_text);
        let of_part = written.saturating_sub(of_text).min(self.part.len());
        self.part.advance(of_part);
        let of_tail = written.saturating_sub(of_text).saturating_sub(of_part);
        self.tail = self.tail.get(of_tail..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    #[test]
    fn what_was_written_holds_no_memory() {
        let mut memory = BytesMut::with_capacity(64);
        memory.extend_from_slice(b"page");
        let mut out = Outgoing { part: memory.split().freeze(), ..Outgoing::default() };
        assert!(!memory.try_reclaim(64));
        let (mut sent, mut cx) = (Vec::new(), Context::from_waker(std::task::Waker::noop()));
        assert!(matches!(out.poll_write(&mut sent, &mut cx), Poll::Ready(Ok(()))));
        assert_eq!(sent, b"page");
        assert!(memory.try_reclaim(64), "a connection that has nothing to say keeps a buffer from use");
    }
}
