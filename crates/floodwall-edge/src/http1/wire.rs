//! The connection as bytes: what has come and is not taken, what is to be written.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncWrite;

use crate::connection::{ConnectionState, FIELDS_MAX, HEAD_BYTES_MAX, Order, Reading, Transport};
use crate::outgoing::Outgoing;
use crate::request_guard::{BodyStep, FaultKind, GuardLimits, Position, RequestGuard, RequestHead};
use crate::worker::Worker;

/// What is read at once.
pub(crate) const READ_BYTES: usize = 16 * 1024;

/// While a request is being answered, no more than this is read ahead.
const AHEAD_BYTES_MAX: usize = 16 * 1024;

/// A head that does not come at once gets memory for so much more of it at a time.
const HEAD_ROOM_MIN: usize = 1024;

/// See the module's head.
#[derive(Debug)]
pub(super) struct Wire {
    /// `None` once it is being closed.
    transport: Option<Transport>,
    input: BytesMut,
    guard: RequestGuard,
    pub(super) out: Outgoing,
    /// The visitor holds a body back until it is asked for.
    wants_continue: bool,
    /// They are being asked.
    asks: bool,
    fault: Option<FaultKind>,
    /// Counts requests, so that a body left over from one cannot read the next one's.
    pub(super) number: u64,
}

/// What came of reading a head.
pub(super) enum Read {
    Request(Box<RequestHead>),
    Fault(FaultKind),
    /// The visitor has closed, or the edge drains and nothing of a request has come.
    Ended,
    Broken,
}

impl Wire {
    pub(super) fn new(transport: Transport, start: BytesMut) -> Self {
        let limits = GuardLimits { head_bytes_max: HEAD_BYTES_MAX, fields_max: FIELDS_MAX };
        Self {
            transport: Some(transport),
            input: start,
            guard: RequestGuard::new(limits),
            out: Outgoing::default(),
            wants_continue: false,
            asks: false,
            fault: None,
            number: 0,
        }
    }

    pub(super) fn is_in_body(&self) -> bool {
        self.guard.position() == Position::Body
    }

    pub(super) fn body_left(&self) -> Option<u64> {
        self.guard.body_left()
    }

    /// What was wrong with the body of the request being answered.
    pub(super) fn fault(&self) -> Option<FaultKind> {
        self.fault
    }

    pub(super) fn take_transport(&mut self) -> Option<Transport> {
        self.transport.take()
    }

    /// The answer begins: what comes before it has come. Its head is to be put into `out.text`.
    pub(super) fn begin_answer(&mut self, worker: &Worker) {
        self.wants_continue = false;
        if self.out.text.capacity() == 0 {
            self.out.text = worker.spare_text.take();
        }
    }

    /// The answer has left. Whoever is answered next has its memory warm; an idle connection needs none.
    pub(super) fn end_answer(&mut self, worker: &Worker) {
        worker.spare_text.set(std::mem::take(&mut self.out.text));
    }

    /// Writes nothing but `bytes`.
    pub(super) fn say(&mut self, bytes: Bytes) {
        self.out.clear();
        self.out.part = bytes;
    }

