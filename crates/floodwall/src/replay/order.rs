//! Requests of many lines, sorted into seconds.
//!
//! Servers write a line when the answer ends or note when the request came, and several logs are read
//! together: so lines are nearly in order. A second is given out when a line [`WINDOW_S`] later has
//! been seen; what comes for it after that is late, and counted. Memory is bounded by
//! [`EVENTS_MAX`]: where more wait than that, seconds are given out earlier.

use std::collections::VecDeque;

use super::event::Event;

/// How much later than others a line may come, in seconds.
pub(crate) const WINDOW_S: i64 = 120;
/// Requests that wait at most, of about 150 bytes each.
const EVENTS_MAX: usize = 1 << 19;
/// Of one second, however many there are.
const SECOND_EVENTS_MAX: usize = 1 << 21;

/// What takes the seconds, in order; those without a request are left out.
pub(crate) trait Seconds {
    /// One second's requests, in the order of their times.
    fn second(&mut self, unix_s: i64, events: &mut [Event]);
}

/// The requests of the last seconds.
#[derive(Debug)]
pub(crate) struct Order {
    /// The second of the first place.
    first_s: i64,
    seconds: VecDeque<Vec<Event>>,
    waiting: usize,
    spare: Vec<Vec<Event>>,
    /// Requests left out because their second had been given out.
    pub(crate) late: u64,
    /// Requests left out because their second held as many as one may.
    pub(crate) crowded_out: u64,
}

impl Order {
    pub(crate) fn new() -> Self {
        Self {
            first_s: i64::MIN,
            seconds: VecDeque::new(),
            waiting: 0,
            spare: Vec::new(),
            late: 0,
            crowded_out: 0,
        }
    }

    /// Takes one request, and gives out the seconds that nothing is waited for any more.
    pub(crate) fn push(&mut self, event: Event, sink: &mut impl Seconds) {
        let second = event.unix_second();
        if self.first_s == i64::MIN {
            // The first line may be the late one.
            self.first_s = second - WINDOW_S;
        }
        if second < self.first_s {
            self.late += 1;
            return;
        }
        self.give_out_before(second - WINDOW_S, sink);
        let place = usize::try_from(second - self.first_s).unwrap_or(0);
        while self.seconds.len() <= place {
            self.seconds.push_back(self.spare.pop().unwrap_or_default());
        }
        let Some(events) = self.seconds.get_mut(place) else { return };
        if events.len() >= SECOND_EVENTS_MAX {
            self.crowded_out += 1;
            return;
        }
        events.push(event);
        self.waiting += 1;
        while self.waiting > EVENTS_MAX && self.seconds.len() > 1 {
            self.give_out_first(sink);
        }
    }

    /// Gives out all that waits.
    pub(crate) fn finish(&mut self, sink: &mut impl Seconds) {
        while !self.seconds.is_empty() {
            self.give_out_first(sink);
        }
    }

    fn give_out_before(&mut self, until_s: i64, sink: &mut impl Seconds) {
        while self.first_s < until_s && !self.seconds.is_empty() {
            self.give_out_first(sink);
        }
        self.first_s = self.first_s.max(until_s);
    }

    fn give_out_first(&mut self, sink: &mut impl Seconds) {
        let Some(mut events) = self.seconds.pop_front() else { return };
        let second = self.first_s;
        self.first_s += 1;
        self.waiting -= events.len();
        if !events.is_empty() {
            spread(second, &mut events);
            sink.second(second, &mut events);
            events.clear();
        }
        self.spare.push(events);
    }
}

/// Spreads requests whose time is a whole second evenly over it, in the order of the log: that all
/// came at one moment is what their log says and not what happened.
fn spread(second: i64, events: &mut [Event]) {
    let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
    for (event, place) in events.iter_mut().zip(0_i64..) {
        if !event.within_second {
            event.unix_micros = second * 1_000_000 + (2 * place + 1) * 500_000 / count;
        }
    }
    events.sort_by_key(|event| event.unix_micros);
}

#[cfg(test)]
mod tests {
    use floodwall_detection::{RequestReader, RequestText};
    use floodwall_exchange::access_log::OriginUse;
    use proptest::prelude::*;

    use super::super::event::Asked;
    use super::*;

    #[derive(Default)]
    struct Taken(Vec<(i64, Vec<i64>)>);

    impl Seconds for Taken {
        fn second(&mut self, unix_s: i64, events: &mut [Event]) {
            self.0.push((unix_s, events.iter().map(|event| event.unix_micros).collect()));
        }
    }

    fn event(unix_micros: i64, within_second: bool) -> Event {
        let text = RequestText {
            client: [192, 0, 2, 1].into(),
            method: "GET",
            target: "/",
            referer: None,
            user_agent: None,
            status: 200,
        };
        Event {
            unix_micros,
            client: [192, 0, 2, 1].into(),
            seen: RequestReader::new(1, &[]).read(&text),
            origin_us: 0,
            asked: Asked::Page,
            origin: OriginUse::Unknown,
            within_second,
            referred: false,
        }
    }

    fn ordered(times: &[(i64, bool)]) -> (Taken, Order) {
        let (mut taken, mut order) = (Taken::default(), Order::new());
        for (time, within) in times {
            order.push(event(*time, *within), &mut taken);
        }
        order.finish(&mut taken);
        (taken, order)
    }

    #[test]
    fn whole_seconds_are_spread_and_parts_kept() {
        let (taken, _) =
            ordered(&[(5_000_000, false), (5_000_000, false), (7_900_000, true), (7_100_000, true)]);
        assert_eq!(taken.0, [(5, vec![5_250_000, 5_750_000]), (7, vec![7_100_000, 7_900_000])]);
    }

    #[test]
    fn what_comes_after_the_window_is_late() {
        let at = |second: i64| (second * 1_000_000, false);
        let (taken, order) = ordered(&[at(1_000), at(880), at(879), at(1_200), at(1_079), at(1_080)]);
        let seconds: Vec<_> = taken.0.iter().map(|(second, _)| *second).collect();
        assert_eq!((seconds, order.late), (vec![880, 1_000, 1_080, 1_200], 2));
    }

    #[test]
    fn a_gap_of_years_takes_no_memory() {
        let year = 31_536_000_000_000;
        let (taken, order) = ordered(&[(0, false), (50 * year, false), (100 * year, false)]);
        assert_eq!(taken.0.len(), 3);
        assert!(order.spare.len() <= usize::try_from(2 * WINDOW_S + 2).unwrap());
    }

    proptest! {
        #[test]
        fn seconds_come_in_order_and_nothing_is_lost(
            times in prop::collection::vec((0..400_000_000_i64, any::<bool>()), 0..300),
        ) {
            let (taken, order) = ordered(&times);
            let given: usize = taken.0.iter().map(|(_, events)| events.len()).sum();
            prop_assert_eq!(given + usize::try_from(order.late).unwrap(), times.len());
            prop_assert!(taken.0.windows(2).all(|pair| pair[0].0 < pair[1].0));
            for (second, events) in &taken.0 {
                prop_assert!(events.windows(2).all(|pair| pair[0] <= pair[1]));
                prop_assert!(events.iter().all(|time| time.div_euclid(1_000_000) == *second));
            }
        }
    }
}
