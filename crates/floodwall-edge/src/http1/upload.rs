//! The body of a request over HTTP/1, read when it is asked for.

use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::SizeHint;

use super::Http1;
use super::wire::BodyFault;
use crate::incoming::IncomingFault;

/// See the module's head. It may outlive its request, and has nothing to say then.
#[derive(Debug)]
pub(crate) struct Upload {
    http1: Rc<Http1>,
    number: u64,
}

impl Upload {
    /// The body of the request whose head was read last.
    pub(super) fn new(http1: &Rc<Http1>) -> Self {
        let number = http1.wire.borrow().number;
        Self { http1: http1.clone(), number }
    }

    pub(crate) fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, IncomingFault>>> {
        let Http1 { wire, worker, state } = &*self.http1;
        let mut wire = wire.borrow_mut();
        if wire.number != self.number {
            return Poll::Ready(Some(Err(IncomingFault::BrokeOff)));
        }
        wire.poll_body(cx, worker, state).map(|part| {
            part.map(|part| {
                part.map_err(|fault| match fault {
                    BodyFault::BrokeOff => IncomingFault::BrokeOff,
                    BodyFault::Malformed(kind) => IncomingFault::Malformed(kind),
                })
            })
        })
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        let wire = self.http1.wire.borrow();
        wire.number != self.number || !wire.is_in_body()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        let wire = self.http1.wire.borrow();
        let left = if wire.number == self.number { wire.body_left() } else { Some(0) };
        left.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}
