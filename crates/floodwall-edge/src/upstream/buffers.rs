//! Memory that answers are read into, kept for the next one.

use std::cell::RefCell;

use bytes::BytesMut;

/// Buffers kept by one worker.
const KEPT_MAX: usize = 16;

/// A worker's buffers, the most recently used first: its memory is still in the processor's cache,
/// where one of each connection's own would not be.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    kept: RefCell<Vec<BytesMut>>,
}

impl Buffers {
    /// An empty buffer, with memory or without.
    pub(super) fn take(&self) -> BytesMut {
        self.kept.borrow_mut().pop().unwrap_or_default()
    }

    /// Keeps a buffer. Parts of it that are still with a visitor stay as they are: its memory is
    /// used anew only once they are gone.
    pub(super) fn give_back(&self, mut buffer: BytesMut) {
        let mut kept = self.kept.borrow_mut();
        if buffer.capacity() > 0 && kept.len() < KEPT_MAX {
            buffer.clear();
            kept.push(buffer);
        }
    }
}
