//! How values are spread, and which stand out: an MV-Sketch of one row (Tang, Huang, Lee, "MV-Sketch:
//! a fast and compact invertible sketch for heavy flow detection", INFOCOM 2019). Each bucket counts
//! what falls into it and holds a majority vote (Boyer, Moore 1981) on which value it mostly was.
//!
//! Spread and distances between spreads are reckoned over buckets. With a keyed hash two values share
//! a bucket only by chance, so entropy is understated by what shares, and never by the will of anybody.

use super::marks::Marks;

/// Words of marks: enough for the largest sketch, of 512 buckets.
const WORDS: usize = 8;

/// One bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ballot {
    total: u32,
    lead: u32,
    key: u64,
}

/// `N` buckets; a power of two, at most 512.
#[derive(Clone, Debug)]
pub(crate) struct Ballots<const N: usize> {
    ballots: Box<[Ballot; N]>,
    filled: Marks<WORDS>,
    total: u32,
}

impl<const N: usize> Default for Ballots<N> {
    fn default() -> Self {
        const { assert!(N <= 64 * WORDS) };
        Self { ballots: Box::new([Ballot::default(); N]), filled: Marks::default(), total: 0 }
    }
}

impl<const N: usize> Ballots<N> {
    /// Counts a value by its keyed hash; `key` is what is reported if it stands out.
    #[inline]
    pub(crate) fn add(&mut self, hash: u64, key: u64) {
        let bucket = usize::try_from(hash).unwrap_or(0) & (N - 1);
        self.total = self.total.saturating_add(1);
        self.filled.set(bucket);
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
        self.filled.merge(&other.filled);
        for (place, other) in other.filled() {
            let Some(own) = self.ballots.get_mut(place) else { continue };
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
        for place in self.filled.places() {
            if let Some(ballot) = self.ballots.get_mut(place) {
                *ballot = Ballot::default();
            }
        }
        self.filled.clear();
        self.total = 0;
    }

    /// The most frequent values with their estimated counts, most frequent first. The estimate of a
    /// value lies within half of what shares its bucket.
    pub(crate) fn top(&self, most: usize) -> Vec<(u64, f64)> {
        let mut top: Vec<(u64, f64)> = self
            .filled()
            .map(|(_, ballot)| ballot)
            .filter(|ballot| ballot.lead > 0)
            .map(|ballot| (ballot.key, f64::midpoint(f64::from(ballot.total), f64::from(ballot.lead))))
            .collect();
        // No two buckets hold the same value, so there is one order only.
        let order = |one: &(u64, f64), two: &(u64, f64)| two.1.total_cmp(&one.1).then(one.0.cmp(&two.0));
        if top.len() > most {
            top.select_nth_unstable_by(most, order);
            top.truncate(most);
        }
        top.sort_unstable_by(order);
        top
    }

    fn filled(&self) -> impl Iterator<Item = (usize, &Ballot)> {
        self.filled.places().filter_map(|place| Some((place, self.ballots.get(place)?)))
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of one second; shares matter, not units")]
    pub(crate) fn spread(&self) -> Filled {
        let count =
            |(place, ballot): (usize, &Ballot)| (u16::try_from(place).unwrap_or(0), ballot.total as f32);
        Filled { size: N, counts: self.filled().map(count).collect() }
    }
}

/// What fell into each bucket within a second; buckets that stayed empty are left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Filled {
    /// Buckets there are; 0 where nobody counted.
    size: usize,
    /// Buckets in their order.
    counts: Vec<(u16, f32)>,
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

    /// The share of what fell into buckets that less than one in 500 falls into in `calm`.
    pub(crate) fn share_of_rare(&self, calm: &Self) -> f64 {
        let (total, rare) = (self.total(), calm.total() / 500.0);
        let usual = calm.0.iter().copied().chain(std::iter::repeat(0.0));
        let pairs = self.0.iter().zip(usual).filter(|(_, usual)| f64::from(*usual) < rare);
        let new: f64 = pairs.map(|(count, _)| f64::from(*count)).sum();
        if total > 0.0 { new / total } else { 0.0 }
    }

    /// Shannon's entropy over buckets, in bits.
    pub(crate) fn entropy(&self) -> f64 {
        let total = self.total();
        let each = self.0.iter().filter(|count| **count > 0.0).map(|count| f64::from(*count) / total);
        -each.map(|share| share * share.log2()).sum::<f64>()
    }

    /// Moves towards `other` by that part of the way.
    pub(crate) fn approach(&mut self, other: &Filled, part: f32) {
        self.change(other, |own, other| *own += (other - *own) * part);
    }

    /// `self * keep + other`.
    pub(crate) fn fade_and_add(&mut self, keep: f32, other: &Filled) {
        self.change(other, |own, other| *own = *own * keep + other);
    }

    /// Changes each bucket by what fell into it; between those that were filled, the same for all.
    #[inline]
    fn change(&mut self, other: &Filled, each: impl Fn(&mut f32, f32)) {
        self.grow(other.size);
        let (mut rest, mut begin) = (self.0.as_mut_slice(), 0);
        for (bucket, count) in &other.counts {
            let bucket = usize::from(*bucket);
            let all = std::mem::take(&mut rest);
            let Some((empty, from)) = all.split_at_mut_checked(bucket - begin) else { return };
            empty.iter_mut().for_each(|own| each(own, 0.0));
            let Some((own, after)) = from.split_first_mut() else { return };
            each(own, *count);
            (rest, begin) = (after, bucket + 1);
        }
        rest.iter_mut().for_each(|own| each(own, 0.0));
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

    fn spread(ballots: &Ballots<256>) -> Spread {
        let mut spread = Spread::default();
        spread.fade_and_add(1.0, &ballots.spread());
        spread
    }

    #[test]
    fn every_bucket_changes_whether_it_was_filled_or_not() {
        let mut spread = spread(&of(0..200));
        for values in [3, 0, 60] {
            let ballots = of(0..values);
            let each = |own: &f32, bucket: usize| own + (ballots.ballots[bucket].total as f32 - own) * 0.25;
            let expected: Vec<f32> =
                spread.0.iter().enumerate().map(|(place, own)| each(own, place)).collect();
            spread.approach(&ballots.spread(), 0.25);
            assert_eq!(spread.0, expected, "{values}");
        }
        let before = spread.clone();
        spread.fade_and_add(0.5, &Filled::default());
        assert!((spread.total() - before.total() / 2.0).abs() < 1e-3);
    }

    #[test]
    fn what_is_rare_in_calm_times_is_told_from_what_is_not() {
        let calm = spread(&of((0..2_000).map(|n| n % 20)));
        let strangers = spread(&of((0..400).map(|n| if n % 4 == 0 { 5 } else { 1_000 + n % 3 })));
        assert!((strangers.share_of_rare(&calm) - 0.75).abs() < 0.01);
        assert!(calm.share_of_rare(&calm).abs() < 1e-9);
        assert!(Spread::default().share_of_rare(&calm).abs() < 1e-9);
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
        assert!((spread(&one).total() - 2_000.0).abs() < 1e-9);
    }

    #[test]
    fn distances_and_entropy() {
        let mixed = spread(&of((0..1_000).map(|n| n % 20)));
        let same = spread(&of((0..500).map(|n| n % 20)));
        let other = spread(&of((0..500).map(|_| 77_777)));
        assert!(mixed.distance(&same) < 0.001);
        assert!(mixed.distance(&other) > 0.9);
        assert!((4.0..4.4).contains(&mixed.entropy()), "{}", mixed.entropy());
        assert!(other.entropy().abs() < 1e-9);
        assert!((other.top_share() - 1.0).abs() < 1e-9);
    }
}
