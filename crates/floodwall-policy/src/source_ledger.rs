//! What each source has asked for lately, and whether that is more than its share.
//!
//! A leaky bucket for each source: every request adds to it, whether it is served or not, and it
//! drains at the rate that is the source's share. So whoever insists after a refusal falls behind
//! those who ask now and then, and a person's visit never overflows it. How far a source is over its
//! share is told by its rate of the last seconds, in powers of two: where all are over, those who ask
//! for little more go before those who ask for much more (max-min fairness, coarsely).
//!
//! A prefix behind which many proven visitors were seen (an office, a library, a carrier's address)
//! has their shares together.
//!
//! Distinct tokens are counted by linear counting (Whang et al. 1990) in 64 bits for each five
//! minutes. Tokens that cost something (work, waiting) count whole, up to about 260; those of the
//! redirect, which a script collects by the hundred, count as their square root. That waiting costs
//! something is for whoever hands out tickets to see to ([`Meter::Tickets`](crate::Meter::Tickets)).
//!
//! Limits: a set-associative table of fixed size, 48 bytes a slot; of a set's three cache lines one
//! tells who is in it and who may be forgotten, and one more is touched of a source. Slots are told
//! apart by a keyed hash of 64 bits. Where a set is full the emptiest bucket is forgotten, in its
//! source's favour, and counted; sources far over their share are remembered longest.

use floodwall_model::Timestamp;

use crate::prefix_limiter::hash_words;
use crate::token::{ProofKind, TokenId};

const WAYS: usize = 4;
/// A tick is 2^27 nanoseconds, 134 ms: in 32 bits, 18 years.
const TICK_BITS: u32 = 27;
const TICKS_PER_SECOND: f32 = 1e9 / (1_u64 << TICK_BITS) as f32;
/// For how long tokens seen behind a prefix count: this long, and as long again.
const PERIOD_TICKS: u32 = 2_235;

/// What a source may ask for before it counts as asking too much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FairShare {
    /// Requests a second over time.
    pub per_second: f32,
    /// Requests at once after a rest.
    pub burst: f32,
}

impl FairShare {
    /// As for `times` sources together.
    #[must_use]
    pub fn times(self, times: f32) -> Self {
        Self { per_second: self.per_second * times, burst: self.burst * times }
    }
}

/// How far over its share a source is: 0 within; then 1 up to twice its share's rate, 2 up to four
/// times, and so on to [`Excess::MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Excess(pub u8);

impl Excess {
    /// 64 times its share and more.
    pub const MAX: Self = Self(7);

    /// Whether the source is within its share.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// A bucket stops filling at so many bursts: nobody pays for more of the past.
const BURSTS_MAX: f32 = 4.0;
/// Over how long a source's rate is averaged.
const RATE_SECONDS: f32 = 3.0;

/// What a bucket belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceKey {
    /// One client's prefix or its network's: number and length of `Prefix`.
    Prefix(u64, u8),
    /// One token.
    Token(TokenId),
}

/// What charging a request to a source came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Charge {
    /// How far over its share the source is with this request.
    pub excess: Excess,
    /// Seconds until the source is within its share again, if it stops asking.
    pub recovers_s: f32,
}

/// One source's bucket, out of its set.
#[derive(Clone, Copy, Debug)]
struct Slot {
    level: f32,
    tick: u32,
    behind: Behind,
}

/// What is behind a source, and how much it asks.
#[derive(Clone, Copy, Debug)]
struct Behind {
    /// Bits of tokens that cost something: this period's and the one's before.
    paid: [u64; 2],
    /// Bits of tokens of the redirect.
    free: [u32; 2],
    /// Requests a second of late.
    rate: f32,
    /// Visitors whose shares it has.
    weight: f32,
}

impl Default for Behind {
    fn default() -> Self {
        Self { paid: [0; 2], free: [0; 2], rate: 0.0, weight: 1.0 }
    }
}

#[derive(Clone, Default)]
#[repr(C, align(64))]
struct Set {
    /// Zero: empty.
    hash: [u64; WAYS],
    level: [f32; WAYS],
    tick: [u32; WAYS],
    behind: [Behind; WAYS],
}

/// The buckets of all sources, in fixed memory.
pub struct SourceLedger {
    sets: Box<[Set]>,
    keys: (u64, u64),
    evictions: u64,
}

