//! One connection to an origin: a request out, an answer in, both at once where it takes both.
//!
//! It has no task of its own: whoever uses it polls it. What is read lies in one buffer; parts of
//! an answer's body share its memory until the visitor has taken them.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use http_body::Body;
use socket2::SockRef;
use tokio::net::TcpStream;

use super::answer::{AnswerHead, HeadReader};
use super::body::UploadFailure;
use super::buffers::Buffers;
use super::request::{Coding, OriginRequest};
use super::{OriginFailure, RequestBody};
use crate::outgoing::Outgoing;
use crate::socket::Socket;

/// What is read at once: a usual page with its head.
const READ_BYTES: usize = 16 * 1024;
/// What is read at once when the origin fills that.
const READ_BYTES_MAX: usize = 64 * 1024;
/// With less room than this, a read gets new memory.
const READ_ROOM_MIN: usize = 2 * 1024;

/// A connection to an origin. Always boxed: it goes from pool to request to body and back.
#[derive(Debug)]
pub(crate) struct OriginConnection {
    socket: Socket,
    /// What was read and is not taken yet.
    pub(super) input: BytesMut,
    read_bytes: usize,
    sending: Sending,
    pub(crate) reused: bool,
}

/// What is still to be written.
#[derive(Debug)]
struct Sending {
    out: Outgoing,
    body: RequestBody,
    coding: Coding,
    /// The origin takes no more; it may still answer.
    broken: bool,
}

/// Why a request could not be written to its end.
#[derive(Debug)]
pub(super) enum SendFailure {
    /// The origin does not take it.
    Origin(io::Error),
    /// It did not come whole.
    Visitor(UploadFailure),
}

impl OriginConnection {
    pub(super) fn new(stream: TcpStream) -> Self {
        let sending = Sending {
            out: Outgoing::default(),
            body: RequestBody::Empty,
            coding: Coding::Done,
            broken: false,
        };
        Self {
            socket: Socket::new(stream),
            input: BytesMut::new(),
            read_bytes: READ_BYTES,
            sending,
            reused: false,
        }
    }

    /// Whether it is open and nothing has come since the last answer, as it must be between two: as
    /// far as the runtime has heard.
    pub(super) fn is_quiet(&self) -> bool {
        self.input.is_empty() && is_nothing(self.socket.stream().try_read(&mut [0]))
    }

    /// As [`Self::is_quiet`], asking the operating system.
    pub(super) fn is_surely_quiet(&self) -> bool {
        let peeked = || SockRef::from(self.socket.stream()).peek(&mut [MaybeUninit::uninit()]);
        self.is_quiet() && is_nothing(peeked())
    }

    /// Gives the memory that was read into back, between two answers.
    pub(super) fn give_back_buffer(&mut self, buffers: &Buffers) {
        buffers.give_back(std::mem::take(&mut self.input));
    }

    /// Whether the request has been written to its end.
    pub(super) fn has_sent(&self) -> bool {
        self.sending.out.is_empty() && self.sending.coding == Coding::Done && !self.sending.broken
    }

    /// Takes up a request; its body stays with it until the head is on its way.
    pub(super) fn begin(&mut self, request: &OriginRequest, via: &HeaderValue) {
        let sending = &mut self.sending;
        sending.out.clear();
        sending.coding = request.coding();
        (sending.out.begun, sending.broken) = (false, false);
        request.write_head(sending.coding, via, &mut sending.out.text);
    }

    /// Whether any byte of the request may have reached the origin.
    pub(super) fn has_begun(&self) -> bool {
        self.sending.out.begun
    }

