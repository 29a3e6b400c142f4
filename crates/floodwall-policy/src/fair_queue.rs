//! Who waits for the origin, in what order, and for how long at most.
//!
//! A bounded priority queue. Requests of a better [`Place`] go first; among equals the earlier one.
//! Three things keep the stated bound on waiting honest:
//! - Whoever could not be served within the bound, counting those who go before him at the rate at
//!   which the origin answers, is told at once.
//! - When it is full, a newcomer of a better place takes that of the last in line, who is told at
//!   once.
//! - Whoever has waited for the whole bound is told then.
//!
//! First in, first out among equals, not last in, first out: the queue holds no more than can be
//! served within the bound, so whoever is in it is still there to be answered; what adaptive LIFO and
//! `CoDel` (RFC 8289) drop from a standing queue never gets into this one.
//!
//! Limits: room for `waiting_max`; 100 bytes or so for each who waits.

use std::collections::BTreeMap;
use std::time::Duration;

use floodwall_model::Timestamp;

/// Where a request stands in line; smaller is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(u8);

impl Place {
    /// Places there are.
    pub const COUNT: usize = 20;

    /// The place of this number; too large a number is the last place.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        const LAST: u8 = 19;
        Self(if number < LAST { number } else { LAST })
    }

    /// Its number, 0 to 19.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }
}

/// One who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaitId {
    place: Place,
    sequence: u64,
}

impl WaitId {
    /// Where he stands in line.
    #[must_use]
    pub fn place(self) -> Place {
        self.place
    }
}

/// What becomes of one who would wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// He waits. Whoever was last in line does so no more, where one is named.
    Waits {
        /// He.
        id: WaitId,
        /// The one whose place he took.
        displaced: Option<WaitId>,
    },
    /// He cannot be served within the bound: it would take this long.
    TooLong {
        /// How long it would take those before him and himself.
        expected: Duration,
    },
}

/// The line for one origin budget.
#[derive(Debug)]
pub struct FairQueue {
    wait_max: Duration,
    waiting_max: usize,
    waiting: BTreeMap<WaitId, Timestamp>,
    /// Sequence numbers are times of arrival in order.
    by_arrival: BTreeMap<u64, Place>,
    counts: [u32; Place::COUNT],
    sequence: u64,
}

