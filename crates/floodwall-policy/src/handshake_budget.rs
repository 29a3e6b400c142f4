//! Which TLS handshakes are begun: a full one costs the server many times what it costs the client, and
//! comes before any request.
//!
//! Three things are bounded: handshakes in progress (each holds memory until its client answers),
//! handshakes a second in all (each takes a core's time), and handshakes a second of one prefix. A
//! handshake by a ticket costs a quarter of a full one.
//!
//! - While less than half of what all may have is taken, nobody is judged: an office that comes back after
//!   an outage is let in at once. Beyond that a prefix has its allowance, and the less is left, the less of
//!   it: down to an eighth. So a few heavy sources are refused before anybody else is.
//! - The last quarter of what all may have is for those who bring a ticket: they have been here before.
//! - A ticket is known to be false only when the work is done. Who brought one then pays the difference,
//!   is in debt if need be, and pays in full beforehand until his allowance is whole again.
//!
//! A pure state machine; times are passed in. Limits: [`SLOTS`] prefixes in [`HandshakeBudget::MEMORY_BYTES`]
//! of memory taken at the start, told apart by 64 bits of a keyed hash. When the four places of a set are
//! taken, the one that owes least is forgotten and counted; if all four have handshakes in progress, the
//! newcomer is bounded with all others only.

use std::num::NonZeroU32;

use floodwall_model::{Prefix, Timestamp};

use crate::prefix_limiter::hash_words;

#[cfg(test)]
mod tests;

/// Prefixes that are known at once.
const SLOTS: usize = 1 << 16;
const WAYS: usize = 4;
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// What handshakes cost, in quarters of a full one.
const FULL: u64 = 4;
const BY_TICKET: u64 = 1;

/// What may be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeLimits {
    /// Handshakes in progress at once, in all. Each takes some 30 KiB of memory.
    pub in_progress_max: NonZeroU32,
    /// Full handshakes a second, in all; as many at once after a second's rest.
    pub per_second: NonZeroU32,
    /// Full handshakes a second of one prefix.
    pub prefix_per_second: NonZeroU32,
    /// As many of one prefix at once after a rest.
    pub prefix_burst: NonZeroU32,
}

impl Default for HandshakeLimits {
    /// For one core.
    fn default() -> Self {
        let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            in_progress_max: number(4096),
            per_second: number(1000),
            prefix_per_second: number(50),
            prefix_burst: number(200),
        }
    }
}

/// Why a handshake is not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HandshakeRefusal {
    /// As many are in progress as there may be.
    InProgress,
    /// Half of them are, and this prefix has its share.
    PrefixInProgress,
    /// As many were begun within the second as there may be.
    Rate,
    /// This prefix has begun as many as it may.
    PrefixRate,
}

/// How a handshake ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HandshakeEnd {
    /// The whole work was done.
    Full,
    /// The ticket was good.
    Resumed,
    /// It broke off. Whether the work was done is not known.
    Failed,
}

/// A handshake in progress; give it back with [`HandshakeBudget::end`].
#[derive(Debug)]
#[must_use]
pub struct Handshake {
    /// The hash of the prefix, where it is counted.
    key: Option<u64>,
    /// What is owed beyond what was paid if it turns out a full one, in quarters.
    unpaid: u64,
}

/// See the module's head.
pub struct HandshakeBudget {
    limits: HandshakeLimits,
    sets: Box<[[Slot; WAYS]]>,
    hash_keys: (u64, u64),
    in_progress: u32,
    /// When all that was begun will be earned back.
    earned_back_nanos: u64,
    forgotten: u64,
}

/// One prefix.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// The hash of it; 0 for nobody.
    key: u64,
    /// When its allowance will be whole.
    whole_nanos: u64,
    in_progress: u32,
    /// It brought a false ticket since its allowance was whole.
    brought_false_ticket: bool,
}

impl Slot {
    fn is_free(&self, now_nanos: u64) -> bool {
        self.in_progress == 0 && self.whole_nanos <= now_nanos
    }
}

impl HandshakeBudget {
    /// Bytes of memory it takes.
    pub const MEMORY_BYTES: usize = SLOTS * size_of::<Slot>();

