//! Request rates per site and client prefix, in fixed memory, shared by all worker threads.
//!
//! A set-associative table: a keyed hash names a set of four slots (one cache line), a slot holds
//! the whole 64-bit hash of who it is for and the time until which that source has used up its
//! allowance (the TAT of [`RateLimit`]). A slot whose TAT has passed says the same as no slot, so
//! it is reused freely. When all four are still owed to, the one with the smallest TAT is forgotten:
//! that source starts afresh (fail open) and it is counted. Sources far over their limit have the
//! largest TATs of their set and are therefore remembered longest.
//!
//! Limits
//! - 16 bytes per slot, all of it allocated at the start: 16 MiB for 1,048,576 prefixes, however
//!   many sources come. Capacity lies between [`PrefixLimiter::CAPACITY_MIN`] and
//!   [`PrefixLimiter::CAPACITY_MAX`].
//! - Slots are told apart by the hash alone. It is SipHash-2-4 under a secret key, so nobody can
//!   look for collisions from outside; of a million sources at once a newcomer's hash equals one of
//!   theirs with a chance of 1 in 18 million million (10^6 / 2^64), which is neglected.
//! - A TAT has 60 bits of nanoseconds. A clock that has run for 36 years admits everybody.
//!
//! # Threads
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
//!
//! Threads judge by the `now` they are given, in the order in which they reach the slot. Where two
//! readings differ by a microsecond, so may the moment at which a source conforms again.

use std::hash::Hasher;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::time::Duration;

use floodwall_model::{Prefix, SiteId, Timestamp};

use crate::rate_limit::{Conformance, RateLimit};

/// Slots of a set: as many as fill a cache line of 64 bytes.
const WAYS: usize = 4;

/// Key of a slot that was never used.
const EMPTY: u64 = 0;
/// Key of a slot that a thread is taking over.
const CLAIMED: u64 = 1;

/// Races one check may lose before it gives up and admits.
const ATTEMPTS_MAX: u32 = 32;

const GENERATION_BITS: u32 = 4;
const GENERATION_MASK: u64 = (1 << GENERATION_BITS) - 1;
const TAT_NANOS_MAX: u64 = u64::MAX >> GENERATION_BITS;

/// What is being metered. The same prefix has one allowance for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meter {
    /// Requests that take work at the origin.
    OriginBound,
    /// All requests, those the cache answers included.
    AllRequests,
}

impl Meter {
    fn discriminator(self) -> u64 {
        match self {
            Self::OriginBound => 1,
            Self::AllRequests => 2,
        }
    }
}

/// Request rates per site and client prefix, in a table of fixed size that all worker threads share
/// without locks. What does not fit is forgotten in the visitor's favour and counted; nobody is
/// refused for another's requests. The head of this file says why that holds between threads.
pub struct PrefixLimiter {
    sets: Box<[Set]>,
    set_mask: u64,
    hash_keys: (u64, u64),
    evictions: OwnLine<AtomicU64>,
}

/// Keeps a counter off the cache lines of what every thread reads.
#[repr(align(64))]
struct OwnLine<T>(T);

#[derive(Default)]
#[repr(align(64))]
struct Set {
    slots: [Slot; WAYS],
}