impl SourceLedger {
    /// The fewest and the most sources a ledger has room for (40 KiB, 640 MiB).
    pub const CAPACITY_MIN: usize = 1 << 10;
    /// See [`Self::CAPACITY_MIN`].
    pub const CAPACITY_MAX: usize = 1 << 24;

    /// Builds an empty ledger with room for `capacity` sources, brought within its bounds and rounded
    /// up to a power of two; takes all its memory now. `hash_seed` must be random and secret.
    #[must_use]
    pub fn new(capacity: usize, hash_seed: u64) -> Self {
        let capacity = capacity.clamp(Self::CAPACITY_MIN, Self::CAPACITY_MAX).next_power_of_two();
        Self {
            sets: vec![Set::default(); capacity / WAYS].into_boxed_slice(),
            keys: (hash_seed, hash_words((hash_seed, !hash_seed), hash_seed, 2)),
            evictions: 0,
        }
    }

    /// Charges one request to a source. `token` is the one it came with, if that was verified. The
    /// share is multiplied by the number of proven visitors seen behind the source.
    pub fn charge(
        &mut self,
        key: SourceKey,
        share: FairShare,
        token: Option<(TokenId, ProofKind)>,
        now: Timestamp,
    ) -> Charge {
        let hash = self.hash(key);
        let tick = tick_of(now);
        let token = token.map(|(id, proof)| (hash_words(self.keys, id.0, 0xB17), proof));
        let place = self.place(hash);
        let Some(set) = place.and_then(|place| self.sets.get_mut(place)) else {
            // The mask keeps the index within the table; were it not so, nobody is charged.
            return Charge { excess: Excess(0), recovers_s: 0.0 };
        };
        let way = set.find(hash).unwrap_or_else(|| {
            let (way, was_full) = set.take(hash, tick, share);
            self.evictions += u64::from(was_full);
            way
        });
        let mut slot = set.load(way);
        slot.age(tick, share);
        if let Some((token, proof)) = token {
            slot.behind.note(token, proof);
        }
        let share = share.times(slot.behind.weight);
        slot.level = (slot.level + 1.0).min(share.burst * BURSTS_MAX);
        slot.behind.rate += 1.0 / RATE_SECONDS;
        set.store(way, slot);
        slot.over(share)
    }

    /// How far over its share a source is now, without being charged; `None` of which nothing is known.
    #[must_use]
    pub fn standing(&self, key: SourceKey, share: FairShare, now: Timestamp) -> Option<Charge> {
        let hash = self.hash(key);
        let set = self.sets.get(self.place(hash)?)?;
        let mut slot = set.load(set.find(hash)?);
        slot.age(tick_of(now), share);
        Some(slot.over(share.times(slot.behind.weight)))
    }

    /// How many visitors' shares a source has.
    #[must_use]
    pub fn weight(&self, key: SourceKey) -> f32 {
        let hash = self.hash(key);
        let set = self.place(hash).and_then(|place| self.sets.get(place));
        set.and_then(|set| Some(set.load(set.find(hash)?))).map_or(1.0, |slot| slot.behind.weight)
    }

    /// Bytes of memory: from the start, and at most.
    #[must_use]
    pub fn memory_bytes_max(&self) -> u64 {
        (size_of::<Self>() + size_of_val::<[Set]>(&self.sets)) as u64
    }

    /// How often a source was forgotten before its bucket was empty.
    #[must_use]
    pub fn evictions(&self) -> u64 {
        self.evictions
    }

    fn hash(&self, key: SourceKey) -> u64 {
        let hash = match key {
            SourceKey::Prefix(number, length) => hash_words(self.keys, number, u64::from(length)),
            SourceKey::Token(id) => hash_words(self.keys, id.0, 0x100),
        };
        hash.max(1)
    }

    fn place(&self, hash: u64) -> Option<usize> {
        let mask = (self.sets.len() as u64).saturating_sub(1);
        usize::try_from(hash & mask).ok()
    }
}

impl Set {
    fn find(&self, hash: u64) -> Option<usize> {
        self.hash.iter().position(|known| *known == hash)
    }

