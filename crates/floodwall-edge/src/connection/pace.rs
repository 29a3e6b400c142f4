//! How fast a visitor takes or sends a body, and how much longer to bear with them.
//!
//! A deadline on silence alone is met by one byte now and then, and each such body holds one of the
//! origin's few places. So time spent waiting for the visitor is charged against an allowance:
//! the deadline on silence once, and a second for each [`BYTES_PER_SECOND_MIN`] moved. Time spent
//! waiting for the origin costs the visitor nothing.

use std::time::Duration;

/// Slower than this on the average is not a slow line (a 1990s modem does sevenfold).
const BYTES_PER_SECOND_MIN: u64 = 1024;

/// One body's account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// Notes bytes that were moved, after the visitor was waited for.
    pub(crate) fn moved(&mut self, bytes: usize, waited: Duration) {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.waited = self.waited.saturating_add(waited);
    }

    /// How much longer to wait, where `silence` is the deadline on silence.
    pub(crate) fn patience(&self, silence: Duration) -> Duration {
        let earned = Duration::from_millis(self.bytes.saturating_mul(1000) / BYTES_PER_SECOND_MIN);
        silence.saturating_add(earned).saturating_sub(self.waited).min(silence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Duration = Duration::from_secs(30);

    #[test]
    fn drips_run_out_and_slow_lines_do_not() {
        // Bytes at a time, seconds between, parts until given up.
        for (bytes, seconds, gives_up_after) in
            [(1, 29, Some(2)), (1, 1, Some(31)), (1024, 1, None), (1024, 29, Some(2)), (60_000, 29, None)]
        {
            let mut pace = Pace::default();
            let wait = Duration::from_secs(seconds);
            let parts = (1..10_000).find(|_| {
                let too_late = pace.patience(SILENCE) <= wait;
                pace.moved(bytes, wait);
                too_late
            });
            assert_eq!(parts, gives_up_after, "{bytes} bytes every {seconds} s");
        }
    }

    #[test]
    fn nobody_is_waited_for_longer_than_silence_allows() {
        let mut pace = Pace::default();
        pace.moved(usize::MAX, Duration::ZERO);
        assert_eq!(pace.patience(SILENCE), SILENCE);
        pace.moved(0, Duration::MAX);
        assert_eq!(pace.patience(SILENCE), Duration::ZERO);
    }
}
