//! When each phase of an attempt began and ended, on one clock; kept also when the attempt failed.

use std::time::Duration;

use floodwall_model::Timestamp;
use floodwall_outage::Phase;

/// One phase: when it began, and when it ended if it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// When it began.
    pub start: Timestamp,
    /// When it ended well; `None` when it failed or ran out of time.
    pub done: Option<Timestamp>,
}

impl Span {
    /// How long it took, if it ended.
    #[must_use]
    pub fn length(&self) -> Option<Duration> {
        self.done.map(|done| done.since(self.start))
    }
}

/// The phases of one attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// Asking for addresses.
    pub resolve: Option<Span>,
    /// TCP's handshake.
    pub connect: Option<Span>,
    /// The TLS handshake.
    pub tls: Option<Span>,
    /// Handing over the request.
    pub request: Option<Span>,
    /// From the request's end to the first byte of an answer.
    pub first_byte: Option<Span>,
    /// From the first byte to the last.
    pub transfer: Option<Span>,
}

impl Stamps {
    fn place(&mut self, phase: Phase) -> Option<&mut Option<Span>> {
        match phase {
            Phase::Resolve => Some(&mut self.resolve),
            Phase::Connect => Some(&mut self.connect),
            Phase::Tls => Some(&mut self.tls),
            Phase::Request => Some(&mut self.request),
            Phase::FirstByte => Some(&mut self.first_byte),
            Phase::Transfer => Some(&mut self.transfer),
            Phase::Check => None,
        }
    }

    /// The phase of that name.
    #[must_use]
    pub fn get(&self, phase: Phase) -> Option<Span> {
        let mut copy = *self;
        copy.place(phase).and_then(|span| *span)
    }

    pub(crate) fn begin(&mut self, phase: Phase, now: Timestamp) {
        if let Some(place) = self.place(phase) {
            *place = Some(Span { start: now, done: None });
        }
    }

    pub(crate) fn end(&mut self, phase: Phase, now: Timestamp) {
        if let Some(Some(span)) = self.place(phase) {
            span.done = Some(now);
        }
    }
}