    /// Moves the request on until its answer's head is there.
    ///
    /// While the origin does not take the request any more, its answer may still come: some refuse
    /// an upload and close.
    pub(super) fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut HeadReader,
        request: &mut OriginRequest,
        buffers: &Buffers,
    ) -> Poll<Result<AnswerHead, OriginFailure>> {
        let mut refusal = None;
        match self.poll_send(cx, Some(&mut request.body)) {
            Poll::Ready(Err(SendFailure::Visitor(failure))) => return Poll::Ready(Err(failure.into())),
            Poll::Ready(Err(SendFailure::Origin(error))) => refusal = Some(error),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        loop {
            let read = self.poll_read(cx, buffers);
            let broke = |words: String| Poll::Ready(Err(OriginFailure::Broken(words.into())));
            match (read, refusal.take()) {
                (Poll::Ready(Ok(0)) | Poll::Pending, Some(error)) if !self.has_begun() => {
                    return broke(format!("it takes no request: {error}"));
                }
                (Poll::Ready(Ok(0)), Some(error)) => return broke(format!("it takes no more: {error}")),
                (Poll::Ready(Ok(0)), None) => {
                    return broke("the origin closed the connection before it answered".to_owned());
                }
                (Poll::Ready(Err(error)), _) => return broke(error.to_string()),
                (Poll::Pending, _) => return Poll::Pending,
                (Poll::Ready(Ok(_)), unspent) => refusal = unspent,
            }
            match reader.take(&mut self.input, &request.method) {
                Ok(Some(head)) => return Poll::Ready(Ok(head)),
                Ok(None) => {}
                Err(fault) => return broke(fault.to_string()),
            }
        }
    }

    /// Writes what is to be written. `body` is the request's, as long as it is not taken.
    pub(super) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        body: Option<&mut RequestBody>,
    ) -> Poll<Result<(), SendFailure>> {
        let Self { socket, sending, .. } = self;
        if sending.broken {
            return Poll::Pending;
        }
        if let Err(error) = ready!(sending.out.poll_write(socket, cx)) {
            sending.broken = true;
            return Poll::Ready(Err(SendFailure::Origin(error)));
        }
        if sending.coding == Coding::Done {
            return Poll::Ready(Ok(()));
        }
        if let Some(body) = body
            && !body.is_empty()
        {
            sending.body = std::mem::replace(body, RequestBody::Empty);
        }
        loop {
            let frame = ready!(Pin::new(&mut sending.body).poll_frame(cx));
            if let Err(failure) = sending.take_up(frame) {
                sending.broken = true;
                return Poll::Ready(Err(SendFailure::Visitor(failure)));
            }
            if let Err(error) = ready!(sending.out.poll_write(socket, cx)) {
                sending.broken = true;
                return Poll::Ready(Err(SendFailure::Origin(error)));
            }
            if sending.coding == Coding::Done {
                sending.body = RequestBody::Empty;
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Reads what is there; 0 is the end of the stream.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buffers: &Buffers) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket.poll_readable(cx))?;
            // Not before something is there: waiting takes no memory.
            if self.input.capacity() == 0 {
                self.input = buffers.take();
            }
            // Between two parts the memory is whole again, unless the visitor still has some of it.
            let wanted = if self.input.is_empty() { self.read_bytes } else { READ_ROOM_MIN };
            if self.input.capacity().saturating_sub(self.input.len()) < wanted {
                self.input.reserve(self.read_bytes);
            }
            let room = self.input.capacity().saturating_sub(self.input.len());
            let Some(read) = self.socket.read_into(&mut self.input) else { continue };
            let read = read?;
            if read == room {
                self.read_bytes = READ_BYTES_MAX;
            }
            return Poll::Ready(Ok(read));
        }
    }
}

/// Whether a read says that nothing is there, neither bytes nor an end.
fn is_nothing(read: io::Result<usize>) -> bool {
    read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

impl Sending {
    /// Puts the next part of the body into the coding, or the body's end.
    fn take_up(
        &mut self,
        frame: Option<Result<http_body::Frame<Bytes>, UploadFailure>>,
    ) -> Result<(), UploadFailure> {
        let part = match frame.transpose()? {
            Some(frame) => frame.into_data().unwrap_or_default(),
            None => return self.end_body(),
        };
        if part.is_empty() {
            return Ok(());
        }
        let bytes = u64::try_from(part.len()).unwrap_or(u64::MAX);
        match &mut self.coding {
            Coding::Done => return Err(UploadFailure::Length),
            Coding::Length(left) => {
                *left = left.checked_sub(bytes).ok_or(UploadFailure::Length)?;
                if *left == 0 {
                    self.coding = Coding::Done;
                }
            }
            Coding::Chunked => {
                self.out.put_chunk(part);
                return Ok(());
            }
        }
        self.out.part = part;
        Ok(())
    }

    fn end_body(&mut self) -> Result<(), UploadFailure> {
        match self.coding {
            Coding::Done => {}
            Coding::Length(_) => return Err(UploadFailure::Length),
            Coding::Chunked => self.out.text.extend_from_slice(b"0\r\n\r\n"),
        }
        self.coding = Coding::Done;
        Ok(())
    }
}
