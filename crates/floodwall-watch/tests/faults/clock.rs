//! The system's clocks: what is tested here runs in real time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use floodwall_model::{Clock, Timestamp};

pub(crate) struct TestClock(std::time::Instant);

impl TestClock {
    #[expect(clippy::disallowed_methods, reason = "this is the tests' clock module")]
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }
}

impl Clock for TestClock {
    #[expect(clippy::disallowed_methods, reason = "this is the tests' clock module")]
    fn now(&self) -> Timestamp {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp::new(self.0.elapsed(), i64::try_from(wall.as_micros()).unwrap_or(0))
    }
}
