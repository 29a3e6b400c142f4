//! Four slots in one cache line, and how threads share them.
//!
//! There are no locks; any two threads may work on one slot. A slot is a `key` (whose it is) and a
//! `state` (TAT and a 4-bit generation). Each takeover of a slot for another source
//! 1. swaps `key` from what was seen to `CLAIMED`, which only one thread can do, and which others
//!    pass over;
//! 2. stores `state` with a generation one higher;
//! 3. stores the new `key`.
//!
//! Why nobody is refused for another's requests: a state counts as a source's own only when
//! `state`, `key`, `state` read in this order give its key between two equal states. A state of a
//! later takeover cannot have been read first, because step 1 of that takeover comes before its
//! step 2 and would have been seen in `key`; a state of an earlier one cannot have been read last,
//! because step 3 comes after step 2. So both reads lie in one tenure of the slot, for states of
//! adjacent tenures differ in generation. Charging swaps exactly the state that was read so, hence
//! fails if the slot changed hands. (To be deceived a thread must rest between two instructions
//! while the slot changes hands a multiple of 16 times and ends with the same TAT to the nanosecond;
//! that is neglected too.)
//!
//! What races can do is admit more.
//! - Threads that meet a new source at the same moment may each give it a slot and admit the request
//!   they hold. From then on the slot with the greatest TAT counts, the others lapse; each can let
//!   through no more than its requests that were under way, and never more than a burst.
//! - A source whose slot is taken over while it is being charged starts afresh.
//! - A thread that lost `ATTEMPTS_MAX` races in a row admits uncharged. Other requests won them and
//!   were charged or given slots; it is counted with the evictions.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::time::Duration;

use crate::rate_limit::{Conformance, RateLimit};

/// Slots of a set: as many as fill a cache line of 64 bytes.
pub(super) const WAYS: usize = 4;

/// Key of a slot that was never used.
const EMPTY: u64 = 0;
/// Key of a slot that a thread is taking over.
const CLAIMED: u64 = 1;

/// Races one check may lose before it gives up and admits.
const ATTEMPTS_MAX: u32 = 32;

const GENERATION_BITS: u32 = 4;
const GENERATION_MASK: u64 = (1 << GENERATION_BITS) - 1;
const TAT_NANOS_MAX: u64 = u64::MAX >> GENERATION_BITS;

/// Turns a hash into a key: two of the 2^64 values are not free for use.
pub(super) fn usable_key(hash: u64) -> u64 {
    if hash == EMPTY || hash == CLAIMED { hash | 1 << 63 } else { hash }
}

/// The atomic number slots are made of. Tests put one in its place that lets another thread's whole
/// check happen between any two accesses.
pub(super) trait Word: Default {
    /// Reads, and sees everything written before the value that is read.
    fn load(&self) -> u64;
    /// Writes, after everything written before.
    fn store(&self, value: u64);
    /// Writes `new` if it holds `seen`; whether it did. Never fails for another reason: a lost race
    /// means that somebody else made progress.
    fn replace(&self, seen: u64, new: u64) -> bool;
}

impl Word for AtomicU64 {
    fn load(&self) -> u64 {
        self.load(Acquire)
    }

    fn store(&self, value: u64) {
        self.store(value, Release);
    }

    fn replace(&self, seen: u64, new: u64) -> bool {
        self.compare_exchange(seen, new, AcqRel, Relaxed).is_ok()
    }
}

/// The slots a source may be in.
#[derive(Default)]
#[repr(align(64))]
pub(super) struct SlotSet<W = AtomicU64> {
    slots: [Slot<W>; WAYS],
}

#[derive(Default)]
struct Slot<W> {
    key: W,
    state: W,
}

/// TAT in the upper 60 bits, generation in the lower 4.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State(u64);

impl State {
    fn tat_nanos(self) -> u64 {
        self.0 >> GENERATION_BITS
    }

    fn with_tat(self, tat_nanos: u64) -> Self {
        Self(tat_nanos.min(TAT_NANOS_MAX) << GENERATION_BITS | self.0 & GENERATION_MASK)
    }

    fn next_generation(self) -> Self {
        let generation = self.0.wrapping_add(1) & GENERATION_MASK;
        Self(self.0 & !GENERATION_MASK | generation)
    }
}