    /// Reads until a request's head is there.
    pub(super) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        state: &ConnectionState,
    ) -> Poll<Read> {
        loop {
            if !self.input.is_empty() {
                match self.guard.read_head(&self.input) {
                    Ok(Some(head)) => {
                        self.input.advance(head.bytes);
                        return Poll::Ready(self.begin(head, state));
                    }
                    Ok(None) => state.set_reading(Reading::Head(worker.coarse_now())),
                    Err(kind) => return Poll::Ready(Read::Fault(kind)),
                }
            } else if state.order() == Order::Drain {
                return Poll::Ready(Read::Ended);
            }
            let read = if self.input.is_empty() {
                ready!(self.poll_first(cx, worker, state))
            } else {
                ready!(self.poll_fill(cx, worker, state)).map(|bytes| (bytes, None))
            };
            match read {
                Ok((0, _)) => return Poll::Ready(Read::Ended),
                Ok((_, Some(outcome))) => {
                    return Poll::Ready(match outcome {
                        Ok(head) => self.begin(head, state),
                        Err(kind) => Read::Fault(kind),
                    });
                }
                Ok((_, None)) => {}
                Err(_) => return Poll::Ready(Read::Broken),
            }
        }
    }

    /// A request begins: its head has been taken.
    fn begin(&mut self, head: Box<RequestHead>, state: &ConnectionState) -> Read {
        self.let_go_of_memory();
        self.number = self.number.wrapping_add(1);
        self.wants_continue = head.expects_continue && self.is_in_body();
        state.set_reading(if self.is_in_body() { Reading::Body } else { Reading::Between });
        Read::Request(head)
    }

    fn let_go_of_memory(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
    }

    /// Reads into the worker's own memory, where nearly every request comes whole: the connection
    /// needs memory of its own only for what does not.
    #[expect(clippy::type_complexity, reason = "bytes read, and the head among them; one caller")]
    fn poll_first(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        state: &ConnectionState,
    ) -> Poll<io::Result<(usize, Option<Result<Box<RequestHead>, FaultKind>>)>> {
        let Some(transport) = self.transport.as_mut() else { return Poll::Ready(Ok((0, None))) };
        let mut scratch = worker.scratch.borrow_mut();
        let Poll::Ready(read) = transport.poll_read_slice(cx, &mut scratch) else {
            state.read_blocked(worker.coarse_now());
            return Poll::Pending;
        };
        let bytes = read?;
        state.read_progressed(worker.coarse_now());
        let fresh = scratch.get(..bytes).unwrap_or_default();
        let outcome = self.guard.read_head(fresh).transpose();
        let taken = match &outcome {
            Some(Ok(head)) => head.bytes,
            Some(Err(_)) => bytes,
            None => 0,
        };
        let rest = fresh.get(taken..).unwrap_or_default();
        if !rest.is_empty() {
            self.input = BytesMut::from(rest);
        }
        if outcome.is_none() && bytes > 0 {
            state.set_reading(Reading::Head(worker.coarse_now()));
        }
        Poll::Ready(Ok((bytes, outcome)))
    }

    /// Reads more of what is not whole yet; 0 is the end of the stream.
    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        state: &ConnectionState,
    ) -> Poll<io::Result<usize>> {
        let in_body = self.is_in_body();
        let Some(transport) = self.transport.as_mut() else { return Poll::Ready(Ok(0)) };
        let memory = if in_body { READ_BYTES } else { HEAD_ROOM_MIN.max(self.input.len()) };
        let Poll::Ready(read) = transport.poll_read_behind(cx, &mut self.input, HEAD_ROOM_MIN, memory) else {
            state.read_blocked(worker.coarse_now());
            return Poll::Pending;
        };
        state.read_progressed(worker.coarse_now());
        Poll::Ready(read)
    }

    /// The next part of the body; `None` at its end.
    pub(super) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        state: &ConnectionState,
    ) -> Poll<Option<Result<Bytes, BodyFault>>> {
        if std::mem::take(&mut self.wants_continue) && self.input.is_empty() {
            self.out.text.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            self.asks = true;
        }
        if self.asks {
            if ready!(self.poll_flush(cx, worker, state)).is_err() {
                return Poll::Ready(Some(Err(BodyFault::BrokeOff)));
            }
            self.asks = false;
        }
        loop {
            match self.guard.read_body(&mut self.input) {
                Ok(BodyStep::Part(part)) => return Poll::Ready(Some(Ok(part))),
                Ok(BodyStep::End) => {
                    self.let_go_of_memory();
                    state.set_reading(Reading::Between);
                    return Poll::Ready(None);
                }
                Ok(BodyStep::More) => {}
                Err(kind) => {
                    self.fault = Some(kind);
                    return Poll::Ready(Some(Err(BodyFault::Malformed(kind))));
                }
            }
            match ready!(self.poll_fill(cx, worker, state)) {
                Ok(bytes) if bytes > 0 => {}
                _ => return Poll::Ready(Some(Err(BodyFault::BrokeOff))),
            }
        }
    }

    /// Reads over what has come of a body that nobody wants; whether that was all of it.
    pub(super) fn skip_body(&mut self, state: &ConnectionState) -> bool {
        loop {
            match self.guard.read_body(&mut self.input) {
                Ok(BodyStep::Part(_)) => {}
                Ok(BodyStep::End) => {
                    self.let_go_of_memory();
                    state.set_reading(Reading::Between);
                    return true;
                }
                Ok(BodyStep::More) | Err(_) => return false,
            }
        }
    }

    /// Reads ahead a little while a request is being answered; whether the visitor has left.
    pub(super) fn poll_gone(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        state: &ConnectionState,
    ) -> bool {
        while self.input.len() < AHEAD_BYTES_MAX {
            match self.poll_fill(cx, worker, state) {
                Poll::Pending => return false,
                Poll::Ready(Ok(bytes)) if bytes > 0 => {}
                Poll::Ready(_) => return true,
            }
        }
        false
    }

    /// Writes what is to be written, as far as it goes without waiting for buffers to empty.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        state: &ConnectionState,
    ) -> Poll<io::Result<()>> {
        let Some(transport) = self.transport.as_mut() else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let polled = self.out.poll_write(transport, cx);
        note(&polled, worker, state);
        polled
    }

    /// Writes what is to be written, to the socket.
    pub(super) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        state: &ConnectionState,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_write(cx, worker, state))?;
        let Some(transport) = self.transport.as_mut() else { return Poll::Ready(Ok(())) };
        let polled = Pin::new(transport).poll_flush(cx);
        note(&polled, worker, state);
        polled
    }
}

/// Why a body does not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyFault {
    BrokeOff,
    Malformed(FaultKind),
}

fn note(polled: &Poll<io::Result<()>>, worker: &Worker, state: &ConnectionState) {
    match polled {
        Poll::Ready(Ok(())) => state.write_progressed(worker.coarse_now()),
        Poll::Ready(Err(_)) => {}
        Poll::Pending => state.set_write_blocked(),
    }
}
