//! The bench's own clock: measuring is the one development task that is about time.

use std::time::{Duration, Instant};

/// Time since it was started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time; nothing decides on it")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Lets time pass: for a server to come up or to settle.
#[expect(clippy::disallowed_methods, reason = "what is waited for is another process's own timing")]
pub(super) fn pause(span: Duration) {
    std::thread::sleep(span);
}

/// Asks until the answer is yes or `patience` has passed; whether it was yes.
pub(super) fn wait_until(patience: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let watch = Stopwatch::start();
    loop {
        if is_so() {
            return true;
        }
        if watch.elapsed() >= patience {
            return false;
        }
        pause(Duration::from_millis(20));
    }
}
