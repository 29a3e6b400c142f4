//! Chance that can be repeated: one seed, a stream of its own for each purpose.
//!
//! A stream per purpose keeps plans comparable: a flood added to a scenario leaves its visitors'
//! arrivals as they were.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// The seed of a whole drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(pub u64);

/// A stream of chance.
#[derive(Clone, Debug)]
pub struct Chance(Pcg64);

impl Seed {
    /// The stream of one purpose, for example `"visitors"` and the place in the scenario's list.
    #[must_use]
    pub fn stream(self, purpose: &str, place: u64) -> Chance {
        // FNV-1a (Fowler, Noll, Vo) over everything that tells streams apart; SplitMix64 (Steele,
        // Lea, Flood 2014) spreads it over the generator's whole state.
        let told = purpose.bytes().chain(place.to_le_bytes()).chain(self.0.to_le_bytes());
        let mut state = told.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut seed = [0; 32];
        for bytes in seed.as_chunks_mut::<8>().0 {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            *bytes = (mixed ^ (mixed >> 31)).to_le_bytes();
        }
        Chance(Pcg64::from_seed(seed))
    }
}

impl Chance {
    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `end`; 0 where there is none. Lemire's multiplication: the bias is below
    /// `end / 2^64`.
    pub fn below(&mut self, end: u64) -> u64 {
        let product = u128::from(self.0.next_u64()) * u128::from(end);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// A number from 0 up to but not 1, with 53 bits.
    #[expect(clippy::cast_precision_loss, reason = "both fit 53 bits")]
    pub fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A waiting time with the given mean, as between arrivals that know nothing of one another.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -(1.0 - self.unit()).ln() * mean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ() {
        let numbers = |seed, purpose, place| {
            let mut chance = Seed(seed).stream(purpose, place);
            [chance.number(), chance.number(), chance.number()]
        };
        assert_eq!(numbers(1, "visitors", 0), numbers(1, "visitors", 0));
        for other in [numbers(2, "visitors", 0), numbers(1, "flood", 0), numbers(1, "visitors", 1)] {
            assert_ne!(numbers(1, "visitors", 0), other);
        }
    }

    #[test]
    fn chance_is_within_its_bounds_and_fair_enough() {
        let mut chance = Seed(7).stream("test", 0);
        let mut counts = [0_u32; 10];
        for _ in 0..10_000 {
            counts[usize::try_from(chance.below(10)).unwrap()] += 1;
            assert!((0.0..1.0).contains(&chance.unit()));
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
        let mean = (0..10_000).map(|_| chance.exponential(3.0)).sum::<f64>() / 10_000.0;
        assert!((2.8..3.2).contains(&mean), "{mean}");
    }
}
