//! What asks for the origin while it is full: an even sample of the last seconds.
//!
//! A reservoir for each second (Algorithm R, Vitter 1985), eight in all. Random numbers come of a
//! seed, so that the same requests give the same sample again. The texts of what was sampled are kept
//! beside, so that a rule can be read; 1 MiB at worst.

use floodwall_model::Timestamp;

use super::traits::{ClientTraits, RequestShape, TraitField, TraitWords};

const SECONDS: usize = 8;
const EACH_SECOND: usize = 256;

#[derive(Debug, Default)]
struct Second {
    traits: Vec<ClientTraits>,
    words: Vec<TraitWords>,
    seen: u64,
}

#[derive(Debug)]
pub(super) struct SurplusSample {
    /// The current second and those before.
    seconds: [Second; SECONDS],
    second: u64,
    random: u64,
}

impl SurplusSample {
    pub(super) fn new(seed: u64) -> Self {
        Self { seconds: Default::default(), second: 0, random: seed }
    }

    /// Samples a request; most of a flood is only counted.
    pub(super) fn note<'n>(
        &mut self,
        traits: &ClientTraits,
        shape: &RequestShape<'_>,
        header_names: impl Iterator<Item = &'n str>,
        now: Timestamp,
    ) {
        self.turn(now);
        let random = self.next_random();
        let [current, ..] = &mut self.seconds;
        current.seen += 1;
        let place = if current.traits.len() < EACH_SECOND {
            current.traits.push(*traits);
            // The texts' memory outlives the second it was taken in.
            if current.words.len() < current.traits.len() {
                current.words.push(TraitWords::default());
            }
            current.traits.len() - 1
        } else {
            usize::try_from(random % current.seen).unwrap_or(usize::MAX)
        };
        let (Some(kept), Some(words)) = (current.traits.get_mut(place), current.words.get_mut(place)) else {
            return;
        };
        *kept = *traits;
        words.keep(shape, header_names);
    }

    /// The sample of the seconds up to now.
    pub(super) fn traits(&mut self, now: Timestamp) -> Vec<ClientTraits> {
        self.turn(now);
        self.seconds.iter().flat_map(|second| &second.traits).copied().collect()
    }

    /// The texts of a sampled request that had this value.
    pub(super) fn words(&self, field: TraitField, value: u32) -> Option<&TraitWords> {
        self.seconds.iter().find_map(|second| {
            let place = second.traits.iter().position(|traits| traits.get(field) == value)?;
            second.words.get(place)
        })
    }

    fn turn(&mut self, now: Timestamp) {
        let second = now.monotonic_nanos() / 1_000_000_000;
        for _ in 0..second.saturating_sub(self.second).min(SECONDS as u64) {
            self.seconds.rotate_right(1);
            let [current, ..] = &mut self.seconds;
            current.traits.clear();
            current.seen = 0;
        }
        self.second = self.second.max(second);
    }

    /// `SplitMix64` (Steele, Lea, Flood 2014).
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
