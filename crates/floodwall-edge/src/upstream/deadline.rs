//! How long a request waits for an origin, at no cost to those that are answered soon.
//!
//! A timer set and taken back for each request costs more than the rest of waiting. So whoever
//! begins to wait only leaves word with the worker's bell, which is rung at every tick; who is still
//! waiting then sets a timer. A deadline so passes at most one tick late, and never early.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use slab::Slab;
use tokio::time::Sleep;

use crate::worker::Worker;

/// A deadline nearer than this has its timer at once: a tick would be much of it.
const SOON: Duration = Duration::from_secs(2);

/// Whom a worker's tick wakes.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    waiting: RefCell<Slab<Waker>>,
    rung: Cell<u64>,
}

impl Bell {
    /// Wakes everybody who waits. Each is one request at an origin, so their number is bounded.
    pub(crate) fn ring(&self) {
        self.rung.set(self.rung.get().wrapping_add(1));
        for (_, waker) in self.waiting.borrow().iter() {
            waker.wake_by_ref();
        }
    }
}

/// A place among those who are woken; given up when dropped.
struct Place {
    worker: Rc<Worker>,
    number: usize,
    rung: u64,
}

impl Place {
    fn take(worker: &Rc<Worker>, cx: &Context<'_>) -> Self {
        let number = worker.bell.waiting.borrow_mut().insert(cx.waker().clone());
        Self { worker: worker.clone(), number, rung: worker.bell.rung.get() }
    }

    fn has_rung(&self) -> bool {
        self.worker.bell.rung.get() != self.rung
    }

    fn keep(&self, cx: &Context<'_>) {
        if let Some(waker) = self.worker.bell.waiting.borrow_mut().get_mut(self.number)
            && !waker.will_wake(cx.waker())
        {
            *waker = cx.waker().clone();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.worker.bell.waiting.borrow_mut().try_remove(self.number);
    }
}

/// A span that begins when it is first waited for.
pub(crate) struct Deadline {
    after: Duration,
    wait: Wait,
}

enum Wait {
    NotYet,
    ForBell(Place),
    ForTimer(Pin<Box<Sleep>>),
}

impl Deadline {
    pub(crate) fn new(after: Duration) -> Self {
        Self { after, wait: Wait::NotYet }
    }

    /// Lets the span begin anew.
    pub(crate) fn restart(&mut self) {
        self.wait = Wait::NotYet;
    }

    /// Ready once the span has passed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, worker: &Rc<Worker>) -> Poll<()> {
        match &mut self.wait {
            Wait::NotYet if self.after > SOON => {
                self.wait = Wait::ForBell(Place::take(worker, cx));
                Poll::Pending
            }
            Wait::ForBell(place) if !place.has_rung() => {
                place.keep(cx);
                Poll::Pending
            }
            Wait::NotYet | Wait::ForBell(_) => {
                let mut timer = Box::pin(tokio::time::sleep(self.after));
                let polled = timer.as_mut().poll(cx);
                self.wait = Wait::ForTimer(timer);
                polled
            }
            Wait::ForTimer(timer) => timer.as_mut().poll(cx),
        }
    }
}
