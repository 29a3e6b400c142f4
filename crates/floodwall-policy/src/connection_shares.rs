//! Who may open one more connection: no prefix takes all there are.
//!
//! Up to half of the connections are anybody's: an office or a carrier behind one address may need
//! many. Beyond that a prefix that holds an eighth of all gets no more until others have had theirs.
//!
//! Limits: prefixes are counted in a fixed table of [`SLOTS`] counters by a keyed hash. Two that
//! share a counter share its allowance, which matters only where one of them holds an eighth of all
//! connections while half are taken: a chance of one in [`SLOTS`] for anybody else.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use floodwall_model::Prefix;

use crate::prefix_limiter::hash_words;

/// Counters; 256 KiB of memory.
const SLOTS: usize = 1 << 16;

/// Connections per prefix, shared by all worker threads without locks.
pub struct ConnectionShares {
    held: Box<[AtomicU32]>,
    hash_keys: (u64, u64),
    connections_max: usize,
}

/// One connection's place in its prefix's count; give it back with [`ConnectionShares::release`].
#[derive(Debug)]
#[must_use]
pub struct Share(usize);

impl ConnectionShares {
    /// For a server that takes `connections_max` at once. `hash_seed` must be random and secret.
    #[must_use]
    pub fn new(connections_max: usize, hash_seed: u64) -> Self {
        let held = std::iter::repeat_with(AtomicU32::default).take(SLOTS).collect();
        Self {
            held,
            hash_keys: (hash_seed, hash_words((hash_seed, !hash_seed), hash_seed, 1)),
            connections_max,
        }
    }

    /// Takes a place for one more connection of `prefix`, where `open` are open already; `None` when
    /// it has its share.
    pub fn take(&self, prefix: Prefix, open: usize) -> Option<Share> {
        let scope = u64::from(prefix.length_bits());
        let hash = hash_words(self.hash_keys, prefix.client_key(), scope);
        let place = usize::try_from(hash % SLOTS as u64).unwrap_or(0);
        let held = self.held.get(place)?.fetch_add(1, Relaxed);
        let share = Share(place);
        let crowded = open >= self.connections_max / 2;
        let share_max = (self.connections_max / 8).max(1);
        if crowded && usize::try_from(held).unwrap_or(usize::MAX) >= share_max {
            self.release(share);
            return None;
        }
        Some(share)
    }

    /// The connection is closed.
    #[expect(clippy::needless_pass_by_value, reason = "a share is given back once")]
    pub fn release(&self, share: Share) {
        if let Some(held) = self.held.get(share.0) {
            held.fetch_sub(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn prefix(client: &str) -> Prefix {
        Prefix::of_client(client.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn one_prefix_cannot_take_all_connections() {
        let shares = ConnectionShares::new(80, 7);
        let heavy = prefix("192.0.2.1");
        let taken: Vec<Share> = (0..80).map_while(|open| shares.take(heavy, open)).collect();
        assert_eq!(taken.len(), 40, "half are anybody's");
        // Others get theirs, an eighth each, whatever the heavy one tries.
        let mut open = taken.len();
        let mut others = Vec::new();
        for other in ["192.0.2.2", "2001:db8:0:1::1", "2001:db8:0:2::1"] {
            let own: Vec<Share> = (0..20).map_while(|more| shares.take(prefix(other), open + more)).collect();
            assert_eq!(own.len(), 10, "{other}");
            open += own.len();
            others.extend(own);
            assert!(shares.take(heavy, open).is_none());
        }
        assert!(shares.take(prefix("2001:db8:0:1::ffff"), open).is_none(), "the same /64");
        taken.into_iter().chain(others).for_each(|share| shares.release(share));
        assert!((0..40).all(|open| shares.take(heavy, open).is_some()), "all were given back");
    }
}
