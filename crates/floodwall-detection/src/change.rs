//! Change-points: since when, and in which figures, a second is no longer like those before.
//!
//! Each watched figure has Page's cumulative sums (Page, "Continuous inspection schemes", 1954) of the
//! log-likelihood ratio between its local level and so many times that level, for several sizes of
//! change at once (a generalised likelihood ratio over a grid; Lorden 1971; Basseville and Nikiforov
//! 1993, ch. 2 and 5). Counts of web traffic are more uneven than Poisson's, so the ratio is divided
//! by the measured ratio of variance to mean (quasi-likelihood; Wedderburn 1974). The change is
//! dated back to when the sum last left zero.

use crate::figure::{Figure, Row};

/// Sizes of rises that are looked for: so many times the level.
const RISES: [f64; 3] = [1.5, 3.0, 8.0];
/// Size of falls that are looked for.
const FALL: f64 = 0.35;
/// The sum at which a change is declared.
pub(crate) const DECLARED: f64 = 18.0;
/// Seconds over which the local level is taken.
const LEVEL_S: f64 = 120.0;
/// A level below which nothing is told apart, per second.
const LEVEL_LEAST: f64 = 0.2;
/// Ratio of variance to mean at the most.
const UNEVENNESS_MAX: f64 = 60.0;

/// Figures whose rise is watched.
const RISING: [Figure; 30] = [
    Figure::Requests,
    Figure::Pages,
    Figure::Data,
    Figure::Class1,
    Figure::Class2,
    Figure::Class3,
    Figure::Class4,
    Figure::Class5,
    Figure::Class6,
    Figure::Class7,
    Figure::Post,
    Figure::OtherMethods,
    Figure::NotFound,
    Figure::Status4xx,
    Figure::Status5xx,
    Figure::DistinctQueries,
    Figure::Sources,
    Figure::Networks,
    Figure::TokensInvalid,
    Figure::Refused,
    Figure::Syn,
    Figure::Udp,
    Figure::OtherPackets,
    Figure::Connections,
    Figure::TlsFailures,
    Figure::TimedOut,
    Figure::Resets,
    Figure::UnknownHosts,
    Figure::Malformed,
    Figure::OriginFailures,
];

/// Figures that pictures burst in: one page can bring dozens within a second. One second alone
/// declares no change of theirs.
pub(crate) const BURSTING: [Figure; 8] = [
    Figure::Requests,
    Figure::Class1,
    Figure::Class2,
    Figure::Class3,
    Figure::Class4,
    Figure::Class5,
    Figure::Class6,
    Figure::Class7,
];
/// What one second adds to their sums at the most.
const SECOND_MOST: f64 = 10.0;

/// Figures whose fall is watched.
const FALLING: [Figure; 2] = [Figure::Requests, Figure::Status2xx];

/// Local levels and unevenness of all figures, from the recent past alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Local {
    pub(crate) level: Row,
    unevenness: Row,
    seconds: u32,
}

impl Local {
    /// Begins from what is expected.
    pub(crate) fn begin(&mut self, expected: &Row) {
        self.level = *expected;
        self.seconds = self.seconds.max(30);
    }

    pub(crate) fn forget(&mut self) {
        self.seconds = 0;
    }

    /// Whether it has seen enough to compare with.
    pub(crate) fn is_settled(&self) -> bool {
        self.seconds >= 30
    }

    /// Ratio of variance to mean; higher while it was learned from a few minutes only, because bursts
    /// are rare and large.
    pub(crate) fn unevenness(&self, figure: Figure) -> f64 {
        let young = 1.0 + 90.0 / f64::from(self.seconds.max(1));
        (self.unevenness.get(figure) * young.min(4.0)).clamp(1.0, UNEVENNESS_MAX)
    }

    /// Follows what is unusual closely, for what may come on top of it; as uneven as `calm`.
    pub(crate) fn follow(&mut self, row: &Row, calm: &Self) {
        self.seconds = self.seconds.saturating_add(5);
        self.unevenness = calm.unevenness;
        self.level.approach(row, (5.0 / f64::from(self.seconds)).max(1.0 / 12.0));
    }

