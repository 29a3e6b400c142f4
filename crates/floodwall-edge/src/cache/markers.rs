//! What is remembered of addresses beside stored responses: that their answers are not cacheable,
//! and that they changed a moment ago. Both are hints: bounded in number, forgotten under pressure,
//! and two addresses that share a hash only share a hint.

use std::time::Duration;

use floodwall_model::Timestamp;
use quick_cache::sync::Cache;

/// Bytes a marker takes with the table's own overhead, rounded up.
const MARKER_BYTES: u64 = 128;
/// At most this many markers.
const MARKERS_MAX: u64 = 16_384;

#[derive(Clone, Copy, Debug, Default)]
struct Marker {
    uncacheable_until_nanos: u64,
    invalidated_nanos: u64,
}

/// Markers by the hash of their key.
#[derive(Debug)]
pub(crate) struct Markers {
    by_hash: Cache<u64, Marker>,
    bytes_max: u64,
}

impl Markers {
    /// As many markers as a thirty-second of `memory_bytes` holds.
    pub(crate) fn new(memory_bytes: u64) -> Self {
        let markers = (memory_bytes / 32 / MARKER_BYTES).clamp(16, MARKERS_MAX);
        let capacity = usize::try_from(markers).unwrap_or(16);
        Self { by_hash: Cache::new(capacity), bytes_max: markers.saturating_mul(MARKER_BYTES) }
    }

    pub(crate) fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    pub(crate) fn set_uncacheable(&self, hash: u64, now: Timestamp, span: Duration) {
        let mut marker = self.by_hash.peek(&hash).unwrap_or_default();
        marker.uncacheable_until_nanos = now.plus(span).monotonic_nanos();
        self.by_hash.insert(hash, marker);
    }

    pub(crate) fn is_uncacheable(&self, hash: u64, now: Timestamp) -> bool {
        let marker = self.by_hash.get(&hash).unwrap_or_default();
        now.monotonic_nanos() < marker.uncacheable_until_nanos
    }

    /// Notes that the address changed, so that an answer asked for earlier is not stored over it.
    pub(crate) fn set_invalidated(&self, hash: u64, now: Timestamp) {
        let mut marker = self.by_hash.peek(&hash).unwrap_or_default();
        marker.invalidated_nanos = now.monotonic_nanos();
        self.by_hash.insert(hash, marker);
    }

    /// Whether the address changed at `since` or later.
    pub(crate) fn was_invalidated(&self, hash: u64, since: Timestamp) -> bool {
        let marker = self.by_hash.peek(&hash);
        marker.is_some_and(|marker| {
            marker.invalidated_nanos != 0 && marker.invalidated_nanos >= since.monotonic_nanos()
        })
    }

    /// Takes back "not cacheable": an answer was stored.
    pub(crate) fn clear_uncacheable(&self, hash: u64) {
        if let Some(mut marker) = self.by_hash.peek(&hash) {
            marker.uncacheable_until_nanos = 0;
            self.by_hash.insert(hash, marker);
        }
    }
}
