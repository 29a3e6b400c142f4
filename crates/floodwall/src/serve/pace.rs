//! When the control loop counts.

use std::time::Duration;

/// How often traffic is handed to the store. Twice a second and not once, so that a killed process
/// loses the last second at the most: what came since, and what is on its way to the disk.
const HAND_OVER_EVERY: Duration = Duration::from_millis(500);

/// What the next beat is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Beat {
    /// Figures are published and traffic is handed to the store.
    Second,
    /// Only the latter.
    Between,
}

/// The control loop's clockwork.
pub(super) struct Pace {
    ticks: tokio::time::Interval,
    next: Beat,
}

impl Pace {
    /// The first beat comes after half a second: the driver counts when it starts.
    pub(super) fn start() -> Self {
        let mut ticks = tokio::time::interval(HAND_OVER_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        ticks.reset();
        Self { ticks, next: Beat::Between }
    }

    pub(super) async fn next(&mut self) -> Beat {
        self.ticks.tick().await;
        let following = match self.next {
            Beat::Second => Beat::Between,
            Beat::Between => Beat::Second,
        };
        std::mem::replace(&mut self.next, following)
    }
}