#[derive(Default)]
struct Slot {
    key: AtomicU64,
    state: AtomicU64,
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

/// What a set holds for a source.
enum Found<'a> {
    /// The source's own slot and a state that is certainly its own.
    Own(&'a Slot, State),
    /// No slot; this one, held by the given key, may be taken over.
    Reusable(&'a Slot, u64),
    /// The source's slot changed while it was read.
    Changing,
    /// No slot, and other threads are taking over all of them.
    Occupied,
}

impl PrefixLimiter {
    /// The fewest prefixes a limiter has room for.
    pub const CAPACITY_MIN: usize = 64;
    /// The most prefixes a limiter has room for (1 GiB of memory).
    pub const CAPACITY_MAX: usize = 1 << 26;

    /// Builds an empty limiter with room for `capacity_prefixes`, brought into
    /// [`Self::CAPACITY_MIN`] to [`Self::CAPACITY_MAX`] and rounded up to a power of two; takes all
    /// its memory now. `hash_seed` must be random and secret: whoever knows it can choose addresses
    /// that collide.
    #[must_use]
    pub fn new(capacity_prefixes: usize, hash_seed: u64) -> Self {
        let capacity = capacity_prefixes
            .clamp(Self::CAPACITY_MIN, Self::CAPACITY_MAX)
            .next_power_of_two();
        let sets: Box<[Set]> = std::iter::repeat_with(Set::default)
            .take(capacity / WAYS)
            .collect();
        let set_mask = (sets.len() as u64).saturating_sub(1);
        // The hash takes 128 bits of key; both halves depend on all of the seed.
        let hash_keys = (hash_seed, hash_words((hash_seed, !hash_seed), hash_seed, 0));
        Self {
            sets,
            set_mask,
            hash_keys,
            evictions: OwnLine(AtomicU64::new(0)),
        }
    }

    /// Charges one request of `prefix` against its allowance with `site`. Allocates nothing, waits
    /// for nobody.
    ///
    /// # Errors
    /// The limit is exceeded; nothing was charged. Holds the time until the next request would
    /// conform.
    pub fn check(
        &self,
        meter: Meter,
        site: SiteId,
        prefix: Prefix,
        limit: RateLimit,
        now: Timestamp,
    ) -> Result<(), Duration> {
        let key = self.key(meter, site, prefix);
        let now_nanos = now.monotonic_nanos();
        // The mask keeps the index within the table; were it not so, the request would pass.
        let Some(set) = usize::try_from(key & self.set_mask)
            .ok()
            .and_then(|index| self.sets.get(index))
        else {
            return Ok(());
        };
        for _ in 0..ATTEMPTS_MAX {
            let decision = match set.find(key) {
                Found::Own(slot, seen) => slot.charge(seen, limit, now_nanos),
                Found::Reusable(slot, holder) => slot
                    .take_over(holder, key, limit.first_tat_nanos(now_nanos))
                    .map(|forgotten| {
                        if forgotten.tat_nanos() > now_nanos {
                            self.evictions.0.fetch_add(1, Relaxed);
                        }
                        Ok(())
                    }),
                Found::Changing => None,
                Found::Occupied => break,
            };
            if let Some(decision) = decision {
                return decision;
            }
        }
        // Nothing could be remembered of this request.
        self.evictions.0.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Bytes of memory the limiter takes: from the start, and at most.
    #[must_use]
    pub fn memory_bytes_max(&self) -> u64 {
        (size_of::<Self>() + size_of_val::<[Set]>(&self.sets)) as u64
    }

    /// Prefixes there is room for.
    #[must_use]
    pub fn capacity_prefixes(&self) -> usize {
        self.sets.len() * WAYS
    }

    /// Allowances (one per prefix, site and meter) that are not whole at `now`, counted by reading
    /// the whole table: a few milliseconds per million slots. For the control plane once a second,
    /// not for the request path.
    #[must_use]
    pub fn tracked(&self, now: Timestamp) -> u64 {
        let slots = self.sets.iter().flat_map(|set| &set.slots);
        slots
            .filter(|slot| slot.load_state().tat_nanos() > now.monotonic_nanos())
            .count() as u64
    }

    /// How often a source was forgotten while it still owed time, because its set was full; includes
    /// the requests that could not be remembered at all because threads got in each other's way.
    #[must_use]
    pub fn evictions(&self) -> u64 {
        self.evictions.0.load(Relaxed)
    }

    fn key(&self, meter: Meter, site: SiteId, prefix: Prefix) -> u64 {
        let scope =
            u64::from(site.0) | u64::from(prefix.length_bits()) << 16 | meter.discriminator() << 24;
        let hash = hash_words(self.hash_keys, prefix.client_key(), scope);
        // Two of 2^64 values are not free for use.
        if hash == EMPTY || hash == CLAIMED {
            hash | 1 << 63
        } else {
            hash
        }
    }
}

impl Set {
    fn find(&self, key: u64) -> Found<'_> {
        let mut own: Option<(&Slot, State)> = None;
        let mut reusable: Option<(&Slot, u64, u64)> = None;
        for slot in &self.slots {
            // In this order: see the head of the module.
            let state = slot.load_state();
            let holder = slot.key.load(Acquire);
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

impl Slot {
    fn load_state(&self) -> State {
        State(self.state.load(Acquire))
    }

    /// Charges a request to the source that `seen` belongs to; `None` if the state changed since.
    fn charge(
        &self,
        seen: State,
        limit: RateLimit,
        now_nanos: u64,
    ) -> Option<Result<(), Duration>> {
        match limit.judge(seen.tat_nanos(), now_nanos) {
            Conformance::Conforms { tat_nanos } => self.replace(seen, tat_nanos).then_some(Ok(())),
            // The usual case in a flood only reads, so the line stays shared between cores.
            Conformance::Exceeds { wait_nanos } => Some(Err(Duration::from_nanos(wait_nanos))),
            Conformance::Leftover {
                tat_nanos,
                wait_nanos,
            } => self
                .replace(seen, tat_nanos)
                .then_some(Err(Duration::from_nanos(wait_nanos))),
        }
    }

    fn replace(&self, seen: State, tat_nanos: u64) -> bool {
        let charged = seen.with_tat(tat_nanos);
        self.state
            .compare_exchange(seen.0, charged.0, AcqRel, Relaxed)
            .is_ok()
    }

    /// Gives the slot to `key`; `None` if another thread was faster, else the state it held.
    fn take_over(&self, holder: u64, key: u64, tat_nanos: u64) -> Option<State> {
        self.key
            .compare_exchange(holder, CLAIMED, AcqRel, Relaxed)
            .ok()?;
        // A late charge to the former holder may still land between these two lines; it leaves the
        // generation alone and is overwritten.
        let former = self.load_state();
        self.state
            .store(former.next_generation().with_tat(tat_nanos).0, Release);
        self.key.store(key, Release);
        Some(former)
    }
}

/// SipHash-2-4 of two words: a pseudo-random function, so that without the keys no collision can be
/// constructed. Faster hashes for tables do not promise that.
#[expect(
    deprecated,
    reason = "the only keyed SipHash of the standard library; its successor takes no keys"
)]
fn hash_words(keys: (u64, u64), first: u64, second: u64) -> u64 {
    let mut hasher = std::hash::SipHasher::new_with_keys(keys.0, keys.1);
    hasher.write(&first.to_le_bytes());
    hasher.write(&second.to_le_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests;
