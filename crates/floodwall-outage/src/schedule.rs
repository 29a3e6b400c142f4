//! When a target is probed from a vantage: at a phase that follows from both names, so that every
//! restart keeps it and several vantages divide the interval between them.

use std::time::Duration;

/// The phase of `target` at `vantage` within `interval`, the same at every call: FNV-1a over both
/// names, finished with the mixer of SplitMix64 so that like names come to lie apart.
#[must_use]
pub fn phase_of(target: &str, vantage: &str, interval: Duration) -> Duration {
    let bytes = target.bytes().chain([0]).chain(vantage.bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    let nanos = (u128::from(hash) * interval.as_nanos()) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

/// The first moment after `after` at which a target with that `phase` is due, both counted from the
/// same start. Moments that were missed are left out: a schedule that slipped is not made up for.
#[must_use]
pub fn next_due(after: Duration, phase: Duration, interval: Duration) -> Duration {
    let interval_nanos = interval.as_nanos().max(1);
    let Some(since) = after.checked_sub(phase) else { return phase };
    let rounds = since.as_nanos() / interval_nanos + 1;
    let nanos = phase.as_nanos().saturating_add(rounds.saturating_mul(interval_nanos));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn phases_fill_the_interval_evenly_and_stay() {
        let mut seconds = [0_u32; 60];
        for number in 0..6000 {
            let phase = phase_of(&format!("https://site{number}.example/"), "berlin", MINUTE);
            assert!(phase < MINUTE);
            assert_eq!(phase, phase_of(&format!("https://site{number}.example/"), "berlin", MINUTE));
            seconds[usize::try_from(phase.as_secs()).unwrap()] += 1;
        }
        // 100 are expected in each; five standard deviations are 50.
        assert!(seconds.iter().all(|count| (50..150).contains(count)), "{seconds:?}");
        assert_ne!(phase_of("a", "b", MINUTE), phase_of("ab", "", MINUTE));
    }

    #[test]
    fn the_next_moment_is_later_and_in_phase() {
        let phase = Duration::from_secs(17);
        for (after, expected) in [(0, 17), (17, 77), (16, 17), (18, 77), (600, 617)] {
            assert_eq!(next_due(Duration::from_secs(after), phase, MINUTE), Duration::from_secs(expected));
        }
    }
}
