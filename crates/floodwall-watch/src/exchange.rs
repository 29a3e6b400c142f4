//! One HTTP request and its answer over a stream that is connected: HTTP/1.1 or HTTP/2 through hyper,
//! and what a failure says by what happened on the stream.

use std::sync::Arc;

use bytes::Bytes;
use floodwall_model::Clock;
use floodwall_outage::{Cause, Phase};
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

use crate::observed::{Events, Observed, SharedEvents};
use crate::stamps::Stamps;

/// The largest body that is read: beyond it a page has no end.
pub const BODY_BYTES_MAX: usize = 4 << 20;
/// Redirects that are followed.
pub const REDIRECTS_MAX: u8 = 10;
/// The largest header of an answer.
const HEADER_BYTES_MAX: usize = 64 << 10;

/// A cause, and the error's own words for the record.
pub(crate) type Failed = (Cause, String);

/// An exchange under way. What it has seen stays readable when it is given up.
pub(crate) struct Exchange {
    events: SharedEvents,
    clock: Arc<dyn Clock>,
    /// Ends the connection's task with it.
    _connection: JoinSet<()>,
    body: Option<Incoming>,
    pub(crate) bytes: Vec<u8>,
}

impl Exchange {
    /// Sends the request and reads the answer's header.
    pub(crate) async fn start<S>(
        stream: S,
        http2: bool,
        request: Request<Empty<Bytes>>,
        clock: &Arc<dyn Clock>,
        stamps: &mut Stamps,
        events_out: &mut Option<SharedEvents>,
    ) -> Result<(Self, Response<()>), Failed>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (stream, events) = Observed::new(stream, Arc::clone(clock));
        *events_out = Some(Arc::clone(&events));
        stamps.begin(Phase::Request, clock.now());
        let mut connection = JoinSet::new();
        let io = TokioIo::new(stream);
        let answer = if http2 {
            let (mut sender, driver) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
                .max_header_list_size(u32::try_from(HEADER_BYTES_MAX).unwrap_or(u32::MAX))
                .handshake(io)
                .await
                .map_err(|error| before_answer(&error, *events.lock()))?;
            // How the connection ended is in `events`.
            connection.spawn(async move { drop(driver.await) });
            sender.send_request(request).await
        } else {
            let (mut sender, driver) = hyper::client::conn::http1::Builder::new()
                .max_buf_size(HEADER_BYTES_MAX)
                .handshake(io)
                .await
                .map_err(|error| before_answer(&error, *events.lock()))?;
            connection.spawn(async move { drop(driver.await) });
            sender.send_request(request).await
        };
        note_request(stamps, *events.lock());
        let answer = answer.map_err(|error| before_answer(&error, *events.lock()))?;
        let (head, body) = answer.into_parts();
        let exchange = Self {
            events,
            clock: Arc::clone(clock),
            _connection: connection,
            body: Some(body),
            bytes: Vec::new(),
        };
        Ok((exchange, Response::from_parts(head, ())))
    }

    /// Reads the body to its end.
    pub(crate) async fn read_body(&mut self, stamps: &mut Stamps) -> Result<(), Failed> {
        let started = self.events.lock().first_read.unwrap_or_else(|| self.clock.now());
        stamps.begin(Phase::Transfer, started);
        let Some(mut body) = self.body.take() else { return Ok(()) };
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| in_body(&error, *self.events.lock()))?;
            let Ok(data) = frame.into_data() else { continue };
            if self.bytes.len() + data.len() > BODY_BYTES_MAX {
                return Err((Cause::BodyEndless, format!("more than {BODY_BYTES_MAX} bytes")));
            }
            self.bytes.extend_from_slice(&data);
        }
        stamps.end(Phase::Transfer, self.clock.now());
        Ok(())
    }
}

/// The request was handed over with the last write before the first read.
pub(crate) fn note_request(stamps: &mut Stamps, events: Events) {
    if stamps.first_byte.is_some() {
        return;
    }
    let Some(sent) = events.last_write else { return };
    stamps.end(Phase::Request, sent);
    stamps.begin(Phase::FirstByte, sent);
    if let Some(first) = events.first_read {
        stamps.end(Phase::FirstByte, first);
    }
}

/// In which phase a deadline passed, by what had happened on the stream.
pub(crate) fn timeout_cause(events: Option<Events>, is_in_body: bool) -> Cause {
    match events {
        _ if is_in_body => Cause::TransferTimeout,
        Some(Events { first_read: Some(_), .. }) => Cause::HeaderTimeout,
        Some(Events { last_write: Some(_), .. }) => Cause::FirstByteTimeout,
        _ => Cause::RequestTimeout,
    }
}

fn before_answer(error: &hyper::Error, events: Events) -> Failed {
    let cause = if error.is_parse_too_large() {
        Cause::HeaderEndless
    } else if error.is_parse() {
        Cause::AnswerMalformed
    } else if events.was_reset() {
        Cause::AnswerReset
    } else if let Some(cause) = of_http2(error, Cause::AnswerReset, Cause::AnswerMalformed) {
        cause
    } else if events.was_closed() && events.first_read.is_some() {
        Cause::Truncated
    } else if events.was_closed() {
        Cause::AnswerMissing
    } else {
        Cause::AnswerMalformed
    };
    (cause, words(error))
}

fn in_body(error: &hyper::Error, events: Events) -> Failed {
    let cause = if events.was_reset() {
        Cause::TransferReset
    } else if let Some(cause) = of_http2(error, Cause::TransferReset, Cause::TransferMalformed) {
        cause
    } else if events.was_closed() {
        Cause::Truncated
    } else {
        Cause::TransferMalformed
    };
    (cause, words(error))
}

/// What HTTP/2 says itself: a stream that the server reset, or a protocol that it does not keep.
fn of_http2(error: &hyper::Error, reset: Cause, malformed: Cause) -> Option<Cause> {
    let inner = std::error::Error::source(error)?.downcast_ref::<h2::Error>()?;
    if inner.is_io() {
        None
    } else if inner.is_remote() && (inner.is_reset() || inner.is_go_away()) {
        Some(reset)
    } else {
        Some(malformed)
    }
}

/// The error and what is behind it, for the record.
fn words(error: &hyper::Error) -> String {
    let mut words = error.to_string();
    let mut inner = std::error::Error::source(error);
    while let Some(error) = inner {
        words.push_str(": ");
        words.push_str(&error.to_string());
        inner = error.source();
    }
    words
}
