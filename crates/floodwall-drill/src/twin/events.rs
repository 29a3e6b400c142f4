//! What is to happen, in the order of its time; what is due at the same microsecond, in the order
//! in which it was put there.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::cache::Target;
use super::edge::{Answer, Asker, Timer};

/// Microseconds in a second.
pub(super) const SECOND_US: u64 = 1_000_000;

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// The session at that place of the plan begins.
    SessionBegins(usize),
    /// The visitor of that session wants the next page.
    PersonWants(usize),
    /// They get an answer, or none in time.
    PersonGets(usize, Option<Answer>),
    /// They have worked or waited as they were told.
    PersonAsksAgain(usize),
    /// The next arrival of that flood.
    FloodArrives(usize),
    /// A flooder goes on from an answer.
    FloodAsksAgain(Asker, Target),
    /// That flood is over.
    FloodEnds(usize),
    /// Something about a request is due.
    Request(Timer),
    /// The origin crashes.
    OriginGoesDown,
    /// The edge does what it does by the clock.
    Beat(u64),
}

/// Events by time.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: BinaryHeap<Reverse<(u64, u64, Event)>>,
    put: u64,
    taken: u64,
}

impl Queue {
    pub(super) fn put(&mut self, at_us: u64, event: Event) {
        self.put += 1;
        self.waiting.push(Reverse((at_us, self.put, event)));
    }

    pub(super) fn take(&mut self) -> Option<(u64, Event)> {
        let Reverse((at_us, _, event)) = self.waiting.pop()?;
        self.taken += 1;
        Some((at_us, event))
    }

    /// How many events have happened.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether nothing more is to happen.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