impl FairQueue {
    /// An empty queue in which nobody waits longer than `wait_max`, and no more than `waiting_max`.
    #[must_use]
    pub fn new(wait_max: Duration, waiting_max: usize) -> Self {
        Self {
            wait_max,
            waiting_max,
            waiting: BTreeMap::new(),
            by_arrival: BTreeMap::new(),
            counts: [0; Place::COUNT],
            sequence: 0,
        }
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Gets in line, where `served_per_second` leave it. In a full line, takes the last one's place if
    /// `may_displace`.
    pub fn enqueue(
        &mut self,
        place: Place,
        served_per_second: f64,
        may_displace: bool,
        now: Timestamp,
    ) -> Enqueued {
        let before = self.counts.iter().take(usize::from(place.0) + 1).sum::<u32>();
        let expected = expected_wait(before + 1, served_per_second);
        if expected > self.wait_max {
            return Enqueued::TooLong { expected };
        }
        let mut displaced = None;
        if self.waiting.len() >= self.waiting_max {
            match self.waiting.last_key_value().map(|(id, _)| *id) {
                Some(last) if may_displace && last.place > place => {
                    self.remove(last);
                    displaced = Some(last);
                }
                _ => return Enqueued::TooLong { expected: self.wait_max },
            }
        }
        self.sequence += 1;
        let id = WaitId { place, sequence: self.sequence };
        self.waiting.insert(id, now);
        self.by_arrival.insert(id.sequence, place);
        if let Some(count) = self.counts.get_mut(usize::from(place.0)) {
            *count += 1;
        }
        Enqueued::Waits { id, displaced }
    }

    /// Takes the first in line if its place is `worst` or better; since when it waited.
    pub fn dequeue(&mut self, worst: Place) -> Option<(WaitId, Timestamp)> {
        let (id, since) = self.waiting.first_key_value().map(|(id, since)| (*id, *since))?;
        if id.place > worst {
            return None;
        }
        self.remove(id);
        Some((id, since))
    }

    /// Takes one who has waited for the whole bound, if there is one.
    pub fn expire(&mut self, now: Timestamp) -> Option<WaitId> {
        let (sequence, place) =
            self.by_arrival.first_key_value().map(|(sequence, place)| (*sequence, *place))?;
        let id = WaitId { place, sequence };
        let over = self.waiting.get(&id).is_none_or(|since| now.since(*since) >= self.wait_max);
        (over && self.remove(id)).then_some(id)
    }

    /// Takes one out who went away; whether he was still waiting.
    pub fn remove(&mut self, id: WaitId) -> bool {
        self.by_arrival.remove(&id.sequence);
        let was_there = self.waiting.remove(&id).is_some();
        if was_there && let Some(count) = self.counts.get_mut(usize::from(id.place.0)) {
            *count = count.saturating_sub(1);
        }
        was_there
    }

    /// How long it takes to serve all who wait, at this rate.
    #[must_use]
    pub fn backlog(&self, served_per_second: f64) -> Duration {
        expected_wait(u32::try_from(self.len()).unwrap_or(u32::MAX), served_per_second)
    }
}

/// How long it takes to serve so many; at most a day.
fn expected_wait(count: u32, served_per_second: f64) -> Duration {
    let seconds = f64::from(count) / served_per_second.max(0.01);
    Duration::from_secs_f64(seconds.clamp(0.0, 86_400.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::new(Duration::from_millis(millis), 0)
    }

    fn waits(enqueued: Enqueued) -> WaitId {
        match enqueued {
            Enqueued::Waits { id, .. } => id,
            Enqueued::TooLong { expected } => panic!("refused: {expected:?}"),
        }
    }

    #[test]
    fn better_places_go_first_and_equals_in_their_order() {
        let mut queue = FairQueue::new(Duration::from_secs(3), 100);
        let places = [5, 0, 2, 5, 0, 2].map(Place::new);
        let ids = places.map(|place| waits(queue.enqueue(place, 100.0, true, at(0))));
        let order: Vec<_> = std::iter::from_fn(|| queue.dequeue(Place::new(19))).map(|(id, _)| id).collect();
        assert_eq!(order, [1, 4, 2, 5, 0, 3].map(|place: usize| ids[place]));
        let last = waits(queue.enqueue(Place::new(5), 100.0, true, at(0)));
        assert_eq!(queue.dequeue(Place::new(4)), None, "places can be left waiting");
        assert!(queue.remove(last) && !queue.remove(last));
    }

    #[test]
    fn who_cannot_be_served_in_time_is_told_at_once() {
        let mut queue = FairQueue::new(Duration::from_secs(2), 100);
        // Ten a second: twenty in two seconds.
        let served = (0..50)
            .filter(|_| matches!(queue.enqueue(Place::new(2), 10.0, true, at(0)), Enqueued::Waits { .. }));
        assert_eq!(served.count(), 20);
        let told = queue.enqueue(Place::new(2), 10.0, true, at(0));
        assert_eq!(told, Enqueued::TooLong { expected: Duration::from_millis(2_100) });
        waits(queue.enqueue(Place::new(1), 10.0, true, at(0)));
        assert_eq!(queue.backlog(10.0), Duration::from_millis(2_100));
    }

    #[test]
    fn a_full_queue_gives_the_last_ones_place_to_a_better_one() {
        let mut queue = FairQueue::new(Duration::from_secs(10), 3);
        let ids = [1, 3, 3].map(|place| waits(queue.enqueue(Place::new(place), 100.0, true, at(0))));
        assert!(matches!(queue.enqueue(Place::new(3), 100.0, true, at(0)), Enqueued::TooLong { .. }));
        let Enqueued::Waits { displaced, .. } = queue.enqueue(Place::new(2), 100.0, true, at(0)) else {
            panic!("a better place is let in");
        };
        assert_eq!(displaced, Some(ids[2]));
        assert_eq!(queue.len(), 3);
    }

    #[test]
    fn nobody_waits_longer_than_the_bound() {
        let mut queue = FairQueue::new(Duration::from_secs(2), 100);
        let first = waits(queue.enqueue(Place::new(9), 100.0, true, at(0)));
        let second = waits(queue.enqueue(Place::new(0), 100.0, true, at(500)));
        assert_eq!(queue.expire(at(1_999)), None);
        assert_eq!(queue.expire(at(2_000)), Some(first));
        assert_eq!(queue.expire(at(2_000)), None);
        assert_eq!(queue.expire(at(2_500)), Some(second));
        assert!(queue.is_empty());
    }

    proptest! {
        /// The books agree whatever is done, and memory stays within its bound.
        #[test]
        fn the_books_agree(steps in prop::collection::vec((0_u8..5, 0_u8..25, 0_u64..300), 0..500)) {
            let mut queue = FairQueue::new(Duration::from_secs(1), 20);
            let mut ids = Vec::new();
            let mut now = 0;
            for (step, place, pause) in steps {
                now += pause;
                match step {
                    0..=2 => if let Enqueued::Waits { id, .. } = queue.enqueue(Place::new(place), 30.0, true, at(now)) {
                        ids.push(id);
                    },
                    3 => { queue.dequeue(Place::new(place)); }
                    _ => {
                        if let Some(id) = ids.get(usize::from(place)) { queue.remove(*id); }
                        while queue.expire(at(now)).is_some() {}
                    }
                }
                prop_assert!(queue.len() <= 20);
                prop_assert_eq!(queue.len(), queue.by_arrival.len());
                prop_assert_eq!(queue.len(), usize::try_from(queue.counts.iter().sum::<u32>()).unwrap());
            }
        }
    }
}
