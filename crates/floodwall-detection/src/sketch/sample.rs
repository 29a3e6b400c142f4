//! What single sources do, for a sample of at most 256 sources: those whose keyed hash begins with
//! so many zeros that no more than that are left. The same sources are sampled in every second and
//! by every worker, so visits can be followed and samples merged (distinct sampling, Gibbons 2001).

use super::marks::Marks;
use crate::request::{AdmissionSeen, ContentKind, Referrer, RequestSeen, TokenSeen};

/// Sources sampled at the most.
pub(crate) const SAMPLED_MAX: usize = 256;
const SLOTS: usize = 2 * SAMPLED_MAX;

/// What one sampled source did in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampledSource {
    /// Keyed hash of the source.
    pub(crate) hash: u64,
    /// Key of its network.
    pub(crate) network: u64,
    /// Requests.
    pub(crate) requests: u32,
    /// Pages.
    pub(crate) pages: u32,
    /// What pages need.
    pub(crate) assets: u32,
    /// Answers made for one visitor.
    pub(crate) data: u32,
    /// Requests that named a page of the site as where they came from.
    pub(crate) own_referrer: u32,
    /// Of these, for pages and answers made for one visitor.
    pub(crate) own_wanted: u32,
    /// Refused.
    pub(crate) refused: u32,
    /// Refused, challenged, or answered 5xx.
    pub(crate) turned_away: u32,
    /// Requests with a token that counts.
    pub(crate) proven: u32,
    /// Set of paths, a bit each.
    pub(crate) paths: u64,
    used: bool,
}

impl SampledSource {
    fn count(&mut self, seen: &RequestSeen) {
        let add = |figure: &mut u32, yes: bool| *figure = figure.saturating_add(u32::from(yes));
        add(&mut self.requests, true);
        add(&mut self.pages, seen.kind == ContentKind::Page);
        add(&mut self.assets, seen.kind == ContentKind::Asset);
        add(&mut self.data, seen.kind == ContentKind::Data);
        let is_own = seen.referrer == Referrer::Own;
        add(&mut self.own_referrer, is_own);
        add(&mut self.own_wanted, is_own && matches!(seen.kind, ContentKind::Page | ContentKind::Data));
        let refused = seen.admission == AdmissionSeen::Refused;
        add(&mut self.refused, refused);
        let challenged = seen.admission == AdmissionSeen::Challenged;
        add(&mut self.turned_away, refused || challenged || seen.status >= 500);
        add(&mut self.proven, seen.token == TokenSeen::Valid);
        self.paths |= 1 << (seen.path & 63);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.pages = self.pages.saturating_add(other.pages);
        self.assets = self.assets.saturating_add(other.assets);
        self.data = self.data.saturating_add(other.data);
        self.own_referrer = self.own_referrer.saturating_add(other.own_referrer);
        self.own_wanted = self.own_wanted.saturating_add(other.own_wanted);
        self.refused = self.refused.saturating_add(other.refused);
        self.turned_away = self.turned_away.saturating_add(other.turned_away);
        self.proven = self.proven.saturating_add(other.proven);
        self.paths |= other.paths;
    }
}

#[derive(Clone, Debug)]
pub(crate) struct SourceSample {
    slots: Box<[SampledSource; SLOTS]>,
    filled: Marks<{ SLOTS / 64 }>,
    used: usize,
    level: u32,
}

impl Default for SourceSample {
    fn default() -> Self {
        Self {
            slots: Box::new([SampledSource::default(); SLOTS]),
            filled: Marks::default(),
            used: 0,
            level: 0,
        }
    }
}

impl SourceSample {
    #[inline]
    pub(crate) fn add(&mut self, hash: u64, seen: &RequestSeen) {
        if hash.leading_zeros() < self.level {
            return;
        }
        if let Some(slot) = self.slot(hash) {
            slot.hash = hash;
            slot.network = seen.network;
            slot.count(seen);
        }
        if self.used > SAMPLED_MAX {
            self.thin();
        }
    }

