//! The one place that reads the operating system's clocks.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use floodwall_model::{Clock, Timestamp};

/// For so long the wall clock is taken to go as the monotonic one does: reading it at each request
/// would cost as much again, and somebody who sets it will not miss a tenth of a second.
const WALL_READ_EVERY: Duration = Duration::from_millis(100);

/// The operating system's clocks: monotonic since this value was made, wall time as it is.
#[derive(Debug)]
pub(crate) struct SystemClock {
    started: Instant,
    /// Wall time less monotonic time, in microseconds.
    wall_ahead_micros: AtomicI64,
    /// The monotonic time at which that is to be read anew, in microseconds.
    stale_at_micros: AtomicU64,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock module")]
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            wall_ahead_micros: AtomicI64::new(wall_micros()),
            stale_at_micros: AtomicU64::new(0),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let monotonic = self.started.elapsed();
        let micros = monotonic.as_micros();
        if micros >= u128::from(self.stale_at_micros.load(Relaxed)) {
            // Two threads that do this at once read the same clocks.
            let wall = wall_micros().saturating_sub(micros_of(monotonic));
            self.wall_ahead_micros.store(wall, Relaxed);
            let next = monotonic.saturating_add(WALL_READ_EVERY).as_micros();
            self.stale_at_micros.store(u64::try_from(next).unwrap_or(u64::MAX), Relaxed);
        }
        let wall = micros_of(monotonic).saturating_add(self.wall_ahead_micros.load(Relaxed));
        Timestamp::new(monotonic, wall)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock module")]
fn wall_micros() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => micros_of(since),
        Err(before) => micros_of(before.duration()).saturating_neg(),
    }
}

fn micros_of(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_is_the_systems() {
        let clock = SystemClock::start();
        for _ in 0..3 {
            let (before, now, after) = (wall_micros(), clock.now().wall_unix_micros(), wall_micros());
            let slack = micros_of(WALL_READ_EVERY);
            assert!(before - slack <= now && now <= after + slack, "{before} {now} {after}");
        }
    }
}
