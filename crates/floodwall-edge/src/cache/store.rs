//! The cache itself: keys to stored responses, within a bound of bytes.
//!
//! A slot holds the one response of an address, or up to sixteen variants of it. Look-ups take a
//! shared lock on a part of the table; changes are made one at a time, since they come no more
//! often than answers from the origin.
//!
//! Weights count header, body, key and table, so that the bound is one on memory. Bodies still being
//! sent to visitors after their copy was evicted are counted apart: once they and the stored ones
//! take more than `memory_bytes_max` and `filling_bytes_max` together, nothing new is stored.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use floodwall_model::Timestamp;
use foldhash::quality::RandomState;
use http::{HeaderMap, StatusCode};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};

use super::directives::asks_only_if_cached;
use super::entry::CachedResponse;
use super::fill::{Fill, FillBudget, FillStart, Unstored};
use super::freshness::{Exchange, is_doubtful};
use super::headers::allocation;
use super::key::{Key, KeyRef};
use super::look_up::LookUp;
use super::markers::Markers;
use super::request::{BypassReason, CacheRequest};
use super::settings::CacheSettings;
use super::slot::Slot;
use super::storability::{NotStored, judge};

/// What the table takes for one slot: key, value and link, in a table that grows by doubling and
/// keeps a ghost for every other one.
const SLOT_BYTES: u64 = 3 * (size_of::<Key>() as u64 + size_of::<Slot>() as u64 + 32);
/// What a stored response is reckoned to weigh when the number of slots is estimated.
const TYPICAL_BYTES: u64 = 16 * 1024;
const SHARDS_MAX: u64 = 64;

#[derive(Clone, Debug)]
struct SlotWeight;

impl Weighter<Key, Slot> for SlotWeight {
    fn weight(&self, key: &Key, slot: &Slot) -> u64 {
        slot.responses_weight().saturating_add(weight_around(key.text_bytes()))
    }
}

/// What a slot weighs beside its responses.
fn weight_around(key_text_bytes: usize) -> u64 {
    allocation(key_text_bytes).saturating_add(Slot::list_bytes()).saturating_add(SLOT_BYTES)
}

/// The marker's hash of an address as far as those go whom the origin may know.
fn of_the_known(hash: u64) -> u64 {
    hash.rotate_left(32) ^ 1
}

type Slots = Cache<Key, Slot, SlotWeight, RandomState, DefaultLifecycle<Key, Slot>>;

/// A shared cache in memory (RFC 9111).
#[derive(Debug)]
pub(crate) struct ResponseCache {
    slots: Slots,
    hasher: RandomState,
    markers: Markers,
    fills: Arc<FillBudget>,
    /// Held while a slot is read, changed and written back.
    changing: Mutex<()>,
    /// When something was purged last; answers asked for until then are not stored.
    pub(super) purged_nanos: AtomicU64,
    settings: CacheSettings,
    /// The most one response, and one slot, may weigh.
    object_bytes_max: u64,
    slot_bytes_max: u64,
    slots_bytes_max: u64,
}

impl ResponseCache {
    /// An empty cache.
    pub(crate) fn new(settings: CacheSettings) -> Self {
        let hasher = RandomState::default();
        let markers = Markers::new(settings.memory_bytes_max);
        let slots_memory = settings.memory_bytes_max.saturating_sub(markers.bytes_max());
        let slots_expected = (slots_memory / TYPICAL_BYTES).max(32);
        // Each part of the table has its share of the bytes, and must hold the largest object.
        let object_bytes_max = settings.object_bytes_max.min(slots_memory / 4);
        let shards_by_object = slots_memory / object_bytes_max.saturating_mul(2).max(1);
        let shards = 1 << shards_by_object.min(SHARDS_MAX).min(slots_expected / 32).max(1).ilog2();
        // A multiple of the parts, because shares are rounded up.
        let slots_bytes_max = slots_memory / shards * shards;
        let slots = match OptionsBuilder::new()
            .shards(usize::try_from(shards).unwrap_or(1))
            .estimated_items_capacity(usize::try_from(slots_expected).unwrap_or(usize::MAX))
            .weight_capacity(slots_bytes_max)
            .build()
        {
            Ok(options) => {
                Cache::with_options(options, SlotWeight, hasher.clone(), DefaultLifecycle::default())
            }
            // Only an option left out is an error, and none is.
            Err(_) => {
                Cache::with(32, slots_bytes_max, SlotWeight, hasher.clone(), DefaultLifecycle::default())
            }
        };
        // The table admits up to 97 % of a part.
        let slot_bytes_max = slots.shard_capacity() / 16 * 15;
        let alive_max = settings.memory_bytes_max.saturating_add(settings.filling_bytes_max);
        let fills = Arc::new(FillBudget::new(settings.filling_bytes_max, alive_max));
        Self {
            slots,
            hasher,
            markers,
            fills,
            changing: Mutex::new(()),
            purged_nanos: AtomicU64::new(0),
            settings,
            object_bytes_max: object_bytes_max.min(slot_bytes_max),
            slot_bytes_max,
            slots_bytes_max,
        }
    }

