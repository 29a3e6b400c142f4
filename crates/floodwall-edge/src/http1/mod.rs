//! A visitor's connection over HTTP/1: one request after the other, read, answered, sent.
//!
//! There is no task and no channel but the connection's own: the request's future is polled from
//! here, and so is its body from there. An idle connection owns no buffer; what was read of a request
//! is kept only while the rest is awaited.
//!
//! What the bytes mean is [`RequestGuard`]'s; this moves them. While a request is being answered the
//! connection is still read, boundedly, so that a visitor who leaves frees what they hold.
//!
//! [`RequestGuard`]: crate::request_guard::RequestGuard

mod head;
mod send;
mod upload;
mod wire;

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use http::{Method, Response, StatusCode};
use tokio::io::AsyncWriteExt;

pub(crate) use upload::Upload;
pub(crate) use wire::READ_BYTES;

use crate::body::{Ledger, ResponseBody};
use crate::connection::{ConnectionState, Order, Peer, Transport};
use crate::incoming::Incoming;
use crate::pages;
use crate::proxy::{self, Begun};
use crate::request_guard::{FaultKind, RequestHead};
use crate::worker::Worker;
use send::Sent;
use wire::{Read, Wire};

/// How long, and for how many reads, a connection is read on before it is closed on somebody who still
/// sends: bytes of theirs that nobody has read would reset it, and take the answer away.
const LINGER: std::time::Duration = std::time::Duration::from_secs(1);
const LINGER_READS_MAX: usize = 128;

/// One connection, shared by its task and the body of the request that is being answered.
#[derive(Debug)]
pub(crate) struct Http1 {
    wire: RefCell<Wire>,
    worker: Rc<Worker>,
    state: Rc<ConnectionState>,
}

/// What the answer has to know of its request.
#[derive(Clone, Copy, Debug)]
struct Asked {
    is_head: bool,
    http10: bool,
    persists: bool,
}

impl Asked {
    fn of(head: &RequestHead) -> Self {
        Self {
            is_head: head.parts.method == Method::HEAD,
            http10: head.parts.version == http::Version::HTTP_10,
            persists: head.persists,
        }
    }
}

/// Serves a connection until it closes. `start` is what was read of it already.
pub(crate) async fn serve(
    worker: &Rc<Worker>,
    transport: Transport,
    start: BytesMut,
    peer: Peer,
    state: &Rc<ConnectionState>,
) {
    let wire = RefCell::new(Wire::new(transport, start));
    let http1 = Rc::new(Http1 { wire, worker: worker.clone(), state: state.clone() });
    let mut requests = pin!(answer_requests(&http1, peer));
    poll_fn(|cx| {
        state.listen_for_orders(cx);
        if state.order() == Order::Close {
            return Poll::Ready(());
        }
        requests.as_mut().poll(cx)
    })
    .await;
}

async fn answer_requests(http1: &Rc<Http1>, peer: Peer) {
    loop {
        let head = match poll_fn(|cx| http1.poll_head(cx)).await {
            Read::Request(head) => head,
            Read::Fault(kind) => return http1.refuse(kind).await,
            Read::Ended => return http1.close(false).await,
            Read::Broken => return,
        };
        let asked = Asked::of(&head);
        let body = if http1.is_in_body() { Incoming::Http1(Upload::new(http1)) } else { Incoming::Empty };
        // At once, and not when a future is first polled: from here on a request is being answered.
        let ledger = Ledger::open(http1.worker.clone(), http1.state.clone());
        let response = match proxy::begin(ledger, peer, head.parts, body) {
            Begun::Answered(response) => response,
            Begun::Waits(waiting) => {
                let mut answer = proxy::answer(waiting);
                match poll_fn(|cx| http1.poll_answer(cx, answer.as_mut())).await {
                    Awaited::Answer(response) => response,
                    Awaited::Fault(kind) => {
                        drop(answer);
                        return http1.refuse(kind).await;
                    }
                    Awaited::Gone => return,
                }
            }
        };
        match http1.send(response, asked).await {
            Sent::Persists => {}
            Sent::Closes { still_sending } => return http1.close(still_sending).await,
            Sent::Broken => return,
        }
    }
}

/// What came of waiting for an answer.
#[expect(clippy::large_enum_variant, reason = "taken apart where it is made")]
enum Awaited {
    Answer(Response<ResponseBody>),
    /// The body that came meanwhile is malformed: there is nothing to answer.
    Fault(FaultKind),
    /// The visitor has left.
    Gone,
}

impl Http1 {
    fn poll_head(&self, cx: &mut Context<'_>) -> Poll<Read> {
        self.wire.borrow_mut().poll_head(cx, &self.worker, &self.state)
    }

    fn is_in_body(&self) -> bool {
        self.wire.borrow().is_in_body()
    }

    fn poll_answer(
        &self,
        cx: &mut Context<'_>,
        answer: Pin<&mut (dyn Future<Output = Response<ResponseBody>> + '_)>,
    ) -> Poll<Awaited> {
        let polled = answer.poll(cx);
        let mut wire = self.wire.borrow_mut();
        if let Some(kind) = wire.fault() {
            return Poll::Ready(Awaited::Fault(kind));
        }
        match polled {
            Poll::Ready(response) => Poll::Ready(Awaited::Answer(response)),
            Poll::Pending if wire.poll_gone(cx, &self.worker, &self.state) => Poll::Ready(Awaited::Gone),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Answers bytes that are no request, and closes.
    async fn refuse(&self, kind: FaultKind) {
        let status = kind.status();
        let counters = &self.worker.counters.worker;
        if status == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE {
            counters.oversized_headers.add(1);
        } else {
            counters.malformed_requests.add(1);
        }
        let reference = self.worker.next_reference();
        tracing::trace!(kind = kind.as_str(), %reference, "malformed request refused");
        self.wire.borrow_mut().say(pages::malformed_request_bytes(status, kind.explanation(), reference));
        if poll_fn(|cx| self.poll_flush(cx)).await.is_ok() {
            self.close(true).await;
        }
    }

    /// Says goodbye; to somebody who still sends in such a way that they can read the answer.
    async fn close(&self, still_sending: bool) {
        let Some(mut transport) = self.wire.borrow_mut().take_transport() else { return };
        if transport.shutdown().await.is_err() || !still_sending {
            return;
        }
        let drain = async {
            for _ in 0..LINGER_READS_MAX {
                let read = |cx: &mut Context<'_>| {
                    transport.poll_read_slice(cx, &mut self.worker.scratch.borrow_mut())
                };
                match poll_fn(read).await {
                    Ok(bytes) if bytes > 0 => {}
                    _ => return,
                }
            }
        };
        let _ = tokio::time::timeout(LINGER, drain).await;
    }
}
