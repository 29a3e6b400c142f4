//! Slow change: what rises too gently for a change-point, against what is usual at this time.

use crate::baseline::Expected;

/// Seconds over which the present is taken.
const PRESENT_S: f64 = 30.0;
/// Seconds for which it must be beyond what is usual.
const SECONDS_LEAST: u32 = 30;
/// Without a baseline: so many times the past hour's level.
const HOURS_TIMES: f64 = 3.0;
/// Seconds of traffic after which there is a past hour.
const HOUR_LEAST: u32 = 1_800;

#[derive(Clone, Debug, Default)]
pub(crate) struct Drift {
    present: f64,
    hour: f64,
    seconds: u32,
    beyond_s: u32,
    below_s: u32,
}

/// What drifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drifted {
    Up,
    Down,
}

impl Drift {
    /// Takes in a calm second's requests, with what is expected where that is known well.
    pub(crate) fn take_in(&mut self, requests: f64, expected: Option<Expected>) -> Option<Drifted> {
        self.seconds = self.seconds.saturating_add(1);
        let part = |over: f64| (1.0 / f64::from(self.seconds)).max(1.0 / over);
        let (to_present, to_hour) = (part(PRESENT_S), part(3_600.0));
        self.present += (requests - self.present) * to_present;
        let (high, low) = match expected {
            Some(expected) => (expected.high * 1.3, expected.low * 0.4),
            None if self.seconds >= HOUR_LEAST => (self.hour * HOURS_TIMES, 0.0),
            None => (f64::INFINITY, 0.0),
        };
        self.hour += (requests - self.hour) * to_hour;
        let chance = 4.0 * (high.max(0.2) / PRESENT_S).sqrt();
        let settled = self.seconds >= 60;
        let beyond = settled && self.present > high + chance + 1.0;
        let below = settled && low > 1.0 && self.present < low - chance;
        self.beyond_s = if beyond { self.beyond_s + 1 } else { 0 };
        self.below_s = if below { self.below_s + 1 } else { 0 };
        if self.beyond_s >= SECONDS_LEAST {
            Some(Drifted::Up)
        } else if self.below_s >= SECONDS_LEAST {
            Some(Drifted::Down)
        } else {
            None
        }
    }

    /// After an episode: what was beyond is no longer counted, the past hour is what it was.
    pub(crate) fn reset(&mut self) {
        (self.beyond_s, self.below_s) = (0, 0);
    }
}
