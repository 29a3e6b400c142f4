//! Requests at the origin at once, and those that wait for a turn.

use std::collections::VecDeque;

use super::RequestId;
use crate::twin::events::SECOND_US;

/// The longest a request waits for its turn.
pub(super) const WAIT_US: u64 = 10 * SECOND_US;
const TURNS_MAX: u64 = 256;
const WAITING_MAX: usize = 1_024;

/// The turns at the origin.
#[derive(Debug, Default)]
pub(in super::super) struct Turns {
    taken: u64,
    /// In the order of their coming, with some who have gone.
    line: VecDeque<RequestId>,
    waiting: usize,
}

impl Turns {
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Takes a turn, where one is free.
    pub(super) fn take(&mut self) -> bool {
        let free = self.taken < TURNS_MAX;
        self.taken += u64::from(free);
        free
    }

    pub(super) fn give_back(&mut self) {
        self.taken = self.taken.saturating_sub(1);
    }

    /// Gets into line, where there is room.
    pub(super) fn wait(&mut self, request: RequestId) -> bool {
        let room = self.waiting < WAITING_MAX;
        if room {
            self.waiting += 1;
            self.line.push_back(request);
        }
        room
    }

    /// One of those in line waits no longer.
    pub(super) fn stop_waiting(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// Who came first; they may have gone since.
    pub(super) fn next(&mut self) -> Option<RequestId> {
        self.line.pop_front()
    }
}
