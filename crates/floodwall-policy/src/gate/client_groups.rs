//! Which kinds of client, or which operators' networks, suddenly make up much more of the traffic than
//! in calm times.
//!
//! Fingerprints, and numbers of autonomous systems, are grouped by eight bits of them, which is coarse
//! enough to have a stable part of calm traffic. So a telephone company behind which half of a state
//! lives may make up half of a crowd, and a hosting company from which nobody ever came may not. Part and calm part are running means over seconds. Nobody is refused for his group: it
//! moves those of it who have proven nothing to the end of the line.

use crate::token::ClientFingerprint;

const GROUPS: usize = 256;
/// A group is crowded with more than this many times its calm part, and this much more on top.
const TIMES_CALM: f32 = 4.0;
const ON_TOP: f32 = 0.05;
/// Calm seconds after which the calm parts are worth comparing with.
const CALM_SECONDS: u32 = 60;
/// Weight of one second in the means: calm is learned over minutes, the present within seconds.
const CALM_WEIGHT: f32 = 0.01;
const NOW_WEIGHT: f32 = 0.5;
/// A part below is none.
const PART_LEAST: f32 = 1e-12;

#[derive(Clone, Copy, Debug, Default)]
struct Group {
    seen: u32,
    calm_part: f32,
    part: f32,
    crowded: bool,
}

#[derive(Debug)]
pub(super) struct ClientGroups {
    groups: [Group; GROUPS],
    seen: u32,
    calm_seconds: u32,
    /// No group has a part of the present any more, and none is crowded.
    is_still: bool,
}

impl Default for ClientGroups {
    fn default() -> Self {
        Self { groups: [Group::default(); GROUPS], seen: 0, calm_seconds: 0, is_still: false }
    }
}

impl ClientGroups {
    /// Counts a request; whether its group is crowded.
    pub(super) fn count(&mut self, fingerprint: ClientFingerprint) -> bool {
        let [place, ..] = fingerprint.0.to_le_bytes();
        self.count_in(place)
    }

    /// As [`Self::count`], by the number of an autonomous system. Neighbouring numbers are given to one
    /// operator, or to one country's: they are spread (Knuth 1973, Fibonacci hashing).
    pub(super) fn count_system(&mut self, number: u32) -> bool {
        let [.., place] = number.wrapping_mul(0x9E37_79B9).to_le_bytes();
        self.count_in(place)
    }

    fn count_in(&mut self, place: u8) -> bool {
        self.seen += 1;
        self.groups.get_mut(usize::from(place)).is_some_and(|group| {
            group.seen += 1;
            group.crowded
        })
    }

    /// A second has passed, calm or not.
    #[expect(clippy::cast_precision_loss, reason = "parts of a second's requests")]
    pub(super) fn tick(&mut self, calm: bool) {
        if self.seen == 0 && self.is_still {
            return;
        }
        let all = self.seen.max(1) as f32;
        let comparable = self.calm_seconds >= CALM_SECONDS && !calm;
        let mut highest = 0.0_f32;
        for group in &mut self.groups {
            let part = group.seen as f32 / all;
            group.seen = 0;
            group.part += (part - group.part) * NOW_WEIGHT;
            // Halved for a hundred seconds, a number becomes so small that reckoning with it is slow.
            if group.part < PART_LEAST {
                group.part = 0.0;
            }
            highest = highest.max(group.part);
            if calm && self.seen > 0 {
                let weight = CALM_WEIGHT.max(1.0 / (self.calm_seconds + 1) as f32);
                group.calm_part += (part - group.calm_part) * weight;
            }
            group.crowded = comparable && group.part > group.calm_part * TIMES_CALM + ON_TOP;
        }
        if calm && self.seen > 0 {
            self.calm_seconds = self.calm_seconds.saturating_add(1);
        }
        self.seen = 0;
        // From here on nothing changes until somebody comes.
        self.is_still = highest <= 0.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of this many requests by each kind; which kinds are crowded then.
    fn seconds(groups: &mut ClientGroups, each: &[(u32, u32)], calm: bool, count: u32) -> Vec<u32> {
        let mut crowded = Vec::new();
        for _ in 0..count {
            crowded.clear();
            for (kind, requests) in each {
                let is = (0..*requests).fold(false, |_, _| groups.count(ClientFingerprint(*kind)));
                if is {
                    crowded.push(*kind);
                }
            }
            groups.tick(calm);
        }
        crowded
    }

    #[test]
    fn a_kind_that_was_rare_and_floods_is_crowded_and_no_other() {
        let mut groups = ClientGroups::default();
        let calm = [(1, 60), (2, 30), (3, 10)];
        assert!(seconds(&mut groups, &calm, true, 120).is_empty());
        assert!(seconds(&mut groups, &[(1, 600), (2, 300), (3, 100)], false, 60).is_empty(), "a crowd");
        assert_eq!(seconds(&mut groups, &[(1, 60), (2, 30), (3, 10), (4, 900)], false, 10), [4]);
        assert!(seconds(&mut groups, &[(1, 960), (2, 30), (3, 10)], false, 10).is_empty(), "as people are");
    }

    /// Half of a state behind one telephone company is no flood; a hosting company suddenly is.
    #[test]
    fn an_operator_from_whom_nobody_came_is_crowded_and_the_large_one_is_not() {
        let mut systems = ClientGroups::default();
        for _ in 0..120 {
            (0..60).for_each(|_| assert!(!systems.count_system(64_496)));
            (0..40).for_each(|_| assert!(!systems.count_system(64_500)));
            systems.tick(true);
        }
        for _ in 0..10 {
            (0..600).for_each(|_| assert!(!systems.count_system(64_496)));
            (0..900).for_each(|_| {
                systems.count_system(64_501);
            });
            systems.tick(false);
        }
        assert!(systems.count_system(64_501));
        assert!(!systems.count_system(64_496) && !systems.count_system(64_500));
    }

    #[test]
    fn without_calm_times_nothing_is_compared() {
        let mut groups = ClientGroups::default();
        assert!(seconds(&mut groups, &[(4, 900)], false, 100).is_empty());
    }
}