    /// What is stored for `request`. A hit allocates nothing.
    ///
    /// A `Range` makes no difference: what is stored is always complete, and the part is cut from it
    /// when the answer is made. A flood of ranges must not get past the cache.
    pub(crate) fn look_up(&self, request: &CacheRequest<'_>, now: Timestamp) -> LookUp {
        if let Some(reason) = request.bypass() {
            return LookUp::Bypass(reason);
        }
        let key = request.key();
        let slot = self.slots.get(&key);
        let Some(response) = slot.as_ref().and_then(|slot| slot.select(request.headers, now)) else {
            return self.miss(request, slot.as_ref(), now);
        };
        if request.has_authorization() && !response.answers_authorization() {
            // Section 3.5 only restricts what is stored; whoever shows credentials expects an
            // answer to them.
            return LookUp::Bypass(BypassReason::Authorization);
        }
        let freshness = response.freshness();
        if freshness.is_fresh(now) && !response.is_expired() {
            return LookUp::Fresh(response);
        }
        if asks_only_if_cached(request.headers) {
            return LookUp::Unsatisfiable;
        }
        LookUp::Stale {
            may_serve_on_error: freshness.may_serve_on_error(now),
            may_serve_while_revalidating: freshness.may_serve_while_revalidating(now)
                && !response.is_expired(),
            worth_waiting: freshness.began_fresh() && !self.is_uncacheable(request, now),
            response,
        }
    }

    fn miss(&self, request: &CacheRequest<'_>, slot: Option<&Slot>, now: Timestamp) -> LookUp {
        if asks_only_if_cached(request.headers) {
            return LookUp::Unsatisfiable;
        }
        let cookie_decides = slot.is_some_and(Slot::depends_on_cookie) && request.has_personal_cookie();
        let known_uncacheable = cookie_decides || self.is_uncacheable(request, now);
        let alone = request.has_authorization();
        LookUp::Miss { known_uncacheable, alone, other_variant: slot.is_some() }
    }

    /// Whether this request's answer was found not cacheable a moment ago, for everybody or for those
    /// whom the origin may know.
    fn is_uncacheable(&self, request: &CacheRequest<'_>, now: Timestamp) -> bool {
        let hash = self.hasher.hash_one(request.key());
        self.markers.is_uncacheable(hash, now)
            || (request.is_personal() && self.markers.is_uncacheable(of_the_known(hash), now))
    }

    /// Judges the head of an answer from the origin. With the fill it returns, the body is taken
    /// along; without, the answer just passes through, and what it supersedes is dropped.
    ///
    /// # Errors
    ///
    /// Why the answer is not stored.
    pub(crate) fn begin_fill(
        &self,
        request: &CacheRequest<'_>,
        status: StatusCode,
        headers: &HeaderMap,
        exchange: &Exchange,
    ) -> Result<Fill, NotStored> {
        let judged = judge(request, status, headers, exchange, &self.settings);
        let fill = judged.and_then(|plan| {
            if is_doubtful(status) && self.slots.peek(&request.key()).is_some() {
                return Err(NotStored::Status);
            }
            Fill::new(FillStart {
                key: request.key().to_key().ok_or(NotStored::Request)?,
                status,
                headers,
                exchange,
                plan,
                response_bytes_max: self.response_bytes_max(request.key()),
                budget: &self.fills,
            })
        });
        fill.inspect_err(|reason| {
            self.note_not_stored(request, status, *reason, exchange.response_received);
        })
    }

    /// Stores a response whose body has ended properly. `now` is when it ended.
    ///
    /// # Errors
    ///
    /// Why it is not stored after all, with the response where it came whole.
    pub(crate) fn finish_fill(&self, fill: Fill, now: Timestamp) -> Result<Arc<CachedResponse>, Unstored> {
        let request_sent = fill.request_sent();
        let hash = self.hasher.hash_one(fill.key());
        let (key, response) = fill.complete().map_err(|reason| {
            if reason.marks_address() {
                self.markers.set_uncacheable(hash, now, self.settings.uncacheable_for);
            }
            Unstored { reason, response: None }
        })?;
        let response = Arc::new(response);
        match self.insert(key, request_sent, Arc::clone(&response)) {
            Ok(()) => Ok(response),
            Err(reason) => Err(Unstored { reason, response: Some(response) }),
        }
    }

