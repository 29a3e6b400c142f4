//! What admission did in each minute, and which minutes were worst.

/// Minutes that are kept.
const KEPT: usize = 5;

/// One minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MinuteCounts {
    /// Minutes since 1970.
    pub(crate) unix_minute: i64,
    pub(crate) offered: u64,
    pub(crate) waited: u64,
    pub(crate) challenged: u64,
    pub(crate) refused: u64,
}

impl MinuteCounts {
    /// How bad it was: first by who went without, then by who was asked, then by who waited.
    fn badness(&self) -> (u64, u64, u64) {
        (self.refused, self.challenged, self.waited)
    }
}

/// The worst minutes so far, and the current one.
#[derive(Debug, Default)]
pub(crate) struct WorstMinutes {
    current: MinuteCounts,
    worst: Vec<MinuteCounts>,
}

impl WorstMinutes {
    /// The counts of this minute; a later one ends those before. (What comes late for an ended minute
    /// counts in the current one.)
    pub(crate) fn at(&mut self, unix_minute: i64) -> &mut MinuteCounts {
        if unix_minute > self.current.unix_minute {
            self.finish();
            self.current = MinuteCounts { unix_minute, ..MinuteCounts::default() };
        }
        &mut self.current
    }

    /// The current minute is over.
    pub(crate) fn finish(&mut self) {
        let ended = std::mem::take(&mut self.current);
        if ended.badness() == (0, 0, 0) {
            return;
        }
        self.worst.push(ended);
        self.worst.sort_by_key(|minute| std::cmp::Reverse(minute.badness()));
        self.worst.truncate(KEPT);
    }

    /// Minutes in which somebody was refused, challenged or had to wait, worst first.
    pub(crate) fn worst(&self) -> &[MinuteCounts] {
        &self.worst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_come_first_and_good_ones_not_at_all() {
        let mut minutes = WorstMinutes::default();
        for (minute, refused, challenged, waited) in
            [(1, 0, 0, 0), (2, 0, 1, 9), (3, 1, 0, 0), (4, 0, 0, 2), (5, 0, 2, 0), (6, 7, 0, 0), (7, 0, 0, 1)]
        {
            let counts = minutes.at(minute);
            (counts.refused, counts.challenged, counts.waited) = (refused, challenged, waited);
        }
        minutes.finish();
        let order: Vec<_> = minutes.worst().iter().map(|minute| minute.unix_minute).collect();
        assert_eq!(order, [6, 3, 5, 2, 4]);
    }
}
