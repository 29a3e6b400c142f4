//! Trouble the sample site can be brought into, for drills.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::Duration;

/// How much longer every answer takes while the site is slow.
pub(crate) const SLOW: Duration = Duration::from_secs(10);

/// What is wrong with the sample site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing.
    None = 0,
    /// Every answer takes [`SLOW`] longer.
    Slow = 1,
    /// Every answer is a 500.
    Errors = 2,
}

/// The trouble the site is in, which can change while it runs.
#[derive(Debug, Default)]
pub(crate) struct TroubleSwitch(AtomicU8);

impl TroubleSwitch {
    pub(crate) fn set(&self, trouble: Trouble) {
        self.0.store(trouble as u8, Relaxed);
    }

    pub(crate) fn get(&self) -> Trouble {
        match self.0.load(Relaxed) {
            1 => Trouble::Slow,
            2 => Trouble::Errors,
            _ => Trouble::None,
        }
    }
}
