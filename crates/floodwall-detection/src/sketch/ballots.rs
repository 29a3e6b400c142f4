//! How values are spread, and which stand out: an MV-Sketch of one row (Tang, Huang, Lee, "MV-Sketch:
//! a fast and compact invertible sketch for heavy flow detection", INFOCOM 2019). Each bucket counts
//! what falls into it and holds a majority vote (Boyer, Moore 1981) on which value it mostly was.
//!
//! Spread and distances between spreads are reckoned over buckets. With a keyed hash two values share
//! a bucket only by chance, so entropy is understated by what shares, and never by the will of anybody.

/// One bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ballot {
    total: u32,
    lead: u32,
    key: u64,
}

/// `N` buckets; a power of two.
#[derive(Clone, Debug)]
pub(crate) struct Ballots<const N: usize> {
    ballots: Box<[Ballot; N]>,
    total: u32,
}

impl<const N: usize> Default for Ballots<N> {
    fn default() -> Self {
        Self { ballots: Box::new([Ballot::default(); N]), total: 0 }
    }
}

impl<const N: usize> Ballots<N> {
    /// Counts a value by its keyed hash; `key` is what is reported if it stands out.
    #[inline]
    pub(crate) fn add(&mut self, hash: u64, key: u64) {
        let bucket = usize::try_from(hash).unwrap_or(0) & (N - 1);
        self.total = self.total.saturating_add(1);
        let Some(ballot) = self.ballots.get_mut(bucket) else { return };
        ballot.total = ballot.total.saturating_add(1);
        if ballot.key == key {
            ballot.lead = ballot.lead.saturating_add(1);
        } else if ballot.lead == 0 {
            (ballot.key, ballot.lead) = (key, 1);
        } else {
            ballot.lead -= 1;
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.total = self.total.saturating_add(other.total);
        for (own, other) in self.ballots.iter_mut().zip(other.ballots.iter()) {
            own.total = own.total.saturating_add(other.total);
            if own.key == other.key {
                own.lead = own.lead.saturating_add(other.lead);
            } else if own.lead >= other.lead {
                own.lead -= other.lead;
            } else {
                (own.key, own.lead) = (other.key, other.lead - own.lead);
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.ballots.fill(Ballot::default());
        self.total = 0;
    }

    /// The most frequent values with their estimated counts, most frequent first. The estimate of a
    /// value lies within half of what shares its bucket.
    pub(crate) fn top(&self, most: usize) -> Vec<(u64, f64)> {
        let mut top: Vec<(u64, f64)> = self
            .ballots
            .iter()
            .filter(|ballot| ballot.lead > 0)
            .map(|ballot| (ballot.key, f64::midpoint(f64::from(ballot.total), f64::from(ballot.lead))))
            .collect();
        top.sort_by(|one, two| two.1.total_cmp(&one.1).then(one.0.cmp(&two.0)));
        top.truncate(most);
        top
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of one second; shares matter, not units")]
    pub(crate) fn spread(&self) -> Spread {
        Spread(self.ballots.iter().map(|ballot| ballot.total as f32).collect())
    }
}

/// What fell into each bucket: a fixed number of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Spread(Vec<f32>);

impl Spread {
    pub(crate) fn total(&self) -> f64 {
        self.0.iter().map(|count| f64::from(*count)).sum()
    }

    /// The share of the fullest bucket.
    pub(crate) fn top_share(&self) -> f64 {
        let total = self.total();
        let top = self.0.iter().copied().fold(0.0, f32::max);
        if total > 0.0 { f64::from(top) / total } else { 0.0 }
    }

    /// Shannon's entropy over buckets, in bits.
    pub(crate) fn entropy(&self) -> f64 {
        let total = self.total();
        let each = self.0.iter().filter(|count| **count > 0.0).map(|count| f64::from(*count) / total);
        -each.map(|share| share * share.log2()).sum::<f64>()
    }

    /// Moves towards `other` by that part of the way.
    pub(crate) fn approach(&mut self, other: &Self, part: f32) {
        self.grow(other.0.len());
        let others = other.0.iter().copied().chain(std::iter::repeat(0.0));
        for (own, other) in self.0.iter_mut().zip(others) {
            *own += (other - *own) * part;
        }
    }

    /// `self * keep + other`.
    pub(crate) fn fade_and_add(&mut self, keep: f32, other: &Self) {
        self.grow(other.0.len());
        let others = other.0.iter().copied().chain(std::iter::repeat(0.0));
        for (own, other) in self.0.iter_mut().zip(others) {
            *own = *own * keep + other;
        }
    }

    /// Every bucket times a factor.
    #[expect(clippy::cast_possible_truncation, reason = "a mean over seconds")]
    pub(crate) fn scaled(&self, factor: f64) -> Self {
        Self(self.0.iter().map(|count| (f64::from(*count) * factor) as f32).collect())
    }

    fn grow(&mut self, size: usize) {
        if self.0.is_empty() {
            self.0 = vec![0.0; size];
        }
    }

    /// What is above `calm * times`, each bucket by itself, not below zero.
    pub(crate) fn beyond(&self, calm: &Self, times: f32) -> Self {
        let usual = calm.0.iter().copied().chain(std::iter::repeat(0.0));
        Self(self.0.iter().zip(usual).map(|(now, usual)| (now - usual * times).max(0.0)).collect())
    }

    /// Jensen-Shannon divergence in bits, from 0 (the same mix) to 1 (nothing in common); Lin 1991.
    pub(crate) fn distance(&self, other: &Self) -> f64 {
        let (own_total, other_total) = (self.total(), other.total());
        if own_total <= 0.0 || other_total <= 0.0 {
            return 0.0;
        }
        let part = |share: f64, middle: f64| if share > 0.0 { share * (share / middle).log2() } else { 0.0 };
        let pairs = self.0.iter().zip(&other.0).map(|(own, other)| (f64::from(*own), f64::from(*other)));
        let sum: f64 = pairs
            .map(|(own, other)| {
                let (own, other) = (own / own_total, other / other_total);
                let middle = f64::midpoint(own, other);
                f64::midpoint(part(own, middle), part(other, middle))
            })
            .sum();
        sum.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use foldhash::quality::FixedState;

    use super::*;

    fn of(values: impl Iterator<Item = u64>) -> Ballots<256> {
        let hasher = FixedState::with_seed(5);
        let mut ballots = Ballots::default();
        values.for_each(|value| ballots.add(hasher.hash_one(value), value));
        ballots
    }

    #[test]
    fn heavy_values_are_named_among_any_number_of_light_ones() {
        // 2,000 of one, 1,000 of another, 7,000 that never repeat.
        let values = (0..10_000_u64).map(|n| match n % 10 {
            0 | 1 => 1,
            2 => 2,
            _ => 1_000 + n,
        });
        let top = of(values).top(2);
        assert_eq!((top[0].0, top[1].0), (1, 2));
        assert!((top[0].1 - 2_000.0).abs() < 50.0, "{top:?}");
    }

    #[test]
    fn merging_finds_what_both_saw() {
        let mut one = of((0..1_000).map(|n| if n % 4 == 0 { 7 } else { n }));
        one.merge(&of((0..1_000).map(|n| if n % 4 == 0 { 7 } else { 5_000 + n })));
        assert_eq!(one.top(1)[0].0, 7);
        assert!((one.spread().total() - 2_000.0).abs() < 1e-9);
    }

    #[test]
    fn distances_and_entropy() {
        let mixed = of((0..1_000).map(|n| n % 20)).spread();
        let same = of((0..500).map(|n| n % 20)).spread();
        let other = of((0..500).map(|_| 77_777)).spread();
        assert!(mixed.distance(&same) < 0.001);
        assert!(mixed.distance(&other) > 0.9);
        assert!((4.0..4.4).contains(&mixed.entropy()), "{}", mixed.entropy());
        assert!(other.entropy().abs() < 1e-9);
        assert!((other.top_share() - 1.0).abs() < 1e-9);
    }
}
