//! Networks that visited in calm times: two generations of a Bloom filter (Bloom 1970), so that what
//! was not seen for two generations is forgotten. Nothing is learned while an incident is open, so that a
//! flood does not become known by flooding.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;

/// Bits of one generation.
const BITS: usize = 1 << 19;
const WORDS: usize = BITS / 64;
/// Bits set for each network.
const PROBES: u32 = 3;
/// Seconds of one generation: a week.
const GENERATION_S: i64 = 7 * 86_400;
/// Networks of one generation: beyond, the filter would say "known" to more than one stranger in a hundred.
const NETWORKS_MAX: u32 = 35_000;

#[derive(Clone, Debug)]
pub(crate) struct KnownNetworks {
    hasher: FixedState,
    current: Vec<u64>,
    previous: Vec<u64>,
    since_unix_s: Option<i64>,
    networks: u32,
    ever: u32,
    /// Networks that were not learned because the generation was full.
    pub(crate) overflowed: u64,
}

impl KnownNetworks {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            hasher: FixedState::with_seed(seed),
            current: vec![0; WORDS],
            previous: vec![0; WORDS],
            since_unix_s: None,
            networks: 0,
            ever: 0,
            overflowed: 0,
        }
    }

    /// Whether enough is known that "not known" says something.
    pub(crate) fn says_something(&self) -> bool {
        self.ever >= 50
    }

    fn places(&self, network: u64) -> [(usize, u64); PROBES as usize] {
        let hash = self.hasher.hash_one(network);
        [0_u32, 1, 2].map(|probe| {
            let bit = usize::try_from(hash >> (probe * 20)).unwrap_or(0) & (BITS - 1);
            (bit / 64, 1 << (bit % 64))
        })
    }

    pub(crate) fn contains(&self, network: u64) -> bool {
        let places = self.places(network);
        let all = |words: &[u64]| {
            places.iter().all(|(word, bit)| words.get(*word).is_some_and(|word| word & bit != 0))
        };
        all(&self.current) || all(&self.previous)
    }

    pub(crate) fn learn(&mut self, network: u64, unix_s: i64) {
        let since = *self.since_unix_s.get_or_insert(unix_s);
        if unix_s.saturating_sub(since) >= GENERATION_S {
            std::mem::swap(&mut self.current, &mut self.previous);
            self.current.fill(0);
            (self.networks, self.since_unix_s) = (0, Some(unix_s));
        }
        let places = self.places(network);
        let known =
            places.iter().all(|(word, bit)| self.current.get(*word).is_some_and(|word| word & bit != 0));
        if known {
            return;
        }
        if self.networks >= NETWORKS_MAX {
            self.overflowed = self.overflowed.saturating_add(1);
            return;
        }
        for (word, bit) in places {
            if let Some(word) = self.current.get_mut(word) {
                *word |= bit;
            }
        }
        self.networks += 1;
        self.ever = self.ever.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_it_learned_for_two_generations_and_few_strangers() {
        let mut known = KnownNetworks::new(7);
        (0..40_000).for_each(|network| known.learn(network, 0));
        assert_eq!((0..30_000).filter(|network| known.contains(*network)).count(), 30_000);
        assert!(known.overflowed > 4_000);
        let strangers = (1_000_000..1_100_000).filter(|network| known.contains(*network)).count();
        assert!(strangers < 1_500, "{strangers}");
        known.learn(1, GENERATION_S);
        assert!(known.contains(2));
        known.learn(1, 2 * GENERATION_S);
        assert!(known.contains(1) && !known.contains(2));
    }
}