    /// Remembers what an answer that is not stored says of its address.
    pub(super) fn note_not_stored(
        &self,
        request: &CacheRequest<'_>,
        status: StatusCode,
        reason: NotStored,
        now: Timestamp,
    ) {
        let about_asker = reason.is_about_asker(request);
        if reason.marks_address() {
            let hash = self.hasher.hash_one(request.key());
            let hash = if about_asker { of_the_known(hash) } else { hash };
            self.markers.set_uncacheable(hash, now, self.settings.uncacheable_for);
        }
        if reason.supersedes_stored(status) && !about_asker {
            self.remove_variant(request);
        }
    }

    /// What a response under this key may weigh.
    pub(super) fn response_bytes_max(&self, key: KeyRef<'_>) -> u64 {
        let text_bytes = key.authority.len().saturating_add(key.path_and_query.len());
        self.object_bytes_max.saturating_sub(weight_around(text_bytes))
    }

    /// Stores a response, unless its address changed since it was asked for.
    pub(super) fn insert(
        &self,
        key: Key,
        request_sent: Timestamp,
        response: Arc<CachedResponse>,
    ) -> Result<(), NotStored> {
        let hash = self.hasher.hash_one(&key);
        let room = self.slot_bytes_max.saturating_sub(weight_around(key.text_bytes()));
        let _changing = self.begin_change();
        let purged = self.purged_nanos.load(Ordering::Acquire);
        if self.markers.was_invalidated(hash, request_sent)
            || (purged != 0 && request_sent.monotonic_nanos() <= purged)
        {
            return Err(NotStored::Outdated);
        }
        let slot = match self.slots.peek(&key) {
            None => Slot::One(response),
            Some(slot) => slot.with(response, room).ok_or(NotStored::Outdated)?,
        };
        self.slots.insert(key, slot);
        self.markers.clear_uncacheable(hash);
        Ok(())
    }

    fn remove_variant(&self, request: &CacheRequest<'_>) {
        let _changing = self.begin_change();
        let Some(slot) = self.slots.peek(&request.key()) else {
            return;
        };
        match (slot.without(request.headers), request.key().to_key()) {
            (Some(rest), Some(key)) => self.slots.insert(key, rest),
            _ => drop(self.slots.remove(&request.key())),
        }
    }

    /// Drops everything stored under a key, and answers to it that were asked for before `now`.
    pub(super) fn remove(&self, key: KeyRef<'_>, now: Timestamp) {
        let _changing = self.begin_change();
        self.markers.set_invalidated(self.hasher.hash_one(key), now);
        drop(self.slots.remove(&key));
    }

    /// Stores a response where nothing is stored under its key.
    pub(super) fn insert_if_none(&self, key: Key, response: Arc<CachedResponse>) -> bool {
        let _changing = self.begin_change();
        let is_new = self.slots.peek(&key).is_none();
        if is_new {
            self.slots.insert(key, Slot::One(response));
        }
        is_new
    }

    pub(super) fn fills(&self) -> &Arc<FillBudget> {
        &self.fills
    }

    /// Keeps changes away until the guard is dropped.
    pub(super) fn begin_change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at every slot, and drops those for which `stays` is false.
    pub(super) fn retain(&self, stays: impl Fn(&Key, &Slot) -> bool) {
        self.slots.retain(stays);
    }

    pub(super) fn settings(&self) -> &CacheSettings {
        &self.settings
    }

    /// Addresses with something stored.
    pub(crate) fn entries(&self) -> usize {
        self.slots.len()
    }

    /// Bytes of memory in use: stored responses, their keys and table, and all markers there may
    /// be.
    pub(crate) fn bytes(&self) -> u64 {
        self.slots.weight().saturating_add(self.markers.bytes_max())
    }

    /// The most [`Self::bytes`] becomes: `memory_bytes_max`, rounded down to equal parts.
    pub(crate) fn bytes_max(&self) -> u64 {
        self.slots_bytes_max.saturating_add(self.markers.bytes_max())
    }

    /// Bytes of bodies being received to be stored; bounded by `filling_bytes_max`.
    #[cfg(test)]
    pub(crate) fn filling_bytes(&self) -> u64 {
        self.fills.bytes()
    }
}
