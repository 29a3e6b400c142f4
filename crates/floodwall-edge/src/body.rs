//! What visitors are sent, and the ledger that closes when the last byte of it is handed over.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use floodwall_detection::RequestSeen;
use floodwall_model::{AccessRecord, SiteId, Timestamp};
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};

use crate::connection::ConnectionState;
use crate::proxy::Filling;
use crate::sightings;
use crate::upstream::{FieldLines, OriginBody, OriginFailure};
use crate::worker::Worker;

/// A kept answer is handed over in parts of this size, so that what the visitor has not taken is
/// known to within one.
const PART_BYTES_MAX: usize = 64 * 1024;

/// The body of an answer.
pub(crate) enum Payload {
    Empty,
    Whole(Bytes),
    /// Streamed from the origin; kept for the cache on its way where `Filling` says so.
    Origin(Box<OriginBody>, Option<Box<Filling>>),
}

/// One request's account: opened when its head has been read, closed when its answer has been
/// handed over or given up.
pub(crate) struct Ledger {
    pub(crate) worker: Rc<Worker>,
    pub(crate) state: Rc<ConnectionState>,
    pub(crate) received: Timestamp,
    pub(crate) site: Option<SiteId>,
    /// The request came over HTTPS.
    pub(crate) secure: bool,
    /// Filled in only when there is an access log.
    pub(crate) access: Option<Box<AccessRecord>>,
    /// What detection is told once it is answered; known as soon as the site is.
    pub(crate) seen: Option<RequestSeen>,
    body_bytes: u64,
    waits_for_origin: bool,
    /// Its place among the connection's answers under way, once a part was handed over.
    delivery: Option<u8>,
}

impl Ledger {
    pub(crate) fn open(worker: Rc<Worker>, state: Rc<ConnectionState>) -> Self {
        state.request_began(worker.coarse_now());
        let received = worker.now();
        Self {
            worker,
            state,
            received,
            site: None,
            secure: false,
            access: None,
            seen: None,
            body_bytes: 0,
            waits_for_origin: false,
            delivery: None,
        }
    }

    /// Says whether it is the origin that is waited for, and not the visitor.
    pub(crate) fn set_waits_for_origin(&mut self, waits: bool) {
        if self.waits_for_origin != waits {
            self.waits_for_origin = waits;
            if waits {
                self.state.origin_wait_began();
            } else {
                self.state.origin_wait_ended(self.worker.coarse_now());
            }
        }
    }

    /// The visitor has room for the next part of the answer.
    fn part_taken(&self) {
        if let Some(place) = self.delivery {
            self.state.part_taken(place, self.worker.coarse_now());
        }
    }

    /// Counts what is handed over, and holds the visitor to taking it where more is to come.
    fn part_handed(&mut self, bytes: usize, more: bool) {
        self.body_bytes = self.body_bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if more {
            self.state.part_handed(&mut self.delivery, bytes, self.worker.coarse_now());
        }
    }

    /// Counts the answer's status.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        if let Some(site) = self.site {
            self.worker.counters.site(site).count_status(status);
        }
        self.tell_detection(Some(status));
        if let Some(access) = self.access.as_mut() {
            access.status = status.as_u16();
        }
    }
}

impl Ledger {
    /// Tells detection of the request, once; `None` where nobody waited for an answer.
    fn tell_detection(&mut self, status: Option<StatusCode>) {
        if let (Some(seen), Some(site)) = (self.seen.take(), self.site) {
            self.worker.sightings.observe(site, &sightings::answered(seen, status));
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.tell_detection(None);
        self.set_waits_for_origin(false);
        if let Some(place) = self.delivery.take() {
            self.state.delivery_ended(place);
        }
        self.state.request_ended(self.worker.coarse_now());
        if let Some(site) = self.site {
            self.worker.counters.site(site).response_body_bytes.add(self.body_bytes);
        }
        if let (Some(mut record), Some(sink)) = (self.access.take(), self.worker.shared.access.as_ref()) {
            record.body_bytes = self.body_bytes;
            record.duration = self.worker.now().since(self.received);
            sink.record(*record);
        }
    }
}

/// A payload with its ledger.
pub(crate) struct ResponseBody {
    payload: Payload,
    ledger: Ledger,
    /// The origin's fields, beside those that the answer's table holds.
    lines: Option<Box<FieldLines>>,
}

impl ResponseBody {
    pub(crate) fn new(payload: Payload, ledger: Ledger) -> Self {
        Self { payload, ledger, lines: None }
    }

    pub(crate) fn set_lines(&mut self, lines: Option<Box<FieldLines>>) {
        self.lines = lines;
    }

    /// The fields that go with the answer's table; they are to be sent, too.
    pub(crate) fn take_lines(&mut self) -> Option<Box<FieldLines>> {
        self.lines.take()
    }

    /// When the request's head had been read.
    pub(crate) fn received(&self) -> Timestamp {
        self.ledger.received
    }

    /// Whether all of it is there.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.payload, Payload::Empty | Payload::Whole(_))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = OriginFailure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, OriginFailure>>> {
        let this = &mut *self;
        this.ledger.part_taken();
        match &mut this.payload {
            Payload::Empty => Poll::Ready(None),
            Payload::Whole(bytes) => {
                let part = bytes.split_to(bytes.len().min(PART_BYTES_MAX));
                let more = !bytes.is_empty();
                if !more {
                    this.payload = Payload::Empty;
                }
                this.ledger.part_handed(part.len(), more);
                Poll::Ready(Some(Ok(Frame::data(part))))
            }
            Payload::Origin(body, filling) => {
                let polled = Pin::new(body.as_mut()).poll_frame(cx);
                this.ledger.set_waits_for_origin(polled.is_pending());
                let frame = std::task::ready!(polled);
                if let Some(kept) = filling.as_mut() {
                    kept.take_in(&frame);
                }
                let ended = frame.is_none() || body.is_end_stream();
                if ended && let Some(kept) = filling.take() {
                    kept.finish(&this.ledger.worker);
                }
                if let Some(Ok(data)) = frame.as_ref().map(|f| f.as_ref().map(Frame::data_ref))
                    && let Some(bytes) = data
                {
                    this.ledger.part_handed(bytes.len(), !ended);
                }
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.payload {
            Payload::Empty => true,
            Payload::Whole(bytes) => bytes.is_empty(),
            Payload::Origin(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.payload {
            Payload::Empty => SizeHint::with_exact(0),
            Payload::Whole(bytes) => SizeHint::with_exact(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
            Payload::Origin(body, _) => body.size_hint(),
        }
    }
}
