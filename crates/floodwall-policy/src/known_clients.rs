//! Which clients were seen behaving in calm times.
//!
//! A Bloom filter (1970) for each of three periods of eight hours: those of the two before the
//! current one are known. So whoever first comes just before the flood is not, and nobody is for more
//! than a day after his last visit. Feed it with clients that were served within their share while
//! the gate was open.
//!
//! Limits: 3 x 512 KiB; with 300,000 clients in a period 2 % of strangers pass for known, with a
//! million 14 %. It decides who goes first, never who is refused.

use std::time::Duration;

use floodwall_model::{Prefix, Timestamp};

use crate::prefix_limiter::hash_words;

const WORDS: usize = 1 << 16;
const PERIOD: Duration = Duration::from_secs(8 * 3600);

/// Clients by prefix, in fixed memory.
pub struct KnownClients {
    /// Of the current period and the two before.
    periods: [Box<[u64]>; 3],
    period: u64,
    keys: (u64, u64),
}

impl KnownClients {
    /// Knows nobody yet. `hash_seed` must be random and secret.
    #[must_use]
    pub fn new(hash_seed: u64) -> Self {
        let empty = || vec![0; WORDS].into_boxed_slice();
        Self {
            periods: [empty(), empty(), empty()],
            period: 0,
            keys: (hash_seed, hash_words((hash_seed, !hash_seed), hash_seed, 3)),
        }
    }

    /// A client behaved.
    pub fn note(&mut self, client: Prefix, now: Timestamp) {
        self.turn(now);
        for (word, bit) in self.bits(client) {
            if let Some(word) = self.periods[0].get_mut(word) {
                *word |= bit;
            }
        }
    }

    /// Whether a client was seen behaving in one of the two periods before.
    #[must_use]
    pub fn is_known(&mut self, client: Prefix, now: Timestamp) -> bool {
        self.turn(now);
        let bits = self.bits(client);
        let [_, before, long_before] = &self.periods;
        let within = |period: &[u64]| {
            bits.iter().all(|(word, bit)| period.get(*word).is_some_and(|word| word & bit != 0))
        };
        within(before) || within(long_before)
    }

    fn bits(&self, client: Prefix) -> [(usize, u64); 2] {
        let hash = hash_words(self.keys, client.client_key(), u64::from(client.length_bits()));
        [hash, hash >> 32].map(|part| {
            let word = usize::try_from((part >> 6) & (WORDS as u64 - 1)).unwrap_or(0);
            (word, 1 << (part & 63))
        })
    }

    fn turn(&mut self, now: Timestamp) {
        let period = now.monotonic_nanos() / u64::try_from(PERIOD.as_nanos()).unwrap_or(u64::MAX);
        let passed = period.saturating_sub(self.period).min(3);
        for _ in 0..passed {
            self.periods.rotate_right(1);
            self.periods[0].fill(0);
        }
        self.period = self.period.max(period);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: u32) -> Prefix {
        Prefix::of_client(std::net::Ipv4Addr::from(number).into())
    }

    fn at_hour(hour: u64) -> Timestamp {
        Timestamp::new(Duration::from_secs(hour * 3_600), 0)
    }

    #[test]
    fn known_is_who_came_earlier_and_lately() {
        let mut known = KnownClients::new(9);
        known.note(client(1), at_hour(7));
        for (hour, expected) in [(7, false), (8, true), (15, true), (16, true), (23, true), (24, false)] {
            assert_eq!(known.is_known(client(1), at_hour(hour)), expected, "hour {hour}");
        }
    }

    #[test]
    fn strangers_seldom_pass_for_known() {
        let mut known = KnownClients::new(9);
        (0..300_000).for_each(|number| known.note(client(number), at_hour(1)));
        assert!((0..300_000).all(|number| known.is_known(client(number), at_hour(9))));
        let strangers = (1_000_000..1_100_000).filter(|number| known.is_known(client(*number), at_hour(9)));
        assert!(strangers.count() < 3_000);
    }
}
