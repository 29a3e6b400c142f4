//! Which places of a sketch hold something. A quiet second fills few of thousands: what walks over the
//! marks alone costs as much as came, not as much as could have come.

/// Marks of `64 * WORDS` places.
#[derive(Clone, Debug)]
pub(crate) struct Marks<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Default for Marks<WORDS> {
    fn default() -> Self {
        Self([0; WORDS])
    }
}

impl<const WORDS: usize> Marks<WORDS> {
    #[inline]
    pub(crate) fn set(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
    }

    #[inline]
    pub(crate) fn unset(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64) {
            *word &= !(1 << (place % 64));
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.fill(0);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own |= other;
        }
    }

    /// The marked places, in their order.
    pub(crate) fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().filter(|(_, word)| **word != 0).flat_map(|(number, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                let found = (left != 0).then_some(number * 64 + bit);
                left &= left.wrapping_sub(1);
                found
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_in_order_and_merge() {
        let (mut one, mut other) = (Marks::<4>::default(), Marks::<4>::default());
        for place in [200, 0, 63, 64, 255, 64] {
            one.set(place);
        }
        // There is no such place.
        one.set(256);
        other.set(5);
        one.unset(63);
        assert_eq!(one.places().collect::<Vec<_>>(), [0, 64, 200, 255]);
        one.merge(&other);
        assert_eq!(one.places().collect::<Vec<_>>(), [0, 5, 64, 200, 255]);
        one.clear();
        assert_eq!(one.places().count(), 0);
    }
}