/// What came of one check.
pub(super) struct Outcome {
    /// Admitted, or how long to wait.
    pub(super) decision: Result<(), Duration>,
    /// For it a source that still owed time was forgotten, or this request could not be remembered.
    pub(super) forgotten: bool,
}

/// What a set holds for a source.
enum Found<'a, W> {
    /// The source's own slot and a state that is certainly its own.
    Own(&'a Slot<W>, State),
    /// No slot; this one, held by the given key, may be taken over.
    Reusable(&'a Slot<W>, u64),
    /// The source's slot changed while it was read.
    Changing,
    /// No slot, and other threads are taking over all of them.
    Occupied,
}

impl<W: Word> SlotSet<W> {
    /// Charges one request to `key`.
    pub(super) fn check(&self, key: u64, limit: RateLimit, now_nanos: u64) -> Outcome {
        for _ in 0..ATTEMPTS_MAX {
            match self.find(key) {
                Found::Own(slot, seen) => {
                    if let Some(decision) = slot.charge(seen, limit, now_nanos) {
                        return Outcome { decision, forgotten: false };
                    }
                }
                Found::Reusable(slot, holder) => {
                    if let Some(former) = slot.take_over(holder, key, limit.first_tat_nanos(now_nanos)) {
                        return Outcome { decision: Ok(()), forgotten: former.tat_nanos() > now_nanos };
                    }
                }
                Found::Changing => {}
                Found::Occupied => break,
            }
        }
        Outcome { decision: Ok(()), forgotten: true }
    }

    /// Slots whose TAT is yet to come.
    pub(super) fn owing(&self, now_nanos: u64) -> usize {
        self.slots.iter().filter(|slot| slot.load_state().tat_nanos() > now_nanos).count()
    }

    fn find(&self, key: u64) -> Found<'_, W> {
        let mut own: Option<(&Slot<W>, State)> = None;
        let mut reusable: Option<(&Slot<W>, u64, u64)> = None;
        for slot in &self.slots {
            // In this order: see the head of the file.
            let state = slot.load_state();
            let holder = slot.key.load();
            let tat_nanos = state.tat_nanos();
            if holder == key {
                if slot.load_state() != state {
                    return Found::Changing;
                }
                if own.is_none_or(|(_, other)| tat_nanos > other.tat_nanos()) {
                    own = Some((slot, state));
                }
            } else if holder != CLAIMED && reusable.is_none_or(|(_, _, least)| tat_nanos < least) {
                reusable = Some((slot, holder, tat_nanos));
            }
        }
        match (own, reusable) {
            (Some((slot, state)), _) => Found::Own(slot, state),
            (None, Some((slot, holder, _))) => Found::Reusable(slot, holder),
            (None, None) => Found::Occupied,
        }
    }
}

impl<W: Word> Slot<W> {
    fn load_state(&self) -> State {
        State(self.state.load())
    }

    /// Charges a request to the source that `seen` belongs to; `None` if the state changed since.
    fn charge(&self, seen: State, limit: RateLimit, now_nanos: u64) -> Option<Result<(), Duration>> {
        match limit.judge(seen.tat_nanos(), now_nanos) {
            Conformance::Conforms { tat_nanos } => self.replace(seen, tat_nanos).then_some(Ok(())),
            // The usual case in a flood only reads, so the line stays shared between cores.
            Conformance::Exceeds { wait_nanos } => Some(Err(Duration::from_nanos(wait_nanos))),
            Conformance::Leftover { tat_nanos, wait_nanos } => {
                self.replace(seen, tat_nanos).then_some(Err(Duration::from_nanos(wait_nanos)))
            }
        }
    }

    fn replace(&self, seen: State, tat_nanos: u64) -> bool {
        self.state.replace(seen.0, seen.with_tat(tat_nanos).0)
    }

