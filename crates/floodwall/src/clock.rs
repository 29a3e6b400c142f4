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

/// How much of the processor time it has this process uses.
#[derive(Debug)]
pub(crate) struct ProcessorUse {
    processors: f64,
    used: Duration,
    at: Timestamp,
}

impl ProcessorUse {
    pub(crate) fn start(now: Timestamp) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let processors = u32::try_from(processors).unwrap_or(u32::MAX).into();
        Self { processors, used: processor_time(), at: now }
    }

    /// Of the time since this was last asked, 0 to 1; `None` when no time has passed.
    pub(crate) fn since_last(&mut self, now: Timestamp) -> Option<f64> {
        let used = processor_time();
        let passed = now.since(std::mem::replace(&mut self.at, now)).as_secs_f64() * self.processors;
        let worked = used.saturating_sub(std::mem::replace(&mut self.used, used)).as_secs_f64();
        (passed > 0.0).then(|| (worked / passed).clamp(0.0, 1.0))
    }
}

/// Of all threads together.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let nanos = u32::try_from(time.tv_nsec).unwrap_or(0).min(999_999_999);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanos)
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
    fn work_is_seen_in_the_processor_time() {
        let second = |number| Timestamp::new(Duration::from_secs(number), 0);
        let mut used = ProcessorUse::start(second(0));
        let mut sum = 0_u64;
        for number in 0..2_000_000_u64 {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(number));
        }
        let share = used.since_last(second(1)).unwrap();
        assert!(share > 0.0 && share <= 1.0, "{share}");
        assert_eq!(used.since_last(second(1)), None);
    }

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