    /// Forgets the emptiest for a newcomer; its way, and whether its bucket was not empty. Judged by
    /// the newcomer's share for one visitor: what differs does not matter here.
    fn take(&mut self, hash: u64, tick: u32, share: FairShare) -> (usize, bool) {
        let mut emptiest = (0, f32::INFINITY);
        let buckets = self.hash.iter().zip(&self.level).zip(&self.tick);
        for (way, ((known, level), since)) in buckets.enumerate() {
            let left = level - seconds_between(*since, tick) * share.per_second;
            let left = if *known == 0 { f32::NEG_INFINITY } else { left };
            if left < emptiest.1 {
                emptiest = (way, left);
            }
        }
        let (way, left) = emptiest;
        if let Some(known) = self.hash.get_mut(way) {
            *known = hash;
        }
        self.store(way, Slot { level: 0.0, tick, behind: Behind::default() });
        (way, left > 0.0)
    }

    fn load(&self, way: usize) -> Slot {
        Slot {
            level: self.level.get(way).copied().unwrap_or_default(),
            tick: self.tick.get(way).copied().unwrap_or_default(),
            behind: self.behind.get(way).copied().unwrap_or_default(),
        }
    }

    fn store(&mut self, way: usize, slot: Slot) {
        let parts = (self.level.get_mut(way), self.tick.get_mut(way), self.behind.get_mut(way));
        if let (Some(level), Some(tick), Some(behind)) = parts {
            (*level, *tick, *behind) = (slot.level, slot.tick, slot.behind);
        }
    }
}

impl Slot {
    /// Brings the bucket to `tick`: it drains at its share, and what was long ago is forgotten.
    fn age(&mut self, tick: u32, share: FairShare) {
        if tick <= self.tick {
            return;
        }
        let rested_s = seconds_between(self.tick, tick);
        let behind = &mut self.behind;
        self.level = (self.level - rested_s * share.per_second * behind.weight).max(0.0);
        behind.rate *= (-rested_s / RATE_SECONDS).exp();
        let periods = tick / PERIOD_TICKS - self.tick / PERIOD_TICKS;
        self.tick = tick;
        if periods > 0 {
            let last = periods == 1;
            behind.paid = [0, if last { behind.paid[0] } else { 0 }];
            behind.free = [0, if last { behind.free[0] } else { 0 }];
            behind.weigh();
        }
    }
}

impl Slot {
    /// How far over a share, that of all visitors behind it, the source is.
    fn over(&self, share: FairShare) -> Charge {
        let over = self.level - share.burst;
        if over <= 0.0 {
            return Charge { excess: Excess(0), recovers_s: 0.0 };
        }
        let times = (self.behind.rate / share.per_second).log2().clamp(0.0, 16.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 16, cut to 7")]
        let excess = (1 + times as u8).min(Excess::MAX.0);
        Charge { excess: Excess(excess), recovers_s: (over + 1.0) / share.per_second }
    }
}

impl Behind {
    fn note(&mut self, token: u64, proof: ProofKind) {
        let before = (self.paid, self.free);
        match proof {
            ProofKind::Redirect => self.free[0] |= 1 << (token % 32),
            ProofKind::WaitingRoom | ProofKind::Work => self.paid[0] |= 1 << (token % 64),
        }
        if before != (self.paid, self.free) {
            self.weigh();
        }
    }

    fn weigh(&mut self) {
        let paid = distinct((self.paid[0] | self.paid[1]).count_ones(), 64);
        let free = distinct((self.free[0] | self.free[1]).count_ones(), 32);
        self.weight = paid.max(free.sqrt()).max(1.0);
    }
}

/// Seconds from one tick to a later one.
#[expect(clippy::cast_precision_loss, reason = "to 1 in 16 million of the time between")]
fn seconds_between(earlier: u32, later: u32) -> f32 {
    later.saturating_sub(earlier) as f32 / TICKS_PER_SECOND
}

/// How many distinct things set `ones` of `bits` bits, as likely as not (linear counting).
#[expect(clippy::cast_precision_loss, reason = "at most 64")]
fn distinct(ones: u32, bits: u32) -> f32 {
    if ones <= 1 {
        return ones as f32;
    }
    let bits_f = bits as f32;
    let zeros = bits.saturating_sub(ones).max(1) as f32;
    bits_f * (bits_f / zeros).ln()
}

fn tick_of(now: Timestamp) -> u32 {
    u32::try_from(now.monotonic_nanos() >> TICK_BITS).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
