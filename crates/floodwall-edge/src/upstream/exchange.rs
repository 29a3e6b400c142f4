//! One request to one origin, up to the head of its answer.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use floodwall_model::Timestamp;
use http::{Response, StatusCode};
use tokio::sync::OwnedSemaphorePermit;

use super::answer::{AnswerFields, AnswerHead, HeadReader, announced};
use super::body::{AnsweredBy, OriginBody, Upload};
use super::connection::OriginConnection;
use super::deadline::Deadline;
use super::pool::connect;
use super::request::OriginRequest;
use super::{ANSWER, Asker, Origin, OriginFailure};
use crate::worker::Worker;

/// How often a request is sent again because a kept connection turned out to be closed. The next
/// one may be as old; a new one is opened then.
const STALE_CONNECTIONS_MAX: usize = 2;

/// How long to wait for an answer, and on whose behalf.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    after: Duration,
    /// The time the origin is given, so that passing it tells of its health.
    is_origins_due: bool,
}

impl Patience {
    /// As long as an origin may take.
    pub(crate) fn of_edge(after: Duration) -> Self {
        Self { after, is_origins_due: true }
    }

    /// As long as a visitor should wait, who can be given something else.
    pub(crate) fn of_visitor(after: Duration) -> Self {
        Self { after, is_origins_due: false }
    }

    fn ended(self) -> OriginFailure {
        if self.is_origins_due {
            OriginFailure::TimedOut { what: ANSWER, after: self.after }
        } else {
            OriginFailure::Slow { after: self.after }
        }
    }
}

/// A request that got no answer.
pub(crate) struct Attempt {
    pub(crate) failure: OriginFailure,
    /// Not a byte of the request was sent.
    pub(crate) unsent: bool,
}

/// An answer whose body is still to come. Always in a box: it is handed on from future to future.
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) fields: AnswerFields,
    pub(crate) body: OriginBody,
    /// When its head had come.
    pub(crate) at: Timestamp,
    announced: Option<u64>,
}

impl Answered {
    /// The answer with its fields as a table.
    ///
    /// # Errors
    /// It has too many fields.
    pub(crate) fn into_response(self: Box<Self>) -> Result<Box<Response<OriginBody>>, OriginFailure> {
        let Self { status, fields, body, announced, .. } = *self;
        let table = fields.into_table(announced);
        let mut response = Box::new(Response::new(body));
        *response.status_mut() = status;
        *response.headers_mut() = table.map_err(|fault| OriginFailure::Broken(fault.to_string().into()))?;
        Ok(response)
    }
}

impl From<OriginFailure> for Attempt {
    fn from(failure: OriginFailure) -> Self {
        Self { failure, unsent: false }
    }
}

/// Sends `request` when it is its turn, and returns the answer's head, with its body still to come,
/// and when it came.
///
/// A request is sent again only when the connection was a kept one and the request was not sent
/// at all, or can be repeated without harm (RFC 9110 section 9.2.2) and has no body.
pub(crate) async fn exchange(
    worker: &Rc<Worker>,
    origin: &Arc<Origin>,
    request: &mut OriginRequest,
    sent: Timestamp,
    patience: Patience,
) -> Result<Box<Answered>, Attempt> {
    let turn = match origin.turn_at_once() {
        Some(turn) => turn,
        None => Box::pin(origin.turn()).await?,
    };
    exchange_in_turn(worker, origin, request, sent, patience, Some(turn)).await
}

/// As [`exchange`], in a turn that was got before. Without one it is the edge's own question whether
/// the origin lives, which must not wait for those who find that it does not.
pub(super) async fn exchange_in_turn(
    worker: &Rc<Worker>,
    origin: &Arc<Origin>,
    request: &mut OriginRequest,
    sent: Timestamp,
    patience: Patience,
    turn: Option<OwnedSemaphorePermit>,
) -> Result<Box<Answered>, Attempt> {
    let asked_by = if turn.is_some() { Asker::Visitor } else { Asker::Prober };
    let outcome = attempt_all(worker, origin, request, patience, turn).await;
    match &outcome {
        Ok(answered) => origin.answered(answered.at),
        Err(attempt) => origin.failed(&attempt.failure, sent, worker.now(), asked_by),
    }
    outcome
}

async fn attempt_all(
    worker: &Rc<Worker>,
    origin: &Arc<Origin>,
    request: &mut OriginRequest,
    patience: Patience,
    turn: Option<OwnedSemaphorePermit>,
) -> Result<Box<Answered>, Attempt> {
    let repeatable = request.is_repeatable();
    for attempt in 0..=STALE_CONNECTIONS_MAX {
        let kept = if attempt < STALE_CONNECTIONS_MAX { worker.pool.take(origin, !repeatable) } else { None };
        let mut connection = match kept {
            Some(connection) => connection,
            // Rare and large: in a box, so that requests on kept connections do not carry it.
            None => match Box::pin(connect(origin, worker.shared.config.timeouts.connect)).await {
                Ok(connection) => connection,
                Err(failure) => return Err(Attempt { failure, unsent: true }),
            },
        };
        match attempt_one(worker, &mut connection, request, patience).await {
            Ok(head) => {
                let now = worker.now();
                let body = OriginBody::new(&head, connection, AnsweredBy { worker, origin, turn, now });
                let AnswerHead { status, fields, framing, .. } = head;
                let announced = announced(framing);
                return Ok(Box::new(Answered { status, fields, body, at: now, announced }));
            }
            Err(failure) => {
                let in_time = !matches!(failure, OriginFailure::TimedOut { .. } | OriginFailure::Slow { .. });
                let again = connection.reused && in_time && (repeatable || !connection.has_begun());
                if !again {
                    return Err(failure.into());
                }
            }
        }
    }
    Err(OriginFailure::Broken("the origin closes every connection it is sent a request on".into()).into())
}

async fn attempt_one(
    worker: &Rc<Worker>,
    connection: &mut OriginConnection,
    request: &mut OriginRequest,
    patience: Patience,
) -> Result<AnswerHead, OriginFailure> {
    let upload = request.body.upload();
    let mut parts = 0;
    let mut reader = HeadReader::default();
    let mut deadline = Deadline::new(patience.after);
    connection.begin(request, &worker.shared.via);
    poll_fn(|cx| {
        if let Poll::Ready(answer) = connection.poll_answer(cx, &mut reader, request, &worker.buffers) {
            return Poll::Ready(answer);
        }
        while deadline.poll(cx, worker).is_ready() {
            // While the upload moves, or it is the visitor who is slow (whom the connection's own
            // deadline ends), the origin has not had its time yet.
            let moved = upload.as_deref().is_some_and(|u| u.waits_for_visitor() || u.parts() != parts);
            if !moved {
                return Poll::Ready(Err(patience.ended()));
            }
            parts = upload.as_deref().map_or(0, Upload::parts);
            deadline.restart();
        }
        Poll::Pending
    })
    .await
}
