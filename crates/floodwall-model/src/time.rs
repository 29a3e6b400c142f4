//! Time as a value that is passed in, so that every decision can be replayed.

use std::fmt;
use std::time::Duration;

/// One instant, read once: a monotonic reading for differences and a wall reading for people.
///
/// Decisions compare only the monotonic part, which never steps back; records carry the wall part,
/// which an operator or NTP may step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    monotonic_nanos: u64,
    wall_unix_micros: i64,
}

impl Timestamp {
    /// Builds a timestamp from the time since the clock's own start and the Unix time in
    /// microseconds.
    #[must_use]
    pub fn new(monotonic: Duration, wall_unix_micros: i64) -> Self {
        let monotonic_nanos = u64::try_from(monotonic.as_nanos()).unwrap_or(u64::MAX);
        Self { monotonic_nanos, wall_unix_micros }
    }

    /// Time since the clock's own start, in nanoseconds (584 years fit).
    #[must_use]
    pub fn monotonic_nanos(self) -> u64 {
        self.monotonic_nanos
    }

    /// Wall-clock time in microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn wall_unix_micros(self) -> i64 {
        self.wall_unix_micros
    }

    /// Wall-clock time in whole seconds since 1970-01-01T00:00:00Z, rounded down.
    #[must_use]
    pub fn wall_unix_seconds(self) -> i64 {
        self.wall_unix_micros.div_euclid(1_000_000)
    }

    /// The start of the wall-clock minute this instant lies in, in seconds since 1970.
    #[must_use]
    pub fn minute_start_unix_seconds(self) -> i64 {
        self.wall_unix_seconds().div_euclid(60).saturating_mul(60)
    }

    /// Monotonic time that passed since `earlier`; zero when `earlier` is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.monotonic_nanos.saturating_sub(earlier.monotonic_nanos))
    }

    /// The instant `span` later on both readings, saturating.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self {
            monotonic_nanos: self.monotonic_nanos.saturating_add(nanos),
            wall_unix_micros: self.wall_unix_micros.saturating_add(micros),
        }
    }
}

/// RFC 3339 in UTC with milliseconds: `2022-11-08T14:02:07.125Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.wall_unix_micros) {
            Ok(wall) => write!(f, "{wall:.3}"),
            Err(_) => write!(f, "(time out of range: {} us since 1970)", self.wall_unix_micros),
        }
    }
}

/// Where mechanism crates get `now` from. The binary implements it over the operating system's
/// clocks, tests over a value they turn by hand.
pub trait Clock: Send + Sync + 'static {
    /// Reads both clocks once.
    fn now(&self) -> Timestamp;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_rfc_3339_with_milliseconds() {
        let election_day = Timestamp::new(Duration::ZERO, 1_667_916_127_125_000);
        assert_eq!(election_day.to_string(), "2022-11-08T14:02:07.125Z");
    }

    #[test]
    fn differences_ignore_a_stepped_wall_clock() {
        let before = Timestamp::new(Duration::from_secs(10), 5_000_000);
        let after_step_back = Timestamp::new(Duration::from_secs(12), 1_000_000);
        assert_eq!(after_step_back.since(before), Duration::from_secs(2));
        assert_eq!(before.since(after_step_back), Duration::ZERO);
    }

    #[test]
    fn minute_starts_round_down_before_1970_too() {
        assert_eq!(Timestamp::new(Duration::ZERO, 119_999_999).minute_start_unix_seconds(), 60);
        assert_eq!(Timestamp::new(Duration::ZERO, -1).minute_start_unix_seconds(), -60);
    }
}
