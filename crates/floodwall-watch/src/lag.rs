//! How late timers come on this runtime: the measure of whether the prober got the processor when it
//! needed it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use floodwall_model::{Clock, Timestamp};
use parking_lot::Mutex;

/// How often it is measured.
const EVERY: Duration = Duration::from_millis(100);
/// Lags smaller than this are not worth a place.
const NOTICED: Duration = Duration::from_millis(20);
/// Lags that are remembered; the oldest give way.
const REMEMBERED: usize = 1024;

/// The lags of the last minutes.
#[derive(Clone, Default)]
pub(crate) struct Lag(Arc<Mutex<VecDeque<(Timestamp, Duration)>>>);

impl Lag {
    /// Measures until dropped.
    pub(crate) async fn measure(&self, clock: &dyn Clock) {
        let mut before = clock.now();
        loop {
            tokio::time::sleep(EVERY).await;
            let now = clock.now();
            self.note(now, now.since(before).saturating_sub(EVERY));
            before = now;
        }
    }

    fn note(&self, now: Timestamp, lag: Duration) {
        if lag < NOTICED {
            return;
        }
        let mut lags = self.0.lock();
        if lags.len() == REMEMBERED {
            lags.pop_front();
        }
        lags.push_back((now, lag));
    }

    /// The longest since `since`.
    pub(crate) fn longest_since(&self, since: Timestamp) -> Duration {
        let lags = self.0.lock();
        lags.iter().rev().take_while(|(at, _)| *at >= since).map(|(_, lag)| *lag).max().unwrap_or_default()
    }
}