    /// The slot of a source: its own, or a free one that is now its own.
    fn slot(&mut self, hash: u64) -> Option<&mut SampledSource> {
        // The low bits: the high ones are what is sampled by.
        let start = usize::try_from(hash).unwrap_or(0);
        let place = (0..SLOTS)
            .map(|step| (start.wrapping_add(step)) & (SLOTS - 1))
            .find(|place| self.slots.get(*place).is_some_and(|slot| !slot.used || slot.hash == hash))?;
        let slot = self.slots.get_mut(place)?;
        if !slot.used {
            slot.used = true;
            self.filled.set(place);
            self.used += 1;
        }
        Some(slot)
    }

    /// Halves the sample until it fits.
    fn thin(&mut self) {
        while self.used > SAMPLED_MAX {
            self.raise(self.level + 1);
        }
    }

    /// Keeps only the sources whose hash begins with that many zeros.
    fn raise(&mut self, level: u32) {
        self.level = level;
        let before = *self.slots;
        self.slots.fill(SampledSource::default());
        self.filled.clear();
        self.used = 0;
        for source in before.iter().filter(|slot| slot.used && slot.hash.leading_zeros() >= level) {
            if let Some(slot) = self.slot(source.hash) {
                *slot = *source;
            }
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if other.level > self.level {
            self.raise(other.level);
        }
        let level = self.level;
        let sources = other.filled.places().filter_map(|place| other.slots.get(place));
        for source in sources.filter(|slot| slot.hash.leading_zeros() >= level) {
            if let Some(slot) = self.slot(source.hash) {
                (slot.hash, slot.network) = (source.hash, source.network);
                slot.add(source);
            }
        }
        // Two samples of 256 fit into the slots; now they are made to fit the sample.
        self.thin();
    }

    pub(crate) fn clear(&mut self) {
        for place in self.filled.places() {
            if let Some(slot) = self.slots.get_mut(place) {
                *slot = SampledSource::default();
            }
        }
        self.filled.clear();
        (self.used, self.level) = (0, 0);
    }

    pub(crate) fn sources(&self) -> Vec<SampledSource> {
        self.filled.places().filter_map(|place| self.slots.get(place)).copied().collect()
    }

    /// For how many sources each sampled one stands.
    pub(crate) fn stands_for(&self) -> f64 {
        f64::from(self.level).exp2()
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use foldhash::quality::FixedState;

    use super::*;
    use crate::request::{RequestReader, RequestText};

    fn seen() -> RequestSeen {
        RequestReader::new(1, &[]).read(&RequestText {
            client: "192.0.2.1".parse().unwrap(),
            method: "GET",
            target: "/",
            referer: None,
            user_agent: None,
            status: 200,
        })
    }

    fn of(sources: std::ops::Range<u64>) -> SourceSample {
        let hasher = FixedState::with_seed(9);
        let mut sample = SourceSample::default();
        for source in sources {
            sample.add(hasher.hash_one(source), &seen());
        }
        sample
    }

    #[test]
    fn any_number_of_sources_is_sampled_evenly_and_merges_to_the_same_sample() {
        for sources in [1, 200, 256, 257, 5_000, 300_000_u64] {
            let sample = of(0..sources);
            assert!(sample.used <= SAMPLED_MAX);
            let estimate = sample.used as f64 * sample.stands_for();
            assert!((estimate - sources as f64).abs() <= sources as f64 * 0.4, "{sources}: {estimate}");
            let mut merged = of(0..sources / 3);
            merged.merge(&of(sources / 3..sources));
            let hashes = |sample: &SourceSample| {
                let mut hashes: Vec<_> = sample.sources().iter().map(|source| source.hash).collect();
                hashes.sort_unstable();
                hashes
            };
            assert_eq!(hashes(&merged), hashes(&sample), "{sources}");
        }
    }
}