    /// Takes in a calm second.
    pub(crate) fn take_in(&mut self, row: &Row) {
        self.seconds = self.seconds.saturating_add(1);
        let part = (1.0 / f64::from(self.seconds)).max(1.0 / LEVEL_S);
        let slow = part.clamp(1.0 / 300.0, 0.05);
        let finite = |value: f64| if value.is_finite() { value } else { 0.0 };
        let levels = self.level.values_mut().iter_mut();
        for ((level, uneven), now) in levels.zip(self.unevenness.values_mut()).zip(*row.values()) {
            // Of most figures nothing ever came.
            if *level == 0.0 && *uneven == 0.0 && now == 0.0 {
                continue;
            }
            // The bound is at least 1 above the level.
            let now = if self.seconds > 30 && now > *level + 1.0 {
                let unevenness = uneven.clamp(1.0, UNEVENNESS_MAX);
                now.min(*level + 6.0 * (unevenness * level.max(LEVEL_LEAST)).sqrt() + 1.0)
            } else {
                now
            };
            let size = (now - *level).powi(2) / level.max(LEVEL_LEAST);
            *uneven = finite(*uneven + (size.min(400.0) - *uneven) * slow);
            *level = finite(*level + (now - *level) * part);
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    value: f64,
    since_s: u64,
}

impl Sum {
    fn add(&mut self, ratio: f64, most: f64, now_s: u64) -> bool {
        if self.value <= 0.0 {
            self.since_s = now_s;
        }
        // Bounded above, so that what is over is soon forgotten.
        self.value = (self.value + ratio.clamp(-DECLARED, most)).clamp(0.0, 2.0 * DECLARED);
        self.value >= DECLARED
    }
}

/// A declared change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Declared {
    pub(crate) figure: Figure,
    pub(crate) rises: bool,
    pub(crate) since_s: u64,
}

/// The sums over all watched figures.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    rising: Vec<[Sum; RISES.len()]>,
    falling: [Sum; FALLING.len()],
    /// The highest sum, as of the last second.
    highest: f64,
}

impl Default for Changes {
    fn default() -> Self {
        Self {
            rising: vec![[Sum::default(); RISES.len()]; RISING.len()],
            falling: Default::default(),
            highest: 0.0,
        }
    }
}

impl Changes {
    /// Compares a second with the level before it; what is declared, earliest first.
    pub(crate) fn take_in(&mut self, row: &Row, local: &Local, now_s: u64) -> Vec<Declared> {
        let mut declared = Vec::new();
        self.highest = 0.0;
        for (sums, figure) in self.rising.iter_mut().zip(RISING) {
            let (level, now) = (local.level.get(figure).max(LEVEL_LEAST), row.get(figure));
            // What is not above its level moves no sum that is zero.
            if now <= level && sums.iter().all(|sum| sum.value <= 0.0) {
                continue;
            }
            let unevenness = local.unevenness(figure);
            let most = if BURSTING.contains(&figure) { SECOND_MOST } else { DECLARED };
            for (sum, rise) in sums.iter_mut().zip(RISES) {
                let ratio = (now * rise.ln() - level * (rise - 1.0)) / unevenness;
                if sum.add(ratio, most, now_s) {
                    declared.push(Declared { figure, rises: true, since_s: sum.since_s });
                }
                self.highest = self.highest.max(sum.value);
            }
        }
        for (sum, figure) in self.falling.iter_mut().zip(FALLING) {
            let (level, now) = (local.level.get(figure), row.get(figure));
            // Where next to nothing comes, its absence says nothing.
            let ratio = if level < 0.5 {
                -1.0
            } else {
                (now * FALL.ln() + level * (1.0 - FALL)) / local.unevenness(figure)
            };
            if sum.add(ratio, DECLARED, now_s) {
                declared.push(Declared { figure, rises: false, since_s: sum.since_s });
            }
            self.highest = self.highest.max(sum.value);
        }
        declared.sort_by_key(|change| change.since_s);
        declared
    }

    /// Whether any sum is half-way to being declared.
    pub(crate) fn are_suspicious(&self) -> bool {
        self.highest > DECLARED / 2.0
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repeatable, uneven sequence around a level.
    fn uneven(level: f64, step: u64) -> f64 {
        let chance = (step.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f64 / (1_u64 << 24) as f64;
        (level + (chance - 0.5) * 3.4 * level.sqrt()).round().max(0.0)
    }

    fn row(requests: f64) -> Row {
        let mut row = Row::default();
        row.set(Figure::Requests, requests);
        row
    }

    fn settled(level: f64) -> (Local, Changes) {
        let (mut local, mut changes) = (Local::default(), Changes::default());
        for second in 0..3_600 {
            let row = row(uneven(level, second));
            assert!(second < 60 || changes.take_in(&row, &local, second).is_empty(), "at {second}");
            local.take_in(&row);
        }
        (local, changes)
    }

    fn delay(level: f64, times: f64) -> (u64, u64) {
        let (local, mut changes) = settled(level);
        for second in 3_600..3_700 {
            if let Some(first) = changes.take_in(&row(uneven(level * times, second)), &local, second).first()
            {
                return (second - 3_600, first.since_s);
            }
        }
        (u64::MAX, 0)
    }

    #[test]
    fn rises_and_falls_are_declared_soon_and_dated_back() {
        // Level, times, seconds until it is declared at the most.
        let rows =
            [(50.0, 2.0, 1), (50.0, 1.5, 4), (300.0, 1.5, 1), (5.0, 10.0, 1), (5.0, 3.0, 4), (50.0, 0.0, 2)];
        for (level, times, most_s) in rows {
            let (delay_s, since_s) = delay(level, times);
            assert!(delay_s <= most_s, "{level} x {times}: {delay_s} s");
            assert!((3_598..=3_601).contains(&since_s), "{level} x {times}: {since_s}");
        }
    }
}
