//! How late a generator is against its plan: by this a measurement is called void.

use hdrhistogram::Histogram;

use crate::clock::Moment;

/// The latest that is told apart, microseconds: longer than any scenario.
const LATEST_US: u64 = 3_600_000_000;

/// What has been late so far.
#[derive(Debug)]
pub(super) struct Lateness(Option<Histogram<u64>>);

impl Lateness {
    pub(super) fn new() -> Self {
        // With bounds of its own: one that grows by itself takes what is beyond its present bounds
        // for as much as they are when told to saturate.
        Self(Histogram::new_with_bounds(1, LATEST_US, 3).ok())
    }

    /// Notes that what was due then begins now.
    pub(super) fn note(&mut self, due: Moment) {
        self.record(Moment::now().us_since(due));
    }

    fn record(&mut self, late_us: u64) {
        if let Some(late) = self.0.as_mut() {
            late.saturating_record(late_us);
        }
    }

    /// 99th percentile and maximum, microseconds.
    pub(super) fn p99_and_max_us(&self) -> (u64, u64) {
        self.0.as_ref().map_or((0, 0), |late| (late.value_at_quantile(0.99), late.max()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_late_is_a_second_late() {
        let mut late = Lateness::new();
        assert_eq!(late.p99_and_max_us(), (0, 0));
        for _ in 0..90 {
            late.record(200);
        }
        for _ in 0..10 {
            late.record(1_000_000);
        }
        let (p99, max) = late.p99_and_max_us();
        assert!((999_000..=1_001_000).contains(&p99) && (999_000..=1_001_000).contains(&max), "{p99} {max}");
        late.record(u64::MAX);
        assert!(late.p99_and_max_us().1 >= LATEST_US);
    }
}
