//! What the reaper needs to know of one connection, and when it is overdue.
//!
//! Deadlines cost the hot path no timer: reading and writing only note the coarse time, and each
//! worker's reaper looks at its connections every [`TICK`].

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use floodwall_model::SiteId;
use slab::Slab;

use super::marks::{ClientMarks, OwnedMark};
use super::pace::Pace;
use crate::authority::AskedHost;
use crate::config::Timeouts;
use crate::forwarded::Introduction;

/// How often the reaper looks, and so the precision of every deadline it holds.
pub(crate) const TICK: Duration = Duration::from_millis(500);

/// How long a polite close may take before it becomes a hard one.
const GOODBYE: Duration = Duration::from_secs(5);

/// Milliseconds since the worker started, as of the reaper's last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CoarseTime(pub(crate) u64);

impl CoarseTime {
    /// The time from `earlier` until then.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Whether `span` has passed since then.
    pub(crate) fn reached(self, since: Self, span: Duration) -> bool {
        u128::from(self.0.saturating_sub(since.0)) >= span.as_millis()
    }
}

/// What the reaper tells a connection's task to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Nothing.
    Carry,
    /// Finish the requests in progress, then close.
    Drain,
    /// Close now.
    Close,
}

/// Where in the stream of requests the visitor's bytes stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Between two requests.
    Between,
    /// Within a header (or a TLS handshake), since then.
    Head(CoarseTime),
    /// Within a request body.
    Body,
}

/// An answer of which the visitor has a part and takes more, or is being waited for.
#[derive(Clone, Copy, Debug, Default)]
struct Delivery {
    /// When the last part was handed over; `None` while the origin is waited for.
    handed: Option<CoarseTime>,
    pace: Pace,
}

/// State of one connection, written by its task and read by the worker's reaper on the same thread.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    /// Requests received and not yet answered to the last byte.
    in_flight: Cell<u32>,
    /// Of these, how many wait for the origin and not for the visitor.
    origin_waits: Cell<u32>,
    reading: Cell<Reading>,
    read_blocked_since: Cell<Option<CoarseTime>>,
    /// The visitor does not take what is written: some of an answer may not be sent yet.
    write_blocked: Cell<bool>,
    /// Answers handed over in part.
    deliveries: RefCell<Slab<Delivery>>,
    /// The visitor's last sign of progress: a byte read or taken, a request finished.
    last_progress: Cell<CoarseTime>,
    answered: Cell<bool>,
    order: Cell<Order>,
    waker: RefCell<Option<Waker>>,
    host: RefCell<Option<AskedHost>>,
    introduction: RefCell<Option<Rc<Introduction>>>,
    marks: RefCell<Option<Rc<ClientMarks>>>,
}

impl ConnectionState {
    pub(crate) fn new(now: CoarseTime) -> Self {
        Self {
            in_flight: Cell::new(0),
            origin_waits: Cell::new(0),
            reading: Cell::new(Reading::Between),
            read_blocked_since: Cell::new(None),
            write_blocked: Cell::new(false),
            deliveries: RefCell::new(Slab::new()),
            last_progress: Cell::new(now),
            answered: Cell::new(false),
            order: Cell::new(Order::Carry),
            waker: RefCell::new(None),
            host: RefCell::new(None),
            introduction: RefCell::new(None),
            marks: RefCell::new(None),
        }
    }

    pub(crate) fn request_began(&self, now: CoarseTime) {
        self.in_flight.set(self.in_flight.get().saturating_add(1));
        self.last_progress.set(now);
    }

