//! A stream that notes what happens on it: when the first byte came, and how it ended. From this, not
//! from a library's words, an HTTP failure gets its cause.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use floodwall_model::{Clock, Timestamp};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What happened on a stream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Events {
    pub(crate) first_read: Option<Timestamp>,
    pub(crate) last_write: Option<Timestamp>,
    pub(crate) ended: bool,
    pub(crate) error: Option<ErrorKind>,
}

impl Events {
    /// Whether the other side broke the connection off.
    pub(crate) fn was_reset(&self) -> bool {
        matches!(
            self.error,
            Some(ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe)
        )
    }

    /// Whether it hung up, properly or (TLS without its closing alert) not.
    pub(crate) fn was_closed(&self) -> bool {
        self.ended || self.error == Some(ErrorKind::UnexpectedEof)
    }
}

/// Shared with whoever judges.
pub(crate) type SharedEvents = Arc<Mutex<Events>>;

pub(crate) struct Observed<S> {
    stream: S,
    clock: Arc<dyn Clock>,
    events: SharedEvents,
}

impl<S> Observed<S> {
    pub(crate) fn new(stream: S, clock: Arc<dyn Clock>) -> (Self, SharedEvents) {
        let events = SharedEvents::default();
        (Self { stream, clock, events: Arc::clone(&events) }, events)
    }

    fn note<T>(&self, result: &Poll<io::Result<T>>) {
        if let Poll::Ready(Err(error)) = result {
            self.events.lock().error.get_or_insert(error.kind());
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Observed<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let has_room = buffer.remaining() > 0;
        let result = Pin::new(&mut this.stream).poll_read(context, buffer);
        this.note(&result);
        if let Poll::Ready(Ok(())) = result {
            let mut events = this.events.lock();
            if buffer.filled().len() > before {
                let clock = &this.clock;
                events.first_read.get_or_insert_with(|| clock.now());
            } else if has_room {
                events.ended = true;
            }
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Observed<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.note(&result);
        if let Poll::Ready(Ok(_)) = result {
            let mut events = this.events.lock();
            // What is written after the answer has begun is no part of the request.
            if events.first_read.is_none() {
                events.last_write = Some(this.clock.now());
            }
        }
        result
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_flush(context);
        this.note(&result);
        result
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        Pin::new(&mut this.stream).poll_shutdown(context)
    }
}
