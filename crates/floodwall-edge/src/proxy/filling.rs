//! An answer on its way to the visitor that is kept for the cache as it passes.

use bytes::Bytes;
use http_body::Frame;

use crate::cache::Fill;
use crate::upstream::OriginFailure;
use crate::worker::Worker;

/// Collects the parts of an answer; stores it when it has come whole.
pub(crate) struct Filling {
    /// `None` once it is clear that it will not be stored.
    fill: Option<Fill>,
    /// Bytes at the start of what passes that were taken in before.
    already: usize,
}

impl Filling {
    pub(crate) fn new(fill: Fill) -> Self {
        Self { already: fill.received().len(), fill: Some(fill) }
    }

    /// Whether it is clear that the answer will not be stored.
    pub(crate) fn is_given_up(&self) -> bool {
        self.fill.is_none()
    }

    /// Takes a copy of the next part.
    pub(crate) fn take_in(&mut self, frame: &Option<Result<Frame<Bytes>, OriginFailure>>) {
        let goes_on = match (frame, self.fill.as_mut()) {
            (Some(Ok(frame)), Some(fill)) => frame.data_ref().is_none_or(|data| {
                let known = self.already.min(data.len());
                self.already -= known;
                data.get(known..).is_none_or(|new| fill.push(new))
            }),
            (Some(Err(_)), _) => false,
            _ => true,
        };
        if !goes_on {
            self.fill = None;
        }
    }

    /// Stores the answer, all of it having come.
    pub(crate) fn finish(self, worker: &Worker) {
        if let Some(fill) = self.fill {
            let (key, now) = (fill.key().clone(), worker.now());
            // Why it was not stored is in the cache's own marker; the visitor has their answer.
            if let Ok(copy) = worker.shared.cache.finish_fill(fill, now)
                && let Some(kept) = worker.shared.kept.get()
            {
                kept.offer(key.as_ref(), &copy, now);
            }
        }
    }
}