    /// Builds an empty one. `hash_seed` must be random and secret.
    #[must_use]
    pub fn new(limits: HandshakeLimits, hash_seed: u64) -> Self {
        Self {
            limits,
            sets: vec![[Slot::default(); WAYS]; SLOTS / WAYS].into_boxed_slice(),
            hash_keys: (hash_seed, hash_words((hash_seed, !hash_seed), hash_seed, 2)),
            in_progress: 0,
            earned_back_nanos: 0,
            forgotten: 0,
        }
    }

    /// Handshakes in progress.
    #[must_use]
    pub fn in_progress(&self) -> u32 {
        self.in_progress
    }

    /// How often a prefix was forgotten, or not counted, because there was no place for it.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Asks for one more. `prefix` is the client's; `None` for a proxy that brings many people's
    /// connections, which is bounded with all others only. `brings_ticket`: as its hello says.
    ///
    /// # Errors
    /// Why not; nothing was charged.
    pub fn begin(
        &mut self,
        prefix: Option<Prefix>,
        brings_ticket: bool,
        now: Timestamp,
    ) -> Result<Handshake, HandshakeRefusal> {
        let now_nanos = now.monotonic_nanos();
        let limits = self.limits;
        if self.in_progress >= limits.in_progress_max.get() {
            return Err(HandshakeRefusal::InProgress);
        }
        let is_crowded = self.in_progress >= limits.in_progress_max.get() / 2;
        let share_max = (limits.in_progress_max.get() / 64).max(2);
        let pressure = self.pressure(now_nanos);
        let burst = NANOS_PER_SECOND;
        let interval = NANOS_PER_SECOND / u64::from(limits.per_second.get()) / FULL;
        let earned_back_before = self.earned_back_nanos.max(now_nanos);
        let key = prefix.map(|prefix| self.key(prefix));
        let mut untracked = Slot::default();
        let mut forgot = false;
        let slot = match key.and_then(|key| find(&mut self.sets, key, now_nanos, &mut forgot)) {
            Some(slot) => slot,
            None => {
                forgot |= key.is_some();
                &mut untracked
            }
        };
        let is_tracked = slot.key != 0;
        let trusts_ticket = brings_ticket && !slot.brought_false_ticket;
        let cost = if trusts_ticket { BY_TICKET } else { FULL };
        let price = cost.saturating_mul(pressure.max(1));
        let earned_back = earned_back_before.saturating_add(interval.saturating_mul(cost));
        // Of a budget that nobody has touched the first may have all.
        let is_whole = self.earned_back_nanos <= now_nanos;
        let reserve = if trusts_ticket || is_whole { 0 } else { burst / 4 };
        let refusal = if is_tracked && is_crowded && slot.in_progress >= share_max {
            Some(HandshakeRefusal::PrefixInProgress)
        } else if is_tracked && pressure > 0 && !pays(slot, &limits, price, now_nanos) {
            Some(HandshakeRefusal::PrefixRate)
        } else if earned_back.saturating_add(reserve) > now_nanos.saturating_add(burst) {
            Some(HandshakeRefusal::Rate)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        if is_tracked {
            let paid = prefix_interval(&limits).saturating_mul(price);
            let whole = slot.whole_nanos.max(now_nanos).saturating_add(paid);
            // What was taken while there was plenty is nobody's debt.
            let most = now_nanos.saturating_add(prefix_burst_nanos(&limits)).max(slot.whole_nanos);
            slot.whole_nanos = if pressure > 0 { whole } else { whole.min(most) };
            slot.in_progress = slot.in_progress.saturating_add(1);
        }
        self.earned_back_nanos = earned_back;
        self.in_progress = self.in_progress.saturating_add(1);
        self.forgotten = self.forgotten.saturating_add(u64::from(forgot));
        Ok(Handshake { key: key.filter(|_| is_tracked), unpaid: FULL - cost })
    }

    /// The handshake is over.
    #[expect(clippy::needless_pass_by_value, reason = "a handshake is given back once")]
    pub fn end(&mut self, handshake: Handshake, end: HandshakeEnd, now: Timestamp) {
        let now_nanos = now.monotonic_nanos();
        self.in_progress = self.in_progress.saturating_sub(1);
        let owes = if end == HandshakeEnd::Resumed { 0 } else { handshake.unpaid };
        if owes > 0 {
            let interval = NANOS_PER_SECOND / u64::from(self.limits.per_second.get()) / FULL;
            let earned_back =
                self.earned_back_nanos.max(now_nanos).saturating_add(interval.saturating_mul(owes));
            // So many false tickets can have come at once, and the work was done.
            self.earned_back_nanos = earned_back
                .min(now_nanos.saturating_add(FULL * NANOS_PER_SECOND))
                .max(self.earned_back_nanos);
        }
        let limits = self.limits;
        let Some(slot) = handshake.key.and_then(|key| held(&mut self.sets, key)) else { return };
        slot.in_progress = slot.in_progress.saturating_sub(1);
        if owes > 0 {
            let debt_max = prefix_burst_nanos(&limits).saturating_mul(2);
            let whole =
                slot.whole_nanos.max(now_nanos).saturating_add(prefix_interval(&limits).saturating_mul(owes));
            slot.whole_nanos = whole.min(now_nanos.saturating_add(debt_max)).max(slot.whole_nanos);
            slot.brought_false_ticket = true;
        }
    }

    /// How many times as dear a handshake is for its prefix, by how little is left for all; 0 while
    /// there is plenty.
    fn pressure(&self, now_nanos: u64) -> u64 {
        let taken = self.earned_back_nanos.saturating_sub(now_nanos);
        match taken.saturating_mul(16) / NANOS_PER_SECOND {
            0..8 => 0,
            8..9 => 1,
            9..10 => 2,
            10..11 => 4,
            _ => 8,
        }
    }

    /// Never 0: that is nobody.
    fn key(&self, prefix: Prefix) -> u64 {
        hash_words(self.hash_keys, prefix.client_key(), u64::from(prefix.length_bits())).max(1)
    }
}

/// A quarter of a full handshake.
fn prefix_interval(limits: &HandshakeLimits) -> u64 {
    NANOS_PER_SECOND / u64::from(limits.prefix_per_second.get()) / FULL
}

fn prefix_burst_nanos(limits: &HandshakeLimits) -> u64 {
    prefix_interval(limits).saturating_mul(FULL).saturating_mul(u64::from(limits.prefix_burst.get()))
}

fn pays(slot: &Slot, limits: &HandshakeLimits, cost: u64, now_nanos: u64) -> bool {
    let whole = slot.whole_nanos.max(now_nanos).saturating_add(prefix_interval(limits).saturating_mul(cost));
    // Whoever owes nothing may always have one: a burst of less than eight would refuse everybody under
    // pressure.
    slot.whole_nanos <= now_nanos || whole <= now_nanos.saturating_add(prefix_burst_nanos(limits))
}

fn set_of(sets: &mut [[Slot; WAYS]], key: u64) -> Option<&mut [Slot; WAYS]> {
    let place = usize::try_from(key % (SLOTS / WAYS) as u64).ok()?;
    sets.get_mut(place)
}

/// The prefix's place, where it has one.
fn held(sets: &mut [[Slot; WAYS]], key: u64) -> Option<&mut Slot> {
    set_of(sets, key)?.iter_mut().find(|slot| slot.key == key)
}

/// The prefix's place, a free one, or that of whoever owes least and has nothing in progress.
fn find<'s>(
    sets: &'s mut [[Slot; WAYS]],
    key: u64,
    now_nanos: u64,
    forgot: &mut bool,
) -> Option<&'s mut Slot> {
    let set = set_of(sets, key)?;
    if let Some(place) = set.iter().position(|slot| slot.key == key) {
        let slot = set.get_mut(place)?;
        if slot.is_free(now_nanos) {
            slot.brought_false_ticket = false;
        }
        return Some(slot);
    }
    let candidates = set.iter_mut().filter(|slot| slot.in_progress == 0);
    let slot = candidates.min_by_key(|slot| slot.whole_nanos)?;
    *forgot |= !slot.is_free(now_nanos);
    *slot = Slot { key, ..Slot::default() };
    Some(slot)
}
