//! What a sample can prove of a share.
//!
//! A rule that hit nobody among 500 calm visitors may still hit one in 200. The one-sided exact test
//! (Clopper and Pearson 1934) is passed when a share as large as the cap would have shown so few hits
//! at most once in twenty times; without any hit that is the rule of three (Hanley and
//! Lippman-Hand 1983): three over the cap, so that 0.1 % takes 2,995 visitors.

/// How seldom a share at the cap would have looked as harmless as what is let act.
const ERROR: f64 = 0.05;
/// How seldom a share at the cap would have looked as harmful as what is withdrawn.
const ERROR_WITHDRAWN: f64 = 0.01;

/// The most hits among `visitors` that prove a share of less than `cap`; none if even no hit does.
pub(super) fn hits_allowed(visitors: u32, cap: f64) -> Option<u32> {
    if !(0.0..1.0).contains(&cap) {
        return (cap >= 1.0).then_some(visitors);
    }
    let mut terms = Terms::of(visitors, cap);
    let mut sum = terms.next().unwrap_or(1.0);
    if sum > ERROR {
        return None;
    }
    let mut allowed = 0;
    for term in terms {
        sum += term;
        if sum > ERROR {
            break;
        }
        allowed += 1;
    }
    Some(allowed)
}

/// How many visitors prove a share below `cap` when none of them is hit.
pub(super) fn visitors_needed(cap: f64) -> u32 {
    let needed = (ERROR.ln() / (1.0 - cap.clamp(1e-6, 0.999)).ln()).ceil();
    // Between 1 and three million, by the bounds above.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the bounds above")]
    let needed = needed as u32;
    needed
}

/// The upper end of the share that `hits` among `visitors` leave possible (Wilson 1927 with
/// continuity correction, one-sided, 95 %): what is shown to people.
pub(super) fn share_max(hits: u32, visitors: u32) -> f64 {
    if visitors == 0 {
        return 1.0;
    }
    let (n, hits) = (f64::from(visitors), f64::from(hits));
    if hits == 0.0 {
        return 1.0 - ERROR.powf(1.0 / n);
    }
    let z = 1.644_853_6;
    let share = hits / n;
    let root = (z * z + 2.0 - 1.0 / n + 4.0 * share * (n * (1.0 - share) - 1.0)).max(0.0).sqrt();
    ((2.0 * n * share + z * z + 1.0 + z * root) / (2.0 * (n + z * z))).min(1.0)
}

/// Whether so many hits among so many visitors prove a share above `cap`.
pub(super) fn proves_more_than(cap: f64, hits: u32, visitors: u32) -> bool {
    if hits == 0 {
        return false;
    }
    let fewer: f64 = Terms::of(visitors.max(hits), cap.clamp(0.0, 1.0)).take(hits as usize).sum();
    1.0 - fewer <= ERROR_WITHDRAWN
}

/// The binomial distribution's terms from no hit on, as long as they can be told from nothing.
struct Terms {
    term: f64,
    hits: f64,
    visitors: f64,
    odds: f64,
}

impl Terms {
    fn of(visitors: u32, cap: f64) -> Self {
        let visitors = f64::from(visitors);
        Self { term: (1.0 - cap).powf(visitors), hits: 0.0, visitors, odds: cap / (1.0 - cap).max(1e-12) }
    }
}

impl Iterator for Terms {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        if self.hits > self.visitors {
            return None;
        }
        let term = self.term;
        self.term *= self.odds * (self.visitors - self.hits) / (self.hits + 1.0);
        self.hits += 1.0;
        Some(term)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sample_proves() {
        assert_eq!(visitors_needed(0.001), 2_995);
        for (visitors, cap, expected) in [
            (0, 0.001, None),
            (2_994, 0.001, None),
            (2_995, 0.001, Some(0)),
            // Near the upper 95 % bounds of Poisson counts: 1 hit 4.744, 2 hits 6.296.
            (4_700, 0.001, Some(0)),
            (4_744, 0.001, Some(1)),
            (6_250, 0.001, Some(1)),
            (6_296, 0.001, Some(2)),
            (299, 0.01, Some(0)),
            (298, 0.01, None),
            (500, 0.0, None),
            (500, 1.0, Some(500)),
        ] {
            assert_eq!(hits_allowed(visitors, cap), expected, "{visitors} at {cap}");
        }
    }

    #[test]
    fn what_is_shown_agrees_with_what_is_tested() {
        for visitors in [300, 3_000, 6_144] {
            for hits in 0..40 {
                let shown = share_max(hits, visitors);
                assert!(shown > f64::from(hits) / f64::from(visitors));
                // Wilson's bound is near the exact one, and not the one that decides.
                let decides = hits_allowed(visitors, shown * 1.1).is_some_and(|allowed| allowed >= hits);
                assert!(decides, "{hits} of {visitors}: {shown}");
            }
        }
    }

    #[test]
    fn people_among_the_matches() {
        for (hits, visitors, expected) in [
            (0, 0, false),
            (1, 1, true),
            (1, 5, true),
            (1, 100, false),
            (2, 100, true),
            (3, 3_000, false),
            (10, 3_000, true),
        ] {
            assert_eq!(proves_more_than(0.001, hits, visitors), expected, "{hits} of {visitors}");
        }
    }
}
