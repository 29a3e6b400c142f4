//! Bodies between visitor and origin, both ways, streamed with back-pressure: a part is read only
//! when the other side has taken the one before.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

use super::pool::OriginConnection;
use super::{Origin, OriginFailure};
use crate::worker::Worker;
use floodwall_model::{SiteId, Timestamp};

/// A request's body on its way to the origin.
#[derive(Debug)]
pub(crate) enum RequestBody {
    Empty,
    Visitor { incoming: Incoming, worker: Rc<Worker>, site: SiteId, upload: Rc<Upload> },
}

/// How a visitor's upload comes on, for whoever waits for the origin's answer.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    /// Parts handed on so far.
    parts: Cell<u64>,
    /// The origin would take more, the visitor has not sent it.
    waits_for_visitor: Cell<bool>,
}

impl Upload {
    /// Parts handed on so far.
    pub(crate) fn parts(&self) -> u64 {
        self.parts.get()
    }

    pub(crate) fn waits_for_visitor(&self) -> bool {
        self.waits_for_visitor.get()
    }
}

impl RequestBody {
    /// Takes a visitor's body, which may be empty.
    pub(crate) fn of_visitor(incoming: Incoming, worker: &Rc<Worker>, site: SiteId) -> Self {
        if incoming.is_end_stream() {
            Self::Empty
        } else {
            Self::Visitor { incoming, worker: worker.clone(), site, upload: Rc::default() }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// `None` when there is nothing to upload.
    pub(crate) fn upload(&self) -> Option<Rc<Upload>> {
        match self {
            Self::Empty => None,
            Self::Visitor { upload, .. } => Some(upload.clone()),
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Visitor { incoming, worker, site, upload } => {
                let mut polled = Pin::new(&mut *incoming).poll_frame(cx);
                // Trailers could name who asks or what is asked for once more, past all checks of
                // the header; a proxy may leave them out (RFC 9110 section 6.5.1).
                while let Poll::Ready(Some(Ok(frame))) = &polled
                    && frame.is_trailers()
                {
                    polled = Pin::new(&mut *incoming).poll_frame(cx);
                }
                upload.waits_for_visitor.set(polled.is_pending());
                upload.parts.set(upload.parts.get().wrapping_add(u64::from(polled.is_ready())));
                if let Poll::Ready(Some(Ok(frame))) = &polled {
                    let bytes = frame.data_ref().map_or(0, Bytes::len);
                    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
                    worker.counters.site(*site).request_body_bytes.add(bytes);
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Visitor { incoming, .. } => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Visitor { incoming, .. } => incoming.size_hint(),
        }
    }
}

/// An answer's body on its way from the origin. It drives the connection it comes from and gives it
/// back to the pool at its end; dropped earlier, it closes it.
pub(crate) struct OriginBody {
    incoming: Incoming,
    held: Option<Held>,
    deadline: Option<Pin<Box<Sleep>>>,
}

struct Held {
    connection: Box<OriginConnection>,
    worker: Rc<Worker>,
    origin: Arc<Origin>,
    answer_began: Timestamp,
    _turn: OwnedSemaphorePermit,
}

impl OriginBody {
    pub(crate) fn new(
        incoming: Incoming,
        connection: Box<OriginConnection>,
        worker: Rc<Worker>,
        origin: Arc<Origin>,
        answer_began: Timestamp,
        turn: OwnedSemaphorePermit,
    ) -> Self {
        let held = Held { connection, worker, origin, answer_began, _turn: turn };
        let mut body = Self { incoming, held: Some(held), deadline: None };
        if body.incoming.is_end_stream() {
            body.release(&mut Context::from_waker(std::task::Waker::noop()));
        }
        body
    }

    /// Puts the connection back once the whole answer has been read.
    fn release(&mut self, cx: &mut Context<'_>) {
        let Some(mut held) = self.held.take() else { return };
        // One more turn lets the connection see that both sides are done.
        if held.connection.drive(cx) && held.connection.sender.is_ready() {
            let now = held.worker.coarse_now();
            held.worker.pool.give_back(&held.origin, held.connection, now);
        }
    }

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        // First let what is there be handed over; if nothing was, our asking is the demand that
        // lets the connection read on.
        for _ in 0..2 {
            if let Some(held) = self.held.as_mut() {
                held.connection.drive(cx);
            }
            if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
                return Poll::Ready(frame);
            }
        }
        Poll::Pending
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<OriginFailure> {
        let Some(held) = self.held.as_ref() else { return Poll::Pending };
        let after = held.worker.shared.config.timeouts.origin_idle;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(after)));
        deadline.as_mut().poll(cx).map(|()| OriginFailure::TimedOut { what: "progress of the answer", after })
    }

    fn progressed(&mut self) {
        if let (Some(deadline), Some(held)) = (self.deadline.as_mut(), self.held.as_ref()) {
            let after = held.worker.shared.config.timeouts.origin_idle;
            #[expect(clippy::disallowed_methods, reason = "tokio's own timer speaks tokio's own time")]
            deadline.as_mut().reset(Instant::now() + after);
        }
    }

    fn fail(&mut self, failure: OriginFailure) -> OriginFailure {
        if let Some(held) = self.held.take() {
            let now = held.worker.now();
            held.origin.failed(&failure, held.answer_began, now);
        }
        failure
    }
}

impl Body for OriginBody {
    type Data = Bytes;
    type Error = OriginFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, OriginFailure>>> {
        let this = &mut *self;
        match this.poll_incoming(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.progressed();
                if this.incoming.is_end_stream() {
                    this.release(cx);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                this.release(cx);
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                Poll::Ready(Some(Err(this.fail(OriginFailure::Broken(error.to_string().into())))))
            }
            Poll::Pending => this.poll_deadline(cx).map(|failure| Some(Err(this.fail(failure)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
