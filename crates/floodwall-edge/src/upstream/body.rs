//! Bodies between visitor and origin, both ways, streamed with back-pressure: a part is read only
//! when the other side has taken the one before.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

use super::answer::{AnswerHead, Framing};
use super::connection::{OriginConnection, SendFailure};
use super::deadline::Deadline;
use super::{Asker, Origin, OriginFailure, PROGRESS};
use crate::connection::Pace;
use crate::incoming::{Incoming, IncomingFault};
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
    Broken(#[from] IncomingFault),
    #[error("it came too slowly")]
    TooSlow,
    #[error("it is not as long as it was announced")]
    Length,
}

impl From<UploadFailure> for OriginFailure {
    fn from(failure: UploadFailure) -> Self {
        match failure {
            UploadFailure::TooSlow => Self::VisitorSlow,
            UploadFailure::Broken(_) | UploadFailure::Length => Self::Visitor(failure.to_string().into()),
        }
    }
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
        let polled = self.incoming.poll_part(cx);
        self.upload.waits_for_visitor.set(polled.is_pending());
        let Poll::Ready(part) = polled else { return self.poll_patience(cx) };
        self.upload.parts.set(self.upload.parts.get().wrapping_add(1));
        Poll::Ready(part.map(|part| {
            let data = part?;
            self.count(data.len());
            Ok(Frame::data(data))
        }))
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
    /// What was read of it before it was asked for.
    ahead: Option<Bytes>,
    framing: Framing,
    held: Option<Held>,
}

struct Held {
    connection: Box<OriginConnection>,
    keeps_alive: bool,
    worker: Rc<Worker>,
    origin: Arc<Origin>,
    asked: Timestamp,
    deadline: Deadline,
    _turn: Option<OwnedSemaphorePermit>,
}

impl OriginBody {
    /// `asked`: when the answer's head had come.
    pub(super) fn new(head: &AnswerHead, connection: Box<OriginConnection>, at: AnsweredBy<'_>) -> Self {
        let AnsweredBy { worker, origin, turn, now } = at;
        let mut held = Held {
            connection,
            keeps_alive: head.keeps_alive,
            worker: worker.clone(),
            origin: origin.clone(),
            asked: now,
            deadline: Deadline::new(worker.shared.config.timeouts.origin_idle),
            _turn: turn,
        };
        let mut framing = head.framing;
        let mut ahead = None;
        let is_here = |bytes| u64::try_from(held.connection.input.len()).is_ok_and(|here| here >= bytes);
        if let Framing::Length(bytes) = framing
            && is_here(bytes)
        {
            // The usual page is there with its head: the connection is free for the next request.
            ahead = framing.take(&mut held.connection.input).unwrap_or_default();
        }
        let mut body = Self { ahead, framing, held: Some(held) };
        if body.framing.is_done() {
            body.release();
        }
        body
    }

    /// Puts back what was read of it: that comes first again.
    pub(crate) fn put_back(&mut self, read: Bytes) {
        self.ahead = Some(read).filter(|read| !read.is_empty());
    }

    /// The body, where all of it is there.
    pub(crate) fn take_whole(&mut self) -> Option<Bytes> {
        if self.framing.is_done() { Some(self.ahead.take().unwrap_or_default()) } else { None }
    }

    /// Puts the connection back once the whole answer has been read.
    fn release(&mut self) {
        let Some(mut held) = self.held.take() else { return };
        // An origin that answers before it has the whole request may still be sent the rest of it.
        if held.keeps_alive && held.connection.has_sent() && held.connection.input.is_empty() {
            held.connection.give_back_buffer(&held.worker.buffers);
            let now = held.worker.coarse_now();
            held.worker.pool.give_back(&held.origin, held.connection, now);
        }
    }

    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, OriginFailure>> {
        let broken = |words: String| OriginFailure::Broken(words.into());
        loop {
            let Some(held) = self.held.as_mut() else { return Poll::Ready(Ok(None)) };
            let connection = &mut held.connection;
            let part = self.framing.take(&mut connection.input).map_err(|fault| broken(fault.to_string()))?;
            if part.is_some() {
                held.deadline.restart();
            }
            if part.is_some() || self.framing.is_done() {
                return Poll::Ready(Ok(part));
            }
            if let Poll::Ready(Err(SendFailure::Visitor(failure))) = connection.poll_send(cx, None) {
                return Poll::Ready(Err(failure.into()));
            }
            match connection.poll_read(cx, &held.worker.buffers) {
                Poll::Ready(Ok(0)) => {
                    held.keeps_alive = false;
                    self.framing.close().map_err(|fault| broken(fault.to_string()))?;
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(broken(error.to_string()))),
                Poll::Pending => {
                    let after = held.worker.shared.config.timeouts.origin_idle;
                    ready!(held.deadline.poll(cx, &held.worker));
                    return Poll::Ready(Err(OriginFailure::TimedOut { what: PROGRESS, after }));
                }
            }
        }
    }

    fn fail(&mut self, failure: &OriginFailure) {
        if let Some(held) = self.held.take() {
            let now = held.worker.now();
            held.origin.failed(failure, held.asked, now, Asker::Visitor);
        }
    }
}

/// Who answered, on whose worker, in which turn and when.
pub(super) struct AnsweredBy<'a> {
    pub(super) worker: &'a Rc<Worker>,
    pub(super) origin: &'a Arc<Origin>,
    pub(super) turn: Option<OwnedSemaphorePermit>,
    pub(super) now: Timestamp,
}

impl Body for OriginBody {
    type Data = Bytes;
    type Error = OriginFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, OriginFailure>>> {
        if let Some(ahead) = self.ahead.take() {
            return Poll::Ready(Some(Ok(Frame::data(ahead))));
        }
        match ready!(self.poll_part(cx)) {
            Ok(part) => {
                if self.framing.is_done() {
                    self.release();
                }
                Poll::Ready(part.map(|part| Ok(Frame::data(part))))
            }
            Err(failure) => {
                self.fail(&failure);
                Poll::Ready(Some(Err(failure)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_none() && self.framing.is_done()
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = self.ahead.as_ref().map_or(0, Bytes::len);
        let ahead = u64::try_from(ahead).unwrap_or(u64::MAX);
        let mut whole = SizeHint::new();
        whole.set_lower(ahead);
        if let Some(left) = self.framing.bytes_left() {
            whole.set_lower(left.saturating_add(ahead));
            whole.set_upper(left.saturating_add(ahead));
        }
        whole
    }
}
