//! The cache's settings, in their validated form.

use std::time::Duration;

/// Bounds and defaults of the cache in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// Bytes of memory for stored responses, keys, bookkeeping and markers together.
    pub memory_bytes_max: u64,
    /// Bytes a single stored response may weigh, its header and bookkeeping included. At most a
    /// fourth of `memory_bytes_max` takes effect.
    pub object_bytes_max: u64,
    /// Bytes of bodies that are being received to be stored, all together; and again as many for
    /// those that were evicted while slow visitors still take them. Further answers pass through
    /// unstored.
    pub filling_bytes_max: u64,
    /// How long past its freshness a response that says nothing of it may be served when the
    /// origin fails (RFC 5861 section 4). Zero: never.
    pub default_stale_if_error: Duration,
    /// The longest freshness given to a response that states none but has a `Last-Modified`
    /// (RFC 9111 section 4.2.2): until then visitors may not see a correction.
    pub heuristic_max: Duration,
    /// How long an error that speaks of the address itself (404, 405, 410, 414, 501) is fresh where
    /// it states nothing, and at the most where it is not 404 or 410. Zero: errors that state
    /// nothing are not stored.
    pub negative_for: Duration,
    /// How long "not cacheable" is remembered of an address, so that requests for it are not made
    /// to wait for one another.
    pub uncacheable_for: Duration,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            memory_bytes_max: 256 << 20,
            object_bytes_max: 8 << 20,
            filling_bytes_max: 64 << 20,
            default_stale_if_error: Duration::from_secs(24 * 3600),
            heuristic_max: Duration::from_secs(300),
            negative_for: Duration::from_secs(10),
            uncacheable_for: Duration::from_secs(10),
        }
    }
}
