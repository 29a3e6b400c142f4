//! Bodies between visitor and origin, both ways, streamed with back-pressure: a part is read only
//! when the other side has taken the one before.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

use super::pool::OriginConnection;
use super::{Asker, Origin, OriginFailure, PROGRESS};
use crate::connection::Pace;
use crate::worker::Worker;
use floodwall_model::{SiteId, Timestamp};

/// A request's body on its way to the origin.
#[derive(Debug)]
pub(crate) enum RequestBody {
    Empty,
    Visitor(Box<VisitorBody>),
}

/// A visitor's body, with its account.
#[derive(Debug)]
pub(crate) struct VisitorBody {
    incoming: Incoming,
    worker: Rc<Worker>,
    site: SiteId,
    upload: Rc<Upload>,
    pace: Pace,
    waits_since: Option<Timestamp>,
    deadline: Option<Pin<Box<Sleep>>>,
}

/// Why a visitor's body did not come whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadFailure {
    #[error(transparent)]
    Broken(#[from] hyper::Error),
    #[error("it came too slowly")]
    TooSlow,
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
            Self::Visitor(Box::new(VisitorBody {
                incoming,
                worker: worker.clone(),
                site,
                upload: Rc::default(),
                pace: Pace::default(),
                waits_since: None,
                deadline: None,
            }))
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// `None` when there is nothing to upload.
    pub(crate) fn upload(&self) -> Option<Rc<Upload>> {
        match self {
            Self::Empty => None,
            Self::Visitor(body) => Some(body.upload.clone()),
        }
    }
}

impl VisitorBody {
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadFailure>>> {
        loop {
            let polled = Pin::new(&mut self.incoming).poll_frame(cx);
            self.upload.waits_for_visitor.set(polled.is_pending());
            let Poll::Ready(part) = polled else { return self.poll_patience(cx) };
            self.upload.parts.set(self.upload.parts.get().wrapping_add(1));
            match part {
                // Trailers could name who asks or what is asked for once more, past all checks of
                // the header; a proxy may leave them out (RFC 9110 section 6.5.1).
                Some(Ok(frame)) if frame.is_trailers() => {}
                Some(Ok(frame)) => {
                    self.count(frame.data_ref().map_or(0, Bytes::len));
                    return Poll::Ready(Some(Ok(frame)));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
            }
        }
    }

    fn count(&mut self, bytes: usize) {
        let waited = self.waits_since.take().map_or(Duration::ZERO, |since| self.worker.now().since(since));
        self.pace.moved(bytes, waited);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.worker.counters.site(self.site).request_body_bytes.add(bytes);
    }

    /// Waits for the visitor, as long as they have earned.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadFailure>>> {
        if self.waits_since.is_none() {
            self.waits_since = Some(self.worker.now());
            let patience = self.pace.patience(self.worker.shared.config.timeouts.body_idle);
            match self.deadline.as_mut() {
                #[expect(clippy::disallowed_methods, reason = "tokio's own timer speaks tokio's own time")]
                Some(deadline) => deadline.as_mut().reset(Instant::now() + patience),
                None => self.deadline = Some(Box::pin(tokio::time::sleep(patience))),
            }
        }
        let Some(deadline) = self.deadline.as_mut() else { return Poll::Pending };
        deadline.as_mut().poll(cx).map(|()| {
            self.worker.counters.worker.connections_timed_out.add(1);
            Some(Err(UploadFailure::TooSlow))
        })
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = UploadFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadFailure>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Visitor(body) => body.poll_part(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Visitor(body) => body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Visitor(body) => body.incoming.size_hint(),
        }
    }
}

/// An answer's body on its way from the origin. It drives the connection it comes from and gives it
/// back to the pool at its end; dropped earlier, it closes it.
pub(crate) struct OriginBody {
    /// What was read of it before it was decided to stream it.
    ahead: Option<Bytes>,
    incoming: Incoming,
    held: Option<Held>,
    deadline: Option<Pin<Box<Sleep>>>,
}

struct Held {
    connection: Box<OriginConnection>,
    worker: Rc<Worker>,
    origin: Arc<Origin>,
    answer_began: Timestamp,
    _turn: Option<OwnedSemaphorePermit>,
}

impl OriginBody {
    pub(crate) fn new(
        incoming: Incoming,
        connection: Box<OriginConnection>,
        worker: Rc<Worker>,
        origin: Arc<Origin>,
        answer_began: Timestamp,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let held = Held { connection, worker, origin, answer_began, _turn: turn };
        let mut body = Self { ahead: None, incoming, held: Some(held), deadline: None };
        if body.incoming.is_end_stream() {
            body.release(&mut Context::from_waker(std::task::Waker::noop()));
        }
        body
    }

    /// Puts back what was read of it: that comes first again.
    pub(crate) fn put_back(&mut self, read: Bytes) {
        self.ahead = Some(read).filter(|read| !read.is_empty());
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
        // Our asking is the demand that lets the connection read on; what it reads is there then.
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        if let Some(held) = self.held.as_mut() {
            held.connection.drive(cx);
        }
        Pin::new(&mut self.incoming).poll_frame(cx)
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<OriginFailure> {
        let Some(held) = self.held.as_ref() else { return Poll::Pending };
        let after = held.worker.shared.config.timeouts.origin_idle;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(after)));
        deadline.as_mut().poll(cx).map(|()| OriginFailure::TimedOut { what: PROGRESS, after })
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
            held.origin.failed(&failure, held.answer_began, now, Asker::Visitor);
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
        if let Some(ahead) = this.ahead.take() {
            return Poll::Ready(Some(Ok(Frame::data(ahead))));
        }
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
        self.ahead.is_none() && self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.incoming.size_hint();
        let ahead = self.ahead.as_ref().map_or(0, Bytes::len);
        let ahead = u64::try_from(ahead).unwrap_or(u64::MAX);
        let mut whole = SizeHint::new();
        whole.set_lower(rest.lower().saturating_add(ahead));
        if let Some(upper) = rest.upper() {
            whole.set_upper(upper.saturating_add(ahead));
        }
        whole
    }
}