    /// Gives the slot to `key`; `None` if another thread was faster, else the state it held.
    fn take_over(&self, holder: u64, key: u64, tat_nanos: u64) -> Option<State> {
        if !self.key.replace(holder, CLAIMED) {
            return None;
        }
        // A late charge to the former holder may still land between these two lines; it leaves the
        // generation alone and is overwritten.
        let former = self.load_state();
        self.state.store(former.next_generation().with_tat(tat_nanos).0);
        self.key.store(key);
        Some(former)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::collections::HashMap;
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::*;

    type Interruption = (u32, Box<dyn FnOnce()>);

    thread_local! {
        /// What is to happen before how many more accesses to slots; the last is the next.
        static INTERRUPTIONS: RefCell<Vec<Interruption>> = const { RefCell::new(Vec::new()) };
    }

    /// A word whose reader or writer can be interrupted before any access.
    #[derive(Default)]
    struct Interruptible(Cell<u64>);

    fn before_access() {
        let due = INTERRUPTIONS.with_borrow_mut(|stack| {
            let (left, _) = stack.last_mut()?;
            if *left > 0 {
                *left -= 1;
                return None;
            }
            stack.pop()
        });
        if let Some((_, interruption)) = due {
            interruption();
        }
    }

    impl Word for Interruptible {
        fn load(&self) -> u64 {
            before_access();
            self.0.get()
        }

        fn store(&self, value: u64) {
            before_access();
            self.0.set(value);
        }

        fn replace(&self, seen: u64, new: u64) -> bool {
            before_access();
            let same = self.0.get() == seen;
            if same {
                self.0.set(new);
            }
            same
        }
    }

    const NOW_NANOS: u64 = 1_000_000_000;
    const BURST: u32 = 2;

    /// One set, in which nobody sends more than a burst: nobody may ever be refused.
    struct Scene {
        set: SlotSet<Interruptible>,
        limit: RateLimit,
        sent: RefCell<HashMap<u64, u32>>,
    }

    impl Scene {
        fn request(&self, source: u64) {
            let first_or_second = {
                let mut sent = self.sent.borrow_mut();
                let count = sent.entry(source).or_default();
                *count += 1;
                *count <= BURST
            };
            if first_or_second {
                let outcome = self.set.check(usable_key(source + 2), self.limit, NOW_NANOS);
                assert_eq!(outcome.decision, Ok(()), "source {source} was refused for another's requests");
            }
        }

        fn requests(&self, sources: &[u64]) {
            sources.iter().for_each(|source| self.request(*source));
        }
    }

    fn sources(most: usize) -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(0_u64..7, 0..=most)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// A check is interrupted between two accesses by whole checks of other threads, and one of
        /// these likewise by more, wherever that may be.
        #[test]
        fn interrupted_anywhere_nobody_is_refused_for_another(
            before in sources(10),
            (interrupted, at, others) in (0_u64..7, 0_u32..20, sources(4)),
            (others_at, more) in (0_u32..40, sources(4)),
            after in sources(10),
        ) {
            let limit = RateLimit::from_numbers(1, BURST).unwrap();
            let scene = Rc::new(Scene { set: SlotSet::default(), limit, sent: RefCell::default() });
            INTERRUPTIONS.set(Vec::new());
            scene.requests(&before);
            let (second, first) = (Rc::clone(&scene), Rc::clone(&scene));
            INTERRUPTIONS.set(vec![(others_at, Box::new(move || second.requests(&more))), (at, Box::new(move || first.requests(&others)))]);
            scene.request(interrupted);
            INTERRUPTIONS.set(Vec::new());
            scene.requests(&after);
        }
    }

    /// While one thread gives a new source its slot, others use up the source's burst in a second
    /// slot. The first then holds only what the one thread charged: it must not open a second burst.
    #[test]
    fn two_slots_of_one_source_are_not_two_allowances() {
        let limit = RateLimit::from_numbers(1, 50).unwrap();
        for at in 0..20 {
            let set = Rc::new(SlotSet::<Interruptible>::default());
            let admitted = Rc::new(Cell::new(0));
            let request = {
                let (set, admitted) = (Rc::clone(&set), Rc::clone(&admitted));
                move || {
                    let passed = set.check(7, limit, NOW_NANOS).decision.is_ok();
                    admitted.set(admitted.get() + u32::from(passed));
                }
            };
            let others = request.clone();
            let use_up = move || (0..60).for_each(|_| others());
            INTERRUPTIONS.set(vec![(at, Box::new(use_up))]);
            (0..100).for_each(|_| request());
            assert!((50..=51).contains(&admitted.get()), "interrupted at {at}: {}", admitted.get());
        }
    }

    #[test]
    fn no_hash_is_taken_for_an_unused_slot() {
        for hash in [EMPTY, CLAIMED, 2, u64::MAX] {
            assert!(usable_key(hash) > CLAIMED, "{hash}");
        }
    }
}