    pub(crate) fn request_ended(&self, now: CoarseTime) {
        self.in_flight.set(self.in_flight.get().saturating_sub(1));
        self.last_progress.set(now);
        if matches!(self.reading.get(), Reading::Head(_)) {
            self.reading.set(Reading::Head(now));
        }
        self.answered.set(true);
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    pub(crate) fn origin_wait_began(&self) {
        self.origin_waits.set(self.origin_waits.get().saturating_add(1));
    }

    pub(crate) fn origin_wait_ended(&self, now: CoarseTime) {
        self.origin_waits.set(self.origin_waits.get().saturating_sub(1));
        self.last_progress.set(now);
    }

    /// Notes where the visitor's bytes stand; a header that goes on keeps its beginning.
    pub(crate) fn set_reading(&self, reading: Reading) {
        match (self.reading.get(), reading) {
            (Reading::Head(_), Reading::Head(_)) => {}
            _ => self.reading.set(reading),
        }
    }

    pub(crate) fn read_progressed(&self, now: CoarseTime) {
        self.read_blocked_since.set(None);
        self.last_progress.set(now);
    }

    pub(crate) fn read_blocked(&self, now: CoarseTime) {
        if self.read_blocked_since.get().is_none() {
            self.read_blocked_since.set(Some(now));
        }
    }

    pub(crate) fn write_progressed(&self, now: CoarseTime) {
        self.write_blocked.set(false);
        self.last_progress.set(now);
    }

    /// Something was written that says nothing about progress.
    pub(crate) fn wrote(&self) {
        self.write_blocked.set(false);
    }

    pub(crate) fn set_write_blocked(&self) {
        self.write_blocked.set(true);
    }

    pub(crate) fn is_write_blocked(&self) -> bool {
        self.write_blocked.get()
    }

    /// A part of an answer was handed over, and more is to come. `delivery` is the answer's own
    /// place here, taken with its first part.
    pub(crate) fn part_handed(&self, delivery: &mut Option<u8>, bytes: usize, now: CoarseTime) {
        let mut deliveries = self.deliveries.borrow_mut();
        if delivery.is_none() {
            // A connection has at most 100 streams.
            *delivery = u8::try_from(deliveries.insert(Delivery::default())).ok();
        }
        if let Some(delivery) = delivery.and_then(|place| deliveries.get_mut(usize::from(place))) {
            delivery.pace.moved(bytes, Duration::ZERO);
            delivery.handed = Some(now);
        }
    }

    /// The part was taken: the visitor has room for another.
    pub(crate) fn part_taken(&self, place: u8, now: CoarseTime) {
        if let Some(delivery) = self.deliveries.borrow_mut().get_mut(usize::from(place))
            && let Some(handed) = delivery.handed.take()
        {
            delivery.pace.moved(0, now.since(handed));
        }
    }

    /// The answer is over.
    pub(crate) fn delivery_ended(&self, place: u8) {
        self.deliveries.borrow_mut().try_remove(usize::from(place));
    }

    pub(crate) fn order(&self) -> Order {
        self.order.get()
    }

    /// Gives an order and wakes the task; a harder order is never softened.
    pub(crate) fn give_order(&self, order: Order) {
        let rank = |order| match order {
            Order::Carry => 0,
            Order::Drain => 1,
            Order::Close => 2,
        };
        if rank(order) > rank(self.order.get()) {
            self.order.set(order);
            self.wake();
        }
    }

    /// The host that these letters ask for, and its site: what `look_up` said the last time where they
    /// are the same. What is no host of ours is not kept.
    pub(crate) fn host(
        &self,
        given: &str,
        https: bool,
        look_up: impl FnOnce() -> Option<(Rc<str>, SiteId)>,
    ) -> Option<(Rc<str>, SiteId)> {
        let mut kept = self.host.borrow_mut();
        if let Some(host) = kept.as_ref().filter(|host| host.is(given, https)) {
            return Some((host.canonical.clone(), host.site));
        }
        let (canonical, site) = look_up()?;
        *kept = Some(AskedHost::new(given, https, canonical.clone(), site));
        Some((canonical, site))
    }

    /// What origins are told of this visitor, put into words once per connection and host.
    pub(crate) fn introduction(&self, peer: IpAddr, https: bool, host: &str) -> Rc<Introduction> {
        let mut kept = self.introduction.borrow_mut();
        match kept.as_ref() {
            Some(introduction) if introduction.serves(https, host) => introduction.clone(),
            _ => kept.insert(Rc::new(Introduction::new(peer, https, host))).clone(),
        }
    }

    /// The client's fingerprints, as far as they are known.
    pub(crate) fn marks(&self) -> Option<Rc<ClientMarks>> {
        self.marks.borrow().clone()
    }

    /// Notes the fingerprint of the TLS hello.
    pub(crate) fn set_tls_fingerprint(&self, mark: OwnedMark) {
        Rc::make_mut(self.marks.borrow_mut().get_or_insert_default()).tls = Some(mark);
    }

    /// Notes how the client opened HTTP/2.
    pub(crate) fn set_http2_settings(&self, mark: OwnedMark) {
        Rc::make_mut(self.marks.borrow_mut().get_or_insert_default()).http2 = Some(mark);
    }

    /// Has the task woken when an order comes.
    pub(crate) fn listen_for_orders(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|w| w.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
    }

    /// What is due for this connection at `now`.
    pub(crate) fn due(&self, now: CoarseTime, timeouts: &Timeouts) -> Order {
        let idle_since = self.last_progress.get();
        // What follows a request that is being answered (some send an empty line after a form) has its
        // time from that answer's end.
        if let Reading::Head(since) = self.reading.get()
            && self.in_flight.get() == 0
            && now.reached(since, timeouts.header)
        {
            return Order::Close;
        }
        // Per answer and not per connection: over HTTP/2 other streams go on, and pings come.
        let is_overdue = |delivery: &Delivery| {
            delivery
                .handed
                .is_some_and(|handed| now.reached(handed, delivery.pace.patience(timeouts.write_idle)))
        };
        if self.deliveries.borrow().iter().any(|(_, delivery)| is_overdue(delivery)) {
            return Order::Close;
        }
        if self.write_blocked.get() && now.reached(idle_since, timeouts.write_idle) {
            return Order::Close;
        }
        if self.in_flight.get() == 0 {
            let allowed = if self.answered.get() { timeouts.keep_alive_idle } else { timeouts.header };
            if self.reading.get() == Reading::Between && now.reached(idle_since, allowed) {
                // Somebody who was answered before is told goodbye (GOAWAY, a clean close).
                let polite = self.answered.get() && !now.reached(idle_since, allowed + GOODBYE);
                return if polite { Order::Drain } else { Order::Close };
            }
            return Order::Carry;
        }
        let waits_for_body = self.reading.get() == Reading::Body && self.read_blocked_since.get().is_some();
        // The request itself ends before that, with an answer; this is for bodies nobody asks for.
        if waits_for_body && now.reached(idle_since, timeouts.body_idle.saturating_add(GOODBYE)) {
            return Order::Close;
        }
        // Neither the origin nor a body still to come is what we wait for: the visitor does not
        // take the answer (a full socket buffer, or a closed HTTP/2 window).
        if self.origin_waits.get() == 0 && !waits_for_body && now.reached(idle_since, timeouts.write_idle) {
            return Order::Close;
        }
        Order::Carry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> CoarseTime {
        CoarseTime(seconds * 1000)
    }

    fn fresh() -> ConnectionState {
        ConnectionState::new(at(0))
    }

    #[test]
    fn a_header_has_one_deadline_however_it_drips() {
        let state = fresh();
        state.set_reading(Reading::Head(at(1)));
        for second in 2..11 {
            state.read_progressed(at(second));
            state.set_reading(Reading::Head(at(second)));
            assert_eq!(state.due(at(second), &Timeouts::default()), Order::Carry);
        }
        assert_eq!(state.due(at(11), &Timeouts::default()), Order::Close);
    }

    #[test]
    fn what_follows_a_request_does_not_end_its_answer() {
        let state = fresh();
        state.request_began(at(0));
        state.origin_wait_began();
        state.set_reading(Reading::Head(at(0)));
        assert_eq!(state.due(at(25), &Timeouts::default()), Order::Carry);
        state.origin_wait_ended(at(25));
        state.request_ended(at(25));
        assert_eq!(state.due(at(34), &Timeouts::default()), Order::Carry);
        assert_eq!(state.due(at(35), &Timeouts::default()), Order::Close);
    }

    #[test]
    fn silence_before_the_first_request_is_shorter_than_keep_alive() {
        let state = fresh();
        assert_eq!(state.due(at(9), &Timeouts::default()), Order::Carry);
        assert_eq!(state.due(at(10), &Timeouts::default()), Order::Close);
        let state = fresh();
        state.request_began(at(0));
        state.request_ended(at(0));
        assert_eq!(state.due(at(59), &Timeouts::default()), Order::Carry);
        assert_eq!(state.due(at(60), &Timeouts::default()), Order::Drain);
        assert_eq!(state.due(at(65), &Timeouts::default()), Order::Close);
    }

    #[test]
    fn a_stalled_body_closes_but_a_slow_origin_does_not() {
        let stalled = fresh();
        stalled.request_began(at(0));
        stalled.set_reading(Reading::Body);
        stalled.read_blocked(at(0));
        assert_eq!(stalled.due(at(34), &Timeouts::default()), Order::Carry);
        assert_eq!(stalled.due(at(35), &Timeouts::default()), Order::Close);

        let waiting = fresh();
        waiting.request_began(at(0));
        waiting.origin_wait_began();
        assert_eq!(waiting.due(at(3600), &Timeouts::default()), Order::Carry);
        waiting.origin_wait_ended(at(3600));
        assert_eq!(waiting.due(at(3601), &Timeouts::default()), Order::Carry);
    }

    #[test]
    fn an_answer_nobody_takes_closes() {
        let state = fresh();
        state.request_began(at(0));
        state.write_progressed(at(5));
        assert_eq!(state.due(at(34), &Timeouts::default()), Order::Carry);
        assert_eq!(state.due(at(35), &Timeouts::default()), Order::Close);
    }

    #[test]
    fn one_answer_nobody_takes_closes_though_others_go_on() {
        let state = fresh();
        state.request_began(at(0));
        let (mut stuck, mut taken) = (None, None);
        state.part_handed(&mut stuck, 64_000, at(0));
        for second in 0..30 {
            state.part_handed(&mut taken, 64_000, at(second));
            state.part_taken(taken.unwrap(), at(second));
            state.read_progressed(at(second));
            assert_eq!(state.due(at(second), &Timeouts::default()), Order::Carry);
        }
        assert_eq!(state.due(at(30), &Timeouts::default()), Order::Close);
        state.delivery_ended(stuck.unwrap());
        assert_eq!(state.due(at(30), &Timeouts::default()), Order::Carry);
    }

    #[test]
    fn an_answer_not_yet_sent_has_its_deadline() {
        let state = fresh();
        state.request_began(at(0));
        state.set_write_blocked();
        state.request_ended(at(0));
        assert_eq!(state.due(at(29), &Timeouts::default()), Order::Carry);
        assert_eq!(state.due(at(30), &Timeouts::default()), Order::Close);
        state.write_progressed(at(30));
        assert_eq!(state.due(at(32), &Timeouts::default()), Order::Carry);
    }

    #[test]
    fn orders_only_harden() {
        let state = fresh();
        state.give_order(Order::Close);
        state.give_order(Order::Drain);
        assert_eq!(state.order(), Order::Close);
    }
}
