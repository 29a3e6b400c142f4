//! The body of a visitor's request as it comes, whichever protocol brings it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, SizeHint};

use crate::http1::Upload;
use crate::request_guard::FaultKind;

/// See the module's head.
#[derive(Debug)]
pub(crate) enum Incoming {
    Empty,
    Http1(Upload),
    Http2(hyper::body::Incoming),
}

/// Why a body did not come whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IncomingFault {
    #[error("it broke off")]
    BrokeOff,
    #[error("it is malformed ({})", .0.as_str())]
    Malformed(FaultKind),
    #[error(transparent)]
    Http2(#[from] hyper::Error),
}

impl Incoming {
    /// The next part of the data; `None` at the end. Trailers could name who asks or what is asked for
    /// once more, past all checks of the header: a proxy may leave them out (RFC 9110 section 6.5.1).
    pub(crate) fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, IncomingFault>>> {
        match self {
            Self::Empty => Poll::Ready(None),
            Self::Http1(upload) => upload.poll_part(cx),
            Self::Http2(stream) => loop {
                match ready!(Pin::new(&mut *stream).poll_frame(cx)) {
                    None => return Poll::Ready(None),
                    Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            return Poll::Ready(Some(Ok(data)));
                        }
                    }
                }
            },
        }
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Http1(upload) => upload.is_end_stream(),
            Self::Http2(stream) => stream.is_end_stream(),
        }
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Http1(upload) => upload.size_hint(),
            Self::Http2(stream) => stream.size_hint(),
        }
    }
}
