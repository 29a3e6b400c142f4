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
//! Threads share the table without locks; [`slot_set`] says why none of them can make another refuse
//! somebody who conforms, and what races let through. They judge by the `now` they are given, in the
//! order in which they reach a slot: where two readings differ by a microsecond, so may the moment
//! at which a source conforms again.

use std::hash::Hasher;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

use floodwall_model::{Prefix, SiteId, Timestamp};

use crate::rate_limit::RateLimit;

mod slot_set;

use slot_set::{SlotSet, WAYS, usable_key};

/// What is being metered. The same prefix has one allowance for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meter {
    /// Requests that take work at the origin.
    OriginBound,
    /// All requests, those the cache answers included.
    AllRequests,
    /// Waiting-room tickets that are handed out: however many a source asks for, it holds no more of
    /// the line than this lets it.
    Tickets,
}

impl Meter {
    fn discriminator(self) -> u64 {
        match self {
            Self::OriginBound => 1,
            Self::AllRequests => 2,
            Self::Tickets => 3,
        }
    }
}

/// Request rates per site and client prefix, in a table of fixed size that all worker threads share
/// without locks. What does not fit is forgotten in the visitor's favour and counted; nobody is
/// refused for another's requests. `prefix_limiter/slot_set.rs` says why that holds between threads.
pub struct PrefixLimiter {
    sets: Box<[SlotSet]>,
    set_mask: u64,
    hash_keys: (u64, u64),
    evictions: OwnLine<AtomicU64>,
    turns: OwnLine<Turns>,
}

/// What [`PrefixLimiter::tracked_in_turns`] has counted.
#[derive(Default)]
struct Turns {
    counts: [AtomicU64; TURNS],
    next: AtomicUsize,
}

/// A large table is counted in so many turns.
const TURNS: usize = 8;

/// Sets of a table that is counted at once: 256 KiB.
const SETS_AT_ONCE: usize = 4096;

/// Keeps a counter off the cache lines of what every thread reads.
#[repr(align(64))]
struct OwnLine<T>(T);

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
        let capacity = capacity_prefixes.clamp(Self::CAPACITY_MIN, Self::CAPACITY_MAX).next_power_of_two();
        let sets: Box<[SlotSet]> = std::iter::repeat_with(SlotSet::default).take(capacity / WAYS).collect();
        let set_mask = (sets.len() as u64).saturating_sub(1);
        // The hash takes 128 bits of key; both halves depend on all of the seed.
        let hash_keys = (hash_seed, hash_words((hash_seed, !hash_seed), hash_seed, 0));
        Self {
            sets,
            set_mask,
            hash_keys,
            evictions: OwnLine(AtomicU64::new(0)),
            turns: OwnLine(Turns::default()),
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
        let Some(set) = usize::try_from(key & self.set_mask).ok().and_then(|index| self.sets.get(index))
        else {
            return Ok(());
        };
        let outcome = set.check(key, limit, now_nanos);
        if outcome.forgotten {
            self.evictions.0.fetch_add(1, Relaxed);
        }
        outcome.decision
    }

    /// Bytes of memory the limiter takes: from the start, and at most.
    #[must_use]
    pub fn memory_bytes_max(&self) -> u64 {
        (size_of::<Self>() + size_of_val::<[SlotSet]>(&self.sets)) as u64
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
        let now_nanos = now.monotonic_nanos();
        let per_set = self.sets.iter().map(|set| set.owing(now_nanos) as u64);
        per_set.sum()
    }

    /// As [`Self::tracked`], for somebody who asks once a second: of a table larger than 256 KiB each
    /// call reads an eighth, and takes the rest from the seven calls before. Reading all of it each
    /// time was half a per cent of a core.
    #[must_use]
    pub fn tracked_in_turns(&self, now: Timestamp) -> u64 {
        if self.sets.len() <= SETS_AT_ONCE {
            return self.tracked(now);
        }
        let now_nanos = now.monotonic_nanos();
        let turn = self.turns.0.next.fetch_add(1, Relaxed) % TURNS;
        let sets = self.sets.chunks(self.sets.len().div_ceil(TURNS)).nth(turn).unwrap_or_default();
        let counted = sets.iter().map(|set| set.owing(now_nanos) as u64).sum();
        if let Some(count) = self.turns.0.counts.get(turn) {
            count.store(counted, Relaxed);
        }
        self.turns.0.counts.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// How often a source was forgotten while it still owed time, because its set was full; includes
    /// the requests that could not be remembered at all because threads got in each other's way.
    #[must_use]
    pub fn evictions(&self) -> u64 {
        self.evictions.0.load(Relaxed)
    }

    fn key(&self, meter: Meter, site: SiteId, prefix: Prefix) -> u64 {
        let scope = u64::from(site.0) | u64::from(prefix.length_bits()) << 16 | meter.discriminator() << 24;
        usable_key(hash_words(self.hash_keys, prefix.client_key(), scope))
    }
}

/// SipHash-2-4 of two words: a pseudo-random function, so that without the keys no collision can be
/// constructed. Faster hashes for tables do not promise that.
#[expect(deprecated, reason = "the only keyed SipHash of the standard library; its successor takes no keys")]
pub(crate) fn hash_words(keys: (u64, u64), first: u64, second: u64) -> u64 {
    let mut hasher = std::hash::SipHasher::new_with_keys(keys.0, keys.1);
    hasher.write(&first.to_le_bytes());
    hasher.write(&second.to_le_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests;
